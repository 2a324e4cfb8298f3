# SPDX-License-Identifier: Apache-2.0
"""What a proxy uses of the machine, with all its processes and threads, read from /proc."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """Sums since the start of the processes; times in seconds."""

    at: float = 0.0
    user: float = 0.0
    system: float = 0.0
    switches: int = 0

    def __sub__(self, earlier):
        return Usage(self.at - earlier.at, self.user - earlier.user,
                     self.system - earlier.system, self.switches - earlier.switches)


def processes():
    """All processes of the machine: (pid, fields), as `stat` gives them."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            fields = stat(path.name)
            if fields:
                yield int(path.name), fields


def family(pid):
    """The process and everything that descends from it."""
    children = {}
    for one, fields in processes():
        children.setdefault(int(fields[1]), []).append(one)
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children.get(one, [])
    return found


def of_session(session):
    """All processes of a session, also those whose parent is gone."""
    return [pid for pid, fields in processes() if int(fields[3]) == session]


def stat(pid):
    """The fields of /proc/PID/stat from the state on, or None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2:].split()


def usage(pid):
    """What the process and its descendants, those that have ended included, have used."""
    total = Usage()
    for one in family(pid):
        fields = stat(one)
        if fields:
            # utime, stime, and of children that have ended and were waited for.
            total.user += (int(fields[11]) + int(fields[13])) * TICK
            total.system += (int(fields[12]) + int(fields[14])) * TICK
            total.switches += switches(one)
    total.at = time.time()
    return total


def switches(pid):
    """Context switches of all threads that are alive."""
    count = 0
    for task in Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            lines = task.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        count += sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)
    return count


def memory(pid):
    """(resident, proportional) bytes of the whole family."""
    sizes = {"Rss": 0, "Pss": 0}
    for one in family(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in lines:
            name, value = line.split(":")
            if name in sizes:
                sizes[name] += int(value.split()[0]) * 1024
    return sizes["Rss"], sizes["Pss"]


def busy_share(seconds=0.5):
    """The share of the machine's processors that is at work, from 0 to 1."""

    def read():
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        values = [int(field) for field in fields]
        return sum(values), values[3] + values[4]

    before = read()
    time.sleep(seconds)
    after = read()
    elapsed = after[0] - before[0]
    return 1 - (after[1] - before[1]) / elapsed if elapsed else 0.0
