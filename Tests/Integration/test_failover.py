# SPDX-License-Identifier: Apache-2.0
"""A failover costs time, not a connection; and never a write or a second one of it.

These tests change who is the primary. Each leaves a healthy cluster behind.
"""

import os
import signal
import threading
import time

import psycopg
import pytest
from localcluster.processes import Failure, signal_process, wait_until
from support.endpoint import value, where
from support.wire import Wire, error, query, rows, status
from support.workload import Workload


# The size of a pool, which is exact over all shards.
SERVERS = 20
# A crash is noticed when the lock of the primary expires, and then its node is made again.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(autouse=True)
def healthy_again(cluster, martlet):
    """Every node streams before and after, and martlet knows it."""
    yield
    for index, process in enumerate(cluster.patroni):
        if not process.alive:
            cluster.start_node(index)
    wait_until("all nodes to stream", lambda: healthy(cluster), 180)
    cluster.wait_replayed()
    martlet.wait_settled(120)


def healthy(cluster):
    """As the cluster's own question, which also fails while a node starts."""
    try:
        return cluster.healthy()
    except Failure:
        return False


@pytest.fixture
def synchronous(cluster):
    """Commits wait for a replica that then becomes the primary: nothing acknowledged is lost."""
    cluster.configure({"synchronous_mode": True})
    wait_synchronous(cluster)
    yield
    cluster.configure({"synchronous_mode": False})
    wait_until("no synchronous replica", lambda: cluster.run(
        "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")[0][0] == 0, 60)


def wait_synchronous(cluster):
    """Waits for a replica that may take over: by Patroni's word, for its store says who may."""
    wait_until("a synchronous replica", lambda: "sync_standby" in [
        member["role"] for member in cluster.members()], 60)


@pytest.fixture
def workload(martlet):
    """Clients that write and read."""
    clients = Workload(martlet)
    yield clients
    clients.close()


def crash_postmaster(cluster, name):
    """SIGKILL to a postmaster; Patroni goes on and starts it again."""
    found = cluster.postmaster(name)
    assert signal_process(*found, signal.SIGKILL)


def crash_node(cluster, name):
    """SIGKILL to Patroni and to all of PostgreSQL, as when the machine dies."""
    children = [pid for pid in os.listdir("/proc") if pid.isdigit()
                and parent(pid) == cluster.postmaster(name)[0]]
    cluster.patroni[cluster.names.index(name)].kill()
    crash_postmaster(cluster, name)
    for pid in children:
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            continue


def parent(pid):
    """A process's parent."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return int(stat.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def ask_until_known(wire, statement):
    """Asks again while the outcome is unknown: the back ends of a node do not die all at once."""
    while True:
        answer = wire.ask(query(statement))
        if (error(answer) or {}).get("C") != "08007":
            return answer


def check_unknown(workload):
    """Only what was in flight may fail: one statement of each client, of as many as have a server."""
    errors = [len(writer.errors) for writer in workload.writers]
    assert max(errors) <= 1 and sum(errors) <= SERVERS, errors


def write_through(workload, before, disturb, is_synchronous=False):
    """Lets the clients work, disturbs them, and lets them work on the new primary."""
    with workload:
        wait_until("some writes", lambda: workload.progress() > 500, 60)
        if is_synchronous:
            # Patroni takes the name out for some seconds whenever it chooses again; a primary that
            # dies just then has no successor until it is back.
            wait_synchronous(workload.endpoint.cluster)
        disturb()
        wait_until("another primary",
                   lambda: workload.endpoint.cluster.primary() not in (None, before), 120)
        marks = workload.marks()
        wait_until("every client to write again",
                   lambda: workload.everyone_wrote_since(marks), 120)


# Edge cases: 96
@pytest.mark.parametrize("mode", ["asynchronous", "synchronous"])
def test_a_switchover_under_load(cluster, workload, mode, request):
    if mode == "synchronous":
        request.getfixturevalue("synchronous")
    write_through(workload, cluster.primary(), cluster.switchover)
    # A planned handover loses nothing in either mode: replicas get everything first.
    workload.check(kept_all=True)
    assert set(workload.errors()) <= {"08007"}, workload.errors()
    for writer in workload.writers:
        assert len(writer.errors) <= 1, "only what was in flight may fail"


def test_a_crash_of_the_primarys_node_under_load(cluster, synchronous, workload):
    before = cluster.primary()
    write_through(workload, before, lambda: crash_node(cluster, before),
                  is_synchronous=True)
    workload.check(kept_all=True)
    assert set(workload.errors()) <= {"08007"}, workload.errors()
    check_unknown(workload)


def test_a_crash_of_patroni_alone_under_load(cluster, synchronous, workload):
    """Its server lives on as a primary, but the lock and the higher timeline are another's."""
    before = cluster.primary()
    write_through(workload, before, cluster.patroni[cluster.names.index(before)].kill,
                  is_synchronous=True)
    assert cluster.run("SELECT pg_is_in_recovery()", before) == [(False,)]
    workload.check(kept_all=True)
    assert set(workload.errors()) <= {"08007"}, workload.errors()


def test_a_crash_of_the_postmaster_under_load(cluster, workload):
    before = cluster.primary()
    started = cluster.postmaster(before)
    with workload:
        wait_until("some writes", lambda: workload.progress() > 500, 60)
        crash_postmaster(cluster, before)
        wait_until("a primary again", lambda: (
            cluster.primary() is not None and cluster.postmaster(before) != started), 120)
        marks = workload.marks()
        wait_until("every client to write again",
                   lambda: workload.everyone_wrote_since(marks), 120)
    # PostgreSQL recovers from its log in place: nothing acknowledged is lost.
    workload.check(kept_all=cluster.primary() == before)
    assert set(workload.errors()) <= {"08007"}, workload.errors()
    check_unknown(workload)


# Edge cases: 96
def test_idle_clients_and_prepared_statements_survive_a_switchover(cluster, martlet):
    with martlet.connect(prepare_threshold=0) as prepared, martlet.clients(20) as idle:
        prepared.execute("SET work_mem = '9MB'")
        assert value(prepared, "UPDATE items SET value = %s WHERE id = 80 RETURNING value",
                     (1,)) == 1
        before = cluster.switchover()
        assert value(prepared, "UPDATE items SET value = %s WHERE id = 80 RETURNING value",
                     (2,)) == 2
        assert value(prepared, "SELECT current_setting('work_mem')") == "9MB"
        for connection in idle:
            assert value(connection, "UPDATE items SET value = value WHERE id = 81"
                                     " RETURNING inet_server_port()") != cluster.port_of(before)


def test_a_write_waits_for_the_new_primary(cluster, martlet):
    with martlet.connect() as connection:
        before = cluster.primary()
        crash_node(cluster, before)
        # Sent while there is no primary at all.
        wait_until("martlet to notice", lambda: martlet.topology()["primary"] is None, 60)
        port = value(connection, "UPDATE items SET value = 5 WHERE id = 82"
                                 " RETURNING inet_server_port()")
        assert port != cluster.port_of(before)
        assert port == cluster.port_of(cluster.primary())


def test_reads_go_on_while_there_is_no_primary(cluster, martlet):
    with martlet.connect() as connection:
        before = cluster.primary()
        crash_node(cluster, before)
        wait_until("martlet to notice", lambda: martlet.topology()["primary"] is None, 60)
        count = 0
        while martlet.topology()["primary"] is None:
            assert value(connection, "SELECT count(*) FROM items") == 1000
            assert where(connection) != cluster.port_of(before)
            count += 1
        assert count, "there was a time without a primary"


def test_an_open_transaction_on_a_lost_primary_can_be_retried(cluster, martlet):
    with Wire(martlet.port).login() as wire, Wire(martlet.port).login() as failed:
        wire.ask(query("BEGIN"))
        wire.ask(query("UPDATE items SET value = -1 WHERE id = 83"))
        failed.ask(query("BEGIN"))
        failed.ask(query("UPDATE items SET value = -1 WHERE id = 84"))
        crash_node(cluster, cluster.primary())
        answer = wire.ask(query("UPDATE items SET value = -2 WHERE id = 83"))
        assert error(answer)["C"] == "40001" and status(answer) == "E"
        assert error(wire.ask(query("SELECT 1")))["C"] == "25P02"
        answer = wire.ask(query("ROLLBACK"))
        assert status(answer) == "I"
        for one, item in ((wire, 83), (failed, 84)):
            if one is failed:
                # COMMIT of it was never sent to the server that is lost: it cannot have happened.
                answer = failed.ask(query("COMMIT"))
                assert status(answer) == "I"
            answer = ask_until_known(one, f"UPDATE items SET value = 7 WHERE id = {item}"
                                          " AND value <> -1 RETURNING value")
            assert rows(answer) == [("7",)], answer


# Edge cases: 98
def test_a_statement_in_flight_on_a_lost_primary_has_an_unknown_outcome(cluster, martlet):
    with Wire(martlet.port).login() as wire:
        wire.send(query("INSERT INTO journal SELECT -90, 1 FROM pg_sleep(600)"))
        wait_until("it to run", lambda: cluster.run(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")[0][0] == 1, 30)
        crash_node(cluster, cluster.primary())
        answer = wire.ready()
        assert error(answer)["C"] == "08007" and status(answer) == "I"
        answer = ask_until_known(wire, "UPDATE items SET value = 8 WHERE id = 85 RETURNING value")
        assert rows(answer) == [("8",)], answer


# Edge cases: 98
def test_a_lost_replica_is_not_noticed(cluster, martlet):
    ended, errors, counts = threading.Event(), [], []

    def read():
        with martlet.connect() as connection:
            count = 0
            while not ended.is_set():
                try:
                    value(connection, "SELECT count(*), pg_sleep(0.001) FROM items")
                    count += 1
                except psycopg.Error as failure:
                    errors.append(failure)
            counts.append(count)

    readers = [threading.Thread(target=read) for _ in range(32)]
    for reader in readers:
        reader.start()
    lost = cluster.replicas()[0]
    time.sleep(0.5)
    crash_node(cluster, lost)
    wait_until("martlet to leave it out", lambda: lost not in martlet.eligible(), 60)
    time.sleep(0.5)
    ended.set()
    for reader in readers:
        reader.join()
    assert not errors, f"{len(errors)}, first {errors[0]}"
    assert all(counts)


# Edge cases: 99
def test_a_read_cancelled_by_recovery_is_run_again(cluster, martlet):
    """A replica cancels what stands in the way of replay; the client must not see it."""
    replicas = cluster.replicas()
    for name in replicas:
        cluster.run("ALTER SYSTEM SET max_standby_streaming_delay = '100ms'", name)
        cluster.run("SELECT pg_reload_conf()", name)
    try:
        with martlet.connect() as reader, martlet.connect() as writer:
            writer.execute("CREATE TABLE conflicting AS SELECT generate_series(1, 1000) AS n")
            cluster.wait_replayed()
            done = threading.Event()

            def disturb():
                while not done.is_set():
                    writer.execute("TRUNCATE conflicting")
                    time.sleep(0.2)

            helper = threading.Thread(target=disturb)
            helper.start()
            try:
                for _ in range(3):
                    value(reader, "SELECT pg_sleep(1) FROM (SELECT count(*) FROM conflicting) x")
            finally:
                done.set()
                helper.join()
                writer.execute("DROP TABLE conflicting")
    finally:
        for name in replicas:
            cluster.run("ALTER SYSTEM RESET max_standby_streaming_delay", name)
            cluster.run("SELECT pg_reload_conf()", name)


def test_after_the_time_limit_a_waiting_write_is_refused(cluster, start_martlet):
    endpoint = start_martlet({"routing": {"hold_timeout": "1s"}})
    with endpoint.connect() as connection:
        crash_node(cluster, cluster.primary())
        wait_until("martlet to notice", lambda: endpoint.topology()["primary"] is None, 60)
        with pytest.raises(psycopg.OperationalError) as refused:
            connection.execute("UPDATE items SET value = 1 WHERE id = 86")
        assert refused.value.sqlstate == "57P03"
        assert not connection.closed
        assert value(connection, "SELECT 1") == 1
