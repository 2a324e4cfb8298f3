# SPDX-License-Identifier: Apache-2.0
"""Where reads go while one replica is late, and whether a session sees the past.

Three kinds of sessions, each on a connection of its own through martlet: one writes a row of its
own and reads it back; one only reads, and must never see a row older than what it saw before; and
one fills the log, so that the replica falls behind in bytes as well.
"""

import threading
import time

import psycopg
from localcluster.processes import Failure, wait_until

from .load import conninfo

WRITERS, READERS = 4, 12
# Readers say where they were, so that the share of each node is known.
READ = "SELECT value, inet_server_port() FROM lag_journal WHERE id = %s"
WRITE = "UPDATE lag_journal SET value = value + 1 WHERE id = %s RETURNING value"
FILL = "INSERT INTO lag_filler SELECT repeat(md5(n::text), 32) FROM generate_series(1, 300) n"
SCHEMA = """
DROP TABLE IF EXISTS lag_journal, lag_filler;
CREATE TABLE lag_journal (id integer PRIMARY KEY, value bigint NOT NULL);
CREATE TABLE lag_filler (words text);
INSERT INTO lag_journal SELECT n, 0 FROM generate_series(1, 100) n
"""


class Session(threading.Thread):
    """One client; what it reads is compared with what it knows."""

    def __init__(self, port, number, kind, ended):
        super().__init__(daemon=True)
        self.port, self.number, self.kind, self.ended = port, number, kind, ended
        # (time, port) of each read.
        self.reads = []
        self.stale = 0
        self.error = None

    def run(self):
        try:
            with psycopg.connect(conninfo(self.port), autocommit=True) as connection:
                seen = 0
                while not self.ended.is_set():
                    if self.kind == "filler":
                        connection.execute(FILL)
                        self.ended.wait(0.02)
                        continue
                    if self.kind == "writer":
                        seen = connection.execute(WRITE, (self.number,)).fetchone()[0]
                    # Readers look at a row that a writer changes all the time.
                    row = self.number % WRITERS + 1 if self.kind == "reader" else self.number
                    value, port = connection.execute(READ, (row,)).fetchone()
                    self.reads.append((time.monotonic(), port))
                    self.stale += value < seen
                    seen = max(seen, value)
                    self.ended.wait(0.003)
        except psycopg.Error as error:
            self.error = error


def measure(context, proxy, seconds=4):
    """A sample: stale reads, and each node's share of the reads over time."""
    cluster = context.cluster
    cluster.run(SCHEMA, database="bench")
    cluster.run("GRANT ALL ON lag_journal, lag_filler TO bench", database="bench")
    # Commits do not wait for the log here; a checkpoint does.
    cluster.run("CHECKPOINT")
    cluster.wait_replayed()
    delayed = cluster.replicas()[0]
    ended = threading.Event()
    kinds = ["writer"] * WRITERS + ["reader"] * READERS + ["filler"]
    sessions = [Session(proxy.port, number + 1, kind, ended) for number, kind in enumerate(kinds)]
    began = time.monotonic()
    marks = {}
    try:
        for session in sessions:
            session.start()
        time.sleep(seconds)
        delay(cluster, delayed, "1h")
        marks["paused"] = time.monotonic() - began
        time.sleep(2 * seconds)
        delay(cluster, delayed, None)
        marks["resumed"] = time.monotonic() - began
        time.sleep(seconds)
    finally:
        ended.set()
        delay(cluster, delayed, None)
        for session in sessions:
            session.join(10)
    errors = [session.error for session in sessions if session.error]
    if errors:
        raise Failure(f"a session failed: {errors[0]}")
    return evaluate(cluster, sessions, delayed, began, marks)


def delay(cluster, name, duration):
    """Makes a replica late, or not; back once it is so. Patroni would end a pause by itself."""
    cluster.configure_recovery(name, {"recovery_min_apply_delay": duration} if duration else None)
    wait_until("the delay", lambda: cluster.run("SHOW recovery_min_apply_delay", name)
               == [(duration or "0",)], 30)


def evaluate(cluster, sessions, delayed, began, marks):
    """Shares of the readers' reads in slices of a quarter of a second."""
    size, slices = 0.25, {}
    for session in sessions:
        for at, port in session.reads if session.kind == "reader" else ():
            slices.setdefault(int((at - began) / size), []).append(port)
    port = cluster.port_of(delayed)
    times = sorted(slices)
    shares = [slices[at].count(port) / len(slices[at]) for at in times]
    quiet = next((at * size - marks["paused"] for at, share in zip(times, shares)
                  if at * size > marks["paused"] and share == 0), None)
    back = next((at * size - marks["resumed"] for at, share in zip(times, shares)
                 if at * size > marks["resumed"] and share > 0.1), None)
    return {
        "stale": sum(session.stale for session in sessions),
        "reads": sum(len(session.reads) for session in sessions),
        "delayed": delayed, "times": [at * size for at in times], "share": shares, **marks,
        "seconds_until_left": quiet, "seconds_until_used_again": back,
    }
