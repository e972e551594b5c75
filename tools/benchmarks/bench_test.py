#!/usr/bin/env python3
"""Holds tools/bench to what it says of figures: which bar is met, which is far, and who did not answer."""

import sys
import unittest

from bars import Bar, Case, Row, calls, rows_of_case
from contenders import Contender, Failed
from report import table

ECHO = """
import json, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    print(json.dumps({"seconds": json.loads(line)["calls"] / 1000}), flush=True)
"""
ENDS = "import sys; print('{\"ready\": true}', flush=True); sys.stdin.readline(); sys.exit(3)"


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

    def test_a_ratio_is_taken_within_a_round_and_its_median_counts(self):
        row = Row("", "/s", Bar(2, "floor", at_least=1), figures=[10, 40, 60], others=[10, 20, 20])
        self.assertEqual(row.values, [1, 2, 3])
        self.assertEqual(row.value, 2)

    def test_a_case_has_a_row_for_each_bar_whose_contender_took_part(self):
        case = Case("", calls(100, 64, 1000), "per_second",
                    [Bar(2, "floor", at_least=1.2), Bar(2, "jsonrpc", at_least=6)])
        rows = rows_of_case(case, {"bulkhead": [{"seconds": 1}], "floor": [{"seconds": 2}]})
        self.assertEqual([(row.bar.against, row.value) for row in rows], [("floor", 2)])


class Reports(unittest.TestCase):
    def test_a_table_has_the_median_of_the_runs_and_says_what_is_missed(self):
        def run(ratio):
            row = Row("calls", "/s", Bar(2, "floor", at_least=1.2), figures=[ratio * 10], others=[10])
            return {"rows": [row.as_json()]}

        text = table([run(1.1), run(1.3), run(1.15)])
        self.assertEqual(len(text.splitlines()), 3)
        self.assertIn("| **1.15 x** | 1.1, 1.3, 1.15 | 1.1 to 1.3 | **missed** |", text)
        self.assertNotIn("missed", table([run(1.3)]))


class Contenders(unittest.TestCase):
    def test_a_contender_answers_load_by_load(self):
        with Contender("echo", [sys.executable, "-c", ECHO]) as one:
            self.assertEqual(one.ask(calls(100, 1, 500)), {"seconds": 0.5})
            self.assertEqual(one.ask(calls(100, 1, 2000)), {"seconds": 2})

    def test_one_that_ends_instead_is_named_with_its_exit_code(self):
        with Contender("gone", [sys.executable, "-c", ENDS]) as one:
            with self.assertRaisesRegex(Failed, "gone answered '' and ended with 3"):
                one.ask(calls(100, 1, 1))


if __name__ == "__main__":
    unittest.main()
