# SPDX-License-Identifier: Apache-2.0
"""Load on a port: pgbench, and the client of ours for what pgbench cannot."""

import contextlib
import math
import os
import subprocess
import tempfile
import time
from pathlib import Path

from localcluster.processes import Failure, wait_until

from .backend import PASSWORD, BenchCluster
from .usage import usage


def percentile(ordered, share):
    """The value below which this share of the ordered values lies."""
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def steady(process, finished, pid, seconds, wait=time.sleep):
    """What the proxy used in an interval in the middle of a load, for each transaction.

    `finished` gives (time of the end, microseconds) of every transaction once the load is over.
    The interval lies between two readings of the proxy's use, and only what ended in it counts.
    """
    before = usage(pid)
    wait(seconds)
    after = usage(pid)
    transactions = finished(process)
    used = after - before
    times = sorted(took for at, took in transactions if before.at <= at < after.at)
    if len(times) < 10:
        raise Failure(f"only {len(times)} transactions in {seconds} s")
    count = len(times)
    return {
        "transactions": count,
        "tps": count / used.at,
        "p50": percentile(times, 0.5),
        "p99": percentile(times, 0.99),
        "p999": percentile(times, 0.999),
        "user": used.user / count * 1e6,
        "system": used.system / count * 1e6,
        "cpu": (used.user + used.system) / count * 1e6,
        "switches": used.switches / count,
        "cores": (used.user + used.system) / used.at,
    }


@contextlib.contextmanager
def running(words, **options):
    """A process of the load that ends with the block, whatever happens."""
    process = subprocess.Popen([str(word) for word in words], text=True,
                               stderr=subprocess.PIPE, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def finish(process, what):
    """Waits for the end of a load, and passes on what it complained about."""
    output, errors = process.communicate(timeout=120)
    if process.returncode != 0:
        raise Failure(f"{what} failed:\n" + "\n".join(errors.splitlines()[-5:]))
    return output


def pgbench(port, pid, seconds, mode="simple", clients=1, script="select-only", extra=(),
            wait=time.sleep, threads=1):
    """One sample with pgbench; `wait` is what is done during the interval."""
    # libpq would encrypt by itself where a proxy offers it.
    environment = {**os.environ, "PGSSLMODE": "disable"}
    with tempfile.TemporaryDirectory(prefix="martlet-bench-log.") as directory:
        prefix = Path(directory) / "log"
        words = ["pgbench", "-n", "-M", mode, "-c", clients, "-j", threads]
        words += ["-T", math.ceil(seconds + 1), "-l", f"--log-prefix={prefix}"]
        words += ["-b", script] if isinstance(script, str) else ["-f", script]
        words += [*extra, *BenchCluster.address(port), "bench"]
        with running(words, stdout=subprocess.PIPE, env=environment) as process:

            def begun():
                if process.poll() is not None:
                    finish(process, "pgbench")
                    raise Failure("pgbench ended before the measurement began")
                return any(file.stat().st_size for file in Path(directory).iterdir())

            wait_until("pgbench to begin", begun, 120)
            return steady(process, lambda one: read_log(one, directory), pid, seconds, wait)


def read_log(process, directory):
    """Every transaction of pgbench's logs."""
    finish(process, "pgbench")
    for file in Path(directory).iterdir():
        for line in file.read_text().splitlines():
            # client, number, microseconds, script, seconds, microseconds of the end
            fields = line.split()
            if fields[2].isdigit():
                yield int(fields[4]) + int(fields[5]) / 1e6, int(fields[2])


def conninfo(port, user="bench", sslmode="disable"):
    """A libpq connection string."""
    return (f"host=127.0.0.1 port={port} dbname=bench user={user} password={PASSWORD}"
            f" sslmode={sslmode} connect_timeout=60")


def logins(client, port, pid, seconds, user, sslmode, clients=8):
    """One sample of clients that log in, run one statement and leave."""
    words = [client, "login", conninfo(port, user, sslmode), clients, seconds + 1]
    with tempfile.TemporaryFile("w+") as output, running(words, stdout=output) as process:
        wait_until("the first login", lambda: written(process, output), 60)

        def finished(one):
            finish(one, "the logins")
            output.seek(0)
            for line in output:
                at, took = line.split()
                yield float(at), int(took)

        return steady(process, finished, pid, seconds)


def written(process, output):
    """Whether a process has written anything yet; its failure is passed on."""
    if process.poll() is not None:
        finish(process, "the clients")
    output.seek(0, 2)
    return output.tell() > 0


def results(client, port, pid, statement, times):
    """One sample of large results, read one after another by one client."""
    before = usage(pid)
    done = subprocess.run([str(client), "result", conninfo(port), str(times), statement],
                          capture_output=True, text=True, check=False, timeout=300)
    used = usage(pid) - before
    if done.returncode != 0:
        raise Failure(f"reading a large result failed: {done.stderr}")
    gigabytes = int(done.stdout) / 1e9
    return {
        "gigabytes": gigabytes,
        "cpu_per_gb": (used.user + used.system) / gigabytes,
        "user": used.user / gigabytes,
        "system": used.system / gigabytes,
        "gb_per_second": gigabytes / used.at,
        "switches": used.switches / gigabytes,
    }


@contextlib.contextmanager
def held(client, port, count, user="bench", sslmode="disable"):
    """So many clients that have run one statement and are idle now."""
    words = [client, "hold", conninfo(port, user, sslmode), count]
    with running(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdout.readline() != "ready\n":
            finish(process, f"holding {count} clients")
            raise Failure(f"{count} clients could not be held")
        yield
