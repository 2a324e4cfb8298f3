# SPDX-License-Identifier: Apache-2.0
"""Reads Prometheus' text format, as far as /metrics uses it."""

import re

LINE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+-?\d+)?$")
LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.samples = []
        for line in text.splitlines():
            match = LINE.match(line)
            if match and not line.startswith("#"):
                labels = {
                    name: re.sub(r'\\[\\"n]', lambda found: ESCAPES[found[0]], value)
                    for name, value in LABEL.findall(match[2] or "")
                }
                self.samples.append((match[1], labels, float(match[3])))

    def sum(self, name, **labels):
        """The sum of all samples of that name that have these labels."""
        return sum(value for _, value in self.select(name, **labels))

    def select(self, name, **labels):
        """(labels, value) of all samples of that name that have these labels."""
        for found, having, value in self.samples:
            if found == name and all(having.get(key) == want for key, want in labels.items()):
                yield having, value

    def by(self, name, label, **labels):
        """Sums by one label."""
        sums = {}
        for having, value in self.select(name, **labels):
            key = having.get(label, "")
            sums[key] = sums.get(key, 0) + value
        return sums
