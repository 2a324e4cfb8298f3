# SPDX-License-Identifier: Apache-2.0
"""The table on the terminal, the JSON file, the plots, and RESULTS.md."""

import json
from dataclasses import asdict

from localcluster.processes import Failure

from . import plots
from .rounds import QUIET, median, ratio
from .targets import TARGETS
from .workloads import CLIENTS, MODES, WORKLOADS

BASE = "pgbouncer"
LATENCIES = (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9"))
HEADER = """# Results

Written by `benchmarks/run`; [how it is measured](README.md). Every figure is the median of the
rounds. Ratios are taken within a round, between samples that follow one another; in brackets the
smallest and the largest of them. Less is better, but for throughput.
"""


def write(run, directory):
    """Everything; the terminal gets the table of targets and the ratios."""
    directory.mkdir(parents=True, exist_ok=True)
    pictures = {**draw(run.results), **run.pictures}
    (directory / "plots").mkdir(exist_ok=True)
    for name, picture in pictures.items():
        (directory / "plots" / f"{name}.svg").write_text(picture)
    (directory / "results.json").write_text(json.dumps(as_json(run), indent=1) + "\n")
    text = markdown(run, pictures)
    (directory / "RESULTS.md").write_text(text)
    print(terminal(run))
    print(f"\nreport: {directory / 'RESULTS.md'}, {directory / 'results.json'},"
          f" {directory / 'plots'}")


def earlier(directory):
    """What `as_json` wrote there."""
    try:
        return json.loads((directory / "results.json").read_text())
    except (OSError, ValueError) as error:
        raise Failure(f"there is no run to continue in {directory}: {error}") from None


def pictures_of_profile(directory):
    """The flame graphs, of which the JSON file has only the shares."""
    return {path.stem: path.read_text() for path in (directory / "plots").glob("flame-*.svg")}


def as_json(run):
    """Every sample, so that others can look at the spread themselves."""
    return {
        "machine": run.machine, "versions": run.versions, "configurations": run.configurations,
        "rounds": run.rounds,
        "minutes": round(run.minutes, 1), "busy_before_rounds": run.busy,
        "failures": list(run.failures.items()), "targets": targets(run.results), "results": run.results,
    }


def targets(results):
    """Each target with what was measured."""
    rows = []
    for target in TARGETS:
        found = target.measured(results)
        rows.append({**asdict(target), "wanted": target.wanted,
                     "measured": found and found[0], "text": found and found[1],
                     "reached": found and target.reached(found[0])})
    return rows


def rows_of_targets(results):
    """(measure, target, measured, verdict) in words."""
    for row in targets(results):
        verdict = {True: "reached", False: "not reached", None: "not measured"}[row["reached"]]
        yield row["measure"], row["wanted"], row["text"] or "", verdict


def compared(samples, key):
    """(proxy, Ratio of martlet to it) of everybody that took part beside martlet."""
    for name in samples:
        if not name.startswith("martlet"):
            found = ratio(samples, "martlet", name, key)
            if found:
                yield name, found


def terminal(run):
    """What a person wants to see first."""
    lines = ["", f"{'target':62} {'wanted':14} {'measured':24}"]
    for measure, wanted, text, verdict in rows_of_targets(run.results):
        lines.append(f"{measure:62} {wanted:14} {text:24} {verdict}")
    lines += ["", f"{'martlet against':40} {'figure':24} ratio"]
    for workload in WORKLOADS:
        samples = run.results.get(workload.name, {})
        key, _, figure = workload.figure
        for name, found in compared(samples, key):
            lines.append(f"{name + ', ' + workload.title:40} {figure:24} {found}")
    for name, reason in run.failures.items():
        lines.append(f"not measured: {name}: {reason.splitlines()[0]}")
    return "\n".join(lines)


# Markdown.


def table(header, rows):
    """A table; numbers are put to the right by those who read it."""
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def shown(value, digits=1):
    """A number, or a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def markdown(run, pictures):
    """RESULTS.md."""
    parts = [HEADER, "## Machine and versions\n"]
    parts.append(table(("", ""), [*run.machine.items(), *(
        ("proxy", version) for version in dict.fromkeys(run.versions.values()))]))
    busy = {name: max(shares) for name, shares in run.busy.items() if max(shares) > QUIET}
    loud = ", ".join(f"{name} ({share:.0%})" for name, share in busy.items()) or "none"
    parts.append(f"{run.rounds} rounds; the run took {run.minutes:.0f} minutes. Workloads before"
                 f" a round of which others used the machine, and how much of it: {loud}.\n")
    parts.append("PgDog and pg_doorman are not here: neither Debian nor PyPI has them, and the"
                 " run builds nothing of strangers.\n")
    parts += ["## Targets\n", table(("measure", "target", "measured", ""),
                                    rows_of_targets(run.results))]
    parts += picture_of("ratios", "martlet against PgBouncer", pictures)
    for workload in WORKLOADS:
        if workload.name in run.results:
            parts += section(workload, run.results[workload.name])
    for mode in MODES:
        parts += picture_of(f"select-{mode}", f"CPU per transaction, {mode}", pictures)
    parts += counted(run.results, pictures)
    parts += on_nodes(run.results, pictures)
    if run.failures:
        parts += ["## What could not be measured\n",
                  table(("what", "why"), [(name, reason.splitlines()[0])
                                          for name, reason in run.failures.items()])]
    parts += ["## Configurations\n"]
    for name, files in run.configurations.items():
        for file, text in files.items():
            parts.append(f"{name}: `{file}`\n\n```\n{text.strip()}\n```\n")
    return "\n".join(parts)


def picture_of(name, words, pictures):
    """A plot, if it was drawn."""
    return [f"![{words}](plots/{name}.svg)\n"] if name in pictures else []


def section(workload, samples):
    """One workload: a line a proxy."""
    key, unit, figure = workload.figure
    if key == "bytes":
        header = ("proxy", "KiB per client", "RSS, MiB", "PSS, MiB", "martlet's ratio to it")
        cells = [("bytes", 1024), ("resident", 2**20), ("proportional", 2**20)]
    elif key == "cpu_per_gb":
        header = ("proxy", "CPU s per GB", "user", "system", "GB/s", "switches per GB",
                  "martlet's ratio to it")
        cells = [(one, 1) for one in ("cpu_per_gb", "user", "system", "gb_per_second", "switches")]
    else:
        header = ("proxy", "per second", "CPU us", "user", "system", "switches",
                  *(f"{words} us" for _, words in LATENCIES), "martlet's ratio to it (CPU)",
                  "(throughput)")
        cells = [(one, 1) for one in ("tps", "cpu", "user", "system", "switches",
                                      *(one for one, _ in LATENCIES))]
    rows = []
    for name, ones in samples.items():
        values = [(median(ones, one), size) for one, size in cells]
        row = [name, *(shown(value and value / size, 2 if size == 1 and abs(value or 0) < 10 else 1)
                       for value, size in values)]
        keys = (key, "tps") if key == "cpu" else (key,)
        for one in keys:
            row.append("" if name == "martlet" else
                       ratio(samples, "martlet", name, one) or "–")
        rows.append(row)
    parts = [f"## {workload.title[0].upper()}{workload.title[1:]}\n", table(header, rows)]
    if key == "cpu" and "against_alone" in next(iter(samples.values()))[0]:
        rows = [(name, shown(median(ones, "against_alone"), 2)) for name, ones in samples.items()]
        parts.append(table(("proxy", "CPU per transaction against 64 of 64"), rows))
    return parts


def counted(results, pictures):
    """System calls, allocations and the classifier."""
    parts = []
    samples = results.get("system-calls")
    if samples:
        names = sorted({call for ones in samples.values() for call in ones[0]["calls"]},
                       key=lambda call: -max(ones[0]["calls"].get(call, 0)
                                             for ones in samples.values()))[:12]
        rows = [(proxy, shown(ones[0]["all"], 2),
                 *(shown(ones[0]["calls"].get(call, 0), 2) for call in names))
                for proxy, ones in samples.items()]
        parts += ["## System calls per transaction, -S, simple, 64 clients\n",
                  table(("proxy", "all", *names), rows)]
        parts += picture_of("system-calls", "System calls per transaction", pictures)
    samples = results.get("profile")
    if samples:
        shares = {proxy: dict(ones[0]["shares"]) for proxy, ones in samples.items()}
        names = dict.fromkeys(name for ones in shares.values() for name in ones)
        rows = [(name, *(f"{ones.get(name, 0):.1%}" for ones in shares.values()))
                for name in names]
        parts += ["## Where the processor's time goes, -S, simple, 64 clients\n",
                  table(("share of the samples", *shares), rows)]
        for proxy in shares:
            parts += picture_of(f"flame-{proxy}", f"Flame graph of {proxy}", pictures)
    for mode in ("simple", "prepared"):
        ones = results.get(f"allocations-{mode}")
        if ones:
            one = ones["martlet"][0]
            parts += [f"## Heap allocations, -S, {mode}\n",
                      f"{one['count']:.2f} per transaction, beside"
                      f" {one['idle_per_second']:.0f} per second of a martlet that is idle."
                      " Where the allocations of that time came from:\n",
                      table(("share", "innermost functions first"),
                            [(f"{share:.1%}", f"`{stack}`") for share, stack in one["callers"]])]
    ones = results.get("classifier")
    if ones:
        one = ones["martlet"][0]
        parts += ["## The classifier\n", table(("figure", "value"), [
            (name.replace("_", " "), shown(value)) for name, value in one.items()])]
    return parts


def on_nodes(results, pictures):
    """What needed replicas."""
    parts = []
    for name, title in (("routing", "The cost of routing, -S on the cluster"),
                        ("mixed", "One write to nine reads on the cluster")):
        if name in results:
            rows = [(proxy, shown(median(ones, "tps")), shown(median(ones, "cpu")),
                     shown(median(ones, "p50")), shown(median(ones, "p99")))
                    for proxy, ones in results[name].items()]
            parts += [f"## {title}\n",
                      table(("proxy", "per second", "CPU us", "p50 us", "p99 us"), rows),
                      "martlet with routing against a fixed route, CPU: "
                      f"{ratio(results[name], 'martlet', 'martlet-fixed', 'cpu')}; throughput: "
                      f"{ratio(results[name], 'martlet', 'martlet-fixed', 'tps')}.\n"]
    samples = results.get("read-scaling")
    if samples:
        rows = [(name, shown(median(ones, "tps"), 0),
                 ratio(samples, name, "single node", "tps") or "")
                for name, ones in samples.items() if name != "martlet"]
        parts += ["## Reads per second, each node with a fixed share of a processor\n",
                  table(("through", "per second", "against a single node"), rows)]
        parts += picture_of("read-scaling", "Reads per second by replicas", pictures)
    if "lag" in results:
        one = results["lag"]["martlet"][0]
        parts += ["## One replica is an hour late\n",
                  f"{one['reads']:,} reads, of which {one['stale']} were stale."
                  f" After {shown(one['seconds_until_left'], 2)} s no read went to it any more;"
                  f" {shown(one['seconds_until_used_again'], 2)} s after it went on it was used"
                  " again.\n"]
        parts += picture_of("lag", "The delayed replica's share of the reads", pictures)
    return parts


# Plots.


def draw(results):
    """`{name: SVG}` of all that was measured."""
    pictures = {}
    rows = []
    for target in TARGETS:
        found = target.divisor and results.get(target.workload) and ratio(
            results[target.workload], target.dividend, target.divisor, target.key)
        if found and not target.at_least:
            rows.append((target.measure, found, target.bound))
    if rows:
        pictures["ratios"] = plots.ratios(
            "martlet against PgBouncer", "ratio, less is better; the mark is the target", rows)
    for mode in MODES:
        names = dict.fromkeys(name for clients in CLIENTS
                              for name in results.get(f"select-{mode}-{clients}", {}))
        here = [clients for clients in CLIENTS if f"select-{mode}-{clients}" in results]
        if len(here) > 1:
            series = [(name, [median(results[f"select-{mode}-{clients}"].get(name, []), "cpu")
                              for clients in here]) for name in names]
            pictures[f"select-{mode}"] = plots.lines(
                f"CPU of the proxy per transaction, -S, {mode}", "microseconds, by clients",
                here, series)
    samples = results.get("system-calls")
    if samples:
        pictures["system-calls"] = plots.bars(
            "System calls per transaction", "-S, simple, 64 clients", "",
            [(name, ones[0]["all"]) for name, ones in samples.items()])
    samples = results.get("read-scaling")
    if samples:
        single = median(samples["single node"], "tps")
        series = [(proxy, [median(samples[f"{proxy} {count}"], "tps") for count in (1, 2, 3)])
                  for proxy in ("martlet", "pgpool")]
        pictures["read-scaling"] = plots.lines(
            "Reads per second", "by replicas, each with a fixed share of a processor",
            [1, 2, 3], [*series, ("single node", [single] * 3)])
    if "lag" in results:
        one = results["lag"]["martlet"][0]
        pictures["lag"] = plots.lines(
            "The delayed replica's share of the reads",
            f"by seconds; it is late from second {one['paused']:.0f}, to"
            f" {one['resumed']:.0f}", one["times"], [("martlet", one["share"])], "numbers")
    return pictures

