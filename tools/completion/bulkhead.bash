# Completion of the bulkhead command for bash. Source this file, or install it as
# /usr/share/bash-completion/completions/bulkhead.

# The hosts that a policy names: [hosts.NAME], one a line.
_bulkhead_hosts() {
  sed -n 's/^[[:space:]]*\[hosts\.\([A-Za-z0-9_-]*\).*/\1/p' -- "$1" 2> /dev/null | sort -u
}

_bulkhead_policies() {
  compopt -o filenames 2> /dev/null
  mapfile -t COMPREPLY < <(compgen -f -X '!*.toml' -- "$1"; compgen -d -- "$1")
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
    :0:*) _bulkhead_words "$current" 'run call policy help' ;;
    run:*:-*) _bulkhead_words "$current" '--json --help' ;;
    run:1:*) _bulkhead_policies "$current" ;;
    call:*:-*) _bulkhead_words "$current" '--timeout --verbose --help' ;;
    call:1:*) _bulkhead_policies "$current" ;;
    call:2:*) _bulkhead_words "$current" "$(_bulkhead_hosts "${operands[1]}")" ;;
    policy:*:-*) _bulkhead_words "$current" '--help' ;;
    policy:1:*) _bulkhead_words "$current" 'check reference schema help' ;;
    policy:2:*) [ "${operands[1]}" != check ] || _bulkhead_policies "$current" ;;
    help:1:*) _bulkhead_words "$current" 'run call policy' ;;
    help:2:*) [ "${operands[1]}" != policy ] || _bulkhead_words "$current" 'check reference schema' ;;
  esac
}

complete -F _bulkhead bulkhead
