#!/usr/bin/env python3
"""Holds tools/bench to what it says of figures: which bar is met, which is far, and who did not answer."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import select
import signal
import sys
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

sys.dont_write_bytecode = True

import bars  # noqa: E402
import contenders  # noqa: E402
import curves  # noqa: E402
from bars import Bar, Case, Row, calls, row_of_memory, rows_of_case, rows_of_idle, rows_of_starts  # noqa: E402
from contenders import Contender, Failed, Lineup, in_turns, installed_peers  # noqa: E402
from report import table  # noqa: E402


def loaded(path):
    """A program without a suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader(path.name, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(path.name, loader))
    loader.exec_module(module)
    return module


bench = loaded(Path(__file__).resolve().parents[1] / "bench")

# Far more than it takes; what hangs has failed.
TIMEOUT_S = 60

ECHO = """
import json, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    print(json.dumps({"seconds": json.loads(line)["calls"] / 1000}), flush=True)
"""
# Answers once.
ENDS = """
import sys
print('{"ready": true}', flush=True)
sys.stdin.readline()
print('{"seconds": 1}', flush=True)
sys.stdin.readline()
sys.exit(3)
"""
# Says who its child is, which has its output as well, and then nothing.
HANGS = """
import json, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
print(json.dumps({"ready": True, "child": child.pid}), flush=True)
child.wait()
"""


def running(text):
    return [sys.executable, "-c", text]


class Bars(unittest.TestCase):
    def test_a_bar_is_met_from_its_own_side(self):
        self.assertTrue(Bar(2, "floor", at_least=1.2).is_met(1.2))
        self.assertFalse(Bar(2, "floor", at_least=1.2).is_met(1.19))
        self.assertTrue(Bar(1, "floor", at_most=1.0).is_met(1.0))
        self.assertFalse(Bar(1, "floor", at_most=1.0).is_met(1.01))

    def test_far_is_what_would_miss_a_bar_that_is_easier_by_the_margin(self):
        self.assertFalse(Bar(2, "floor", at_least=1.2).is_far(0.61, 2))
        self.assertTrue(Bar(2, "floor", at_least=1.2).is_far(0.59, 2))
        self.assertFalse(Bar(1, "floor", at_most=1.0).is_far(1.9, 2))
        self.assertTrue(Bar(1, "floor", at_most=1.0).is_far(2.1, 2))

    def test_what_has_something_of_others_in_it_is_missed_but_never_far(self):
        bar = Bar(5, "bulkhead", at_least=0.85, gated=False)
        self.assertFalse(bar.is_met(0.01))
        self.assertFalse(bar.is_far(0.01, 2))

    def test_what_has_no_limit_is_neither_met_nor_missed_nor_far(self):
        self.assertIsNone(Bar(11, "").is_met(1e9))
        self.assertFalse(Bar(11, "").is_far(1e9, 2))

    def test_a_ratio_is_taken_within_a_round_and_its_median_counts(self):
        row = Row("", "/s", Bar(2, "floor", at_least=1), figures=[10, 40, 60], others=[10, 20, 20])
        self.assertEqual(row.values, [1, 2, 3])
        self.assertEqual(row.value, 2)

    def test_a_case_has_a_row_for_each_bar_whose_contender_took_part(self):
        case = Case("", calls(100, 64, 1000), "per_second",
                    [Bar(2, "floor", at_least=1.2), Bar(2, "jsonrpc", at_least=6)])
        rows = rows_of_case(case, {"bulkhead": [{"seconds": 1}], "floor": [{"seconds": 2}]})
        self.assertEqual([(row.bar.against, row.value) for row in rows], [("floor", 2)])

    def test_a_start_is_compared_with_the_start_of_the_same_turn(self):
        def told(ms):
            return [{"name": name, "times": [ms]} for name in ("bare node", "none", "noticed none", "restart none", "strong",
                                                               "noticed", "restart", "warm/reply")]

        rows = rows_of_starts([told(2), told(6)], {"go_plugin_grpc": [4, 4]})
        self.assertEqual([row.values for row in rows if row.bar.against == "go_plugin_grpc"], [[0.5, 1.5]])

    def test_memory_may_have_become_less(self):
        self.assertEqual(row_of_memory(before=5000, after=4900).value, -100)
        self.assertFalse(bars.Row.as_json(row_of_memory(before=5000, after=7049))["met"])


class Reports(unittest.TestCase):
    def test_a_table_has_the_median_of_the_runs_and_says_what_is_missed(self):
        def run(ratio):
            row = Row("calls", "/s", Bar(2, "floor", at_least=1.2), figures=[ratio * 10], others=[10])
            return {"rows": [row.as_json()]}

        text = table([run(1.1), run(1.3), run(1.15)])
        self.assertEqual(len(text.splitlines()), 3)
        self.assertIn("| **1.15 x** | 1.1, 1.3, 1.15 | 1.1 to 1.3 | **missed** |", text)
        self.assertNotIn("missed", table([run(1.3)]))

    def test_p50_and_p99_are_the_subjects_own_and_a_dash_where_nobody_took_them(self):
        def row(p50, p99):
            case = Case("calls", calls(100, 64, 1000), "per_second", [Bar(2, "floor", at_least=1.2)])
            own = {"seconds": 1, "p50_us": p50, "p99_us": p99}
            return rows_of_case(case, {"bulkhead": [own], "floor": [{"seconds": 2, "p50_us": 7, "p99_us": 8}]})[0]

        self.assertIn("  40 / 90 us  ", bench.table([row(40, 90)]))
        self.assertIn("| 40 / 90 us |", table([{"rows": [row(40, 90).as_json()]}]))
        self.assertRegex(bench.table([row(None, None)]), " /s +- +floor ")
        self.assertIn("| - |", table([{"rows": [row(None, None).as_json()]}]))

    def test_what_has_no_limit_has_no_verdict(self):
        told = {"hosts": 10, "cpu_percent": 0.1, "hosts_cpu_percent": 80, "kib_a_host": 20}
        rows = [row for row in rows_of_idle(told, "strong") if row.figures == [80]]
        for text in (bench.table(rows), table([{"rows": [row.as_json() for row in rows]}])):
            self.assertIn("80 %", text)
            self.assertNotIn("met", text)
            self.assertNotIn("missed", text.lower())


class Contenders(unittest.TestCase):
    def test_a_contender_answers_load_by_load(self):
        with Contender("echo", running(ECHO)) as one:
            self.assertEqual(one.ask(calls(100, 1, 500)), {"seconds": 0.5})
            self.assertEqual(one.ask(calls(100, 1, 2000)), {"seconds": 2})

    def test_one_that_ends_instead_is_named_with_its_exit_code(self):
        with Contender("gone", running(ENDS)) as one:
            one.ask(calls(100, 1, 1))
            with self.assertRaisesRegex(Failed, "gone answered '' and ended with 3"):
                one.ask(calls(100, 1, 1))

    def test_one_that_hangs_is_killed_with_what_it_started(self):
        with Contender("mute", running(HANGS)) as one:
            child = os.pidfd_open(one.ready["child"])
            self.addCleanup(os.close, child)
            one.patience = 0.1
            with self.assertRaisesRegex(Failed, "mute gave no answer within 0.1 s and was killed"):
                one.ask(calls(100, 1, 1))
            self.assertFalse(Path(f"/proc/{one.pid}").exists())
            has_ended, _, _ = select.select([child], [], [], TIMEOUT_S)
            if not has_ended:
                signal.pidfd_send_signal(child, signal.SIGKILL)
            self.assertTrue(has_ended)

    def test_one_that_is_not_ready_in_time_is_killed(self):
        with self.assertRaisesRegex(Failed, "mute gave no answer within 0.1 s and was killed"):
            Contender("mute", running("input()"), patience=0.1)


class Turns(unittest.TestCase):
    load = calls(100, 64, 1000)

    def test_all_are_asked_one_after_the_other(self):
        lineup = Lineup({"a": running(ECHO)}, {"b": running(ECHO)})
        self.assertEqual(list(in_turns("calls", ["a", "b", "unknown"], lineup, [self.load] * 2)),
                         [{"a": {"seconds": 1}, "b": {"seconds": 1}}] * 2)
        self.assertEqual(lineup.left_out, {})

    def test_a_peer_that_fails_is_left_out_and_the_others_go_on(self):
        lineup = Lineup({"bulkhead": running(ECHO), "floor": running(ECHO)},
                        {"jsonrpc": running(ENDS), "dscode": ["/nowhere/dscode"]})
        case = Case("calls", calls(100, 64, 1000), "per_second",
                    [Bar(2, name, at_least=1) for name in ("floor", "jsonrpc", "dscode")])
        rows, answers = bench.run_case(case, bench.Effort(quick=True, rounds=2), lineup)
        self.assertEqual([(row.bar.against, row.values) for row in rows], [("floor", [1, 1])])
        self.assertEqual(set(answers), {"bulkhead", "floor"})
        self.assertEqual(set(lineup.commands), {"bulkhead", "floor"})
        self.assertRegex(lineup.left_out["jsonrpc"], "from 'calls' on: jsonrpc answered '' and ended with 3")
        self.assertRegex(lineup.left_out["dscode"], "dscode can't be started")

    def test_one_of_our_own_that_fails_ends_the_run(self):
        lineup = Lineup({"bulkhead": running(ENDS)})
        with self.assertRaisesRegex(Failed, "bulkhead answered '' and ended with 3"):
            list(in_turns("calls", ["bulkhead"], lineup, [self.load] * 3))

    def test_starts_of_others_take_turns_with_our_own_and_one_that_fails_is_left_out(self):
        log = []

        class Starter:
            def __init__(self, name, command, pinned=False):
                self.name = name

            def ask(self, question):
                log.append(f"{question['starts']} of {self.name}")
                if self.name == "go_plugin_netrpc" and len(log) > 3:
                    raise Failed("it ended")
                return {"starts_ms": [len(log)] * question["starts"]}

            def close(self):
                pass

        def told_by(program, *arguments):
            log.append(f"{arguments[-1]} of {program}")
            return ["told"]

        effort = bench.Effort(quick=True, rounds=None)
        effort.starts = [2, 1]
        lineup = Lineup({}, {name: [] for name in bench.STARTERS})
        with patch.object(contenders, "Contender", Starter), patch.object(bench, "told_by", told_by):
            told, others = bench.run_starts(effort, lineup)
        self.assertEqual(log, ["2 of go_plugin_grpc", "2 of go_plugin_netrpc", "2 of bench_start",
                               "1 of go_plugin_grpc", "1 of go_plugin_netrpc", "1 of bench_start"])
        self.assertEqual((told, others), ([["told"]] * 2, {"go_plugin_grpc": [1, 1, 4]}))
        self.assertEqual(lineup.left_out, {"go_plugin_netrpc": "from 'starts and restarts' on: it ended"})

    def test_a_point_of_a_curve_is_warmed_up_for_a_second(self):
        asked = []

        class Steady:
            def ask(self, load):
                asked.append(load["calls"] / 1024)
                return {"seconds": asked[-1], "p99_us": 5}

        self.assertEqual(curves.point(Steady(), 100, 1), {"per_second": 1024, "p99_us": 5})
        self.assertGreaterEqual(sum(asked[:-1]), 1)
        asked.clear()
        curves.point(Steady(), 100, 1, warm_up_calls=5 * 1024)
        self.assertGreaterEqual(sum(asked[:-1]), 5)


class Programs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def program(self, name, text):
        file = self.folder / name
        file.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
        file.chmod(0o755)
        return file

    def test_peers_that_are_not_installed_are_left_out_with_why(self):
        install = self.program("install.py", """
print('{"peer": "jsonrpc", "command": ["run"]}')
print('{"peer": "dscode", "skipped": "no cargo"}', flush=True)
raise SystemExit(4)
""")
        commands, left_out = installed_peers(install, self.folder, ["jsonrpc", "dscode", "fork_ipc"])
        self.assertEqual(commands, {"jsonrpc": ["run"]})
        self.assertEqual(set(left_out), {"dscode", "fork_ipc", "install.py"})
        self.assertEqual(left_out["dscode"], "no cargo")
        self.assertRegex(left_out["fork_ipc"], "did not name it and ended with 4")
        self.assertRegex(left_out["install.py"], "ended with 4")

    def test_what_a_machine_lacks_is_told_from_a_failure(self):
        self.program("lacks", "raise SystemExit('no namespaces (sandbox_unavailable, 4203) - do this')")
        self.program("fails", "raise SystemExit('it broke')")
        with patch.object(bench, "PROGRAMS", self.folder):
            with self.assertRaisesRegex(bench.LacksTier, "lacks ended with 1: no namespaces"):
                bench.told_by("lacks")
            with self.assertRaisesRegex(Failed, "fails ended with 1: it broke") as raised:
                bench.told_by("fails")
            self.assertNotIsInstance(raised.exception, bench.LacksTier)

    def test_rows_of_a_sandbox_that_the_machine_lacks_are_left_out_with_why(self):
        def told_by(program, *arguments, pinned=False):
            if program == "bench_admission":
                return [{"name": name, "runs_per_second": [1]}
                        for name in ("one at a time", "64 with one reading of the clock")]
            if program == "bench_idle" and arguments[-1] == "none":
                return {"hosts": 10, "cpu_percent": 0, "hosts_cpu_percent": 1, "kib_a_host": 20}
            raise bench.LacksTier("no namespaces")

        lineup = Lineup({})
        with (patch.object(bench, "told_by", told_by), patch.object(bars, "CASES", []),
              patch.object(bench, "memory_row", lambda _: row_of_memory(0, 0)), contextlib.redirect_stderr(io.StringIO())):
            rows, _ = bench.measure(bench.Effort(quick=True, rounds=None), lineup)
        self.assertEqual([row.bar.number for row in rows], [11, 11, 11, 12, 12, 13])
        self.assertEqual(lineup.left_out, {"starts and restarts": "no namespaces", "idle hosts, strong": "no namespaces"})


class Runs(unittest.TestCase):
    """main(), with figures that were not measured."""

    def ran(self, *arguments, ratio=1.0, left_out=(), has_parts=False, peers=None):
        """Its exit code, what it printed, and who took part."""
        took_part = []

        def measure(effort, lineup):
            took_part.extend(lineup.commands)
            lineup.left_out.update(left_out)
            return [Row("calls", "/s", Bar(2, "floor", at_least=1), [ratio], [1]),
                    Row("an amount", "ms", Bar(9, "", at_most=1), [1e6])], {}

        out, err = io.StringIO(), io.StringIO()
        with (patch.object(bench, "build", lambda with_parts: has_parts), patch.object(bench, "measure", measure),
              patch.object(bench, "machine", dict), patch.object(bench, "installed_peers", lambda *_: (peers or {}, {})),
              patch.object(bench, "told_by", lambda *_, **__: {"benchmarks": [{"name": "scan", "real_time": 12.5}]}),
              patch.object(curves, "draw", lambda *_: None), patch.object(sys, "argv", ["bench", *arguments]),
              contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)):
            code = bench.main()
        return code, out.getvalue() + err.getvalue(), took_part

    def test_it_fails_for_a_ratio_that_is_far_and_for_nothing_else(self):
        code, printed, _ = self.ran("--quick", ratio=0.39)
        self.assertEqual(code, 1)
        self.assertIn("far from its bar: calls is 0.39 x floor, wanted >= 1", printed)
        code, printed, _ = self.ran("--quick", ratio=0.41)
        self.assertEqual(code, 0)
        self.assertNotIn("far from", printed)
        self.assertEqual(printed.count("MISSED"), 2)

    def test_other_systems_take_part_unless_it_is_quick_or_told_otherwise(self):
        peers = {"jsonrpc": ["run"]}
        self.assertEqual(self.ran(peers=peers)[2], [*bench.OWN, "jsonrpc"])
        self.assertEqual(self.ran("--quick", peers=peers)[2], bench.OWN)
        self.assertEqual(self.ran("--no-peers", peers=peers)[2], bench.OWN)

    def test_what_is_left_out_has_a_line_in_the_table_and_a_place_in_the_json(self):
        left_out = {"dscode": "no cargo"}
        self.assertIn("\ndscode: left out, no cargo\n", self.ran("--quick", left_out=left_out)[1])
        code, printed, _ = self.ran("--quick", "--json", "-", left_out=left_out)
        told = json.loads(printed)
        self.assertEqual((code, told["left_out"], told["effort"]), (0, left_out, "3 rounds, 3 starts"))

    def test_the_single_parts_are_in_a_full_run_or_it_says_what_is_missing(self):
        self.assertRegex(self.ran("--full", has_parts=True)[1], r"\nscan +12\.5\n")
        self.assertIn("tools/bootstrap --for-benchmarks", self.ran("--full", has_parts=False)[1])
        self.assertNotIn("single part", self.ran("--quick")[1])


if __name__ == "__main__":
    unittest.main()
