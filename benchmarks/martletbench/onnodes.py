# SPDX-License-Identifier: Apache-2.0
"""What needs a primary and replicas: the growth of reads, the cost of routing, lag."""

import json

from localcluster.cluster import http
from localcluster.processes import Failure, wait_until

from . import lag, load
from .capped import capped
from .proxies import MartletProxy, Pgpool
from .rounds import run_rounds

# Of one processor, for each PostgreSQL: four of them leave room for proxy and load.
SHARE = 0.2
CLIENTS = 24
MIXED = """\\set id random(1, 2000000)
\\set part random(1, 10)
\\if :part = 1
UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :id;
\\else
SELECT abalance FROM pgbench_accounts WHERE aid = :id;
\\endif
"""


class Stage:
    """The cluster, and martlet in front of it."""

    def __init__(self, context, rounds, seconds, report):
        self.context, self.rounds, self.seconds = context, rounds, seconds
        self.report = report
        self.martlet = MartletProxy(context, "martlet", 0)
        self.fixed = MartletProxy(context, "martlet-fixed", 1, route="primary")
        self.replicas = None
        # What could not be measured of a peer, and why; the rest goes on without it.
        self.failures = {}

    def start(self):
        """Both martlets."""
        for one in (self.martlet, self.fixed):
            one.start()
        wait_until("martlet to read from all replicas", lambda: len(self.eligible()) == 3, 60)

    def stop(self):
        """Both martlets."""
        for one in (self.martlet, self.fixed):
            one.stop()

    def eligible(self):
        """The replicas from which martlet reads."""
        text = http(f"{self.martlet.martlet.url}/topology", timeout=10)[1]
        return [node["name"] for node in json.loads(text)["nodes"]
                if node["role"] == "replica" and node["eligible"]]

    def use(self, count):
        """So many replicas take part; the others say `noloadbalance`."""
        if self.replicas == count:
            return
        names = self.context.cluster.replicas()
        for index, name in enumerate(names):
            self.context.cluster.tag(name, {"noloadbalance": index >= count})
        wait_until(f"martlet to read from {count}", lambda: len(self.eligible()) == count, 60)
        self.replicas = count

    def routing(self):
        """The same reads with all decisions and with none."""
        self.use(3)
        workers = {
            proxy.name: lambda proxy=proxy: load.pgbench(proxy.port, proxy.pid, self.seconds,
                                                         "simple", 64)
            for proxy in (self.martlet, self.fixed)
        }
        return run_rounds(self.rounds, workers, self.report)

    def mixed(self):
        """One write to nine reads; with a fixed route all of it is for the primary."""
        self.use(3)
        script = self.context.directory / "mixed.sql"
        script.write_text(MIXED)
        workers = {
            proxy.name: lambda proxy=proxy: load.pgbench(proxy.port, proxy.pid, self.seconds,
                                                         "prepared", 32, script)
            for proxy in (self.martlet, self.fixed)
        }
        return run_rounds(self.rounds, workers, self.report)

    def lag(self):
        """One replica stops replaying; one sample tells the whole story."""
        self.use(3)
        sample = lag.measure(self.context, self.martlet)
        self.report(0, "martlet", sample)
        return {"martlet": [sample]}, []

    def read_scaling(self):
        """Reads per second of 1, 2 and 3 replicas, each with a fixed share of a processor."""
        cluster = self.context.cluster
        primary = cluster.primary()
        nodes = {name: cluster.postmaster(name)[0] for name in cluster.names}
        pools = {count: self.pgpool(count) for count in (1, 2, 3)}
        workers = {"single node": lambda: self.reads(cluster.port_of(primary), nodes[primary])}
        for count in (1, 2, 3):
            workers[f"martlet {count}"] = lambda count=count: self.martlet_reads(count)
            workers[f"pgpool {count}"] = lambda count=count: self.pgpool_reads(pools, count)
        try:
            for pool in pools.values():
                pool.start()
            with capped(nodes, SHARE):
                samples, busy = run_rounds(self.rounds, workers, self.report)
        finally:
            for pool in pools.values():
                pool.stop()
        for one, three in zip(samples["martlet 1"], samples["martlet 3"]):
            three["growth"] = three["tps"] / one["tps"]
        samples["martlet"] = samples["martlet 3"]
        return samples, busy

    def martlet_reads(self, count):
        """One sample through martlet with so many replicas."""
        self.use(count)
        return self.reads(self.martlet.port, self.martlet.pid)

    def pgpool_reads(self, pools, count):
        """The same through Pgpool-II; None where it answers nothing within the time."""
        try:
            return self.reads(pools[count].port, pools[count].pid)
        except Failure as failure:
            self.failures[f"pgpool {count}, read-scaling"] = str(failure)
            return None

    def reads(self, port, pid):
        """One sample of reads."""
        return load.pgbench(port, pid, self.seconds, "simple", CLIENTS)

    def pgpool(self, count):
        """A Pgpool-II that reads from so many replicas and not from the primary."""
        cluster = self.context.cluster
        names = [cluster.primary(), *cluster.replicas()[:count]]
        backends = [(cluster.port_of(name), int(index > 0)) for index, name in enumerate(names)]
        pool = Pgpool(self.context, 20 + count, backends)
        pool.process = cluster.process(f"peer-pgpool-{count}")
        pool.directory = self.context.directory / f"pgpool-{count}"
        return pool
