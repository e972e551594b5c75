#!/usr/bin/env python3
"""Where a contender of tools/bench and its Node spend their time, as Markdown. Needs perf (Debian: linux-perf) and a user who
may profile (root, or kernel.perf_event_paranoid <= 1).

    tools/benchmarks/profile.py bulkhead --bytes 100 --in-flight 64
    tools/benchmarks/profile.py > docs/benchmarks/profiles.md
"""

import argparse
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True

import bars  # noqa: E402
from contenders import Contender  # noqa: E402

PROGRAMS = Path(__file__).resolve().parents[2] / "build/release/bin"
RATE = 2000  # samples a second of processor time

HEAD = """# Profiles

Where the time goes under the loads whose bars are missed: `tools/benchmarks/profile.py > docs/benchmarks/profiles.md`, which
samples both processes with `perf record -e cpu-clock`. [results.md](results.md) says what follows from it. Compiled JavaScript
has no names in a release's Node, and is only summed up. Being sampled slows both down; the shares are what counts. Starts are
sampled with every process that they make, until it ends; [starts.md](../starts.md) has their phases."""
MISSED = [  # title, contender, bytes, in flight, pinned
    ("100 B, one at a time, one core (bar 1)", "bulkhead", 100, 1, True),
    ("100 B, one at a time, one core (bar 1)", "floor", 100, 1, True),
    ("100 B, 64 in flight (bars 2 and 14)", "bulkhead", 100, 64, False),
    ("100 B, 1024 in flight (bar 3)", "bulkhead", 100, 1024, False),
    ("100 B, 1024 in flight (bar 3)", "bare", 100, 1024, False),
    ("4 KiB, 64 in flight (bar 4)", "bulkhead", 4096, 64, False),
    ("fs.stat, 64 in flight (bar 5)", "files", 100, 64, False),
    ("fs.readFile of 1 MiB (bar 6)", "attachments", 1 << 20, 1, False),
]
STARTS = [  # title, --only of bench_start
    ("Starts of a bare Node (bar 7)", "bare"),
    ("Starts without a sandbox, and their restarts (bar 7)", "none"),
    ("Starts in the strong tier, and their restarts (bar 7)", "strong"),
]
IDLE_HOSTS = 100


def child_of(pid):
    return int(subprocess.run(["pgrep", "-n", "-P", str(pid), "-x", "node"], stdout=subprocess.PIPE, text=True, check=True).stdout)


def record(pid, seconds, into):
    return subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(RATE), "-o", into, "-p", str(pid), "--",
                             "sleep", str(seconds)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kind(where, symbol):
    if where.startswith("[kernel") or where == "[guest.kernel.kallsyms]":
        return "the kernel"
    if where.startswith(("[JIT]", "//anon", "anon", "[anon")):
        return "compiled JavaScript"
    if symbol.startswith("Builtins_"):
        return "V8's built-in functions"
    if where.startswith("bench_"):
        return "Bulkhead and the benchmark"
    return {"node": "Node and V8", "bwrap": "bubblewrap"}.get(where, where)


def shares(data):
    """Of all samples: {kind: percent}, {(kind, symbol): percent}."""
    told = subprocess.run(["perf", "report", "-i", data, "--no-children", "-g", "none", "--sort", "dso,sym", "-t", "\t"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    kinds, symbols = Counter(), Counter()
    for line in told.splitlines():
        cells = [cell.strip() for cell in line.split("\t")]
        if line.startswith("#") or len(cells) < 3:
            continue
        share = float(cells[0].rstrip("%"))
        symbol = re.sub(r"^\[[.k]\] ", "", cells[2])
        of = kind(cells[1], symbol)
        kinds[of] += share
        if of != "compiled JavaScript":  # has no names in a release's Node
            symbols[of, symbol] += share
    return kinds, symbols


def show(title, data, most):
    kinds, symbols = shares(data)
    print(f"\n{title}: " + ", ".join(f"{of} {share:.0f} %" for of, share in kinds.most_common(5)) + "\n\n```")
    for (of, symbol), share in symbols.most_common(most):
        print(f"{share:5.1f} %  {of}: {symbol[:100]}")
    print("```")


def profile(contender, size, in_flight, pinned, seconds, most):
    with tempfile.TemporaryDirectory() as folder, Contender(contender, [str(PROGRAMS / "bench_calls"), contender], pinned) as one:
        load = bars.calls(size, in_flight, 100)
        for _ in range(3):  # towards a second each, so that V8 is warm
            load["calls"] = max(100, int(load["calls"] / one.ask(load)["seconds"]))
        load["calls"] *= seconds + 1
        answer = []
        asking = threading.Thread(target=lambda: answer.append(one.ask(load)))
        asking.start()
        pids = [one.pid, child_of(one.pid)]
        files = [f"{folder}/{pid}" for pid in pids]
        for each in [record(pid, seconds, into) for pid, into in zip(pids, files)]:
            each.wait()
        asking.join()
        told = answer[0]
        print(f"\n{load['calls'] / told['seconds']:.0f} a second; of each the backend takes {told['own_cpu_us']:.1f} us of processor "
              f"time, Node {told['host_cpu_us']:.1f} us.")
        show("The backend", files[0], most)
        show("Node", files[1], most)


def profile_starts(kind, starts, most):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(RATE), "-o", f"{folder}/all", "--",
                        str(PROGRAMS / "bench_start"), "--only", kind, "--rounds", str(starts)],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        show("All processes", f"{folder}/all", most)


def profile_idle(seconds, most):
    """Of the backend alone, in the strong tier, once all hosts are up."""
    command = [str(PROGRAMS / "bench_idle"), "--hosts", str(IDLE_HOSTS), "--sandbox", "strong", "--heartbeat", "3600",
               "--seconds", str(seconds + 10)]
    with (tempfile.TemporaryDirectory() as folder,
          subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as one):
        one.stderr.readline()  # which it writes once all hosts are up
        record(one.pid, seconds, f"{folder}/backend").wait()
        show("The backend", f"{folder}/backend", most)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", nargs="?", choices=["floor", "bare", "bulkhead", "files", "lookups", "attachments", "base64"],
                        help="without it: the loads of all bars that are missed, as docs/benchmarks/profiles.md")
    parser.add_argument("--bytes", type=int, default=100)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--pinned", action="store_true", help="everybody on one core")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--symbols", type=int, default=12, help="how many of each process are shown")
    given = parser.parse_args()
    if given.contender:
        profile(given.contender, given.bytes, given.in_flight, given.pinned, given.seconds, given.symbols)
        return
    print(HEAD)
    for title, contender, size, in_flight, pinned in MISSED:
        print(f"\n## {title}: `{contender}`")
        sys.stdout.flush()
        profile(contender, size, in_flight, pinned, given.seconds, given.symbols)
    for title, kind in STARTS:
        print(f"\n## {title}: `bench_start --only {kind}`")
        sys.stdout.flush()
        profile_starts(kind, 20, given.symbols)
    print(f"\n## {IDLE_HOSTS} idle hosts, strong (bar 11): `bench_idle`")
    sys.stdout.flush()
    profile_idle(10 * given.seconds, given.symbols)


if __name__ == "__main__":
    main()
