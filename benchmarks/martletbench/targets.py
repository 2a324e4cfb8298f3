# SPDX-License-Identifier: Apache-2.0
"""What martlet means to reach; measured, and never a test that fails on a slow day."""

from dataclasses import dataclass

from .rounds import median, ratio


@dataclass(frozen=True)
class Target:
    """A ratio of two proxies in one workload, or one figure of one of them."""

    measure: str
    workload: str
    key: str
    bound: float
    dividend: str = "martlet"
    # None: the figure itself is meant.
    divisor: str | None = "pgbouncer"
    at_least: bool = False

    def measured(self, results):
        """(value, text) from `{workload: {proxy: [sample]}}`, or None when it was not measured."""
        samples = results.get(self.workload)
        if not samples:
            return None
        if self.divisor:
            found = ratio(samples, self.dividend, self.divisor, self.key)
            return (found.median, str(found)) if found else None
        values = [one[self.key] for one in samples.get(self.dividend, ()) if one]
        if not values:
            return None
        middle = median(samples[self.dividend], self.key)
        spread = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
        return middle, f"{middle:.2f}{spread}"

    def reached(self, value):
        """Whether the value, with the two digits that are shown, is good enough."""
        value = round(value, 2)
        return value >= self.bound if self.at_least else value <= self.bound

    @property
    def wanted(self):
        """The bound in words."""
        return f"{'at least' if self.at_least else 'at most'} {self.bound:.2f}"


TARGETS = [
    Target("CPU per transaction, simple -S, 64 clients", "select-simple-64", "cpu", 0.80),
    Target("CPU per transaction, prepared -S, 64 clients", "select-prepared-64", "cpu", 0.70),
    Target("throughput, prepared -S, 64 clients, two shards", "select-prepared-64", "tps", 1.15,
           dividend="martlet-2", at_least=True),
    Target("median latency, 1 client", "select-simple-1", "p50", 1.00),
    Target("p99 latency, 64 clients", "select-simple-64", "p99", 1.00),
    Target("CPU per GB, COPY out", "result-copy", "cpu_per_gb", 0.75),
    Target("CPU per login, SCRAM over TLS, secrets in the configuration of both",
           "connect-scram-tls", "cpu", 1.00, dividend="martlet-users"),
    Target("the same, martlet asking PostgreSQL at each login", "connect-scram-tls", "cpu", 1.00),
    Target("bytes per idle client, no TLS", "idle-5000", "bytes", 0.50),
    Target("CPU per transaction, 64 active of 10,000 against 64 of 64", "active-64-of-10000",
           "against_alone", 1.20, divisor=None),
    Target("reads per second, 3 capped replicas against 1", "read-scaling", "growth", 2.80,
           divisor=None, at_least=True),
    Target("stale reads seen by a session, one replica delayed", "lag", "stale", 0,
           divisor=None),
    Target("CPU per transaction, routing against a fixed route", "select-simple-64", "cpu", 1.05,
           divisor="martlet-fixed"),
    Target("the same on the cluster", "routing", "cpu", 1.05, divisor="martlet-fixed"),
    Target("system calls per simple transaction without epoll_wait", "system-calls", "others",
           4.05, divisor=None),
    Target("epoll_ctl per simple transaction", "system-calls", "epoll_ctl", 0, divisor=None),
    Target("heap allocations per simple transaction", "allocations-simple", "count", 0,
           divisor=None),
    Target("heap allocations per prepared transaction", "allocations-prepared", "count", 0,
           divisor=None),
    Target("classifier, median time of a statement in ns", "classifier", "nanoseconds", 300,
           divisor=None),
]
