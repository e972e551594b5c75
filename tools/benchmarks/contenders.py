"""Whoever takes part in a comparison: a process that answers loads with figures, a line of JSON each."""

import json
import subprocess
import sys


class Failed(Exception):
    """A contender ended, or said something that is not a figure."""


class Contender:
    """One process, from its ready line to the end of its input. A pinned one shares a core with its children."""

    def __init__(self, name, command, pinned=False):
        self.name = name
        prefix = ["taskset", "-c", "0"] if pinned else []
        self._process = subprocess.Popen(
            prefix + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self._answer()

    def ask(self, question):
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # _answer() says how it ended
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            self._process.kill()
            code = self._process.wait()
            raise Failed(f"{self.name} answered {line.strip()!r} and ended with {code}; run it by hand to see why") from None

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def installed_peers(install, into):
    """Installs the systems that we are compared with: {name: command}, and {name: why it is left out}."""
    commands, skipped = {}, {}
    done = subprocess.run([sys.executable, install, "--into", into], stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        peer = json.loads(line)
        if "command" in peer:
            commands[peer["peer"]] = peer["command"]
        else:
            skipped[peer["peer"]] = peer["skipped"]
    return commands, skipped
