# SPDX-License-Identifier: Apache-2.0
"""COPY in both directions, and every way in which it can go wrong."""

import psycopg
import pytest
from support.endpoint import value
from support.wire import (
    SYNC, Wire, bind, error, execute, kinds, message, parse, query, rows, status, tags,
)

DONE = message(b"c")


@pytest.fixture
def table(martlet):
    """An empty table."""
    with martlet.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS copied")
        connection.execute("CREATE TABLE copied (n integer, note text)")
        yield connection
        connection.execute("DROP TABLE copied")


def test_in_and_out_again(martlet, table):
    expected = [(number, f"note {number}\t\\N") for number in range(50_000)]
    with table.cursor().copy("COPY copied FROM STDIN") as copy:
        for one in expected:
            copy.write_row(one)
    with table.cursor().copy("COPY copied TO STDOUT") as copy:
        copy.set_types(["int4", "text"])
        assert sorted(copy.rows()) == expected


def test_binary(table):
    with table.cursor().copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "text"])
        for number in range(1000):
            copy.write_row((number, str(number)))
    with table.cursor().copy("COPY (SELECT n FROM copied) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int4"])
        assert sorted(copy.rows()) == [(number,) for number in range(1000)]


def copied(wire, statement):
    """The rows that a COPY TO gave."""
    answer = wire.ask(query(statement))
    assert error(answer) is None
    return [body.decode().strip() for kind, body in answer if kind == b"d"]


# Edge cases: 43
def test_out_of_a_read_is_on_a_replica_and_of_a_write_on_the_primary(
    martlet, primary_port, replica_ports
):
    with Wire(martlet.port).login() as wire:
        for _ in range(5):
            port = copied(wire, "COPY (SELECT inet_server_port()) TO STDOUT")
            assert int(port[0]) in replica_ports
        port = copied(wire, "COPY (UPDATE items SET value = 0 WHERE id = 40"
                            " RETURNING inet_server_port()) TO STDOUT")
        assert port == [str(primary_port)]


# Edge cases: 41
def test_a_wrong_row_ends_it(martlet, table):
    with Wire(martlet.port).login() as wire:
        wire.send(query("COPY copied FROM STDIN"))
        assert wire.receive()[0] == b"G"
        wire.send(*(message(b"d", b"1\tgood\n") for _ in range(100)),
                  message(b"d", b"wrong\trow\n"),
                  *(message(b"d", b"2\tignored\n") for _ in range(2000)), DONE)
        answer = wire.ready()
        assert error(answer)["C"] == "22P02" and status(answer) == "I"
        assert rows(wire.ask(query("SELECT 1"))) == [("1",)]
    assert value(table, "SELECT count(*) FROM copied") == 0


# Edge cases: 41
def test_the_client_fails_it(martlet, table):
    with Wire(martlet.port).login() as wire:
        wire.send(query("COPY copied FROM STDIN"))
        assert wire.receive()[0] == b"G"
        wire.send(message(b"d", b"1\tx\n"), message(b"f", b"changed my mind\0"))
        answer = wire.ready()
        assert error(answer)["C"] == "57014" and "changed my mind" in error(answer)["M"]
        assert rows(wire.ask(query("SELECT 1"))) == [("1",)]


# Edge cases: 44
def test_the_client_leaves_amid_it(martlet, table):
    for _ in range(5):
        wire = Wire(martlet.port).login()
        wire.send(query("COPY copied FROM STDIN"))
        assert wire.receive()[0] == b"G"
        wire.send(message(b"d", b"1\tx\n"))
        wire.socket.close()
    with martlet.clients(20) as others:
        for other in others:
            assert value(other, "/* martlet: primary */ SELECT count(*) FROM copied") == 0


# Edge cases: 40
def test_within_the_extended_protocol(martlet, table):
    with Wire(martlet.port).login() as wire:
        # A Sync that is sent together with Execute is ignored while data is expected.
        wire.send(parse("COPY copied FROM STDIN"), bind(), execute(), SYNC)
        assert kinds(wire.until(b"G")) == "12G"
        wire.send(message(b"d", b"1\tx\n"), message(b"d", b"2\ty\n"), DONE, SYNC)
        answer = wire.ready()
        assert tags(answer) == ["COPY 2"] and status(answer) == "I"
        assert kinds(wire.ask(parse("SELECT 1"), bind(), execute(), SYNC)) == "12DCZ"


# Edge cases: 42
def test_two_in_one_query(martlet, table):
    with Wire(martlet.port).login() as wire:
        wire.send(query("COPY copied FROM STDIN; COPY copied FROM STDIN; SELECT count(*) FROM"
                        " copied"))
        for number in (1, 2):
            assert wire.until(b"G")[-1][0] == b"G"
            wire.send(message(b"d", f"{number}\tx\n".encode()), DONE)
        answer = wire.ready()
        assert rows(answer) == [("2",)] and status(answer) == "I"


# Edge cases: 41
def test_within_a_transaction_that_is_undone(table):
    with pytest.raises(ZeroDivisionError), table.transaction():
        with table.cursor().copy("COPY copied FROM STDIN") as copy:
            copy.write_row((1, "x"))
        assert value(table, "SELECT count(*) FROM copied") == 1
        raise ZeroDivisionError
    assert value(table, "SELECT count(*) FROM copied") == 0


# Edge cases: 41
def test_an_error_before_any_data(martlet):
    with martlet.connect() as connection:
        with (
            pytest.raises(psycopg.errors.UndefinedTable),
            connection.cursor().copy("COPY nowhere FROM STDIN") as copy,
        ):
            copy.write_row((1,))
        assert value(connection, "SELECT 1") == 1


def test_in_the_extended_protocol_without_a_flush(martlet, table):
    with Wire(martlet.port).login() as wire:
        wire.send(parse("COPY copied FROM STDIN"), bind(), execute())
        assert kinds(wire.until(b"G")) == "12G"
        wire.send(message(b"d", b"1\tone\n"), DONE, SYNC)
        assert tags(wire.ready()) == ["COPY 1"]
        wire.send(parse("COPY nowhere FROM STDIN"), bind(), execute())
        assert error(wire.until(b"E"))["C"] == "42P01"
        assert kinds(wire.ask(SYNC)) == "Z"
        assert kinds(wire.ask(parse("SELECT 1"), bind(), execute(), SYNC)) == "12DCZ"
