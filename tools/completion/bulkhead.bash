# Completion of the bulkhead command for bash. Source this file, or install it as
# /usr/share/bash-completion/completions/bulkhead.

_bulkhead_permissions='fileSystem.read fileSystem.write fileSystem.delete workspace.read
  workspace.write workspace.execute network.http network.https network.webSocket clipboard.read
  clipboard.write secrets.read secrets.write ui.notifications ui.dialogs ui.quickPick
  textEditor.read textEditor.write textEditor.selection debug.start debug.stop debug.breakpoints
  terminal.create terminal.send tasks.execute commands.execute authentication.getSession
  authentication.createSession env.read process.spawn ai.client project.metadata'

# The hosts that a policy names: [hosts.NAME], one a line.
_bulkhead_hosts() {
  sed -n 's/^[[:space:]]*\[hosts\.\([A-Za-z0-9_-]*\).*/\1/p' -- "$1" 2> /dev/null | sort -u
}

_bulkhead_policies() {
  compopt -o filenames 2> /dev/null
  mapfile -t COMPREPLY < <(compgen -f -X '!*.toml' -- "$1"; compgen -d -- "$1")
}

_bulkhead_files() {
  compopt -o filenames 2> /dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_bulkhead_words() {
  mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

_bulkhead() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local -a operands=()
  local i
  COMPREPLY=()

  # What stands before the cursor, without options and their values.
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --timeout | -t) i=$((i + 1)) ;;
      -*) ;;
      *) operands+=("${COMP_WORDS[i]}") ;;
    esac
  done

  case $previous in
    --timeout | -t) return ;;
  esac

  case "${operands[0]-}:${#operands[@]}:$current" in
    :0:-*) _bulkhead_words "$current" '--help --version' ;;
    :0:*) _bulkhead_words "$current" 'run call policy secrets audit integrity doctor help' ;;
    run:*:-*) _bulkhead_words "$current" '--json --help' ;;
    run:1:*) _bulkhead_policies "$current" ;;
    call:*:-*) _bulkhead_words "$current" '--timeout --verbose --help' ;;
    call:1:*) _bulkhead_policies "$current" ;;
    call:2:*) _bulkhead_words "$current" "$(_bulkhead_hosts "${operands[1]}")" ;;
    policy:*:-*)
      local json=
      [ "${operands[1]-}" != explain ] || json=--json
      _bulkhead_words "$current" "$json --help"
      ;;
    policy:1:*) _bulkhead_words "$current" 'check explain reference schema help' ;;
    policy:2:*) [[ ${operands[1]} != @(check|explain) ]] || _bulkhead_policies "$current" ;;
    policy:[345]:*)
      [ "${operands[1]}" = explain ] || return
      case ${#operands[@]} in
        3) _bulkhead_words "$current" "$(_bulkhead_hosts "${operands[2]}")" ;;
        4) _bulkhead_words "$current" "$_bulkhead_permissions" ;;
        5) _bulkhead_files "$current" ;;
      esac
      ;;
    secrets:*:-*) _bulkhead_words "$current" '--all --json --help' ;;
    secrets:1:*) _bulkhead_policies "$current" ;;
    secrets:2:*) _bulkhead_words "$current" "$(_bulkhead_hosts "${operands[1]}")" ;;
    secrets:3:*) _bulkhead_words "$current" 'list set delete' ;;
    audit:*:-*) _bulkhead_words "$current" '--json --help' ;;
    audit:1:*) _bulkhead_words "$current" 'verify help' ;;
    audit:2:*) [ "${operands[1]}" != verify ] || _bulkhead_files "$current" ;;
    integrity:*:-*) _bulkhead_words "$current" '--interpreter --json --help' ;;
    integrity:1:*) _bulkhead_files "$current" ;;
    doctor:*:-*) _bulkhead_words "$current" '--json --help' ;;
    doctor:1:*) _bulkhead_policies "$current" ;;
    help:1:*) _bulkhead_words "$current" 'run call policy secrets audit integrity doctor' ;;
    help:2:*)
      case ${operands[1]} in
        policy) _bulkhead_words "$current" 'check explain reference schema' ;;
        audit) _bulkhead_words "$current" 'verify' ;;
      esac
      ;;
  esac
}

complete -F _bulkhead bulkhead
