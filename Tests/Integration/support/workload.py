# SPDX-License-Identifier: Apache-2.0
"""Clients that write and read while a cluster fails over, and an account of what they saw."""

import itertools
import threading
from collections import Counter

import psycopg
from support.endpoint import value

WRITE = "INSERT INTO journal (client, number) VALUES (%s, %s)"
READ = "SELECT count(*) FROM items"


class Writer(threading.Thread):
    """Inserts rising numbers, one autocommit statement each."""

    def __init__(self, endpoint, number, ended):
        super().__init__(daemon=True)
        self.connection = endpoint.connect()
        self.number, self.ended = number, ended
        self.acknowledged, self.unknown = set(), set()
        self.errors = []
        self.lost = False
        self.last = -1

    def run(self):
        """Writes until the end."""
        for number in itertools.count():
            if self.ended.is_set():
                break
            self.last = number
            try:
                self.connection.execute(WRITE, (self.number, number))
                self.acknowledged.add(number)
            except psycopg.Error as error:
                self.errors.append((error.sqlstate, str(error)))
                self.unknown.add(number)
                if self.connection.closed or error.sqlstate is None:
                    self.lost = True
                    return


class Reader(threading.Thread):
    """Reads in autocommit mode."""

    def __init__(self, endpoint, ended):
        super().__init__(daemon=True)
        self.connection = endpoint.connect()
        self.ended = ended
        self.count = 0
        self.errors = []

    def run(self):
        """Reads until the end."""
        while not self.ended.is_set():
            try:
                assert value(self.connection, READ) == 1000
                self.count += 1
            except (psycopg.Error, AssertionError) as error:
                self.errors.append(repr(error))
                if self.connection.closed:
                    return


class Workload:
    """Half of the clients write, half read."""

    def __init__(self, endpoint, clients=64):
        self.endpoint = endpoint
        self.ended = threading.Event()
        endpoint.cluster.run("TRUNCATE journal", database="app")
        self.writers = [Writer(endpoint, n, self.ended) for n in range(clients // 2)]
        self.readers = [Reader(endpoint, self.ended) for _ in range(clients - clients // 2)]

    def __enter__(self):
        for one in self.writers + self.readers:
            one.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for one in self.writers + self.readers:
            one.join(120)

    def close(self):
        """Ends the connections; `check` still needs them."""
        for one in self.writers + self.readers:
            one.connection.close()

    def progress(self):
        """How much has been acknowledged so far."""
        return sum(len(one.acknowledged) for one in self.writers)

    def everyone_wrote_since(self, marks):
        """Whether every writer has an acknowledged write above its mark."""
        return all(
            one.acknowledged and max(one.acknowledged) > mark or one.lost
            for one, mark in zip(self.writers, marks, strict=True)
        )

    def marks(self):
        """Where every writer is."""
        return [one.last for one in self.writers]

    def rows(self):
        """How often each row is in the table, on the primary."""
        found = self.endpoint.cluster.run(
            "SELECT client, number, count(*) FROM journal GROUP BY 1, 2", database="app")
        return Counter({(client, number): count for client, number, count in found})

    def check(self, kept_all):
        """What must hold after any failover."""
        stored = self.rows()
        doubled = {key: count for key, count in stored.items() if count > 1}
        assert not doubled, f"written twice: {doubled}"
        assert not [one for one in self.writers if one.lost], "client connections were lost: " + str(
            [one.errors[-1] for one in self.writers if one.lost][:3])
        acknowledged = {(w.number, n) for w in self.writers for n in w.acknowledged}
        lost = acknowledged - stored.keys()
        if kept_all:
            assert not lost, f"{len(lost)} acknowledged writes are gone: {sorted(lost)[:5]}"
        invented = stored.keys() - acknowledged - {
            (w.number, n) for w in self.writers for n in w.unknown}
        # A writer that was ended amid a statement may have stored one more.
        assert invented <= {(w.number, w.last) for w in self.writers}
        assert not [one.errors for one in self.readers if one.errors], "reads saw errors"
        for one in self.readers + self.writers:
            assert value(one.connection, "SELECT 1") == 1, "every connection is alive"

    def errors(self):
        """How often each SQLSTATE was seen by writers."""
        return Counter(code for one in self.writers for code, _ in one.errors)
