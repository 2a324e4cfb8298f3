# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's own replication clients, through martlet."""

import contextlib
import os
import subprocess

import psycopg
import pytest
from localcluster.processes import wait_until
from support.endpoint import DATABASE, USER, value
from support.wire import Wire, error, kinds, query, rows

USED = "replicator"



@pytest.fixture
def replicator(cluster, martlet):
    """Where and as whom the programs connect, as libpq's environment has it."""
    address = {"PGHOST": "127.0.0.1", "PGPORT": str(martlet.port), "PGUSER": USED,
               "PGPASSWORD": cluster.settings.passwords[USED]}
    return {**os.environ, **address}


@contextlib.contextmanager
def running(command, environment, log):
    """A program that runs until the block ends; it must not have ended by itself."""
    with open(log, "wb") as output, subprocess.Popen(
            command, env=environment, stdout=output, stderr=output) as process:
        try:
            yield process
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(30)


def run(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True,
                          check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def connect(cluster, martlet, mode, **changes):
    return martlet.connect(user=USED, password=cluster.settings.passwords[USED],
                           replication=mode, **changes)


def ask(connection, command):
    """The first row of a command of the simple protocol; the only one that there is here."""
    result = connection.pgconn.exec_(command.encode())
    assert result.status == psycopg.pq.ExecStatus.TUPLES_OK, result.error_message
    return [(result.get_value(0, column) or b"").decode() for column in range(result.nfields)]


def flushed(cluster, name):
    """Whether a client has written down everything that its primary has."""
    found = cluster.run(
        "SELECT flush_lsn >= pg_current_wal_lsn() FROM pg_stat_replication"
        " WHERE application_name = %s AND usename = %s", parameters=(name, USED))
    return bool(found) and found[0][0] is True


@pytest.mark.parametrize("mode", ["true", "on", "yes", "1", "t", "database"])
def test_every_spelling(cluster, martlet, mode):
    with connect(cluster, martlet, mode) as connection:
        system, _, _, database = ask(connection, "IDENTIFY_SYSTEM")
        assert int(system) > 0
        assert database == (DATABASE if mode == "database" else "")
        if mode == "database":
            assert ask(connection, "SELECT 41 + 1") == ["42"]


def test_a_wrong_spelling_and_a_user_without_the_right(martlet):
    with pytest.raises(psycopg.OperationalError, match='parameter "replication": "maybe"'):
        martlet.connect(replication="maybe")
    with pytest.raises(psycopg.OperationalError, match="replication"):
        martlet.connect(replication="database")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        martlet.connect(user=USED, replication="true", password="wrong")


# Edge cases: 7
def test_it_goes_to_the_primary_and_counts_as_a_server(cluster, martlet):
    before = martlet.metrics().sum("martlet_pins", reason="replication")
    with connect(cluster, martlet, "database") as connection:
        assert ask(connection, "SELECT inet_server_port(), pg_is_in_recovery()") == [
            str(cluster.port_of(cluster.primary())), "f"]
        assert martlet.metrics().sum("martlet_pins", reason="replication") == before + 1
    wait_until("it to be gone",
               lambda: martlet.metrics().sum("martlet_pins", reason="replication") == before, 30)


def test_a_base_backup_with_its_log(martlet, replicator, tmp_path):
    copy = tmp_path / "copy"
    run(["pg_basebackup", "-D", copy, "-X", "stream", "-c", "fast"], replicator)
    tools = run(["pg_config", "--bindir"], None).strip()
    assert "successfully verified" in run([f"{tools}/pg_verifybackup", copy], None)


def test_logical_decoding(cluster, martlet, replicator, tmp_path):
    slot, file = "of_a_test", tmp_path / "changes"
    command = ["pg_recvlogical", "-d", DATABASE, "-S", slot]
    run([*command, "--create-slot", "-P", "test_decoding"], replicator)
    try:
        with running([*command, "--start", "-f", file, "-F", "1", "-s", "1"], replicator,
                     tmp_path / "log"):
            with martlet.connect() as connection:
                for number in range(100):
                    connection.execute("INSERT INTO journal VALUES (-61, %s)", (number,))
            wait_until("the changes", lambda: file.exists()
                       and file.read_text().count("client[integer]:-61") == 100, 60)
    finally:
        run([*command, "--drop-slot"], replicator)


def test_receiving_the_log_over_a_switchover(cluster, martlet, replicator, tmp_path):
    command = ["pg_receivewal", "-D", tmp_path, "--synchronous", "-s", "1"]
    with running(command, replicator, tmp_path.parent / "receivewal.log"):
        with martlet.connect() as connection:
            connection.execute("INSERT INTO journal VALUES (-8, 1)")
            wait_until("the log", lambda: flushed(cluster, "pg_receivewal"), 60)
            cluster.switchover()
            martlet.wait_settled(120)
            # It connects again after five seconds, and follows the new timeline.
            connection.execute("INSERT INTO journal VALUES (-8, 2)")
            wait_until("the new primary's log", lambda: flushed(cluster, "pg_receivewal"), 120)
        timeline = value_of(cluster, "SELECT timeline_id FROM pg_control_checkpoint()")
        assert any(f.name == f"{timeline:08X}.history" for f in tmp_path.iterdir())
    segments = sorted(f.name for f in tmp_path.iterdir() if len(f.name) == 24)
    logs = [subprocess.run(["pg_waldump", tmp_path / name], capture_output=True, text=True,
                           check=False) for name in segments]
    assert all("rmgr" in log.stdout for log in logs)


def value_of(cluster, statement):
    return cluster.run(statement)[0][0]


def test_a_slow_receiver_costs_no_memory(cluster, martlet):
    password = cluster.settings.passwords[USED]
    with Wire(martlet.port, timeout=120).login(
            USED, password, replication="true") as wire:
        before = martlet.resident_bytes()
        blocks = martlet.metrics().sum("martlet_blocked_senders_total")
        wire.send(query("BASE_BACKUP (CHECKPOINT 'fast')"))
        wait_until("the server to be stopped",
                   lambda: martlet.metrics().sum("martlet_blocked_senders_total") > blocks, 120)
        assert martlet.resident_bytes() - before < 20 << 20
        answer = wire.ready()
        assert error(answer) is None
        assert sum(len(body) for kind, body in answer if kind == b"d") > 20 << 20
        assert rows(wire.ask(query("IDENTIFY_SYSTEM")))
        failed = wire.ask(query("SELECT nonsense"))
        assert kinds(failed) == "EZ"


def test_the_other_users_of_martlet_are_not_disturbed(cluster, martlet):
    with connect(cluster, martlet, "true") as connection, martlet.connect() as other:
        for number in range(20):
            ask(connection, "IDENTIFY_SYSTEM")
            assert value(other, f"SELECT {number}") == number
        assert value(other, "SELECT current_user") == USER
