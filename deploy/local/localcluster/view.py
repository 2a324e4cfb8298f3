# SPDX-License-Identifier: Apache-2.0
"""The live view: who is primary, how far each replica is behind, where units of work go."""

import json
import shutil
import sys
import time

from .cluster import http
from .metrics import Metrics

BOLD, DIM, RED, GREEN, YELLOW, PLAIN = (
    "\x1b[1m",
    "\x1b[2m",
    "\x1b[31m",
    "\x1b[32m",
    "\x1b[33m",
    "\x1b[0m",
)
COLOURS = (BOLD, DIM, RED, GREEN, YELLOW, PLAIN)


class Sample:
    """What martlet said at one moment."""

    def __init__(self, url):
        self.time = time.monotonic()
        status, text = http(f"{url}/topology", timeout=2)
        self.error = None if status == 200 else f"/topology: {status or text}"
        self.topology = json.loads(text) if status == 200 else None
        status, text = http(f"{url}/metrics", timeout=2)
        self.metrics = Metrics(text if status == 200 else "")

    def rate(self, before, **labels):
        """Units a second since an earlier sample."""
        if not before or self.time <= before.time:
            return 0
        now = self.metrics.sum("martlet_units_total", **labels)
        then = before.metrics.sum("martlet_units_total", **labels)
        return max(0, now - then) / (self.time - before.time)


def size(count):
    """Bytes for people."""
    if count is None:
        return "?"
    for unit in ("B", "kB", "MB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GB"


def bar(value, largest, width=12):
    """A bar whose full length is the largest value seen."""
    filled = round(width * value / largest) if largest > 0 else 0
    return "█" * filled + "·" * (width - filled)


class View:
    """Draws one frame after another; remembers what rates need."""

    def __init__(self, cluster, martlet):
        self.cluster = cluster
        self.martlet = martlet
        self.before = None
        self.largest = 1
        self.colours = sys.stdout.isatty()
        self.width = 100

    def frame(self):
        """The lines of one frame."""
        self.width = shutil.get_terminal_size((100, 30)).columns
        sample = Sample(self.martlet.url)
        lines = [self._title(sample), ""]
        if sample.topology:
            lines += self._nodes(sample)
            lines += ["", *self._totals(sample)]
        else:
            ended = "does not answer" if self.martlet.process.alive else "has ended"
            lines.append(f"{RED}martlet {ended}{PLAIN} ({sample.error})")
            lines.append(f"{DIM}its log: {self.martlet.process.log}{PLAIN}")
            lines += self._patroni()
        lines += ["", *self._hints()]
        self.before = sample
        return lines if self.colours else [strip(line) for line in lines]

    def _title(self, sample):
        now = time.strftime("%H:%M:%S")
        if not sample.topology:
            return f"{BOLD}martlet{PLAIN}  {now}"
        primary = sample.topology.get("primary")
        known = f"{GREEN}{primary}{PLAIN}" if primary else f"{RED}none, writes wait{PLAIN}"
        return (
            f"{BOLD}martlet{PLAIN}  {now}   primary {known}"
            f"   timeline {sample.topology.get('timeline')}"
        )

    def _nodes(self, sample):
        head = ("node", "port", "role", "state", "lag", "time", "servers", "reads/s", "writes/s")
        yield f"{DIM}{self._columns(*head)}{PLAIN}"
        servers = sample.metrics.by("martlet_servers", "node")
        nodes = sample.topology["nodes"]
        rates = {}
        for node in nodes:
            name = node["name"]
            reads = sample.rate(self.before, node=name, **{"class": "read"})
            writes = sample.rate(self.before, node=name, **{"class": "write"})
            rates[name] = (reads, writes)
            self.largest = max(self.largest, reads + writes)
        for node in sorted(nodes, key=lambda one: one["name"]):
            yield self._node(node, servers.get(node["name"], 0), *rates[node["name"]])

    def _node(self, node, servers, reads, writes):
        replica = node["role"] == "replica"
        lag = size(node.get("lag_bytes")) if replica else ""
        seconds = node.get("lag_seconds")
        behind = f"{seconds:.1f} s" if replica and seconds is not None else ""
        columns = self._columns(
            node["name"],
            node["port"],
            node["role"],
            node["state"],
            lag,
            behind,
            f"{servers:.0f}",
            f"{reads:.0f}",
            f"{writes:.0f}",
        )
        colour = GREEN if node["role"] == "primary" else PLAIN if node["eligible"] else YELLOW
        why = (node["exclusion"] or "").replace("_", " ") if replica else ""
        end = bar(reads + writes, self.largest) if reads + writes or not why else why
        return f"{colour}{columns}  {end}{PLAIN}"

    def _columns(self, node, port, role, state, lag, behind, servers, reads, writes):
        """One row; a narrow terminal gets what matters most."""
        if self.width < 82:
            return f"{node:6}{role:9}{state[:11]:11}{lag:>9}{reads:>9}{writes:>9}"
        return (
            f"{node:6}{port:>6}  {role:9}{state[:11]:12}{lag:>9}{behind:>8}"
            f"{servers:>9}{reads:>9}{writes:>9}"
        )

    @staticmethod
    def _totals(sample):
        metrics = sample.metrics
        waiting = metrics.sum("martlet_waiting_clients")
        held = metrics.sum("martlet_held_units")
        colour = YELLOW if waiting or held else PLAIN
        yield (
            f"clients {metrics.sum('martlet_clients'):.0f}"
            f"   read demand {metrics.sum('martlet_read_demand'):.2f}"
            f"   {colour}waiting: {held:.0f} for a node, {waiting:.0f} for a server{PLAIN}"
        )
        for title, name in (("re-run", "martlet_retries_total"), ("pinned", "martlet_pins")):
            reasons = {key: value for key, value in metrics.by(name, "reason").items() if value}
            text = ", ".join(f"{key} {value:.0f}" for key, value in sorted(reasons.items()))
            yield f"{title}: {text or 'none'}"

    def _patroni(self):
        for member in self.cluster.members():
            yield (
                f"{member['name']:6}{member.get('port', ''):>6}  {member['role']:9}"
                f"{member['state']:12} {DIM}(from Patroni){PLAIN}"
            )

    def _hints(self):
        ports = self.cluster.settings.ports
        leader = self.before and self.before.topology and self.before.topology.get("primary")
        node = self.cluster.names.index(leader) if leader in self.cluster.names else 0
        leader = leader or "<primary>"
        return [
            f"{DIM}try:{PLAIN} psql postgresql://demo:demo@127.0.0.1:{ports.martlet}/demo",
            "     deploy/local/demo load",
            f"     curl -d '{{\"leader\": \"{leader}\"}}' {self.cluster.patroni_url(node)}/switchover",
            f"     curl {self.martlet.url}/metrics",
            f"{DIM}logs: {self.cluster.logs}{PLAIN}",
        ]


def strip(line):
    """The line without colours."""
    for colour in COLOURS:
        line = line.replace(colour, "")
    return line


def watch(cluster, martlet, ending):
    """Draws until interrupted, or until somebody else ends the cluster."""
    view = View(cluster, martlet)
    if not view.colours:
        while cluster.etcd.alive:
            print("\n".join(view.frame()), flush=True)
            time.sleep(5)
        return
    # The alternate screen, without a cursor and with long lines cut off; the terminal is as
    # before when the view ends.
    sys.stdout.write("\x1b[?1049h\x1b[?25l\x1b[?7l")
    try:
        while cluster.etcd.alive:
            rows = shutil.get_terminal_size().lines
            lines = [*view.frame(), "", f"{DIM}{ending}{PLAIN}"][: rows - 1]
            frame = "".join(f"{line}\x1b[K\r\n" for line in lines)
            sys.stdout.write(f"\x1b[H{frame}\x1b[J")
            sys.stdout.flush()
            time.sleep(1)
    finally:
        sys.stdout.write("\x1b[?7h\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
