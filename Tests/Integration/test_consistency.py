# SPDX-License-Identifier: Apache-2.0
"""A session reads its own writes and never goes back in time, however late the replicas are."""

import contextlib
import json
import threading

import pytest
from localcluster.processes import wait_until
from support.endpoint import value, where

READ = "SELECT value FROM items WHERE id = %s"
WRITE = "UPDATE items SET value = value + 1 WHERE id = %s RETURNING value"


@contextlib.contextmanager
def apply_delay(cluster, delays):
    """Makes replicas replay commits late: {name: delay}."""
    question = "SELECT setting::integer FROM pg_settings WHERE name = 'recovery_min_apply_delay'"
    try:
        for name, delay in delays.items():
            cluster.configure_recovery(name, {"recovery_min_apply_delay": delay})
            wait_until("the delay", lambda name=name: cluster.run(question, name)[0][0] > 0, 60)
        yield
    finally:
        for name in delays:
            cluster.configure_recovery(name, None)
            wait_until("no delay", lambda name=name: cluster.run(question, name)[0][0] == 0, 60)
        cluster.wait_replayed()


@contextlib.contextmanager
def paused(cluster, names):
    """Stops replay on replicas; they go on receiving. Patroni would resume it at its next loop, but
    for its maintenance mode."""
    try:
        maintain(cluster, True)
        for name in names:
            cluster.run("SELECT pg_wal_replay_pause()", name)
            wait_until("the pause", lambda name=name: cluster.run(
                "SELECT pg_get_wal_replay_pause_state()", name)[0][0] == "paused", 30)
        yield
    finally:
        for name in names:
            cluster.run("SELECT pg_wal_replay_resume()", name)
        maintain(cluster, False)
        cluster.wait_replayed()


def maintain(cluster, wanted):
    """Puts Patroni into its maintenance mode, or out of it."""
    cluster.configure({"pause": wanted or None})
    for index, name in enumerate(cluster.names):
        wait_until(f"the mode of {name}", lambda index=index: wanted == json.loads(
            cluster.rest(index, "/patroni")[1]).get("pause", False), 30)


@pytest.fixture
def tolerant(start_martlet):
    """A martlet that still reads from replicas which are very late."""
    return start_martlet({"routing": {"maximum_lag": "1GB", "maximum_lag_time": "1h"}})


def test_a_session_reads_its_own_writes_while_every_replica_is_late(cluster, tolerant):
    replicas = cluster.replicas()
    with apply_delay(cluster, dict.fromkeys(replicas, "1h")), tolerant.connect() as connection:
        for _ in range(50):
            written = value(connection, WRITE, (10,))
            assert value(connection, READ, (10,)) == written


# Edge cases: 103
def test_reads_return_to_the_replicas_when_they_have_caught_up(cluster, tolerant, replica_ports):
    with tolerant.connect() as connection:
        with paused(cluster, cluster.replicas()):
            written = value(connection, WRITE, (11,))
            assert where(connection) not in replica_ports
            assert value(connection, READ, (11,)) == written
        wait_until("a read on a replica", lambda: where(connection) in replica_ports, 60)
        assert value(connection, READ, (11,)) == written


def test_one_late_replica_does_not_get_the_reads_of_a_session_that_wrote(
    cluster, tolerant, primary_port
):
    late, other = cluster.replicas()
    with paused(cluster, [late]), tolerant.connect() as connection:
        ports = set()
        for _ in range(30):
            written = value(connection, WRITE, (12,))
            port, seen = connection.execute(
                "SELECT inet_server_port(), value FROM items WHERE id = 12").fetchone()
            assert seen == written
            ports.add(port)
        wait_until("a read on the other replica",
                   lambda: where(connection) == cluster.port_of(other), 60)
        assert ports <= {primary_port, cluster.port_of(other)}


def test_writes_of_a_transaction_and_of_an_extended_query_are_seen(cluster, tolerant):
    with (
        apply_delay(cluster, dict.fromkeys(cluster.replicas(), "1h")),
        tolerant.connect(autocommit=False, prepare_threshold=0) as connection,
    ):
        for _ in range(20):
            written = value(connection, WRITE, (13,))
            connection.commit()
            connection.execute("SET TRANSACTION READ ONLY")
            assert value(connection, READ, (13,)) == written
            connection.commit()


def test_a_write_that_failed_to_commit_leaves_no_trace(cluster, tolerant):
    with paused(cluster, cluster.replicas()), tolerant.connect() as connection:
        before = value(connection, READ, (14,))
        with pytest.raises(ZeroDivisionError), connection.transaction():
            connection.execute(WRITE, (14,))
            raise ZeroDivisionError
        assert value(connection, READ, (14,)) == before


def test_no_session_ever_sees_an_older_state_than_before(cluster, tolerant):
    late = cluster.replicas()[0]
    ended, failures = threading.Event(), []

    def watch():
        with tolerant.connect() as connection:
            last = -1
            while not ended.is_set():
                seen = value(connection, READ, (15,))
                if seen < last:
                    failures.append((last, seen))
                last = seen

    with apply_delay(cluster, {late: "300ms"}), tolerant.connect() as writer:
        watchers = [threading.Thread(target=watch) for _ in range(8)]
        for watcher in watchers:
            watcher.start()
        for _ in range(400):
            writer.execute(WRITE, (15,))
        ended.set()
        for watcher in watchers:
            watcher.join()
    assert not failures, f"{len(failures)} times, first {failures[0]}"


def test_strong_reads_see_what_another_session_wrote(cluster, tolerant):
    with (
        paused(cluster, cluster.replicas()),
        tolerant.connect() as writer,
        tolerant.connect() as reader,
    ):
        reader.execute("SET martlet.consistency = 'strong'")
        for _ in range(10):
            written = value(writer, WRITE, (16,))
            assert value(reader, READ, (16,)) == written


def test_what_another_session_has_just_created_is_there(cluster, tolerant):
    with (
        paused(cluster, cluster.replicas()),
        tolerant.connect() as one,
        tolerant.connect(prepare_threshold=0) as other,
    ):
        one.execute("CREATE TABLE brand_new (n integer)")
        try:
            assert value(other, "SELECT count(*) FROM brand_new") == 0
            # Replicas are asked to prepare it, too.
            other.execute("INSERT INTO brand_new VALUES (%s)", (1,))
            assert value(other, "SELECT n FROM brand_new") == 1
        finally:
            one.execute("DROP TABLE brand_new")


def test_eventual_reads_stay_on_the_replicas(cluster, tolerant, replica_ports):
    with paused(cluster, cluster.replicas()), tolerant.connect() as connection:
        connection.execute("SET martlet.consistency TO eventual")
        before = value(connection, READ, (17,))
        connection.execute(WRITE, (17,))
        assert where(connection) in replica_ports
        assert value(connection, READ, (17,)) == before


def test_a_position_hands_consistency_to_another_session(cluster, tolerant):
    with (
        paused(cluster, cluster.replicas()),
        tolerant.connect() as writer,
        tolerant.connect() as reader,
    ):
        written = value(writer, WRITE, (18,))
        position = wait_until("a position", lambda: value(writer, "SHOW martlet.position"), 30)
        assert value(reader, READ, (18,)) == written - 1, "nothing told it to wait"
        reader.execute(f"SET martlet.position = '{position}'")
        assert value(reader, READ, (18,)) == written


def test_a_replica_beyond_the_limit_gets_no_reads(cluster, start_martlet):
    endpoint = start_martlet({"routing": {"maximum_lag": "1MB", "maximum_lag_time": "1h"}})
    late, other = cluster.replicas()
    with paused(cluster, [late]), endpoint.connect() as writer:
        writer.execute("CREATE TABLE bulk AS SELECT repeat('x', 1000) FROM"
                       " generate_series(1, 10000)")
        try:
            wait_until("the late replica to be left out",
                       lambda: endpoint.eligible() == {other}, 60)
            with endpoint.connect() as reader:
                assert {where(reader) for _ in range(20)} == {cluster.port_of(other)}
        finally:
            writer.execute("DROP TABLE bulk")
    endpoint.wait_settled()


# Edge cases: 102
@pytest.mark.parametrize("allowed", [True, False])
def test_when_no_replica_is_eligible(cluster, start_martlet, primary_port, allowed):
    endpoint = start_martlet({
        "routing": {"maximum_lag": "1MB", "maximum_lag_time": "1h", "primary_reads": allowed,
                    "hold_timeout": "1s"},
    })
    with paused(cluster, cluster.replicas()), endpoint.connect() as connection:
        connection.execute("CREATE TABLE bulk AS SELECT repeat('x', 1000) FROM"
                           " generate_series(1, 10000)")
        try:
            # Without a fresh position of the primary a lag is unknown, or none for a moment.
            wait_until("both lags to be known", lambda: sum(
                lag > 1 << 20 for lag in endpoint.metrics().by(
                    "martlet_replica_lag_bytes", "node").values()) == 2, 60)
            wait_until("no replica to be eligible", lambda: not endpoint.eligible(), 60)
            with endpoint.connect() as reader:
                if allowed:
                    assert where(reader) == primary_port
                else:
                    with pytest.raises(Exception) as refused:
                        where(reader)
                    assert refused.value.sqlstate == "57P03"
                    assert value(reader, "UPDATE items SET value = 0 WHERE id = 19"
                                         " RETURNING inet_server_port()") == primary_port
        finally:
            connection.execute("DROP TABLE bulk")
