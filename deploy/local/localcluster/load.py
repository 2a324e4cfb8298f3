# SPDX-License-Identifier: Apache-2.0
"""A small load, so that the view moves. No benchmark."""

import contextlib
import random
import threading
import time

import psycopg

from .processes import Failure

PREPARE = """
CREATE TABLE IF NOT EXISTS demo_load (
    id integer PRIMARY KEY, value bigint NOT NULL DEFAULT 0, note text);
INSERT INTO demo_load SELECT n, 0, md5(n::text) FROM generate_series(1, 10000) n
ON CONFLICT DO NOTHING
"""
READ = "SELECT value, note FROM demo_load WHERE id = %s"
RANGE = "SELECT sum(value), count(*) FROM demo_load WHERE id BETWEEN %s AND %s + 500"
WRITE = "UPDATE demo_load SET value = value + 1 WHERE id = %s"


class Worker(threading.Thread):
    """One client: short reads, some longer ones, and writes."""

    def __init__(self, url, writes, ended):
        super().__init__(daemon=True)
        self.url, self.writes, self.ended = url, writes, ended
        self.reads = self.written = self.errors = self.reconnects = 0
        self.last_error = ""

    def run(self):
        """Works until the end; an error is counted, a lost connection replaced."""
        first = True
        while not self.ended.is_set():
            self.reconnects += 0 if first else 1
            first = False
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    self._work(connection)
            except psycopg.Error as error:
                self._count(error)
                self.ended.wait(0.5)

    def _work(self, connection):
        while not self.ended.is_set() and not connection.closed:
            key = random.randint(1, 10000)
            try:
                if random.uniform(0, 100) < self.writes:
                    connection.execute(WRITE, (key,))
                    self.written += 1
                elif random.random() < 0.1:
                    connection.execute(RANGE, (key, key)).fetchall()
                    self.reads += 1
                else:
                    connection.execute(READ, (key,)).fetchall()
                    self.reads += 1
            except psycopg.Error as error:
                self._count(error)
            self.ended.wait(random.uniform(0.001, 0.02))

    def _count(self, error):
        self.errors += 1
        self.last_error = str(error).splitlines()[0] if str(error) else repr(error)


def generate_load(port, chosen):
    """Runs the clients and prints once a second what they did."""
    url = f"postgresql://demo:demo@127.0.0.1:{port}/demo"
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(PREPARE)
    except psycopg.Error as error:
        raise Failure(f"cannot prepare the load: {error}") from None
    ended = threading.Event()
    workers = [Worker(url, chosen.writes, ended) for _ in range(chosen.clients)]
    for worker in workers:
        worker.start()
    until = time.monotonic() + chosen.seconds if chosen.seconds else float("inf")
    with contextlib.suppress(KeyboardInterrupt):
        report(workers, until)
    ended.set()
    for worker in workers:
        worker.join(5)
    return 0


def report(workers, until):
    """One line a second."""
    before = (0, 0)
    while time.monotonic() < until:
        time.sleep(1)
        now = (sum(w.reads for w in workers), sum(w.written for w in workers))
        last = next((w.last_error for w in workers if w.last_error), "")
        print(
            f"{now[0] - before[0]:6} reads/s {now[1] - before[1]:5} writes/s"
            f"   errors {sum(w.errors for w in workers)}"
            f"   lost connections {sum(w.reconnects for w in workers)}   {last}",
            flush=True,
        )
        before = now
