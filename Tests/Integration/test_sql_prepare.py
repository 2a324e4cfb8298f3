# SPDX-License-Identifier: Apache-2.0
"""PREPARE, EXECUTE and DEALLOCATE in SQL: the statements follow the session over all servers."""

import psycopg
import psycopg2
import pytest
from support.endpoint import value
from support.wire import SYNC, Wire, bind, error, execute, query, rows, tags

WHERE = "PREPARE here AS SELECT inet_server_port()"


def pins(endpoint):
    return endpoint.metrics().sum("martlet_pins", reason="sql_prepared")


def test_it_reads_from_a_replica_and_is_not_pinned(martlet, primary_port, replica_ports):
    with martlet.connect() as connection:
        connection.execute(WHERE)
        assert pins(martlet) == 0
        for _ in range(20):
            assert value(connection, "EXECUTE here") in replica_ports
        with connection.transaction():
            assert value(connection, "EXECUTE here") == primary_port
        connection.execute("PREPARE writes (int) AS INSERT INTO journal VALUES (-9, $1)"
                           " RETURNING port")
        assert value(connection, "EXECUTE writes(1)") == primary_port
        assert value(connection, "EXECUTE here") in replica_ports | {primary_port}
    assert pins(martlet) == 0


def test_many_sessions_with_one_name_share_few_servers(start_martlet):
    endpoint = start_martlet({"pools": {"size": 2}})
    with endpoint.clients(12) as clients:
        for number, client in enumerate(clients[:10]):
            client.execute(f"PREPARE p (int) AS SELECT {number} * 1000 + $1")
        for round_ in range(10):
            for number, client in enumerate(clients[:10]):
                hint = "/* martlet: primary */ " if (round_ + number) % 3 == 0 else ""
                assert value(client, f"{hint}EXECUTE p({round_})") == number * 1000 + round_
            with pytest.raises(psycopg.errors.InvalidSqlStatementName):
                clients[10].execute("EXECUTE p(1)")
            assert clients[11].execute(
                "SELECT name FROM pg_prepared_statements WHERE from_sql").fetchall() == []
        clients[3].execute("DEALLOCATE p")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            clients[3].execute("EXECUTE p(1)")
        assert value(clients[4], "EXECUTE p(0)") == 4000
        assert endpoint.metrics().sum("martlet_pins") == 0


def test_the_view_shows_the_session_its_own_on_every_node(martlet):
    question = ("SELECT name, statement, parameter_types::text FROM pg_prepared_statements"
                " WHERE from_sql ORDER BY 1")
    texts = ["PREPARE a AS SELECT 1", "/* why */ PREPARE \"B b\" (text, int) AS SELECT $1, $2;"]
    with martlet.connect() as connection:
        for text in texts:
            connection.execute(text)
        for hint in ("", "/* martlet: primary */ ", "/* martlet: replica */ "):
            assert connection.execute(hint + question).fetchall() == [
                ("B b", texts[1], "{text,integer}"), ("a", texts[0], "{}")]
        connection.execute("DEALLOCATE ALL")
        for hint in ("", "/* martlet: primary */ ", "/* martlet: replica */ "):
            assert connection.execute(hint + question).fetchall() == []


def test_a_table_that_is_new(martlet):
    with martlet.connect() as connection:
        for number in range(20):
            connection.execute(f"CREATE TABLE fresh_{number} AS SELECT {number} AS n")
            connection.execute(f"PREPARE fresh_{number} AS SELECT n FROM fresh_{number}")
            assert value(connection, f"EXECUTE fresh_{number}") == number
        for number in range(20):
            connection.execute(f"DROP TABLE fresh_{number}")
        # Those who cannot be run any more are in nobody's way.
        assert value(connection, "SELECT 1") == 1
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("EXECUTE fresh_7")
        assert value(connection, "SELECT 1") == 1


def test_literals_are_read_once(martlet):
    with martlet.connect() as connection:
        connection.execute("SET datestyle = 'ISO, DMY'")
        connection.execute("PREPARE d AS SELECT '01/02/2020'::date")
        connection.execute("SET datestyle = 'ISO, MDY'")
        for hint in ("", "/* martlet: primary */ ", "/* martlet: replica */ "):
            assert str(value(connection, hint + "EXECUTE d")) == "2020-02-01"


# Edge cases: 71
def test_bound_by_the_protocol(martlet):
    with Wire(martlet.port).login() as wire:
        wire.ask(query("PREPARE p (int) AS SELECT $1 + 1"))
        for number in range(10):
            assert rows(wire.ask(bind("p", "", [number]), execute(), SYNC)) == [(str(number + 1),)]
        wire.ask(query("PREPARE w (int) AS INSERT INTO journal VALUES (-10, $1)"))
        assert tags(wire.ask(bind("w", "", [1]), execute(), SYNC)) == ["INSERT 0 1"]


def test_statements_of_a_transaction(martlet):
    with Wire(martlet.port).login() as wire:
        wire.ask(query("BEGIN"))
        wire.ask(query("PREPARE p AS SELECT 'p'"))
        assert error(wire.ask(query("PREPARE p AS SELECT 'other'")))["C"] == "42P05"
        wire.ask(query("ROLLBACK"))
        # PREPARE is not rolled back (manual: PREPARE).
        for _ in range(3):
            assert rows(wire.ask(query("EXECUTE p"))) == [("p",)]
        wire.ask(query("BEGIN READ ONLY"))
        assert rows(wire.ask(query("EXECUTE p"))) == [("p",)]
        wire.ask(query("COMMIT"))


def test_what_sets_something_is_noticed(start_martlet):
    endpoint = start_martlet({"pools": {"size": 1}})
    with endpoint.connect() as one, endpoint.connect() as two:
        one.execute("PREPARE s (text) AS SELECT set_config('work_mem', $1, false)")
        one.execute("EXECUTE s('9MB')")
        for hint in ("", "/* martlet: primary */ "):
            assert value(one, hint + "SELECT current_setting('work_mem')") == "9MB"
            assert value(two, hint + "SELECT current_setting('work_mem')") != "9MB"


@pytest.mark.parametrize("text", [
    "PREPARE p AS SELECT 'é' AS x", "PREPARE p AS SELECT 1; PREPARE q AS SELECT 2",
    "DO $$ BEGIN EXECUTE 'PREPARE p AS SELECT 1'; END $$",
])
def test_what_stays_on_its_server(martlet, text):
    with martlet.connect() as connection:
        connection.execute(text)
        assert pins(martlet) == 1
        assert connection.execute("EXECUTE p").fetchone()
        connection.execute("DEALLOCATE ALL")
        assert pins(martlet) == 0


def test_psycopg2(martlet, replica_ports):
    connection = psycopg2.connect(**martlet.address())
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(WHERE)
        cursor.execute("EXECUTE here")
        assert cursor.fetchone()[0] in replica_ports
    connection.close()


def test_it_outlives_a_switchover(cluster, martlet):
    with martlet.connect() as connection:
        connection.execute("PREPARE kept (int) AS SELECT $1 * 2, inet_server_port()")
        connection.execute("EXECUTE kept(1)")
        cluster.switchover()
        martlet.wait_settled(120)
        port = cluster.port_of(cluster.primary())
        assert connection.execute("/* martlet: primary */ EXECUTE kept(21)").fetchone() == (
            42, port)
