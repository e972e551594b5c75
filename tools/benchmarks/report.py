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


def number_beside(value, limit):
    """With so many digits that it can be told from the limit."""
    return number(value) if number(value) != number(limit) else f"{value:.4g}"


def key(row):
    return row["bar"], row["title"], row["against"]


def line(rows):
    first = rows[0]
    value = statistics.median(row["value"] for row in rows)
    limit = float(first["wanted"].split()[1])
    met = value <= limit if first["wanted"].startswith("<=") else value >= limit
    unit = "x" if first["against"] else first["unit"]
    figure = number(statistics.median(statistics.median(row["figures"]) for row in rows))
    theirs = number(statistics.median(statistics.median(row["others"]) for row in rows)) if first["others"] else ""
    spread = [value for row in rows for value in row["values"]]
    cells = [first["bar"], first["title"], f"{figure} {first['unit']}", first["against"], theirs,
             f"{first['wanted'].split()[0]} {number(limit)}", f"**{number_beside(value, limit)} {unit}**",
             ", ".join(number(row["value"]) for row in rows), f"{number(min(spread))} to {number(max(spread))}",
             "met" if met else "**missed**"]
    return "| " + " | ".join(map(str, cells)) + " |"


def table(runs):
    rows = {}
    for run in runs:
        for row in run["rows"]:
            rows.setdefault(key(row), []).append(row)
    head = ["bar", "what", "figure", "against", "its figure", "wanted", "result", "of each run", "of all rounds", ""]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
                      *(line(rows[each]) for each in sorted(rows, key=lambda k: k[0]))])


def main():
    files = [Path(each) for each in sys.argv[1:]]
    if not files or any(each.name in ("-h", "--help") for each in files):
        sys.exit(__doc__.strip())
    runs = [json.loads(each.read_text(encoding="utf-8")) for each in files]
    for run in runs:
        where = run["machine"]
        print(f"- {where['date']}, commit {where['commit']}: {where['processor']}, {where['cores']} cores, "
              f"Linux {where['kernel']}, Node {where['node']}")
    print("\n" + table(runs))


if __name__ == "__main__":
    main()
