"""Whoever takes part in a comparison: a process that answers loads with figures, a line of JSON each."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

# Far more than any answer takes: who says nothing for so long hangs.
PATIENCE_S = 120


class Failed(Exception):
    """A contender ended, hangs, or said something that is not a figure."""


class Contender:
    """One process, from its ready line to the end of its input. A pinned one shares a core with its children."""

    def __init__(self, name, command, pinned=False, patience=PATIENCE_S):
        self.name = name
        self.patience = patience
        self._read = b""
        prefix = ["taskset", "-c", "0"] if pinned else []
        try:  # in a session of its own, so that what it started can be ended with it
            self._process = subprocess.Popen(
                prefix + command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True)
        except OSError as error:
            raise Failed(f"{name} can't be started: {error}") from None
        self.ready = self._answer()

    @property
    def pid(self):
        return self._process.pid

    def ask(self, question):
        with contextlib.suppress(BrokenPipeError):  # _answer() says how it ended
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
        return self._answer()

    def _answer(self):
        line = self._line()
        if line is None:
            self._kill()
            raise Failed(f"{self.name} gave no answer within {self.patience:g} s and was killed")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self._kill()
            said, code = line.decode(errors="replace"), self._process.returncode
            raise Failed(f"{self.name} answered {said!r} and ended with {code}; run it by hand to see why")
        return answer

    def _line(self):
        """What it says next, up to its end if it ends; None where it says nothing for too long."""
        output = self._process.stdout.fileno()
        until = time.monotonic() + self.patience
        while b"\n" not in self._read:
            if not select.select([output], [], [], max(0, until - time.monotonic()))[0]:
                return None
            said = os.read(output, 65536)
            self._read += said
            if not said:
                break
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._kill()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Lineup:
    """Who can take part: {name: command}. Those of `own` must not fail; who else does is left out from then on."""

    def __init__(self, own, peers=(), left_out=()):
        self.commands = {**own, **dict(peers)}
        self.left_out = dict(left_out)  # {what: why}
        self._own = set(own)

    def leave_out(self, name, title, failed):
        if name in self._own:
            raise failed
        del self.commands[name]
        self.left_out[name] = f"from '{title}' on: {failed}"


def in_turns(title, names, lineup, questions, pinned=False):
    """Asks them one after the other, question by question; yields the answers to each, {name: answer}, of who is left."""
    running = {}
    try:
        for name in names:
            if name in lineup.commands:
                try:
                    running[name] = Contender(name, lineup.commands[name], pinned)
                except Failed as failed:
                    lineup.leave_out(name, title, failed)
        for question in questions:
            answers = {}
            for name, contender in list(running.items()):
                try:
                    answers[name] = contender.ask(question)
                except Failed as failed:
                    lineup.leave_out(name, title, failed)
                    del running[name]
            yield answers
    finally:
        for contender in running.values():
            contender.close()


def installed_peers(install, into, names):
    """Installs the systems that we are compared with: {name: command}, and {name: why it is left out}."""
    commands, left_out = {}, {}
    done = subprocess.run([sys.executable, install, "--into", into], stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines():
        peer = json.loads(line)
        if "command" in peer:
            commands[peer["peer"]] = peer["command"]
        else:
            left_out[peer["peer"]] = peer["skipped"]
    for name in names:
        if name not in commands and name not in left_out:
            left_out[name] = f"{install} did not name it and ended with {done.returncode}"
    if done.returncode != 0:
        left_out[install.name] = f"ended with {done.returncode}; run it by hand to see why"
    return commands, left_out
