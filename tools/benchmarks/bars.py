"""What is compared with what, and what is good enough. A bar is a ratio of two figures that were taken in turns, or an
amount where the thing itself is one."""

import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bar:
    """A limit to the ratio of the figure to that of whom it is compared with, or to the figure itself where that is nobody.
    Without a limit, something that is only shown."""

    number: int
    against: str
    at_least: float | None = None
    at_most: float | None = None
    gated: bool = True  # False: something that is not ours is in it

    @property
    def text(self):
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return f"<= {self.at_most:g}" if self.at_most is not None else "-"

    def is_met(self, value):
        """None where there is no limit."""
        if self.at_least is not None:
            return value >= self.at_least
        return value <= self.at_most if self.at_most is not None else None

    def is_far(self, value, margin):
        """Whether it would be missed even if it were so many times easier."""
        if not self.gated:
            return False
        if self.at_least is not None:
            return value * margin < self.at_least
        return self.at_most is not None and value > self.at_most * margin


@dataclass(frozen=True)
class Case:
    """Calls under one load, by every contender in turn."""

    title: str
    load: dict
    figure: str  # "per_second" or "p50_us"
    bars: list
    subject: str = "bulkhead"
    pinned: bool = False


def calls(size, in_flight, count):
    return {"bytes": size, "in_flight": in_flight, "calls": count}


# The numbers are those of the project's list of bars; the loads are long enough for a p99.
CASES = [
    Case("100 B, one at a time, one core", calls(100, 1, 10_000), "p50_us", pinned=True,
         bars=[Bar(1, "floor", at_most=1.0), Bar(1, "bare", at_most=1.15)]),
    Case("100 B, 64 in flight", calls(100, 64, 100_000), "per_second",
         bars=[Bar(2, "floor", at_least=1.2), Bar(2, "bare", at_least=0.9), Bar(2, "jsonrpc", at_least=6),
               Bar(2, "go_plugin_grpc", at_least=5), Bar(2, "fork_ipc", at_least=2), Bar(14, "dscode", at_least=3)]),
    Case("100 B, 1024 in flight", calls(100, 1024, 200_000), "per_second",
         bars=[Bar(3, "floor", at_least=1.15), Bar(3, "bare", at_least=0.9)]),
    Case("4 KiB, 64 in flight", calls(4096, 64, 30_000), "per_second",
         bars=[Bar(4, "floor", at_least=1.1), Bar(4, "jsonrpc", at_least=3), Bar(4, "go_plugin_grpc", at_least=3),
               Bar(4, "go_plugin_netrpc", at_least=3), Bar(4, "fork_ipc", at_least=3), Bar(4, "dscode", at_least=3)]),
    Case("fs.readFile of 1 MiB, one after the other", calls(1 << 20, 1, 400), "per_second", subject="attachments",
         bars=[Bar(6, "base64", at_least=6)]),
    Case("the extension asks, fs.stat, 10 % refused", calls(100, 64, 50_000), "per_second", subject="files",
         bars=[Bar(5, "bulkhead", at_least=0.85, gated=False)]),  # the file system's own time
    Case("the extension asks, no path, 10 % refused", calls(100, 64, 100_000), "per_second", subject="lookups",
         bars=[Bar(5, "bulkhead", at_least=0.85)]),
]


@dataclass
class Row:
    """A bar with what was measured: of each round, the figure, the other's, and their ratio."""

    title: str
    unit: str
    bar: Bar
    figures: list
    others: list = field(default_factory=list)
    latencies: list = field(default_factory=list)  # (p50, p99) in us, of single calls; empty where they were not taken

    @property
    def values(self):
        return [a / b for a, b in zip(self.figures, self.others)] if self.others else self.figures

    @property
    def value(self):
        return statistics.median(self.values)

    def as_json(self):
        return {"bar": self.bar.number, "title": self.title, "unit": self.unit, "against": self.bar.against,
                "wanted": self.bar.text, "value": self.value, "met": self.bar.is_met(self.value),
                "values": self.values, "figures": self.figures, "others": self.others,
                "p50_us": [p50 for p50, _ in self.latencies], "p99_us": [p99 for _, p99 in self.latencies]}


def rate_of(load, answer, figure):
    return load["calls"] / answer["seconds"] if figure == "per_second" else answer[figure]


def rows_of_case(case, answers):
    """`answers` is {contender: [answer of each round]}."""
    unit = "/s" if case.figure == "per_second" else "us"

    def figures(name):
        return [rate_of(case.load, each, case.figure) for each in answers[name]]

    latencies = [(each["p50_us"], each["p99_us"]) for each in answers[case.subject] if each.get("p50_us") is not None]
    return [Row(case.title, unit, bar, figures(case.subject), figures(bar.against), latencies)
            for bar in case.bars if bar.against in answers]


def rows_of_starts(told, others):
    """`told` is what each run of bench_start printed; `others` is {peer: times of its starts to the first reply, in ms}."""
    times = {}
    for each in sum(told, []):
        times.setdefault(each["name"], []).extend(each["times"])
    rows = [Row("start to Running, strong sandbox", "ms", Bar(7, "bare node", at_most=1.35), times["strong"],
                times["bare node"]),
            Row("start to Running, no sandbox", "ms", Bar(7, "bare node", at_most=1.35), times["none"],
                times["bare node"]),
            Row("end of a process to Unhealthy, strong", "ms", Bar(9, "", at_most=1.0), times["noticed"]),
            Row("end of a process to Unhealthy, no sandbox", "ms", Bar(9, "", at_most=1.0), times["noticed none"]),
            Row("restart without back-off, strong", "ms", Bar(10, "start", at_most=1.1), times["restart"], times["strong"]),
            Row("restart without back-off, no sandbox", "ms", Bar(10, "start", at_most=1.1), times["restart none"],
                times["none"]),
            Row("ready process to first reply, strong", "ms", Bar(8, "", at_most=2.5), times["warm/reply"])]
    for peer, theirs in others.items():
        rows.append(Row("ready process to first reply, strong", "ms", Bar(8, peer, at_most=0.5), times["warm/reply"], theirs))
    return rows


def rows_of_admission(told):
    figures = {each["name"]: each["runs_per_second"] for each in told}
    return [Row(f"admission, {name}", "/s", Bar(12, "", at_least=least), figures[name])
            for name, least in (("one at a time", 1.2e6), ("64 with one reading of the clock", 8e6))]


def row_of_memory(before, after):
    return Row("memory after 300 000 requests, more than before", "KiB", Bar(13, "", at_most=2048), [after - before])


def rows_of_idle(told, tier):
    """`told` is what bench_idle says of hosts of that tier, without heartbeats."""
    hosts = f"{told['hosts']} idle hosts, {tier}"
    return [Row(f"{hosts}: the backend's processor", "%", Bar(11, "", at_most=0.5), [told["cpu_percent"]]),
            Row(f"{hosts}: the hosts' processor", "%", Bar(11, ""), [told["hosts_cpu_percent"]]),
            Row(f"{hosts}: the backend's memory, each", "KiB", Bar(11, "", at_most=64), [told["kib_a_host"]])]
