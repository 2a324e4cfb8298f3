# SPDX-License-Identifier: Apache-2.0
"""Transactions behave as on one PostgreSQL server, and go where they belong."""

import psycopg
import pytest
from support.endpoint import WHERE, value, where
from support.wire import Wire, error, fields, kinds, query, rows, status, tags


def ask(wire, text):
    """One simple query."""
    return wire.ask(query(text))


# Edge cases: 56
@pytest.mark.parametrize("begin", [
    "BEGIN", "begin;", "START TRANSACTION", "BEGIN WORK", "/* x */ BEGIN",
    "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN READ WRITE",
    "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
])
def test_a_transaction_that_may_write_is_on_the_primary(martlet, primary_port, begin):
    with Wire(martlet.port).login() as wire:
        assert status(ask(wire, begin)) == "T"
        found = ask(wire, WHERE)
        assert rows(found) == [(str(primary_port),)] and status(found) == "T"
        assert status(ask(wire, "COMMIT")) == "I"


@pytest.mark.parametrize("statements", [
    ["BEGIN READ ONLY"],
    ["START TRANSACTION READ ONLY"],
    ["BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"],
    ["BEGIN", "SET TRANSACTION READ ONLY"],
    ["SET default_transaction_read_only = on", "BEGIN"],
    ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "BEGIN"],
])
def test_a_read_only_transaction_is_on_one_replica(martlet, replica_ports, statements):
    with Wire(martlet.port).login() as wire:
        for statement in statements:
            ask(wire, statement)
        ports = {rows(ask(wire, WHERE))[0][0] for _ in range(5)}
        assert len(ports) == 1 and int(ports.pop()) in replica_ports
        assert tags(ask(wire, "COMMIT")) == ["COMMIT"]


# Edge cases: 57, 97
def test_a_write_in_a_read_only_transaction_is_refused_as_by_postgresql(martlet):
    with Wire(martlet.port).login() as wire:
        ask(wire, "BEGIN READ ONLY")
        answer = ask(wire, "INSERT INTO journal (client) VALUES (-2)")
        assert error(answer)["C"] == "25006" and status(answer) == "E"
        assert error(ask(wire, "SELECT 1"))["C"] == "25P02"
        answer = ask(wire, "COMMIT")
        assert tags(answer) == ["ROLLBACK"] and status(answer) == "I"
        assert rows(ask(wire, "SELECT 1")) == [("1",)]


def test_a_transaction_is_atomic(martlet):
    with martlet.connect() as one, martlet.connect() as other:
        with one.transaction():
            one.execute("INSERT INTO journal VALUES (-3, 1)")
            other.execute("SET martlet.route = 'primary'")
            assert value(other, "SELECT count(*) FROM journal WHERE client = -3") == 0
            one.execute("INSERT INTO journal VALUES (-3, 2)")
        assert value(other, "SELECT count(*) FROM journal WHERE client = -3") == 2
        one.execute("DELETE FROM journal WHERE client = -3")


def test_savepoints(martlet):
    with martlet.connect() as connection:
        with connection.transaction():
            connection.execute("INSERT INTO journal VALUES (-4, 1)")
            with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
                connection.execute("INSERT INTO journal VALUES (-4, 2)")
                connection.execute("SELECT 1 / 0")
            with connection.transaction():
                connection.execute("INSERT INTO journal VALUES (-4, 3)")
            connection.execute("SAVEPOINT a; INSERT INTO journal VALUES (-4, 4);"
                               " ROLLBACK TO a; RELEASE a")
        found = connection.execute("DELETE FROM journal WHERE client = -4 RETURNING number")
        assert sorted(found.fetchall()) == [(1,), (3,)]


# Edge cases: 53, 109
def test_the_tags_and_warnings_of_transaction_commands(martlet):
    with Wire(martlet.port).login() as wire:
        for text, tag, state in [
            ("BEGIN", "BEGIN", "T"),
            ("SELECT 1", "SELECT 1", "T"),
            ("COMMIT AND CHAIN", "COMMIT", "T"),
            ("SELECT 1", "SELECT 1", "T"),
            ("ROLLBACK AND CHAIN", "ROLLBACK", "T"),
            ("END", "COMMIT", "I"),
            ("START TRANSACTION", "START TRANSACTION", "T"),
            ("ABORT", "ROLLBACK", "I"),
        ]:
            answer = ask(wire, text)
            assert (tags(answer), status(answer)) == ([tag], state), text
        for text, code in [("COMMIT", "25P01"), ("ROLLBACK", "25P01")]:
            answer = ask(wire, text)
            notice = next(fields(body) for kind, body in answer if kind == b"N")
            assert (notice["C"], tags(answer)) == (code, [text])
        ask(wire, "BEGIN")
        answer = ask(wire, "BEGIN")
        notice = next(fields(body) for kind, body in answer if kind == b"N")
        assert notice["C"] == "25001" and tags(answer) == ["BEGIN"] and status(answer) == "T"
        ask(wire, "ROLLBACK")


@pytest.mark.parametrize("text, code", [
    ("SAVEPOINT a", "25P01"),
    ("ROLLBACK TO a", "25P01"),
    ("COMMIT AND CHAIN", "25P01"),
    ("BEGIN ISOLATION LEVEL WRONG", "42601"),
])
def test_errors_of_transaction_commands(martlet, text, code):
    with Wire(martlet.port).login() as wire:
        answer = ask(wire, text)
        assert error(answer)["C"] == code and status(answer) == "I"
        assert rows(ask(wire, "SELECT 1")) == [("1",)]


def test_an_empty_transaction_costs_nothing_and_is_right(martlet):
    with Wire(martlet.port).login() as wire:
        for end, tag in (("COMMIT", "COMMIT"), ("ROLLBACK", "ROLLBACK")):
            assert status(ask(wire, "BEGIN")) == "T"
            answer = ask(wire, end)
            assert tags(answer) == [tag] and status(answer) == "I"


# Edge cases: 52
def test_a_multi_statement_query_is_one_implicit_transaction(martlet):
    with Wire(martlet.port).login() as wire:
        answer = ask(wire, "INSERT INTO journal VALUES (-5, 1); SELECT 1 / 0;"
                           " INSERT INTO journal VALUES (-5, 2)")
        assert error(answer)["C"] == "22012" and status(answer) == "I"
        answer = ask(wire, "/* martlet: primary */ SELECT count(*) FROM journal WHERE client = -5")
        assert rows(answer) == [("0",)]


# Edge cases: 52
def test_transaction_commands_within_a_multi_statement_query(martlet):
    with Wire(martlet.port).login() as wire:
        answer = ask(wire, "BEGIN; INSERT INTO journal VALUES (-6, 1)")
        assert tags(answer) == ["BEGIN", "INSERT 0 1"] and status(answer) == "T"
        answer = ask(wire, "INSERT INTO journal VALUES (-6, 2); COMMIT; BEGIN; SELECT 1")
        assert status(answer) == "T"
        answer = ask(wire, "ROLLBACK; DELETE FROM journal WHERE client = -6")
        assert tags(answer) == ["ROLLBACK", "DELETE 2"] and status(answer) == "I"


# Edge cases: 61
def test_a_repeatable_read_snapshot_does_not_move(martlet):
    with martlet.connect() as reader, martlet.connect() as writer:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        first = reader.execute(f"SELECT value, ({WHERE}) FROM items WHERE id = 20").fetchone()
        for _ in range(5):
            writer.execute("UPDATE items SET value = value + 1 WHERE id = 20")
            assert reader.execute(
                f"SELECT value, ({WHERE}) FROM items WHERE id = 20").fetchone() == first
        reader.execute("COMMIT")


# Edge cases: 55
def test_two_phase_commit(martlet):
    with martlet.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO journal VALUES (-7, 1)")
        connection.execute("PREPARE TRANSACTION 'two-phase'")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    with martlet.connect() as connection:
        connection.execute("COMMIT PREPARED 'two-phase'")
        deleted = connection.execute("DELETE FROM journal WHERE client = -7")
        assert deleted.rowcount == 1


# Edge cases: 100
def test_a_serialization_failure_is_passed_on_untouched(martlet):
    with martlet.connect() as one, martlet.connect() as other:
        for connection in (one, other):
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            value(connection, "SELECT value FROM items WHERE id = 21")
        one.execute("UPDATE items SET value = value + 1 WHERE id = 21")
        one.execute("COMMIT")
        with pytest.raises(psycopg.errors.SerializationFailure) as failure:
            other.execute("UPDATE items SET value = value + 1 WHERE id = 21")
        assert "concurrent update" in str(failure.value)
        other.execute("ROLLBACK")


# Edge cases: 76
def test_a_cursor_in_a_read_only_transaction_is_on_a_replica(martlet, replica_ports):
    with martlet.connect() as connection:
        connection.execute("BEGIN READ ONLY")
        connection.execute("DECLARE c CURSOR FOR SELECT id FROM items ORDER BY id")
        assert len(connection.execute("FETCH 10 FROM c").fetchall()) == 10
        connection.execute("MOVE 5 IN c")
        assert connection.execute("FETCH 1 FROM c").fetchone() == (16,)
        assert where(connection) in replica_ports
        connection.execute("CLOSE c")
        connection.execute("COMMIT")


def test_a_client_that_leaves_within_a_transaction_undoes_it(martlet):
    wire = Wire(martlet.port).login()
    ask(wire, "BEGIN")
    ask(wire, "UPDATE items SET value = -1 WHERE id = 22")
    wire.socket.close()
    with martlet.connect() as connection:
        connection.execute("SET lock_timeout = '30s'")
        assert value(connection, "UPDATE items SET note = note WHERE id = 22"
                                 " RETURNING value") != -1


def test_pipelined_simple_queries_are_answered_in_order(martlet):
    with Wire(martlet.port).login() as wire:
        wire.send(*(query(f"SELECT {number}") for number in range(200)))
        found = [rows(wire.ready()) for _ in range(200)]
    assert found == [[(str(number),)] for number in range(200)]


def test_a_failed_begin_within_a_pipeline(martlet):
    with Wire(martlet.port).login() as wire:
        wire.send(query("BEGIN"), query("SELECT 1 / 0"), query("SELECT 1"), query("ROLLBACK"))
        answers = [wire.ready() for _ in range(4)]
    assert [status(answer) for answer in answers] == ["T", "E", "E", "I"]
    assert kinds(answers[3]) == "CZ"
