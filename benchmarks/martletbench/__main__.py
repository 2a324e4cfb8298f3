# SPDX-License-Identifier: Apache-2.0
"""Measures what was asked for and writes the report; started by benchmarks/run."""

import argparse
import fnmatch
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from localcluster.cluster import home
from localcluster.processes import Failure

from . import counts, flame, report
from .backend import BenchCluster
from .machine import describe
from .onnodes import Stage
from .proxies import PEERS, Context, MartletProxy
from .rounds import run_rounds
from .workloads import STARTS_ANEW, WORKLOADS

HERE = Path(__file__).resolve().parents[1]
ALLOCATIONS = {f"allocations-{mode}": mode for mode in ("simple", "prepared")}
COUNTS = ("system-calls", "profile", *ALLOCATIONS, "classifier")
ON_NODES = ("routing", "mixed", "lag", "read-scaling")
QUICK_PEERS = ("pgbouncer",)


def say(words):
    """A line for whoever waits."""
    print(f"==> {words}", file=sys.stderr, flush=True)


class Run:
    """One run: what was chosen, and what has been found so far."""

    def __init__(self, chosen, directory):
        self.chosen = chosen
        self.is_full = not chosen.quick
        self.rounds = chosen.rounds or (5 if self.is_full else 3)
        self.seconds = 2 if self.is_full else 1.2
        self.peers = chosen.peers or (list(PEERS) if self.is_full else list(QUICK_PEERS))
        self.directory = Path(directory)
        self.results, self.busy, self.pictures = {}, {}, {}
        self.configurations, self.versions, self.failures = {}, {}, {}
        self.machine = describe(BenchCluster.make(nodes=1).binaries)
        self.before = None

    def go_on(self, directory):
        """Takes what an interrupted run has measured already, on this machine with these versions."""
        found = report.earlier(directory)
        # Two halves of different machines are no run.
        for key in ("processor", "memory", "kernel", "PostgreSQL", "Swift"):
            if found["machine"].get(key) != self.machine[key]:
                raise Failure(f"the earlier run was on another machine ({key}); begin anew")
        self.before = found
        # Of peers that take no part in what is left, too.
        self.versions, self.configurations = found["versions"], found["configurations"]
        self.results, self.busy = found["results"], found["busy_before_rounds"]
        self.failures = dict(found["failures"])
        self.failures.pop("the run", None)
        self.pictures = report.pictures_of_profile(directory) if "profile" in self.results else {}

    def wants(self, name, is_quick=False):
        """Whether a workload was chosen, by name or by default, and is not there yet."""
        if name in self.results:
            return False
        if self.chosen.workloads:
            return any(fnmatch.fnmatch(name, one) for one in self.chosen.workloads)
        return self.is_full or is_quick

    def progress(self, workload):
        """Prints each sample as it comes."""

        def show(number, name, sample):
            sample = sample or {}
            keys = ("cpu", "tps", "p50", "p99", "cpu_per_gb", "bytes", "against_alone", "stale")
            figures = "  ".join(f"{key} {sample[key]:,.2f}" for key in keys if key in sample)
            print(f"    {workload:24} round {number + 1}  {name:14} {figures}", file=sys.stderr,
                  flush=True)

        return show

    def keep(self, name, found):
        """Adds the samples of a workload."""
        samples, busy = found
        self.results[name] = samples
        if busy:
            self.busy[name] = busy

    def attempt(self, name, work):
        """One thing that cannot be measured does not end the rest; the report says so."""
        say(name)
        self.failures.pop(name, None)
        try:
            work()
        except Failure as failure:
            self.failures[name] = str(failure)
            print(f"    {name} failed: {failure}", file=sys.stderr, flush=True)

    # One PostgreSQL.

    def proxies(self, context):
        """Everybody who may take part, by name."""
        every = {
            "martlet": MartletProxy(context, "martlet", 0),
            "martlet-2": MartletProxy(context, "martlet-2", 1, shards=2),
            "martlet-fixed": MartletProxy(context, "martlet-fixed", 2, route="primary"),
            # Its secrets stand in its configuration, as PgBouncer's do in a file.
            "martlet-users": MartletProxy(
                context, "martlet-users", 3, users=[{"name": "login", "secret": context.secret}]),
        }
        for number, name in enumerate(PEERS):
            if name in self.peers:
                every[name] = PEERS[name](context, number)
        return every

    def usable(self, every):
        """Those that start and answer; the others are named in the report."""
        for name in list(every):
            try:
                every[name].start()
                self.versions[name] = every[name].version()
                self.configurations[name] = every[name].configuration()
            except (Failure, OSError) as failure:
                self.failures[name] = str(failure)
                del every[name]
                continue
            finally:
                if name in every:
                    every[name].stop()
        return every

    def on_one_node(self, context):
        """Every workload that was chosen, and what is counted; what the targets ask first."""
        every = self.usable(self.proxies(context))

        def measure(is_quick):
            for one in WORKLOADS:
                if one.is_quick == is_quick and self.wants(one.name, is_quick):
                    self.attempt(one.title, lambda one=one: self.measure(context, every, one))

        measure(is_quick=True)
        if self.wants("system-calls", True):
            self.attempt("system calls", lambda: self.system_calls(every))
        if self.wants("profile"):
            self.attempt("profile", lambda: self.profile(every))
        for name in ALLOCATIONS:
            if self.wants(name, True):
                self.attempt(name, lambda name=name: self.allocations(every["martlet"], name))
        measure(is_quick=False)

    def measure(self, context, every, workload):
        """One workload with all whom it suits."""
        taking = {
            name: proxy for name, proxy in every.items()
            if workload.suits(proxy)
            and (not name.startswith("martlet-") or name in workload.variants)
        }
        anew = workload.name.startswith(STARTS_ANEW)

        def worker(proxy):
            def sample():
                if anew:
                    proxy.stop()
                    proxy.start()
                return workload.sample(context, proxy, self.seconds)
            return sample

        try:
            for proxy in taking.values():
                proxy.start()
            if not anew:
                self.drop_failing(context, taking, workload)
            workers = {name: worker(proxy) for name, proxy in taking.items()}
            self.keep(workload.name,
                      run_rounds(self.rounds, workers, self.progress(workload.name)))
        finally:
            for proxy in every.values():
                proxy.stop()

    def drop_failing(self, context, taking, workload):
        """A first sample that does not count fills pools and caches, and shows who fails."""
        for name in list(taking):
            try:
                workload.sample(context, taking[name], 0.3)
            except Failure as failure:
                if name.startswith("martlet"):
                    raise
                self.failures[f"{name}, {workload.title}"] = str(failure)
                taking.pop(name).stop()

    def system_calls(self, every):
        """Of everybody, in runs of their own."""
        samples = {}
        for name, proxy in every.items():
            if name.startswith("martlet-") or proxy.largest < 64:
                continue
            proxy.start()
            try:
                samples[name] = [counts.system_calls(proxy)]
            except Failure as failure:
                self.failures[f"{name}, system calls"] = str(failure)
            finally:
                proxy.stop()
        self.keep("system-calls", (samples, []))

    def profile(self, every):
        """Where the time of martlet and of PgBouncer goes."""
        samples = {}
        for name in ("martlet", "pgbouncer"):
            if name not in every:
                continue
            every[name].start()
            try:
                found = flame.profile(every[name], self.directory / "perf.data")
            finally:
                every[name].stop()
            samples[name] = [{"shares": flame.shares(found)}]
            title = f"{name}, -S, simple, 64 clients"
            self.pictures[f"flame-{name}"] = flame.flame_graph(found, title)
        self.keep("profile", (samples, []))

    def allocations(self, martlet, name):
        """Of martlet, in one of the protocols."""
        counter = counts.Allocations(martlet, self.chosen.allocations, self.directory)
        self.keep(name, ({"martlet": [counter.per_transaction(ALLOCATIONS[name])]}, []))

    def classifier(self):
        """benchmarks/classifier counts instructions and measures the time."""
        done = subprocess.run([str(HERE / "classifier"), "--json"], capture_output=True, text=True,
                              check=False)
        if done.returncode not in (0, 1) or not done.stdout:
            raise Failure(f"benchmarks/classifier failed:\n{done.stderr}")
        self.keep("classifier", ({"martlet": [json.loads(done.stdout)]}, []))

    # A primary and replicas.

    def on_nodes(self, context):
        """The chosen ones of what needs replicas."""
        stage = Stage(context, self.rounds, self.seconds, lambda *_: None)
        stage.start()
        works = {"routing": stage.routing, "mixed": stage.mixed, "lag": stage.lag,
                 "read-scaling": stage.read_scaling}
        try:
            for name, work in works.items():
                if self.wants(name):
                    stage.report = self.progress(name)
                    self.attempt(name, lambda name=name, work=work: self.keep(name, work()))
        finally:
            self.failures.update(stage.failures)
            stage.stop()

    def with_cluster(self, nodes, work):
        """Starts a cluster, does the work and ends it."""
        left = BenchCluster.load("bench")
        if left:
            left.stop()
        cluster = BenchCluster.make(nodes)
        context = Context(cluster, self.chosen.binary, self.chosen.peers_from, self.directory,
                          self.chosen.client)
        try:
            say(f"PostgreSQL, {nodes} {'node' if nodes == 1 else 'nodes'}")
            cluster.start()
            cluster.fill()
            context.prepare()
            MartletProxy(context, "martlet", 0).martlet.create_account()
            work(context)
        finally:
            cluster.stop()

    def everything(self):
        """All that was chosen."""
        quick = {one.name: one.is_quick for one in WORKLOADS}
        quick.update({"system-calls": True, "profile": False, **dict.fromkeys(ALLOCATIONS, True)})
        if self.wants("classifier"):
            self.attempt("classifier", self.classifier)
        if any(self.wants(name) for name in ON_NODES):
            self.with_cluster(4, self.on_nodes)
        if any(self.wants(name, is_quick) for name, is_quick in quick.items()):
            self.with_cluster(1, self.on_one_node)


def arguments():
    """What benchmarks/run passes on."""
    names = [one.name for one in WORKLOADS] + list(COUNTS + ON_NODES)
    parser = argparse.ArgumentParser(prog="benchmarks/run", epilog="workloads: " + " ".join(names))
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="what the targets ask; 5 minutes")
    kind.add_argument("--full", action="store_true", help="everything, and benchmarks/RESULTS.md")
    parser.add_argument("--peers", type=lambda text: text.split(","), help=", ".join(PEERS))
    parser.add_argument("--workloads", type=lambda text: text.split(","),
                        help="names or patterns, as select-simple-*")
    parser.add_argument("--rounds", type=int, help="5 (quick: 3)")
    parser.add_argument("--continue", action="store_true", dest="goes_on",
                        help="only what an interrupted run has not measured yet")
    parser.add_argument("--output", help="where tables, plots and JSON go")
    for name in ("binary", "client", "allocations", "peers-from"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    for one in chosen.peers or ():
        if one not in PEERS:
            parser.error(f"there is no peer {one}")
    for one in chosen.workloads or ():
        if not fnmatch.filter(names, one):
            parser.error(f"no workload is called {one}")
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("at least one round")
    if not chosen.full:
        chosen.quick = True
    return chosen


def main():
    """Measures and reports; errors without a traceback."""
    chosen = arguments()
    # Whoever ends it by a signal gets everything ended, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    in_tree = chosen.full and not (chosen.workloads or chosen.output or chosen.peers)
    output = Path(chosen.output) if chosen.output else (
        HERE if in_tree else home() / "benchmarks")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="martlet-bench.") as directory:
        os.chmod(directory, 0o755)
        run = Run(chosen, directory)
        if chosen.goes_on:
            try:
                run.go_on(output)
            except Failure as failure:
                # Before anything is measured there is nothing to report.
                print(f"error: {failure}", file=sys.stderr)
                return 1
        try:
            run.everything()
        except KeyboardInterrupt:
            say("interrupted; what there is so far follows")
            run.failures["the run"] = "interrupted before its end"
        except Failure as failure:
            run.failures["the run"] = str(failure)
        finally:
            # Also before an error of ours comes through: nobody should lose an hour's figures.
            run.minutes = (time.monotonic() - began) / 60 + (run.before or {}).get("minutes", 0)
            report.write(run, output)
    return 1 if "the run" in run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
