# SPDX-License-Identifier: Apache-2.0
"""Rounds of interleaved samples, and what may be said of them.

The machine has good and bad minutes. So no two figures from different times are compared: in each
round all proxies do the same thing one after the other, and what counts are the ratios within a
round, of which the median is reported, with the smallest and the largest beside it.
"""

import statistics
import time
from dataclasses import dataclass

from .usage import busy_share

# With more than this at work before a round, somebody else is using the machine.
QUIET = 0.25


@dataclass(frozen=True)
class Ratio:
    """The median of the rounds' ratios and how far they spread."""

    median: float
    least: float
    most: float
    rounds: int

    def __str__(self):
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def ratio(samples, dividend, divisor, key):
    """Of two lists of samples, round by round; None where there is nothing to compare."""
    pairs = [
        one[key] / other[key]
        for one, other in zip(samples.get(dividend, ()), samples.get(divisor, ()))
        if one and other and other.get(key) and one.get(key) is not None
    ]
    if not pairs:
        return None
    return Ratio(statistics.median(pairs), min(pairs), max(pairs), len(pairs))


def median(samples, key):
    """The median of one figure over the rounds."""
    values = [one[key] for one in samples if one and key in one]
    return statistics.median(values) if values else None


def wait_quiet(seconds=60):
    """Waits for a machine on which nobody else works, within limits; returns how busy it is."""
    deadline = time.monotonic() + seconds
    while True:
        share = busy_share()
        if share < QUIET or time.monotonic() > deadline:
            return share


def run_rounds(count, workers, report):
    """Takes samples, `{name: function}`, in turns; the order is another one in each round."""
    samples = {name: [] for name in workers}
    names = list(workers)
    busy = []
    for number in range(count):
        busy.append(wait_quiet())
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            sample = workers[name]()
            samples[name].append(sample)
            report(number, name, sample)
    return samples, busy
