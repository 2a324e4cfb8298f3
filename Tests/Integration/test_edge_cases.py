# SPDX-License-Identifier: Apache-2.0
"""Cases that poolers get wrong and that have no place in another module (`Tests/EdgeCases.md`)."""

import struct

import psycopg
import pytest
from support.endpoint import DATABASE, PASSWORD, USER, value, where
from support.wire import (
    Scram,
    Wire,
    bind,
    describe,
    error,
    execute,
    kinds,
    message,
    parse,
    query,
    rows,
    startup,
    status,
    tags,
    text,
)

SYNC = message(b"S")


def ask(wire, statement):
    """The answer to one Query."""
    return wire.ask(query(statement))


# Edge cases: 10
def test_statements_right_behind_the_password(martlet):
    with Wire(martlet.port) as wire:
        wire.send(startup({"user": USER, "database": DATABASE}))
        assert wire.receive()[0] == b"R"
        exchange = Scram(PASSWORD)
        first = exchange.first()
        wire.send(message(b"p", text("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
        _, challenge = wire.receive()
        # The last word of the exchange, a Query and an extended statement, all in one packet.
        wire.send(message(b"p", exchange.final(challenge[4:])), query("SELECT 1"),
                  parse("SELECT 2"), bind(), execute(), SYNC)
        assert kinds(wire.ready())[-2:] == "KZ"
        assert rows(wire.ready()) == [("1",)]
        assert rows(wire.ready()) == [("2",)]


# Edge cases: 25
def test_describe_of_a_write_binds_nothing_to_a_node(martlet, primary_port, replica_ports):
    with Wire(martlet.port).login() as wire:
        answer = wire.ask(parse("INSERT INTO journal VALUES (-60, 1) RETURNING port", "w"),
                          describe(b"S", "w"), SYNC)
        assert kinds(answer) == "1tTZ"
        answer = wire.ask(parse("SELECT inet_server_port()"), bind(), execute(), SYNC)
        assert int(rows(answer)[0][0]) in replica_ports
        assert rows(wire.ask(bind("w"), execute(), SYNC)) == [(str(primary_port),)]
        ask(wire, "DELETE FROM journal WHERE client = -60")


# Edge cases: 39, 81, 110
def test_a_terminated_server_ends_the_session_that_it_held_and_no_other(martlet, primary_port):
    with martlet.connect() as other, Wire(martlet.port).login() as wire:
        told = struct.unpack("!i", wire.key[:4])[0]
        ask(wire, "LISTEN gone")
        pid = int(rows(ask(wire, "SELECT pg_backend_pid()"))[0][0])
        assert pid != told, "the key names the session, and a process is a server's"
        assert where(other) != primary_port
        assert value(other, "/* martlet: primary */ SELECT pg_terminate_backend(%s)", (pid,))
        answer = wire.rest()
        assert error(answer)["C"] == "57P01" and error(answer)["S"] == "FATAL"
        # Nobody takes the end of one process for the end of the primary.
        other.execute("INSERT INTO journal VALUES (-61, 1)")
        other.execute("DELETE FROM journal WHERE client = -61")


# Edge cases: 51
def test_a_failed_transaction_takes_only_its_end(martlet):
    with Wire(martlet.port).login() as wire:
        for end in ("COMMIT", "ROLLBACK", "END", "ABORT"):
            ask(wire, "BEGIN")
            ask(wire, "INSERT INTO journal VALUES (-62, 1)")
            answer = ask(wire, "SELECT 1 / 0")
            assert (error(answer)["C"], status(answer)) == ("22012", "E")
            answer = ask(wire, "SELECT 1")
            assert (error(answer)["C"], status(answer)) == ("25P02", "E")
            answer = ask(wire, end)
            assert (tags(answer), status(answer)) == (["ROLLBACK"], "I")
        assert rows(ask(wire, "SELECT count(*) FROM journal WHERE client = -62")) == [("0",)]


# Edge cases: 54
def test_rolling_back_to_a_savepoint_takes_settings_back(martlet):
    with Wire(martlet.port).login() as wire:
        ask(wire, "BEGIN; SET work_mem = '5MB'")
        ask(wire, "SAVEPOINT a; SET work_mem = '6MB'; SET application_name = 'inner'")
        answer = ask(wire, "ROLLBACK TO a")
        assert b"S" in {kind for kind, _ in answer}, "application_name is reported"
        assert rows(ask(wire, "SHOW work_mem")) == [("5MB",)]
        ask(wire, "COMMIT")
        for hint in ("", "/* martlet: primary */ "):
            assert rows(ask(wire, hint + "SELECT current_setting('work_mem')")) == [("5MB",)]


# Edge cases: 58
@pytest.mark.parametrize("begin, mode, on_replica", [
    ("BEGIN", "READ ONLY", True),
    ("BEGIN READ ONLY", "READ WRITE", False),
    ("BEGIN ISOLATION LEVEL REPEATABLE READ", "READ ONLY", True),
    # A standby does not even take the first of these.
    ("BEGIN READ WRITE", "ISOLATION LEVEL REPEATABLE READ, READ ONLY", False),
])
def test_set_transaction_decides_like_begin(
        martlet, primary_port, replica_ports, begin, mode, on_replica):
    with martlet.connect() as connection:
        connection.execute(begin)
        connection.execute(f"SET TRANSACTION {mode}")
        port = where(connection)
        assert port in replica_ports if on_replica else port == primary_port
        connection.execute("ROLLBACK")


# Edge cases: 59
@pytest.mark.parametrize("spelling", [
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET default_transaction_read_only = on",
])
def test_transactions_that_are_read_only_by_default(martlet, replica_ports, spelling):
    with martlet.connect() as connection:
        connection.execute(spelling)
        connection.execute("BEGIN")
        assert where(connection) in replica_ports
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("INSERT INTO journal VALUES (-63, 1)")
        connection.execute("ROLLBACK")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("INSERT INTO journal VALUES (-63, 1)")


# Edge cases: 60
@pytest.mark.parametrize("modes", ["", " READ ONLY", " READ ONLY DEFERRABLE"])
def test_a_serializable_transaction_is_on_the_primary(martlet, primary_port, modes):
    with martlet.connect() as connection:
        connection.execute(f"BEGIN ISOLATION LEVEL SERIALIZABLE{modes}")
        assert where(connection) == primary_port
        connection.execute("COMMIT")


# Edge cases: 61
def test_a_snapshot_is_imported_where_it_was_exported(martlet):
    with martlet.connect() as one, martlet.connect() as other:
        one.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = value(one, "SELECT pg_export_snapshot()")
        before = value(one, "SELECT count(*) FROM journal WHERE client = -64")
        with martlet.connect() as writer:
            writer.execute("INSERT INTO journal VALUES (-64, 1)")
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        other.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        assert value(other, "SELECT count(*) FROM journal WHERE client = -64") == before
        other.execute("COMMIT")
        one.execute("COMMIT")
        one.execute("DELETE FROM journal WHERE client = -64")


# Edge cases: 66
@pytest.mark.parametrize("statement", [
    "SELECT set_config('work_mem', '7MB', false)",
    "SELECT set_config(name, '7MB', false) FROM pg_settings WHERE name = 'work_mem'",
    "DO $$ BEGIN PERFORM set_config('work_mem', '7MB', false); END $$",
    "DO $$ BEGIN EXECUTE 'SET work_mem = ''7MB'''; END $$",
])
def test_settings_made_where_nobody_sees_them(start_martlet, statement):
    narrow = start_martlet({"pools": {"size": 1}})
    with narrow.connect() as one, narrow.connect() as other:
        one.execute(statement)
        for _ in range(2):
            for hint in ("", "/* martlet: primary */ "):
                assert value(one, f"{hint}SELECT current_setting('work_mem')") == "7MB"
                assert value(other, f"{hint}SELECT current_setting('work_mem')") == "4MB"


# Edge cases: 73
def test_statements_of_one_who_left_amid_a_transaction_are_not_the_next_ones(start_martlet):
    narrow = start_martlet({"pools": {"size": 1}})
    with Wire(narrow.port).login() as wire:
        wire.ask(query("BEGIN"))
        wire.ask(parse("SELECT 'left behind'", "s"), parse("SELECT 'unnamed'"), SYNC)
        wire.ask(query("PREPARE t AS SELECT 'in SQL'"))
    with Wire(narrow.port).login() as wire:
        hint = "/* martlet: primary */ "
        assert rows(ask(wire, hint + "SELECT count(*) FROM pg_prepared_statements"
                                     " WHERE from_sql")) == [("0",)]
        for name in ("s", "t", ""):
            assert error(wire.ask(bind(name), execute(), SYNC))["C"] == "26000"
        answer = wire.ask(parse(hint + "SELECT 'mine'", "s"), bind("s"), execute(), SYNC)
        assert rows(answer) == [("mine",)]


# Edge cases: 79
def test_an_advisory_lock_taken_twice_is_held_until_it_is_given_back_twice(martlet):
    taken = "SELECT pg_try_advisory_lock(4713)"
    with martlet.connect() as one, martlet.connect() as other:
        one.execute("SELECT pg_advisory_lock(4713), pg_advisory_lock(4713)")
        assert value(one, "SELECT pg_advisory_unlock(4713)") is True
        assert value(other, taken) is False
        assert value(one, "SELECT pg_advisory_unlock(4713)") is True
        assert value(other, taken) is True
        other.execute("SELECT pg_advisory_unlock_all()")
        assert value(one, taken) is True
        one.execute("DISCARD ALL")
        assert value(other, taken) is True
        other.execute("DISCARD ALL")


# Edge cases: 83
@pytest.mark.parametrize("end", ["UNLISTEN *", "UNLISTEN quiet", "DISCARD ALL"])
def test_who_listens_no_more_hears_nothing(martlet, end):
    with martlet.connect() as listener, martlet.connect() as other:
        listener.execute("LISTEN quiet")
        listener.execute("LISTEN loud")
        other.execute("NOTIFY loud")
        assert [note.channel for note in listener.notifies(timeout=60, stop_after=1)] == ["loud"]
        listener.execute(end)
        listener.execute("LISTEN loud")
        other.execute("NOTIFY quiet")
        other.execute("NOTIFY loud, 'with a payload'")
        found = [(note.channel, note.payload)
                 for note in listener.notifies(timeout=60, stop_after=1)]
        assert found == [("loud", "with a payload")]


# Edge cases: 105
def test_a_timeout_of_the_server_ends_the_session_in_its_words(martlet):
    with Wire(martlet.port).login() as wire:
        ask(wire, "SET idle_in_transaction_session_timeout = '200ms'")
        ask(wire, "BEGIN")
        ask(wire, "INSERT INTO journal VALUES (-65, 1)")
        answer = wire.rest()
        assert error(answer)["C"] == "25P03" and error(answer)["S"] == "FATAL"
    with martlet.connect() as connection:
        assert value(connection, "SELECT count(*) FROM journal WHERE client = -65") == 0


# Edge cases: 111
def test_the_servers_know_the_application_by_its_name(martlet):
    own = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    with martlet.connect(application_name="one") as one, martlet.connect() as other:
        for hint in ("", "/* martlet: primary */ "):
            assert value(one, hint + own) == "one"
            assert value(other, hint + own) != "one"
        one.execute("SET application_name = 'two'")
        for hint in ("", "/* martlet: primary */ "):
            assert value(one, hint + own) == "two"


# Edge cases: 112
@pytest.mark.parametrize("data", [
    startup({"database": DATABASE}),
    startup({"user": USER, "database": DATABASE, "options": "-c"}),
    startup({"user": USER, "database": DATABASE}, version=0x00040000),
    struct.pack("!i", 100_000),
])
def test_errors_before_the_login_are_ascii(martlet, data):
    with Wire(martlet.port) as wire:
        wire.send(data)
        kind, body = wire.receive()
        assert kind == b"E" and body.isascii()


# Edge cases: 2, 3
@pytest.mark.parametrize("version, length", [(0x00030000, 4), (0x00030002, 32)])
def test_the_cancel_key_is_as_long_as_the_agreed_version_says(martlet, version, length):
    with Wire(martlet.port).login(version=version) as wire:
        assert len(wire.key) - 4 == length
