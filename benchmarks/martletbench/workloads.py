# SPDX-License-Identifier: Apache-2.0
"""What is measured on one PostgreSQL: each workload gives one sample of one proxy."""

from dataclasses import dataclass

from . import load
from .usage import memory

MODES = ("simple", "extended", "prepared")
CLIENTS = (1, 16, 64, 256, 1000)
# martlet with two shards, and with a fixed route; they take part where that is the question.
VARIANTS = {"simple": ("martlet-fixed",), "prepared": ("martlet-2",)}


@dataclass(frozen=True)
class Workload:
    """One question; `sample(context, proxy, seconds)` answers it once."""

    name: str
    title: str
    sample: object
    # The most important figure, for the table and the plot: its key, unit and name.
    figure: tuple = ("cpu", "us", "CPU per transaction")
    clients: int = 1
    # The variants of martlet that take part beside it.
    variants: tuple = ()
    needs_login: bool = False
    # Whether the quick run has it.
    is_quick: bool = False

    def suits(self, proxy):
        """Whether this proxy can do it at all."""
        return self.clients <= proxy.largest and not (self.needs_login and not proxy.has_tls)


def select(mode, clients):
    """Single-row reads by primary key."""

    def sample(_, proxy, seconds):
        return load.pgbench(proxy.port, proxy.pid, seconds, mode, clients)

    variants = VARIANTS.get(mode, ()) if clients == 64 else ()
    quick = (clients == 64 and mode != "extended") or (clients == 1 and mode == "simple")
    return Workload(f"select-{mode}-{clients}", f"-S, {mode}, {clients} clients", sample,
                    clients=clients, variants=variants, is_quick=quick)


def tpcb(mode):
    """pgbench's own transaction, five statements between BEGIN and END."""

    def sample(_, proxy, seconds):
        return load.pgbench(proxy.port, proxy.pid, seconds, mode, 16, "tpcb-like")

    return Workload(f"tpcb-{mode}-16", f"TPC-B, {mode}, 16 clients", sample, clients=16)


def connect(kind, user, sslmode):
    """A login, one statement, and the end of the connection."""

    def sample(context, proxy, seconds):
        return load.logins(context.client, proxy.port, proxy.pid, seconds, user, sslmode)

    variants = ("martlet-users",) if user == "login" else ()
    return Workload(f"connect-{kind}", f"connect per transaction, {kind}", sample, clients=8,
                    variants=variants,
                    figure=("cpu", "us", "CPU per login"), needs_login=user == "login",
                    is_quick=kind == "scram-tls")


def result(kind, statement):
    """200 MB, as often as it takes for the clock of the kernel to be exact enough."""

    def sample(context, proxy, seconds):
        times = max(1, round(seconds))
        return load.results(context.client, proxy.port, proxy.pid, statement, times)

    return Workload(f"result-{kind}", f"200 MB by {kind}", sample, is_quick=kind == "copy",
                    figure=("cpu_per_gb", "s", "CPU per GB"))


def idle(count):
    """Clients that have run one statement and do nothing."""

    def sample(context, proxy, _):
        before = memory(proxy.pid)
        with load.held(context.client, proxy.port, count):
            after = memory(proxy.pid)
        return {"resident": after[0], "proportional": after[1],
                "bytes": (after[1] - before[1]) / count}

    return Workload(f"idle-{count}", f"{count:,} idle clients", sample, clients=count,
                    figure=("bytes", "B", "memory per idle client"), is_quick=count == 5000)


def active(count):
    """64 clients at work, beside so many in all that the others are idle."""

    def sample(context, proxy, seconds):
        alone = load.pgbench(proxy.port, proxy.pid, seconds, "simple", 64)
        with load.held(context.client, proxy.port, count - 64):
            crowd = load.pgbench(proxy.port, proxy.pid, seconds, "simple", 64)
        return {**crowd, "against_alone": crowd["cpu"] / alone["cpu"]}

    return Workload(f"active-64-of-{count}", f"64 active of {count:,} clients", sample,
                    clients=count, is_quick=count == 10000)


WORKLOADS = [
    *(select(mode, clients) for clients in CLIENTS for mode in MODES),
    *(tpcb(mode) for mode in ("simple", "prepared")),
    connect("trust", "bench", "disable"),
    connect("scram", "login", "disable"),
    connect("scram-tls", "login", "require"),
    result("copy", "COPY pgbench_accounts TO STDOUT"),
    result("select", "SELECT * FROM pgbench_accounts"),
    *(idle(count) for count in (5000, 10000)),
    active(10000),
]
# Memory that a proxy has once had it seldom gives back, so these start it anew.
STARTS_ANEW = ("idle-", "active-")
