# SPDX-License-Identifier: Apache-2.0
"""One martlet as an application sees it."""

import contextlib
import json

import psycopg
from localcluster.cluster import http
from localcluster.metrics import Metrics
from localcluster.processes import wait_until

USER, PASSWORD, DATABASE = "app", "an-app's \"password\"", "app"
WHERE = "SELECT inet_server_port()"


class Endpoint:
    """Connections, metrics and logs of one martlet."""

    def __init__(self, cluster, martlet):
        self.cluster = cluster
        self.martlet = martlet

    @property
    def port(self):
        """The port that applications use."""
        return self.martlet.port

    def address(self, **changes):
        """Keywords that every driver based on libpq takes."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": USER,
            "password": PASSWORD,
            "dbname": DATABASE,
            "connect_timeout": 30,
            **changes,
        }

    def connect(self, **changes):
        """A psycopg 3 connection, in autocommit mode and without prepared statements."""
        options = {"autocommit": True, "prepare_threshold": None}
        return psycopg.connect(**self.address(**{**options, **changes}))

    @contextlib.contextmanager
    def clients(self, count, **changes):
        """So many connections, closed at the end."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(self.connect(**changes)) for _ in range(count)]

    def metrics(self):
        """One scrape of /metrics."""
        status, text = http(f"{self.martlet.url}/metrics", timeout=10)
        assert status == 200, text
        return Metrics(text)

    def topology(self):
        """What /topology says."""
        status, text = http(f"{self.martlet.url}/topology", timeout=10)
        assert status == 200, text
        return json.loads(text)

    def eligible(self):
        """The names of the replicas that may get reads."""
        nodes = self.topology()["nodes"]
        return {n["name"] for n in nodes if n["role"] == "replica" and n["eligible"]}

    def wait_settled(self, seconds=60):
        """Waits until it knows the primary and may read from every replica."""
        replicas = self.cluster.settings.nodes - 1

        def settled():
            primary = self.cluster.primary()
            return (
                primary is not None
                and self.topology()["primary"] == primary
                and len(self.eligible()) == replicas
            )

        wait_until("martlet to know every node", settled, seconds)

    def log(self):
        """Everything that it has logged."""
        process = self.martlet.process
        return process.log.read_bytes()[process.log_start:].decode(errors="replace")

    def resident_bytes(self):
        """Its resident memory."""
        with open(f"/proc/{self.martlet.process.pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def value(connection, statement, parameters=None):
    """The one value that a statement returns."""
    return connection.execute(statement, parameters).fetchone()[0]


def where(connection):
    """The PostgreSQL port of the node that a read goes to."""
    return value(connection, WHERE)
