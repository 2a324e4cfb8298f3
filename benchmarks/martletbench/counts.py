# SPDX-License-Identifier: Apache-2.0
"""What can only be counted by slowing the proxy down, in runs of their own."""

import collections
import contextlib
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

from localcluster.processes import Failure, wait_until

from . import load
from .usage import family

# Every call that one of the proxies makes for a transaction; the sum of all has a counter, too.
CALLS = ("sendto", "sendmsg", "write", "writev", "recvfrom", "recvmsg", "read", "readv", "splice",
         "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "poll", "futex", "ioctl",
         "timerfd_settime")
# As many as the library writes for one signal.
STACKS = 500
WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2")


def system_calls(proxy, seconds=2, mode="simple", clients=64):
    """System calls per transaction, by name, of all threads and processes of a proxy.

    Counted by the kernel, not traced: a trace loses events, and slows the proxy down.
    """
    if not shutil.which("perf"):
        raise Failure("perf is not installed")
    rates = {}

    def wait(seconds):
        events = ["raw_syscalls:sys_enter", *(f"syscalls:sys_enter_{name}" for name in CALLS)]
        words = ["perf", "stat", "-x", ";", "-e", ",".join(events), "-p",
                 ",".join(str(pid) for pid in family(proxy.pid)), "--", "sleep", str(seconds)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        for line in done.stderr.splitlines():
            fields = line.split(";")
            if len(fields) > 2 and fields[0].isdigit():
                rates[fields[2].rpartition("sys_enter")[2].lstrip("_")] = int(fields[0]) / seconds
        if not rates:
            raise Failure(f"perf stat counted nothing:\n{done.stderr[:400]}")

    sample = load.pgbench(proxy.port, proxy.pid, seconds, mode, clients, wait=wait)
    per = {name: rate / sample["tps"] for name, rate in rates.items() if rate}
    total = per.pop("", 0.0)
    waits = sum(per.get(name, 0) for name in WAITS)
    return {"calls": dict(sorted(per.items(), key=lambda item: -item[1])), "all": total,
            "others": total - waits, "waits": waits, "epoll_ctl": per.get("epoll_ctl", 0)}


class Allocations:
    """A martlet under the counting library."""

    def __init__(self, proxy, library, directory):
        self.proxy = proxy
        self.file = Path(directory) / "allocations.count"
        self.callers = Path(directory) / "allocations.callers"
        self.environment = {
            "LD_PRELOAD": str(library),
            "BENCH_ALLOCATIONS": str(self.file),
            "BENCH_CALLERS": str(self.callers),
        }

    def read(self):
        """Allocations since its start."""
        return struct.unpack("q", self.file.read_bytes())[0]

    def per_transaction(self, mode, clients=16, seconds=2):
        """Allocations per transaction in the middle of a load, what an idle martlet does less."""
        for file in (self.file, self.callers):
            file.unlink(missing_ok=True)
        proxy = self.proxy
        proxy.stop()
        proxy.environment = self.environment
        try:
            proxy.start()
            # Pools, caches and the allocator's own lists are filled by the first transactions.
            load.pgbench(proxy.port, proxy.pid, 1, mode, clients)
            before = self.read()
            time.sleep(seconds)
            idle = (self.read() - before) / seconds
            counted = {}

            def wait(seconds):
                first, began = self.read(), time.monotonic()
                time.sleep(seconds)
                counted["rate"] = (self.read() - first) / (time.monotonic() - began)
                proxy.martlet.process.send(signal.SIGUSR2)
                # An allocation now and then may not fill the list; what is there tells enough.
                with contextlib.suppress(Failure):
                    wait_until("the callers", self.has_callers, 5)
                counted["callers"] = self.symbols()

            sample = load.pgbench(proxy.port, proxy.pid, seconds, mode, clients, wait=wait)
            sample["count"] = max(0.0, counted["rate"] - idle) / sample["tps"]
            sample["callers"] = counted["callers"]
            sample["idle_per_second"] = idle
            return sample
        finally:
            proxy.stop()
            proxy.environment = {}

    def has_callers(self):
        """Whether all of the stacks that were asked for are there."""
        return self.callers.exists() and self.callers.read_text().count("\n") >= STACKS

    def symbols(self, most=12):
        """Where the allocations come from: the innermost named functions of martlet itself."""
        pid = self.proxy.pid
        places = mappings(pid)
        found = collections.Counter()
        stacks = [line.split() for line in self.callers.read_text().splitlines()]
        for stack in stacks:
            found[tuple(place(places, int(address, 16)) for address in stack[:12])] += 1
        wanted = {address for stack in found for address in stack if address}
        names = symbolise(wanted)
        lines = collections.Counter()
        for stack, count in found.items():
            named = [names.get(one, "?") for one in stack if one]
            lines[" < ".join(name for name in named if name != "?")] += count
        total = sum(lines.values()) or 1
        return [(count / total, text) for text, count in lines.most_common(most)]


def mappings(pid):
    """(start, end, offset, file) of the executable parts of a process."""
    parts = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        if "x" in fields[1] and len(fields) == 6 and fields[5].startswith("/"):
            start, end = (int(one, 16) for one in fields[0].split("-"))
            parts.append((start, end, int(fields[2], 16), fields[5]))
    return parts


def place(parts, address):
    """(file, address in it as its symbols have it) of a return address, or None."""
    for start, end, offset, file in parts:
        if start <= address < end:
            return file, address - 1 - start + offset + load_bias(file, offset)
    return None


def load_bias(file, offset, known={}):  # noqa: B006  a cache that lives as long as the program
    """What must be added to an offset in a file to have the address that its symbols use."""
    if (file, offset) not in known:
        known[file, offset] = 0
        done = subprocess.run(["readelf", "-lW", file], capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            fields = line.split()
            if fields[:1] == ["LOAD"] and "E" in "".join(fields[6:8]):
                known[file, offset] = int(fields[2], 16) - int(fields[1], 16)
    return known[file, offset]


def symbolise(addresses):
    """Names of functions, from the tables of symbols and demangled."""
    by_file = collections.defaultdict(list)
    for file, address in addresses:
        by_file[file].append(address)
    names = {}
    for file, ones in by_file.items():
        words = ["addr2line", "-f", "-e", file, *(hex(one) for one in ones)]
        lines = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        found = lines.splitlines()[::2]
        if shutil.which("swift") and found:
            done = subprocess.run(["swift", "demangle", "--simplified", "--compact"],
                                  input="\n".join(found), capture_output=True, text=True,
                                  check=False)
            found = done.stdout.splitlines() if done.returncode == 0 else found
        for one, name in zip(ones, found):
            names[file, one] = "?" if name == "??" else name
    return names
