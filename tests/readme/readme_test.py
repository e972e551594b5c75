#!/usr/bin/env python3
"""Holds the documents to what they print.

A code block under `<!-- readme-test: NAME -->` is a file of that name; under `<!-- readme-test: console -->` it is a
session: what stands behind `$ ` is run where those files are, and must print exactly what follows it.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"<!-- readme-test: (\S+) -->\n+```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Far more than it takes; a test that hangs has failed.
TIMEOUT_S = 30


def blocks(document):
    return BLOCK.findall(Path(document).read_text(encoding="utf-8"))


def extract(document, name, output):
    """Writes one file of the document, for the build to compile it as printed."""
    found = [text for block, text in blocks(document) if block == name]
    if len(found) != 1:
        sys.exit(f"{document} has {len(found)} blocks named {name}")
    Path(output).write_text(found[0], encoding="utf-8")


def commands(session):
    """(command, what it prints)"""
    for step in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, printed = step.partition("\n")
        yield command, printed


def run(document, **programs):
    """Runs all sessions. A program of that name is found first, whatever the machine has."""
    found = blocks(document)
    sessions = [text for name, text in found if name == "console"]
    if not sessions:
        sys.exit(f"{document} has no session to run")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, program in programs.items():
            (Path(folder) / "bin").mkdir(exist_ok=True)
            (Path(folder) / "bin" / name).symlink_to(Path(program).resolve())
        work = Path(folder) / "work"
        for name, text in found:
            if name != "console":
                file = work / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
        environment = {**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        for command, expected in (step for session in sessions for step in commands(session)):
            try:
                done = subprocess.run(shlex.split(command), cwd=work, env=environment, capture_output=True, text=True,
                                      timeout=TIMEOUT_S, check=False)
            except subprocess.TimeoutExpired as late:
                failed += 1
                print(f"$ {command}\ndid not end in {TIMEOUT_S} s, and printed:\n{late.stdout}\n{late.stderr}")
                continue
            if done.stdout != expected:
                failed += 1
                print(f"$ {command}\nexit code {done.returncode}, expected:\n{expected}printed:\n{done.stdout}"
                      f"on standard error:\n{done.stderr}")
    print(f"{len(sessions)} sessions, {failed} commands printed something else")
    sys.exit(1 if failed else 0)


def claims(document, source_dir):
    """Every test that the document names in quotes, behind its file, has to exist there."""
    text = re.sub(r"\s+", " ", Path(document).read_text(encoding="utf-8"))
    named = re.findall(r"`([\w./]+)`: \"([^\"]+)\"", text)
    missing = []
    for file, test in named:
        path = Path(source_dir) / file
        # A name may go on in the next literal, and a literal of JavaScript has single quotes.
        text = re.sub(r"\"\s*\n\s*\"", "", path.read_text(encoding="utf-8")) if path.exists() else ""
        if test not in text:
            missing.append(f"{document}: {file} has no test \"{test}\"")
    print(*missing, f"{len(named)} tests named, {len(missing)} missing", sep="\n")
    sys.exit(1 if missing or not named else 0)


def main():
    match sys.argv[1:]:
        case ["extract", document, name, output]:
            extract(document, name, output)
        case ["run", document, command, backend]:
            run(document, bulkhead=command, backend=backend)
        case ["claims", document, source_dir]:
            claims(document, source_dir)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
