#!/usr/bin/env python3
"""Holds the chokepoint test to what it promises: each folder of fixtures/ is a small tree with planted violations, and
expected.txt names every one of them by file and line. `clean` is full of what only looks like one.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
from chokepoints import scan  # noqa: E402


def least_files(tree):
    file = tree / "least.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return {folder: int(count) for folder, count in (line.split() for line in lines)}


def differs(tree):
    expected = (tree / "expected.txt").read_text().splitlines()
    found = [str(violation) for violation in scan(tree, tree / "allowlist.txt", least_files(tree))[0]]
    for line in expected:
        if line not in found:
            print(f"{tree.name}: not found: {line}")
    for line in found:
        if line not in expected:
            print(f"{tree.name}: not planted: {line}")
    return found != expected


def main():
    trees = sorted(path for path in (Path(__file__).parent / "fixtures").iterdir() if path.is_dir())
    failed = [tree.name for tree in trees if differs(tree)]
    print(f"{len(trees)} trees, failed: {', '.join(failed) or 'none'}")
    sys.exit(1 if failed or len(trees) < 10 else 0)


if __name__ == "__main__":
    main()
