#!/usr/bin/env python3
"""Holds the peers of the benchmark to the line protocol of README.md: those that are installed, see --into. What is not
installed is skipped.
"""

import argparse
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

INSTALL = Path(__file__).resolve().parent / "install.py"

# Far more than it takes; a peer that hangs has failed.
TIMEOUT_S = 30

BYTES = 100
IN_FLIGHT = 8
CALLS = 200
STARTS = 2

ROUND = {"bytes": BYTES, "in_flight": IN_FLIGHT, "calls": CALLS}


def listed(into, environment=None):
    """What install.py says of each peer below a folder, without installing any."""
    printed = subprocess.run([sys.executable, INSTALL, "--list", "--into", into], env=environment, timeout=TIMEOUT_S,
                             capture_output=True, text=True, check=True).stdout
    return {answer.pop("peer"): answer for answer in map(json.loads, printed.splitlines())}


def ends(process_id):
    """Waits for the end of any process."""
    try:
        process = os.pidfd_open(process_id)
    except ProcessLookupError:
        return True
    ended, _, _ = select.select([process], [], [], TIMEOUT_S)
    os.close(process)
    return bool(ended)


class PeerProcess:
    """A running peer, with all that it started; gone at the end of the `with`."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):  # all have ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def members(self):
        """The ids of the processes of its session, among which are its server's."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue  # it has just ended
            if int(session) == self.process.pid and state != "Z":
                found.append(int(stat.parent.name))
        return found

    def servers(self):
        return [member for member in self.members() if member != self.process.pid]

    def leftovers(self):
        """The processes that do not end although the peer has: one that was killed may take a moment to."""
        return [member for member in self.servers() if not ends(member)]

    def answers(self, *lines):
        """All that it prints when it is told these lines."""
        told = "".join(f"{json.dumps(line)}\n" for line in lines)
        printed, complaint = self.process.communicate(told, timeout=TIMEOUT_S)
        return [json.loads(line) for line in printed.splitlines()], complaint


class Protocol:
    """What is asked of every peer; a test case for each is made in main()."""

    name = None
    into = None

    def setUp(self):
        answer = listed(self.into)[self.name]
        if "skipped" in answer:
            self.skipTest(answer["skipped"])
        self.command = answer["command"]

    def check_round(self, answer):
        self.assertEqual(set(answer), {"seconds", "p50_us", "p99_us"})
        self.assertGreater(answer["p50_us"], 1)  # nothing gets to another process and back faster
        self.assertLessEqual(answer["p50_us"], answer["p99_us"])
        self.assertLessEqual(answer["p99_us"], 1e6 * answer["seconds"])
        # At most so many calls were open at a time, and half of them took the median or longer.
        self.assertGreaterEqual(1e6 * answer["seconds"], 0.5 * CALLS * answer["p50_us"] / IN_FLIGHT)

    def test_rounds_and_starts_are_answered_and_nothing_is_left(self):
        with PeerProcess(self.command) as peer:
            (ready, *rounds, starts), complaint = peer.answers(ROUND, {**ROUND, "in_flight": 1}, {"starts": STARTS})
            self.assertEqual(peer.process.returncode, 0, complaint)
            self.assertEqual(peer.leftovers(), [])
        self.assertEqual((set(ready), ready["ready"]), ({"ready", "start_ms"}, True))
        self.assertEqual(len(rounds), 2)
        for answer in rounds:
            self.check_round(answer)
        self.assertGreaterEqual(1e6 * rounds[1]["seconds"], 0.5 * CALLS * rounds[1]["p50_us"])
        self.assertEqual((set(starts), len(starts["starts_ms"])), ({"starts_ms"}, STARTS))
        for start in [ready["start_ms"], *starts["starts_ms"]]:
            self.assertGreater(1e3 * start, rounds[1]["p50_us"])  # a start has a call in it

    def test_a_line_that_asks_for_nothing_is_an_error(self):
        with PeerProcess(self.command) as peer:
            printed, complaint = peer.answers({"bytes": BYTES, "in_flight": 0, "calls": CALLS})
            self.assertEqual((peer.process.returncode, len(printed)), (1, 1))
            self.assertIn("positive", complaint)

    def test_the_death_of_the_server_is_an_error(self):
        with PeerProcess(self.command) as peer:
            peer.process.stdout.readline()
            for server in peer.servers():
                with contextlib.suppress(ProcessLookupError):  # it ended with the one before it
                    os.kill(server, signal.SIGKILL)
            printed, complaint = peer.answers(ROUND)
            self.assertEqual((peer.process.returncode, printed), (1, []))
            self.assertNotEqual(complaint, "")

    def test_its_server_ends_with_it(self):
        with PeerProcess(self.command) as peer:
            peer.process.stdout.readline()
            self.assertNotEqual(peer.servers(), [])
            peer.process.kill()
            self.assertEqual(peer.leftovers(), [])


class Install(unittest.TestCase):
    def test_every_peer_is_skipped_with_a_reason_where_no_tool_is_installed(self):
        with tempfile.TemporaryDirectory() as folder:
            answers = listed(folder, {**os.environ, "PATH": folder})
        self.assertEqual(list(answers), ["fork_ipc", "jsonrpc", "go_plugin_grpc", "go_plugin_netrpc", "dscode"])
        for name, answer in answers.items():
            self.assertEqual(list(answer), ["skipped"], name)
            self.assertRegex(answer["skipped"], "is not installed: .*install", name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, metavar="DIR", help="where install.py installed the peers")
    given, for_unittest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as empty:
        for name in listed(given.into or empty):
            case = type(name, (Protocol, unittest.TestCase), {"name": name, "into": given.into or empty})
            globals()[name] = case  # where unittest looks for them
        unittest.main(argv=[sys.argv[0], *for_unittest])


if __name__ == "__main__":
    main()
