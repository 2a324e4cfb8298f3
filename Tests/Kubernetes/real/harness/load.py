# SPDX-License-Identifier: Apache-2.0
"""Clients that read and write through martlet, and remember what they saw."""

import threading
import time
from collections import Counter

import psycopg

from .kube import wait_until


def writes_and_reads(connection, kube, seconds):
    """A row of the table `things` is written on the leader; then a replica is read from, where that
    write is known to be replayed, so a moment later."""
    written = connection.execute("INSERT INTO things (address) VALUES (host(inet_server_addr()))"
                                 " RETURNING address").fetchone()[0]
    assert written == kube.wait_leader().ip
    wait_until("reads on replicas", lambda: connection.execute(
        "SELECT host(inet_server_addr())").fetchone()[0] != written, seconds)


class Load:
    """Threads, each with a connection of its own; an error of any of them is kept."""

    def __init__(self, conninfo, statement, clients):
        self._conninfo, self._statement = conninfo, statement
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.errors = []
        # (when it was sent, the server that answered)
        self.answers = []
        self._threads = [threading.Thread(target=self._work, daemon=True)
                         for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def _work(self):
        try:
            with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=20) as one:
                while not self._ended.is_set():
                    sent = time.time()
                    row = one.execute(self._statement).fetchone()
                    with self._lock:
                        self.answers.append((sent, str(row[0])))
        except Exception as error:  # noqa: BLE001  # the tests want none at all
            with self._lock:
                self.errors.append(f"{time.time():.2f} {error!r}")

    def servers(self, since=0.0, until=float("inf")):
        """How many answers each server gave, to what was sent in between."""
        with self._lock:
            return Counter(server for sent, server in self.answers if since <= sent <= until)
