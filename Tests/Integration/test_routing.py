# SPDX-License-Identifier: Apache-2.0
"""Where statements go."""

import threading
from collections import Counter

import psycopg
import pytest
from localcluster.processes import wait_until
from support.endpoint import WHERE, value, where
from support.wire import Wire, bind, error, execute, parse, query, rows, SYNC

READS = [
    "SELECT inet_server_port()",
    "select inet_server_port() from items where id = 1",
    "WITH x AS (SELECT inet_server_port() p) SELECT p FROM x",
    "VALUES (inet_server_port())",
    "(SELECT inet_server_port())",
    "-- a comment\nSELECT inet_server_port()",
    "SELECT inet_server_port() -- FOR UPDATE",
    "SELECT inet_server_port(), 'INSERT INTO items; DELETE'",
    "SELECT inet_server_port(), $$ UPDATE items $$",
    "SELECT inet_server_port(), random(), now(), gen_random_uuid()",
]
WRITES = [
    "INSERT INTO journal (client) VALUES (-1) RETURNING inet_server_port()",
    "UPDATE items SET value = value WHERE id = 1 RETURNING inet_server_port()",
    "WITH x AS (DELETE FROM items WHERE id = -1 RETURNING 1) SELECT inet_server_port()",
    "SELECT inet_server_port() FROM items WHERE id = 1 FOR UPDATE",
    "SELECT inet_server_port() FROM (SELECT * FROM items WHERE id = 1 FOR SHARE) x",
    "SELECT inet_server_port(), nextval('numbers')",
    "SELECT inet_server_port(), takes_a_number()",
    "SELECT inet_server_port() FROM numbered",
    "SELECT inet_server_port() WHERE NOT EXISTS (SELECT FROM scratch)",
    "SELECT inet_server_port() WHERE NOT EXISTS (SELECT FROM scratched)",
    "SELECT inet_server_port(), pg_is_in_recovery()",
    "SELECT inet_server_port(), txid_current()",
    "SELECT inet_server_port(), pg_try_advisory_xact_lock(1)",
    "/* martlet: primary */ SELECT inet_server_port()",
]


# Edge cases: 86
@pytest.mark.parametrize("statement", READS)
def test_a_read_goes_to_a_replica(martlet, replica_ports, statement):
    with martlet.connect() as connection:
        ports = {connection.execute(statement).fetchone()[0] for _ in range(5)}
    assert ports <= replica_ports


# Edge cases: 86
@pytest.mark.parametrize("statement", WRITES)
def test_a_write_goes_to_the_primary(martlet, primary_port, statement):
    with martlet.connect() as connection:
        for _ in range(3):
            assert connection.execute(statement).fetchone()[0] == primary_port


@pytest.mark.parametrize("statement", READS + WRITES)
def test_the_extended_protocol_goes_where_the_simple_one_goes(
    martlet, primary_port, replica_ports, statement
):
    expected = replica_ports if statement in READS else {primary_port}
    with Wire(martlet.port).login() as wire:
        for name in ("", "named"):
            answer = wire.ask(parse(statement, name), bind(name), execute(), SYNC)
            assert error(answer) is None
            assert int(rows(answer)[0][0]) in expected


def test_64_clients_read_from_replicas_and_write_to_the_primary(
    martlet, primary_port, replica_ports
):
    reads, writes, failures = Counter(), Counter(), []

    def work(number):
        try:
            with martlet.connect() as reader, martlet.connect() as writer:
                for round_ in range(20):
                    reads[where(reader)] += 1
                    statement = (
                        "INSERT INTO journal (client, number) VALUES (%s, %s)"
                        " RETURNING inet_server_port()"
                    )
                    writes[value(writer, statement, (number, round_))] += 1
        except Exception as failure:  # noqa: BLE001 - any failure of any client fails the test
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert set(reads) == replica_ports, "every replica has a share"
    assert set(writes) == {primary_port}
    assert sum(reads.values()) == sum(writes.values()) == 64 * 20


def test_metrics_count_units_by_class_and_target(martlet):
    def units(which, target):
        found = martlet.metrics()
        return found.sum("martlet_units_total", target=target, **{"class": which})

    reads, writes = units("read", "replica"), units("write", "primary")
    with martlet.connect() as connection:
        for _ in range(10):
            connection.execute(WHERE)
        for _ in range(7):
            connection.execute("UPDATE items SET value = value WHERE id = 2")
    assert units("read", "replica") >= reads + 10
    assert units("write", "primary") >= writes + 7
    assert martlet.metrics().sum("martlet_units_total", target="replica", **{"class": "write"}) == 0


def test_a_multi_statement_query_with_a_write_goes_to_the_primary(martlet, primary_port):
    with Wire(martlet.port).login() as wire:
        answer = wire.ask(query("SELECT inet_server_port(); UPDATE items SET value = value"
                                " WHERE id = 3; SELECT inet_server_port()"))
        assert rows(answer) == [(str(primary_port),)] * 2


def test_a_multi_statement_query_of_reads_stays_on_one_replica(martlet, replica_ports):
    with Wire(martlet.port).login() as wire:
        found = rows(wire.ask(query(f"{WHERE}; {WHERE}; {WHERE}")))
    assert len(found) == 3 and len(set(found)) == 1
    assert int(found[0][0]) in replica_ports


@pytest.mark.parametrize("spelling", [
    "SET martlet.route = 'primary'",
    'SET martlet.route TO "primary"',
    "set session martlet.route='primary'",
    "SELECT set_config('martlet.route', 'primary', false)",
])
def test_a_session_can_ask_for_the_primary(martlet, primary_port, replica_ports, spelling):
    with martlet.connect() as connection:
        connection.execute(spelling)
        assert value(connection, "SHOW martlet.route") == "primary"
        assert {where(connection) for _ in range(5)} == {primary_port}
        connection.execute("RESET martlet.route")
        # What it has read on the primary, a replica must have replayed first.
        wait_until("reads on replicas", lambda: where(connection) in replica_ports, 30)


def test_a_route_can_be_asked_for_at_connect(martlet, primary_port):
    with martlet.connect(options="-c martlet.route=primary") as connection:
        assert {where(connection) for _ in range(5)} == {primary_port}


def test_a_replica_hint_never_takes_a_write_to_a_replica(martlet, primary_port):
    with martlet.connect() as connection:
        connection.execute("SET martlet.route = 'replica'")
        try:
            port = value(connection, WRITES[0])
        except psycopg.Error as refused:
            assert refused.sqlstate == "25006"
        else:
            assert port == primary_port
        connection.execute("SET martlet.route = 'auto'")
        assert value(connection, WRITES[0]) == primary_port


def test_a_route_by_configuration(start_martlet, primary_port):
    endpoint = start_martlet({"pools": {"overrides": [{"user": "app", "route": "primary"}]}})
    with endpoint.connect() as connection:
        assert {where(connection) for _ in range(5)} == {primary_port}


# Edge cases: 85
def test_a_refused_read_is_run_again_on_the_primary_and_remembered(martlet):
    def retries():
        return martlet.metrics().sum("martlet_retries_total")

    before = retries()
    numbers = []
    with martlet.connect() as connection:
        def refused():
            # While the catalogue is not known yet it goes to the primary at once.
            numbers.append(value(connection, "SELECT claims_to_be_stable()"))
            return retries() > before

        wait_until("a refusal", refused, 60)
        numbers.append(value(connection, "SELECT claims_to_be_stable()"))
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert retries() == before + 1, "the shape is remembered"


# Edge cases: 97
def test_a_refused_read_in_the_extended_protocol_is_run_again(martlet):
    with martlet.connect(prepare_threshold=0) as connection:
        numbers = [
            value(connection, "SELECT claims_to_be_stable() + %s - %s", (n, n)) for n in range(4)
        ]
    assert numbers == list(range(numbers[0], numbers[0] + 4))


# Edge cases: 84
def test_a_new_volatile_function_is_known_at_once(martlet, primary_port):
    with martlet.connect() as connection:
        connection.execute(
            "CREATE OR REPLACE FUNCTION writes_since_now() RETURNS integer LANGUAGE plpgsql AS"
            " 'BEGIN UPDATE items SET value = value WHERE id = 4; RETURN inet_server_port(); END'"
        )
        try:
            for _ in range(5):
                assert value(connection, "SELECT writes_since_now()") == primary_port
        finally:
            connection.execute("DROP FUNCTION writes_since_now()")


# Edge cases: 91
def test_an_unparsable_statement_gets_the_primarys_error(martlet):
    with martlet.connect() as connection:
        for statement in ("SELEC 1", "SELECT 'open", "SELECT $$open", "/* open", "frobnicate ("):
            with pytest.raises(psycopg.errors.SyntaxError):
                connection.execute(statement)
        assert value(connection, "SELECT 1") == 1


def test_an_empty_query_is_answered(martlet):
    with Wire(martlet.port).login() as wire:
        for text in ("", ";", "-- nothing", " ; ; "):
            answer = wire.ask(query(text))
            assert [kind for kind, _ in answer] == [b"I", b"Z"]
