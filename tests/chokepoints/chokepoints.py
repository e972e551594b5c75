#!/usr/bin/env python3
"""Where Bulkhead touches the operating system, and which way its folders depend on each other.

Scans the sources for dangerous APIs outside the files of allowlist.txt, for entries of that list that are not needed any
more, and for includes against the direction of ARCHITECTURE.md. Text only, comments and strings left out: it keeps
honest authors within the walls, and is no defence against one who wants to get around it.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

# ---- what is dangerous --------------------------------------------------------------------------

# Names that mean the operating system wherever they are called.
UNMISTAKABLE = {
    "file system": "fopen freopen fdopen creat openat openat2 mkdirat mkfifo mkstemp mkdtemp mkostemp unlinkat "
                   "renameat renameat2 symlinkat linkat fstatat opendir fdopendir scandir nftw realpath flock "
                   "ftruncate fchmod fchown utimensat sendfile copy_file_range memfd_create",
    "network": "socketpair getaddrinfo getpeername setsockopt getsockopt accept4 recvmsg sendmsg recvfrom sendto",
    "process": "fork vfork clone3 posix_spawn posix_spawnp execl execle execlp execv execve execvp execvpe fexecve "
               "execveat popen waitpid waitid wait4 killpg tgkill pidfd_open pidfd_send_signal prctl ptrace unshare "
               "setns setuid setgid setresuid setresgid setsid setrlimit prlimit chroot pivot_root",
    "environment": "getenv secure_getenv setenv unsetenv putenv clearenv",
    "dynamic loading": "dlopen dlmopen dlsym",
}

# Names that others use as well: dangerous when qualified (::open, std::system) or called by nothing but their name,
# unless the file declares a function of its own by that name.
COMMON = {
    "file system": "open unlink rename remove rmdir mkdir stat lstat fstat chmod chown truncate access link symlink "
                   "readlink chdir mount umount",
    "network": "socket connect bind listen accept",
    "process": "system kill clone",
    "raw system call": "syscall",
}

# Names that everybody uses: dangerous when qualified as the global one.
EVERYDAY = {
    "descriptors": "read write readv writev pread pwrite close dup dup2 dup3 pipe pipe2 fcntl ioctl poll ppoll "
                   "epoll_create1 isatty",
}

# Names of std::filesystem that look at the disk or change it; the path type does not.
DISK = ("absolute canonical weakly_canonical relative proximate status symlink_status exists equivalent file_size "
        "hard_link_count is_block_file is_character_file is_directory is_empty is_fifo is_other is_regular_file "
        "is_socket is_symlink last_write_time permissions read_symlink space current_path temp_directory_path copy "
        "copy_file copy_symlink create_directory create_directories create_hard_link create_symlink "
        "create_directory_symlink remove remove_all rename resize_file directory_entry directory_iterator "
        "recursive_directory_iterator")

HEADERS = {
    "file system": "fcntl.h dirent.h ftw.h fstream sys/stat.h sys/file.h sys/mman.h sys/mount.h sys/inotify.h "
                   "boost/filesystem.hpp",
    "descriptors": "unistd.h poll.h sys/ioctl.h sys/epoll.h sys/uio.h termios.h",
    "network": "sys/socket.h sys/un.h netdb.h netinet/in.h arpa/inet.h",
    "process": "spawn.h sched.h sys/wait.h sys/prctl.h sys/ptrace.h sys/resource.h boost/process.hpp",
    "dynamic loading": "dlfcn.h boost/dll.hpp",
    "raw system call": "sys/syscall.h linux/seccomp.h linux/landlock.h",
}

NODE_MODULES = {
    "file system": "fs fs/promises",
    "network": "net dgram http http2 https tls dns dns/promises inspector",
    "process": "child_process cluster worker_threads vm",
}


def words(text):
    return "|".join(re.escape(word) for word in text.split())


CPP_PATTERNS = [
    *((kind, re.compile(rf"(?<![\w.])(?<!->)(?:::\s*|std::)?\b({words(names)})\s*\("))
      for kind, names in UNMISTAKABLE.items()),
    *((kind, re.compile(rf"(?<![\w>])(?:::|std::)({words(names)})\s*\(")) for kind, names in COMMON.items()),
    *((kind, re.compile(rf"(?<![\w>])::({words(names)})\s*\(")) for kind, names in EVERYDAY.items()),
    ("file system", re.compile(rf"\b(?:filesystem|fs)::({words(DISK)})\b")),
    ("file system", re.compile(r"\b(?:std::)?(basic_[io]?fstream|[io]?fstream|filebuf)\b(?!\s*>)")),
    ("file system", re.compile(r"\basio::(stream_file|random_access_file)\b")),
    ("network", re.compile(r"\b(local::(?:stream|datagram)_protocol|local::connect_pair|ip::(?:tcp|udp|icmp)|"
                           r"generic::\w+_protocol)\b")),
    ("environment", re.compile(r"(?<![\w.])(environ)\b")),
    *((kind, re.compile(rf"^\s*#\s*include\s*<({words(names)})>")) for kind, names in HEADERS.items()),
    ("network", re.compile(r"^\s*#\s*include\s*<(boost/asio/(?:local|ip|generic)/[\w/]+\.hpp)>")),
]

# A call by nothing but its name, with arguments as all of these take some; what precedes it tells a call from a
# declaration, a member and a qualified name.
BARE_CALLS = [(kind, re.compile(rf"(?:^|[;{{}}()!,=&|?:<>+-]|\breturn)(?<!::)(?<!->)\s*"
                                rf"\b({words(names)})\s*\((?!\s*\))"))
              for kind, names in COMMON.items()]

NODE_PATTERNS = [
    *((kind, re.compile(rf"""(?:\brequire\s*\(|\bfrom|\bimport\s*\(?)\s*['"](?:node:)?({words(names)})['"]"""))
      for kind, names in NODE_MODULES.items()),
    ("process", re.compile(r"(?<![\w.])(eval|Function)\s*\(")),
    ("environment", re.compile(r"\b(process\.env)\b")),
    ("dynamic loading", re.compile(r"\b(process\.(?:dlopen|binding|_linkedBinding))\b")),
]

# ---- which way includes point -------------------------------------------------------------------

# Folder: the folders that it may include, beside itself.
DIRECTION = {
    "messages": set(),
    "config": {"messages"},
    "platform": {"messages"},
    "actors": {"config", "platform", "messages"},
    "tests": {"actors", "config", "platform", "messages"},
    "tools": {"tests", "actors", "config", "platform", "messages"},
}
MAY_INCLUDE_CAF = {"messages", "actors", "tests", "tools"}
FRONT_HEADERS = {"runtime.hpp": "actors/runtime.hpp", "typed_actors.hpp": "actors/typed_actors.hpp",
                 "testing.hpp": "tests/harness/testing.hpp"}
PUBLIC_HEADER = "actors/runtime.hpp"
# Their headers cost an embedder seconds a file, and their versions are ours to choose.
NOT_IN_PUBLIC = ("caf/", "spdlog/", "toml++/", "openssl/")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# ---- what is scanned ----------------------------------------------------------------------------

SCANNED = [("messages", "**/*.[ch]pp"), ("config", "**/*.[ch]pp"), ("platform", "**/*.[ch]pp"),
           ("actors", "**/*.[ch]pp"), ("tools", "**/*.[ch]pp"), ("tests/harness", "**/*.[ch]pp"),
           ("platform/node", "*.[cm]js"), ("platform/node", "*.js")]
# Far below what there is: a scan that sees fewer looks in the wrong place.
LEAST_FILES = {"messages": 20, "config": 15, "platform": 15, "actors": 30, "tools": 2, "platform/node": 8}


@dataclass(frozen=True, order=True)
class Violation:
    file: str
    line: int
    what: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.what}"


def blanked(match):
    """Spaces of the same shape, so that line numbers stay."""
    return re.sub(r"[^\n]", " ", match.group(0))


CPP_COMMENT = r"//[^\n]*|/\*.*?\*/"
CPP_STRING = (r'R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'
              r"|(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'")
JS_STRING = r"""`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'"""
JS_REGEX = r"(?<=[(,=:\[!&|?{};])[ \t]*/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/"


def without_comments(text, strings):
    tokens = re.compile(rf"(?P<comment>{CPP_COMMENT})|{strings}", re.DOTALL)
    return tokens.sub(lambda m: blanked(m) if m.group("comment") else m.group(0), text)


def without_strings(text):
    lines = text.split("\n")
    hidden = re.sub(CPP_STRING, blanked, text, flags=re.DOTALL).split("\n")
    # What an include names is not a string.
    return [line if INCLUDE.match(line) else bare for line, bare in zip(lines, hidden)]


class Source:
    def __init__(self, root, path):
        self.name = path.relative_to(root).as_posix()
        self.folder = self.name.split("/")[0]
        self.is_cpp = path.suffix in (".cpp", ".hpp")
        text = path.read_text(encoding="utf-8")
        if self.is_cpp:
            self.lines = without_strings(without_comments(text, CPP_STRING))
        else:
            self.lines = without_comments(text, f"{JS_REGEX}|{JS_STRING}").split("\n")

    def includes(self):
        """(line, name, in angle brackets)"""
        for number, line in enumerate(self.lines, 1):
            if self.is_cpp and (found := INCLUDE.match(line)):
                yield number, found.group(2), found.group(1) == "<"


def in_tree(include):
    """The file that <bulkhead/...> names; nothing for others."""
    if not include.startswith("bulkhead/"):
        return None
    name = include.removeprefix("bulkhead/")
    if name.startswith("harness/"):
        return "tests/" + name
    return FRONT_HEADERS.get(name, name)


# ---- the rules ----------------------------------------------------------------------------------


def declared_names(source, sources):
    """Functions and lambdas that a file, or the header beside it, declares itself."""
    header = sources.get(re.sub(r"\.cpp$", ".hpp", source.name))
    text = "\n".join(source.lines + (header.lines if header else []))
    functions = re.findall(r"[\w>&*\]]\s+[&*]?(?:\w+::)*(\w+)\s*\(", re.sub(r"\breturn\b", ";", text))
    lambdas = re.findall(r"\bauto\s+(?:const\s+)?(\w+)\s*=\s*\[", text)
    return {*functions, *lambdas}


def dangerous_calls(source, sources):
    """(line, kind, name)"""
    patterns = CPP_PATTERNS if source.is_cpp else NODE_PATTERNS
    own = declared_names(source, sources) if source.is_cpp else set()
    for number, line in enumerate(source.lines, 1):
        for kind, pattern in patterns:
            for found in pattern.finditer(line):
                yield number, kind, found.group(1)
        if source.is_cpp and not INCLUDE.match(line):
            for kind, pattern in BARE_CALLS:
                for found in pattern.finditer(line):
                    if found.group(1) not in own:
                        yield number, kind, found.group(1)


def read_allowlist(path):
    """{(file, kind): line}; each line says file, kind and reason, two or more spaces apart."""
    allowed = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            fields = re.split(r"\s{2,}", line.strip(), maxsplit=2)
            if len(fields) != 3:
                raise SystemExit(f"{path}:{number}: write FILE  KIND  REASON")
            allowed[fields[0], fields[1]] = number
    return allowed


def check_dangerous_apis(root, sources, allowlist):
    allowed = read_allowlist(allowlist)
    needed = set()
    for source in sources.values():
        for line, kind, name in dangerous_calls(source, sources):
            if (source.name, kind) in allowed:
                needed.add((source.name, kind))
            else:
                yield Violation(source.name, line, f"{name} ({kind}) outside the allowlist")
    for (file, kind), line in allowed.items():
        if file not in sources:
            yield Violation(allowlist.name, line, f"{file} does not exist")
        elif (file, kind) not in needed:
            yield Violation(allowlist.name, line, f"{file} no longer needs: {kind}")


def check_direction(sources):
    for source in sources.values():
        may = DIRECTION[source.folder] | {source.folder}
        is_library = source.folder not in ("tests", "tools")
        for line, name, angled in source.includes():
            if name.startswith("caf/") and source.folder not in MAY_INCLUDE_CAF:
                yield Violation(source.name, line, f"{source.folder} includes CAF: {name}")
            target = in_tree(name)
            if target and target.split("/")[0] not in may:
                yield Violation(source.name, line, f"{source.folder} includes {target.split('/')[0]}: {name}")
            if not angled and (is_library or ".." in name):
                yield Violation(source.name, line, f'"{name}" is not written <bulkhead/FOLDER/file.hpp>')


def check_public_headers(sources):
    """What a file that includes <bulkhead/runtime.hpp> gets to see."""
    seen = set()
    waiting = [PUBLIC_HEADER] if PUBLIC_HEADER in sources else []
    while waiting:
        name = waiting.pop()
        if name in seen or name not in sources:
            continue
        seen.add(name)
        for line, include, _ in sources[name].includes():
            if include.startswith(NOT_IN_PUBLIC):
                yield Violation(name, line, f"{include} is reached from {PUBLIC_HEADER}")
            elif target := in_tree(include):
                waiting.append(target)


def check_scan(sources, least):
    for folder, count in least.items():
        endings = (".js", ".mjs", ".cjs") if folder == "platform/node" else (".cpp", ".hpp")
        seen = sum(name.startswith(folder + "/") and name.endswith(endings) for name in sources)
        if seen < count:
            yield Violation(folder, 0, f"the scan sees {seen} files, expected at least {count}")


def scan(root, allowlist, least):
    """Every violation of the tree, and the number of files scanned."""
    sources = {}
    for folder, pattern in SCANNED:
        for path in sorted((root / folder).glob(pattern)):
            if path.is_file():
                source = Source(root, path)
                sources[source.name] = source
    found = {*check_scan(sources, least), *check_dangerous_apis(root, sources, allowlist), *check_direction(sources),
             *check_public_headers(sources)}
    return sorted(found), len(sources)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: chokepoints.py SOURCE_DIR")
    violations, files = scan(Path(sys.argv[1]).resolve(), Path(__file__).with_name("allowlist.txt"), LEAST_FILES)
    for violation in violations:
        print(violation)
    print(f"{files} files, {len(violations)} violations")
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
