"""How requests a second and their slowest hundredth grow with the load, drawn as SVG."""

import json

import bars
from contenders import Contender

IN_FLIGHT = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
PAYLOADS = [64, 256, 1024, 4096, 16384, 65536, 262144, 1 << 20, 4 << 20, 16 << 20]
# Bytes that are open at a time: half of what Bulkhead leaves unsent before it refuses more.
MOST_OPEN = 4 << 20
HOSTS = [1, 2, 5, 10, 20, 50, 100, 200]
WHO = ["floor", "bare", "bulkhead"]

# A point is loaded for so long before it counts, so that V8 has compiled what the load needs.
WARM_UP_S = 1
# And each of several hosts with so many calls.
WARM_UP_CALLS = 2000
MEASURED_S = 0.7


def point(contender, size, in_flight, warm_up_calls=0):
    load = bars.calls(size, in_flight, max(2, in_flight))
    seconds = calls = 0
    while seconds < WARM_UP_S or calls < warm_up_calls:
        load["calls"] *= 2
        answer = contender.ask(load)
        seconds += answer["seconds"]
        calls += load["calls"]
    load["calls"] = max(50, 2 * in_flight, int(load["calls"] / answer["seconds"] * MEASURED_S))
    answer = contender.ask(load)
    return {"per_second": load["calls"] / answer["seconds"], "p99_us": answer["p99_us"]}


def measure(commands, say):
    curves = {}
    for title, values, of in (("in flight", IN_FLIGHT, lambda one, n: point(one, 100, n)),
                              ("payload", PAYLOADS, lambda one, n: point(one, n, max(1, min(64, MOST_OPEN // n))))):
        curves[title] = {}
        for name in WHO:
            say(f"curve over {title}: {name}")
            with Contender(name, commands[name]) as one:
                curves[title][name] = [(n, of(one, n)) for n in values]
    curves["hosts"] = {"bulkhead": []}
    for hosts in HOSTS:
        say(f"curve over hosts: {hosts}")
        with Contender("bulkhead", [*commands["bulkhead"], str(hosts)]) as one:
            curves["hosts"]["bulkhead"].append((hosts, point(one, 100, 16 * hosts, WARM_UP_CALLS * hosts)))
    return curves


def draw(commands, folder, say):
    try:
        import matplotlib
    except ImportError:
        say("the curves are not drawn: matplotlib is missing; tools/bootstrap --for-benchmarks installs it")
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "bulkhead"
    from matplotlib import pyplot

    curves = measure(commands, say)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "curves.json").write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")
    for title, lines in curves.items():
        figure, (rate, slowest) = pyplot.subplots(1, 2, figsize=(10, 3.6))
        for name, points in lines.items():
            at = [n for n, _ in points]
            rate.loglog(at, [each["per_second"] for _, each in points], marker="o", markersize=3, label=name)
            slowest.loglog(at, [each["p99_us"] for _, each in points], marker="o", markersize=3, label=name)
        for axes, label in ((rate, "requests a second"), (slowest, "p99, us")):
            axes.set_xlabel("bytes of payload" if title == "payload" else title)
            axes.set_title(label, fontsize=10)
            axes.grid(True, which="both", linewidth=0.3)
            axes.legend(fontsize=8)
        figure.tight_layout()
        figure.savefig(folder / f"{title.replace(' ', '_')}.svg", metadata={"Date": None})
        pyplot.close(figure)
        say(f"drawn: {folder / title.replace(' ', '_')}.svg")
