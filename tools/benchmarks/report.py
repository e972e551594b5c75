#!/usr/bin/env python3
"""Several runs of tools/bench as one table in Markdown:  report.py RUN.json RUN.json ... > FILE.md

Each RUN.json is what  tools/bench --json RUN.json  wrote. Of a row that has several rounds each run counts with the median of
its rounds, and the table's own figure is the median over the runs.
"""

import json
import statistics
import sys
from pathlib import Path


def number(value):
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.3g}"


def latency(p50s=(), p99s=()):
    return f"{number(statistics.median(p50s))} / {number(statistics.median(p99s))} us" if p50s else "-"


def number_beside(value, limit):
    """With so many digits that it can be told from the limit."""
    return number(value) if number(value) != number(limit) else f"{value:.4g}"


def key(row):
    return row["bar"], row["title"], row["against"]


def verdict(wanted, value):
    """What is wanted, the value beside it, and whether it is met."""
    if wanted == "-":
        return wanted, number(value), ""
    limit = float(wanted.split()[1])
    met = value <= limit if wanted.startswith("<=") else value >= limit
    return f"{wanted.split()[0]} {number(limit)}", number_beside(value, limit), "met" if met else "**missed**"


def line(rows):
    first = rows[0]
    wanted, value, met = verdict(first["wanted"], statistics.median(row["value"] for row in rows))
    unit = "x" if first["against"] else first["unit"]

    def middle(what):
        """Each run's median."""
        return [statistics.median(row[what]) for row in rows if row.get(what)]

    theirs = middle("others")
    spread = [value for row in rows for value in row["values"]]
    cells = [first["bar"], first["title"], f"{number(statistics.median(middle('figures')))} {first['unit']}",
             latency(middle("p50_us"), middle("p99_us")), first["against"], number(statistics.median(theirs)) if theirs else "",
             wanted, f"**{value} {unit}**", ", ".join(number(row["value"]) for row in rows),
             f"{number(min(spread))} to {number(max(spread))}", met]
    return "| " + " | ".join(map(str, cells)) + " |"


def table(runs):
    rows = {}
    for run in runs:
        for row in run["rows"]:
            rows.setdefault(key(row), []).append(row)
    head = ["bar", "what", "figure", "p50 / p99", "against", "its figure", "wanted", "result", "of each run", "of all rounds",
            ""]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
                      *(line(rows[each]) for each in sorted(rows, key=lambda k: k[0]))])


def main():
    files = [Path(each) for each in sys.argv[1:]]
    if not files or any(each.name in ("-h", "--help") for each in files):
        sys.exit(__doc__.strip())
    runs = [json.loads(each.read_text(encoding="utf-8")) for each in files]
    print(f"Runs: {len(runs)}\n")
    for run in runs:
        where = run["machine"]
        print(f"- {where['date']}, commit {where['commit']}, {run.get('effort', '7 rounds, 15 starts')}: "
              f"{where['processor']}, {where['cores']} cores, "
              f"Linux {where['kernel']}, Node {where['node']}")
        for what, why in run["left_out"].items():
            print(f"  - left out: {what}, {why}")
    print("\n" + table(runs))


if __name__ == "__main__":
    main()
