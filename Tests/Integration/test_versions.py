# SPDX-License-Identifier: Apache-2.0
"""The same on other versions: Patroni 3.0.2 with its older words, and PostgreSQL 18."""

import pytest
from conftest import create_application
from localcluster.cluster import Cluster, Settings
from localcluster.ports import Ports
from localcluster.processes import wait_until
from localcluster.proxy import Martlet
from support.endpoint import Endpoint, value, where
from support.wire import SYNC, Wire, bind, execute, parse, query, rows
from support.workload import Workload

PORTS = Ports(martlet=16452, http=19452, postgres=15421, patroni=18021, etcd=12389, etcd_peer=12390)
VARIANTS = {
    "Patroni 3.0.2": {"patroni": "3.0.2"},
    "PostgreSQL 18": {"postgres": 18},
}


@pytest.fixture(scope="module", params=VARIANTS)
def other(request, martlet):
    """A martlet before a cluster of other versions."""
    running = Cluster.load("test-versions")
    if running:
        running.stop()
    cluster = Cluster(Settings("test-versions", PORTS, **VARIANTS[request.param]))
    one = Martlet(cluster, martlet.martlet.binary)
    try:
        cluster.start()
        create_application(cluster)
        one.create_account()
        one.write_configuration()
        one.start()
        endpoint = Endpoint(cluster, one)
        endpoint.wait_settled()
        yield endpoint
    finally:
        one.stop()
        cluster.stop()


def test_routing(other):
    replicas = {other.cluster.port_of(name) for name in other.cluster.replicas()}
    primary = other.cluster.port_of(other.cluster.primary())
    with other.clients(30) as readers:
        # A session that reads without a pause stays on one replica.
        assert {where(reader) for reader in readers} == replicas
    with other.connect() as reader, other.connect() as writer:
        assert value(writer, "INSERT INTO journal VALUES (1, 1) RETURNING port") == primary
        with writer.transaction():
            assert where(writer) == primary
        assert value(reader, "SELECT takes_a_number()") > 0
        assert value(reader, "SELECT claims_to_be_stable()") > 0


def test_own_writes(other):
    with other.connect(prepare_threshold=0) as connection:
        for number in range(50):
            connection.execute("UPDATE items SET value = %s WHERE id = 1", (number,))
            assert value(connection, "SELECT value FROM items WHERE id = 1") == number


def test_settings_and_prepared_statements(other):
    with Wire(other.port).login(search_path="pg_catalog, public") as wire:
        wire.ask(query("SET work_mem = '6MB'"))
        statement = "SELECT current_setting('work_mem'), current_setting('search_path'), $1::text"
        wire.ask(parse(statement, "s"), SYNC)
        for number in range(20):
            answer = wire.ask(bind("s", "", [number]), execute(), SYNC)
            assert rows(answer) == [("6MB", "pg_catalog, public", str(number))]


def test_a_switchover_under_load(other):
    cluster = other.cluster
    workload, before = Workload(other, clients=16), cluster.primary()
    with workload:
        wait_until("some writes", lambda: workload.progress() > 200, 60)
        cluster.switchover()
        wait_until("another primary", lambda: cluster.primary() not in (None, before), 120)
        marks = workload.marks()
        wait_until("every client to write again",
                   lambda: workload.everyone_wrote_since(marks), 120)
    workload.check(kept_all=True)
    assert set(workload.errors()) <= {"08007"}, workload.errors()
    wait_until("all nodes to stream", cluster.healthy, 120)
