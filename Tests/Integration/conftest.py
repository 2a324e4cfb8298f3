# SPDX-License-Identifier: Apache-2.0
"""The real cluster and the martlets that the tests talk to.

MARTLET_TEST_BINARY  the executable to test; else .build/release, else .build/debug
MARTLET_TEST_KEEP    set: use a cluster that an earlier run left, and leave it for the next
"""

import os
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy/local"), str(Path(__file__).parent)]
sys.dont_write_bytecode = True

# These need the path above.
from localcluster.cluster import Cluster, Settings  # noqa: E402
from localcluster.ports import TEST  # noqa: E402
from localcluster.processes import wait_until  # noqa: E402
from localcluster.proxy import Martlet  # noqa: E402
from psycopg import sql  # noqa: E402
from support.binary import binary  # noqa: E402
from support.endpoint import DATABASE, PASSWORD, USER, Endpoint  # noqa: E402

SCHEMA = """
CREATE TABLE items (id integer PRIMARY KEY, value bigint NOT NULL DEFAULT 0, note text);
INSERT INTO items SELECT n, n, 'note ' || n FROM generate_series(1, 1000) n;
CREATE TABLE journal (client integer, number integer, port integer DEFAULT inet_server_port());
CREATE SEQUENCE numbers;
CREATE UNLOGGED TABLE scratch (id integer);
CREATE FUNCTION takes_a_number() RETURNS bigint LANGUAGE sql VOLATILE
    AS 'SELECT nextval(''numbers'')';
CREATE FUNCTION claims_to_be_stable() RETURNS bigint LANGUAGE plpgsql STABLE
    -- Put together when it runs, so that nobody who reads it sees what it calls.
    AS 'DECLARE found bigint; BEGIN
        EXECUTE ''SELECT takes_a_'' || ''number()'' INTO found; RETURN found; END';
CREATE VIEW numbered AS SELECT takes_a_number() AS number;
CREATE VIEW scratched AS SELECT * FROM scratch;
"""


def create_application(cluster):
    """The user, database and tables of the tests."""
    cluster.run(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
        sql.Identifier(USER), sql.Literal(PASSWORD)))
    cluster.run(f"CREATE DATABASE {DATABASE} OWNER {USER}")
    with cluster.connect(database=DATABASE) as connection:
        connection.execute(f"SET ROLE {USER}; GRANT ALL ON SCHEMA public TO {USER}")
        connection.execute(SCHEMA)
    cluster.wait_replayed()


@pytest.fixture(scope="session")
def cluster():
    """Three nodes that stream, with the tests' database."""
    keep = "MARTLET_TEST_KEEP" in os.environ
    running = Cluster.load("test")
    if running and keep and running.etcd.alive:
        wait_until("the kept cluster", running.healthy, 60)
        yield running
        return
    if running:
        running.stop()
    cluster = Cluster(Settings("test", TEST))
    try:
        cluster.start()
        create_application(cluster)
        yield cluster
    finally:
        if not keep:
            cluster.stop()


@pytest.fixture(scope="session")
def martlet(cluster):
    """The martlet that most tests share, with the standard settings."""
    one = Martlet(cluster, binary())
    one.stop()
    one.create_account()
    # On a slow day a failover takes longer than the 30 s that a write waits by default.
    one.write_configuration({"routing": {"hold_timeout": "2min"}})
    one.start()
    endpoint = Endpoint(cluster, one)
    try:
        endpoint.wait_settled()
        yield endpoint
    finally:
        one.stop()


@pytest.fixture
def start_martlet(cluster, martlet):
    """Starts further martlets with settings of their own; they end with the test."""
    started = []

    def start(changes=None, environment=None, settle=True):
        one = Martlet(cluster, martlet.martlet.binary, len(started) + 1, changes)
        one.stop()
        one.write_configuration()
        started.append(one)
        one.start(environment)
        endpoint = Endpoint(cluster, one)
        if settle:
            endpoint.wait_settled()
        return endpoint

    yield start
    for one in started:
        one.stop()


@pytest.fixture(autouse=True)
def martlet_survives(request):
    """No test may end the shared martlet, or leave a client in it that is gone."""
    if "martlet" not in request.fixturenames:
        yield
        return
    martlet = request.getfixturevalue("martlet")
    before = martlet.martlet.process.pid
    yield
    assert martlet.martlet.process.pid == before, martlet.martlet.process.end_of_log(400)
    wait_until("martlet to forget the test's clients",
               lambda: martlet.metrics().sum("martlet_clients") == 0, 60)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Beside a test of failovers that failed stands what Patroni did meanwhile."""
    report = (yield).get_result()
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and cluster and "healthy_again" in item.fixturenames:
        for process in cluster.patroni:
            report.sections.append((f"end of {process.log.name}", process.end_of_log(80)))


@pytest.fixture
def primary_port(cluster):
    """The PostgreSQL port of the primary."""
    return cluster.port_of(cluster.primary())


@pytest.fixture
def replica_ports(cluster):
    """The PostgreSQL ports of the replicas."""
    return {cluster.port_of(name) for name in cluster.replicas()}
