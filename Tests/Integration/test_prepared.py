# SPDX-License-Identifier: Apache-2.0
"""Prepared statements, portals and pipelines of the extended protocol."""

import struct
from contextlib import ExitStack

import psycopg
import pytest
from support.endpoint import WHERE, value
from support.wire import (
    FLUSH, SYNC, Wire, bind, close, describe, error, execute, kinds, message, parse, query, rows,
    status, tags,
)


# Edge cases: 24
def test_a_named_statement_runs_on_every_node(martlet, primary_port, replica_ports):
    with Wire(martlet.port).login() as wire:
        wire.ask(parse("SELECT inet_server_port(), $1::text", "where"), SYNC)
        ports = set()
        for number in range(60):
            answer = wire.ask(bind("where", "", [number]), execute(), SYNC)
            assert kinds(answer) == "2DCZ"
            port, echo = rows(answer)[0]
            assert echo == str(number)
            ports.add(int(port))
        assert ports <= replica_ports
        wire.ask(query("BEGIN"))
        assert rows(wire.ask(bind("where", "", ["x"]), execute(), SYNC)) == [
            (str(primary_port), "x")]
        wire.ask(query("COMMIT"))


# Edge cases: 18
def test_the_same_name_with_different_texts_in_many_sessions(martlet):
    wires = [Wire(martlet.port).login() for _ in range(40)]
    try:
        for number, wire in enumerate(wires):
            wire.ask(parse(f"SELECT {number}, $1::integer", "s"), SYNC)
        for round_ in range(5):
            for wire in wires:
                wire.send(bind("s", "", [round_]), execute(), SYNC)
            for number, wire in enumerate(wires):
                assert rows(wire.ready()) == [(str(number), str(round_))]
    finally:
        for wire in wires:
            wire.socket.close()


# Edge cases: 19
def test_the_parameter_types_are_part_of_a_statement(martlet):
    int4, text = 23, 25
    with Wire(martlet.port).login() as wire:
        wire.ask(parse("SELECT pg_typeof($1)", "a", [int4]),
                 parse("SELECT pg_typeof($1)", "b", [text]), SYNC)
        for _ in range(3):
            assert rows(wire.ask(bind("a", "", [1]), execute(), SYNC)) == [("integer",)]
            assert rows(wire.ask(bind("b", "", [1]), execute(), SYNC)) == [("text",)]


def test_more_statements_than_a_server_may_keep(martlet):
    with Wire(martlet.port).login() as wire:
        for start in range(0, 1200, 100):
            wire.ask(*(parse(f"SELECT {n} + $1::integer", f"s{n}") for n in
                       range(start, start + 100)), SYNC)
        for number in list(range(0, 1200, 7)) + [0, 1199, 600]:
            answer = wire.ask(bind(f"s{number}", "", [1]), execute(), SYNC)
            assert rows(answer) == [(str(number + 1),)]


# 1 where the month comes first, 31 where the day does.
DAYS = "SELECT date '01.02.2003' - date '2003-01-01'"


def days(wire, name):
    """Runs a statement in a transaction of the primary, then outside of one on many servers."""
    found = set()
    for begin in ["BEGIN", None] * 8:
        if begin:
            wire.ask(query(begin))
        found.update(rows(wire.ask(bind(name, "", []), execute(), SYNC)))
        if begin:
            wire.ask(query("COMMIT"))
    return {int(value) for value, in found}


def test_constants_are_read_as_when_the_statement_was_prepared(martlet):
    with Wire(martlet.port).login() as wire:
        wire.ask(parse(DAYS, "first"), SYNC)
        wire.ask(query("SET DateStyle = 'ISO, DMY'"))
        wire.ask(parse(DAYS, "second"), SYNC)
        assert days(wire, "first") == {1}
        assert days(wire, "second") == {31}
        assert rows(wire.ask(query("SHOW DateStyle"))) == [("ISO, DMY",)]
        wire.ask(query("RESET DateStyle"))
        assert days(wire, "second") == {31}
        assert rows(wire.ask(query("SHOW DateStyle"))) == [("ISO, MDY",)]


@pytest.mark.parametrize("local, after", [("SET", "ISO, DMY"), ("SET LOCAL", "ISO, MDY")])
def test_constants_in_a_transaction_that_changes_how_they_are_read(martlet, local, after):
    with Wire(martlet.port).login() as wire, Wire(martlet.port).login() as other:
        wire.ask(parse(DAYS, "before"), SYNC)
        wire.ask(query("BEGIN"))
        wire.ask(query(f"{local} DateStyle = 'ISO, DMY'"))
        assert rows(wire.ask(bind("before", "", []), execute(), SYNC)) == [("1",)]
        assert rows(wire.ask(query("SHOW DateStyle"))) == [("ISO, DMY",)]
        assert rows(wire.ask(parse(DAYS), bind(), execute(), SYNC)) == [("31",)]
        wire.ask(parse(DAYS, "behind"), SYNC)
        wire.ask(query("COMMIT"))
        assert days(wire, "before") == {1}
        assert days(wire, "behind") == {31}
        assert rows(wire.ask(query("SHOW DateStyle"))) == [(after,)]
        # What it parsed is nobody else's, whose text is the same.
        other.ask(parse(DAYS, "same"), SYNC)
        assert days(other, "same") == {1}


def test_constants_behind_a_setting_in_one_pipeline(martlet):
    with Wire(martlet.port).login() as wire, Wire(martlet.port).login() as other:
        setting = [parse("SET DateStyle = 'ISO, DMY'"), bind(), execute()]
        answer = wire.ask(*setting, parse(DAYS, "s"), bind("s"), execute(), SYNC)
        assert rows(answer) == [("31",)]
        wire.ask(query("RESET DateStyle"))
        assert days(wire, "s") == {31}
        other.ask(parse(DAYS, "same"), SYNC)
        assert days(other, "same") == {1}


def test_nothing_is_asked_before_a_prepared_set(martlet):
    """It would be the first query of a transaction that must not have had one."""
    with Wire(martlet.port).login() as wire:
        for size in range(1, 21):
            name = f"s{size}"
            wire.ask(parse(f"SET work_mem = '{size}MB'", name), SYNC)
            answer = wire.ask(
                bind(name), execute(),
                parse("BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY"), bind(), execute(), SYNC)
            assert error(answer) is None and tags(answer) == ["SET", "BEGIN"]
            wire.ask(query("ROLLBACK"))


def test_characters_are_read_as_when_the_statement_was_prepared(martlet):
    with Wire(martlet.port).login(client_encoding="LATIN1") as wire:
        wire.ask(message(b"P", b"s\0SELECT '\xe9'::text, length('\xe9')\0\0\0"), SYNC)
        wire.ask(query("SET client_encoding = UTF8"))
        for begin in ["BEGIN", "SELECT"] * 4:
            wire.ask(query(begin))
            assert rows(wire.ask(bind("s", "", []), execute(), SYNC)) == [("é", "1")]
            wire.ask(query("COMMIT"))


# Edge cases: 22
def test_one_pipeline_with_more_statements_than_a_server_may_keep(martlet):
    with Wire(martlet.port).login() as wire:
        wire.send(*(
            parse(f"SELECT {n} * $1::integer", f"p{n}") + bind(f"p{n}", "", [2]) + execute()
            for n in range(700)), SYNC)
        assert rows(wire.ready()) == [(str(2 * number),) for number in range(700)]


# Edge cases: 26
def test_describe_of_a_statement_and_of_a_portal(martlet):
    with Wire(martlet.port).login() as wire:
        answer = wire.ask(parse("SELECT $1::integer AS n, 'x' AS t", "d"), describe(b"S", "d"), SYNC)
        assert kinds(answer) == "1tTZ"
        again = wire.ask(describe(b"S", "d"), SYNC)
        assert answer[1:3] == again[:2]
        answer = wire.ask(bind("d", "", [1]), describe(b"P"), execute(), SYNC)
        assert kinds(answer) == "2TDCZ"
        answer = wire.ask(parse("INSERT INTO journal VALUES (-20)", "i"), describe(b"S", "i"),
                          bind("i"), describe(b"P"), execute(), SYNC)
        assert kinds(answer) == "1tn2nCZ" and tags(answer) == ["INSERT 0 1"]


# Edge cases: 18
def test_errors_of_statement_names(martlet):
    with Wire(martlet.port).login() as wire:
        assert error(wire.ask(bind("unknown"), execute(), SYNC))["C"] == "26000"
        assert error(wire.ask(describe(b"S", "unknown"), SYNC))["C"] == "26000"
        wire.ask(parse("SELECT 1", "twice"), SYNC)
        assert error(wire.ask(parse("SELECT 2", "twice"), SYNC))["C"] == "42P05"
        assert rows(wire.ask(bind("twice"), execute(), SYNC)) == [("1",)]
        assert kinds(wire.ask(close(b"S", "twice"), close(b"S", "never"), SYNC)) == "33Z"
        assert error(wire.ask(bind("twice"), execute(), SYNC))["C"] == "26000"
        wire.ask(parse("SELECT 3", "twice"), SYNC)
        assert rows(wire.ask(bind("twice"), execute(), SYNC)) == [("3",)]


# Edge cases: 20
def test_a_failed_parse_prepares_nothing(martlet):
    with Wire(martlet.port).login() as wire:
        assert error(wire.ask(parse("SELECT nowhere FROM nothing", "f"), SYNC))["C"] == "42P01"
        assert error(wire.ask(bind("f"), execute(), SYNC))["C"] == "26000"
        wire.ask(parse("SELECT 5", "f"), SYNC)
        assert rows(wire.ask(bind("f"), execute(), SYNC)) == [("5",)]


# Edge cases: 21
def test_the_unnamed_statement_lives_until_the_next(martlet):
    with Wire(martlet.port).login() as wire, Wire(martlet.port).login() as other:
        wire.ask(parse("SELECT 'mine'"), SYNC)
        other.ask(parse("SELECT 'other'"), SYNC)
        for _ in range(5):
            assert rows(wire.ask(bind(), execute(), SYNC)) == [("mine",)]
            assert rows(other.ask(bind(), execute(), SYNC)) == [("other",)]


# Edge cases: 35
def test_after_an_error_everything_up_to_sync_is_skipped(martlet):
    with Wire(martlet.port).login() as wire:
        answer = wire.ask(
            parse("SELECT 1 / $1::integer", "z"), bind("z", "", [0]), execute(),
            parse("SELECT 7", "never"), bind("never"), execute(), SYNC)
        assert error(answer)["C"] == "22012" and kinds(answer).count("E") == 1
        assert "D" not in kinds(answer) and status(answer) == "I"
        assert error(wire.ask(bind("never"), execute(), SYNC))["C"] == "26000"
        assert rows(wire.ask(bind("z", "", [1]), execute(), SYNC)) == [("1",)]


# Edge cases: 32
def test_pipelines_of_several_syncs_keep_their_order(martlet):
    with Wire(martlet.port).login() as wire:
        parts = []
        for number in range(50):
            parts.append(parse(f"SELECT {number}") + bind() + execute() + SYNC)
            parts.append(parse(f"UPDATE items SET value = {number} WHERE id = 30"
                               " RETURNING value") + bind() + execute() + SYNC)
        parts.append(parse("SELECT 1 / 0") + bind() + execute() + SYNC)
        parts.append(parse("SELECT value FROM items WHERE id = 30") + bind() + execute() + SYNC)
        wire.send(*parts)
        for number in range(50):
            assert rows(wire.ready()) == [(str(number),)]
            assert rows(wire.ready()) == [(str(number),)]
        assert error(wire.ready())["C"] == "22012"
        assert rows(wire.ready()) == [("49",)]


# Edge cases: 30
def test_statements_between_two_syncs_are_one_transaction(martlet):
    with Wire(martlet.port).login() as wire:
        answer = wire.ask(
            parse("INSERT INTO journal VALUES (-21, 1)"), bind(), execute(),
            parse("SELECT 1 / 0"), bind(), execute(), SYNC)
        assert error(answer)["C"] == "22012"
        answer = wire.ask(query("/* martlet: primary */ SELECT count(*) FROM journal"
                                " WHERE client = -21"))
        assert rows(answer) == [("0",)]


# Edge cases: 31
def test_a_read_before_a_write_in_one_pipeline_is_on_the_primary(martlet, primary_port):
    with Wire(martlet.port).login() as wire:
        answer = wire.ask(
            parse(WHERE), bind(), execute(),
            parse("UPDATE items SET value = 1 WHERE id = 31"), bind(), execute(), SYNC)
        assert rows(answer) == [(str(primary_port),)]
        assert tags(answer) == ["SELECT 1", "UPDATE 1"]


# Edge cases: 29
def test_flush_brings_the_answers_so_far(martlet):
    with Wire(martlet.port).login() as wire:
        wire.send(parse("SELECT $1::integer"), describe(b"S"), FLUSH)
        assert kinds([wire.receive() for _ in range(3)]) == "1tT"
        wire.send(bind("", "", [9]), execute(), FLUSH)
        assert kinds([wire.receive() for _ in range(3)]) == "2DC"
        assert kinds(wire.ask(SYNC)) == "Z"


# Edge cases: 26
def test_a_portal_is_read_in_portions(martlet):
    with Wire(martlet.port).login() as wire:
        wire.ask(query("BEGIN"))
        wire.ask(parse("SELECT generate_series(1, 25)", "g"), bind("g", "portal"), SYNC)
        counts = []
        while True:
            answer = wire.ask(execute("portal", 10), SYNC)
            counts.append(len(rows(answer)))
            if b"s" not in [kind for kind, _ in answer]:
                break
        assert counts == [10, 10, 5]
        assert kinds(wire.ask(close(b"P", "portal"), SYNC)) == "3Z"
        wire.ask(query("COMMIT"))


# Edge cases: 74
def test_a_portal_is_read_in_portions_before_sync(martlet):
    with Wire(martlet.port).login() as wire:
        wire.send(parse("SELECT generate_series(1, 25)"), bind(), execute("", 10), FLUSH)
        assert kinds([wire.receive() for _ in range(13)]) == "12" + "D" * 10 + "s"
        wire.send(execute("", 0), FLUSH)
        assert kinds([wire.receive() for _ in range(16)]) == "D" * 15 + "C"
        assert kinds(wire.ask(SYNC)) == "Z"


# Edge cases: 71
def test_sql_prepare_and_execute(martlet):
    with martlet.connect() as connection, martlet.clients(30) as others:
        connection.execute("PREPARE plan (integer) AS SELECT $1 * 2")
        for number in range(10):
            for other in others[:10]:
                other.execute("SELECT 1")
            assert value(connection, f"EXECUTE plan({number})") == number * 2
        with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
            connection.execute("PREPARE plan AS SELECT 1")
        connection.execute("DEALLOCATE plan")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            connection.execute("EXECUTE plan(1)")
        connection.execute("PREPARE a AS SELECT 1")
        connection.execute("DEALLOCATE ALL")
        connection.execute("PREPARE a AS SELECT 2")
        assert value(connection, "EXECUTE a") == 2


# Edge cases: 72
def test_deallocate_all_forgets_protocol_statements_of_this_session_only(martlet):
    with Wire(martlet.port).login() as wire, Wire(martlet.port).login() as other:
        for one in (wire, other):
            one.ask(parse("SELECT 'kept'", "k"), SYNC)
        wire.ask(query("DEALLOCATE ALL"))
        assert error(wire.ask(bind("k"), execute(), SYNC))["C"] == "26000"
        for _ in range(5):
            assert rows(other.ask(bind("k"), execute(), SYNC)) == [("kept",)]


# Edge cases: 23
def test_a_changed_table_does_not_break_a_statement_for_ever(martlet):
    with martlet.connect(prepare_threshold=0) as connection, martlet.connect() as owner:
        owner.execute("CREATE TABLE changing (a integer); INSERT INTO changing VALUES (1)")
        try:
            statement = "/* martlet: primary */ SELECT * FROM changing"
            assert connection.execute(statement).fetchall() == [(1,)]
            owner.execute("ALTER TABLE changing ADD b text DEFAULT 'b'")
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                connection.execute(statement)
            connection.execute("DEALLOCATE ALL")
            for _ in range(3):
                assert connection.execute(statement).fetchall() == [(1, "b")]
        finally:
            owner.execute("DROP TABLE changing")


# Edge cases: 23
def test_who_was_told_of_the_columns_once_never_misreads_a_row(martlet):
    # Drivers that describe a statement once (JDBC, asyncpg) know from the error what to do.
    with martlet.connect() as owner, Wire(martlet.port).login() as wire, ExitStack() as busy:
        owner.execute("CREATE TABLE changing (a integer); INSERT INTO changing VALUES (1)")
        try:
            text = "/* martlet: primary */ SELECT * FROM changing"
            wire.ask(parse(text, "s"), describe(b"S", "s"), SYNC)
            assert rows(wire.ask(bind("s"), execute(), SYNC)) == [("1",)]
            owner.execute("ALTER TABLE changing ADD b text DEFAULT 'b'")
            for _ in range(4):
                found = error(wire.ask(bind("s"), execute(), SYNC))
                assert found["C"] == "0A000" and found["R"] == "RevalidateCachedQuery"
                # Whoever is idle is busy from now on: the next one is another server.
                other = busy.enter_context(martlet.connect())
                busy.callback(other.rollback)
                other.execute("BEGIN; SELECT FROM changing FOR KEY SHARE")
            wire.ask(query("BEGIN"))
            wire.ask(query("SELECT txid_current()"))
            assert error(wire.ask(bind("s"), execute(), SYNC))["C"] == "0A000"
            assert error(wire.ask(query("SELECT 1")))["C"] == "25P02"
            wire.ask(query("ROLLBACK"))
            assert error(wire.ask(describe(b"S", "s"), SYNC))["C"] == "0A000"
            wire.ask(close(b"S", "s"), parse(text, "s"), SYNC)
            assert rows(wire.ask(bind("s"), execute(), SYNC)) == [("1", "b")]
        finally:
            busy.close()
            owner.execute("DROP TABLE changing")


def test_psycopg_pipeline_mode(martlet):
    with martlet.connect(prepare_threshold=0) as connection, connection.pipeline():
        found = [connection.execute("SELECT %s::integer", (n,)) for n in range(300)]
        assert [cursor.fetchone()[0] for cursor in found] == list(range(300))


# Edge cases: 27
def test_binary_values_pass_untouched(martlet):
    blob = bytes(range(256)) * 300
    with martlet.connect(prepare_threshold=0) as connection:
        for _ in range(4):
            cursor = connection.execute("SELECT %b, %b::bigint", (blob, 2**40), binary=True)
            assert cursor.fetchone() == (blob, 2**40)


# Edge cases: 28
def test_the_function_call_message(martlet):
    # pg_catalog.abs(integer) by its object id; as old large-object drivers call functions.
    with martlet.connect() as connection:
        oid = value(connection, "SELECT 'pg_catalog.abs(integer)'::regprocedure::oid::integer")
    body = struct.pack("!ihhhi", oid, 1, 0, 1, 2) + b"-5" + struct.pack("!h", 0)
    with Wire(martlet.port).login() as wire:
        answer = wire.ask(message(b"F", body))
        assert kinds(answer) == "VZ" and answer[0][1][4:] == b"5"


# Edge cases: 33
def test_a_simple_query_amid_an_extended_one(martlet):
    with Wire(martlet.port).login() as wire:
        wire.send(parse("SELECT 1", "x"), bind("x"), execute(), query("SELECT 2"))
        answer = wire.ready()
        assert rows(answer) == [("1",), ("2",)] and status(answer) == "I"
        assert rows(wire.ask(bind("x"), execute(), SYNC)) == [("1",)]
