# SPDX-License-Identifier: Apache-2.0
"""A cancel request ends the statement of the client that it was for, and no other."""

import os
import struct
import threading
import time

import psycopg
import pytest
from localcluster.processes import wait_until
from support.endpoint import value
from support.wire import Wire, error, query, rows

CANCEL_CODE = 80877102


def cancel(port, key):
    """Sends a CancelRequest and waits until the other side closes."""
    with Wire(port) as wire:
        wire.send(struct.pack("!ii", 8 + len(key), CANCEL_CODE) + key)
        assert wire.rest() == []


# Edge cases: 45
@pytest.mark.parametrize("hint", ["", "/* martlet: primary */ "])
def test_a_running_statement_is_cancelled(cluster, martlet, hint):
    with Wire(martlet.port).login() as wire:
        wire.send(query(f"{hint}SELECT pg_sleep(600), 'to be cancelled{len(hint)}'"))
        wait_until("it to run", lambda: running(cluster, f"to be cancelled{len(hint)}"), 30)
        cancel(martlet.port, wire.key)
        answer = wire.ready()
        assert error(answer)["C"] == "57014"
        assert rows(wire.ask(query("SELECT 1"))) == [("1",)]


def running(cluster, text):
    """Whether some node works on a statement with this text."""
    question = ("SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                " AND position(%s in query) > 0 AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend' AND usename = 'app'")
    return any(cluster.run(question, name, parameters=(text,))[0][0] for name in cluster.names)


def test_by_a_driver(martlet, cluster):
    with martlet.connect() as connection:
        def stop():
            wait_until("it to run", lambda: running(cluster, "by a driver"), 30)
            connection.cancel_safe()

        helper = threading.Thread(target=stop)
        helper.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(600), 'by a driver'")
        helper.join()
        assert value(connection, "SELECT 1") == 1


# Edge cases: 45
def test_a_wrong_key_cancels_nothing(martlet):
    with Wire(martlet.port).login() as wire:
        wire.send(query("SELECT pg_sleep(0.5), 'kept'"))
        for key in (wire.key[:4] + os.urandom(4), os.urandom(8), bytes(8), wire.key[:4] + bytes(4)):
            cancel(martlet.port, key)
        assert rows(wire.ready()) == [("", "kept")]


@pytest.mark.parametrize("key", [b"", b"\0", bytes(7), bytes(300)])
def test_a_key_of_a_wrong_length_is_harmless(martlet, key):
    cancel(martlet.port, key)
    with martlet.connect() as connection:
        assert value(connection, "SELECT 1") == 1


# Edge cases: 45
def test_of_an_idle_client_does_nothing(martlet):
    with Wire(martlet.port).login() as wire:
        for _ in range(20):
            cancel(martlet.port, wire.key)
            assert rows(wire.ask(query("SELECT 1"))) == [("1",)]


# Edge cases: 46
def test_it_never_hits_the_next_client(start_martlet):
    # With one server a node every statement follows closely upon that of somebody else.
    endpoint = start_martlet({"pools": {"size": 1}})
    ended, hit, done = threading.Event(), [], []

    def innocent():
        with endpoint.connect() as connection:
            while not ended.is_set():
                try:
                    connection.execute("/* martlet: primary */ SELECT pg_sleep(0.002)")
                    done.append(1)
                except psycopg.Error as failure:
                    hit.append(failure)

    others = [threading.Thread(target=innocent) for _ in range(6)]
    for other in others:
        other.start()
    cancelled = 0
    with Wire(endpoint.port).login() as wire:
        for number in range(150):
            wire.send(query("/* martlet: primary */ SELECT pg_sleep(0.003)"))
            # At every phase of the statement: waiting, running, just ended.
            time.sleep((number % 15) / 1000)
            cancel(endpoint.port, wire.key)
            cancelled += error(wire.ready()) is not None
    ended.set()
    for other in others:
        other.join()
    assert not hit, f"{len(hit)} of {len(done)}: {hit[0]}"
    assert done and cancelled


# Edge cases: 50
def test_of_a_client_that_waits_for_a_server(start_martlet):
    endpoint = start_martlet({"pools": {"size": 1}})
    with endpoint.connect() as holder, Wire(endpoint.port).login() as waiting:
        with holder.transaction():
            holder.execute("UPDATE items SET value = 0 WHERE id = 50")
            waiting.send(query("UPDATE items SET value = 1 WHERE id = 50"))
            wait_until("a waiting client",
                       lambda: endpoint.metrics().sum("martlet_waiting_clients") == 1, 30)
            cancel(endpoint.port, waiting.key)
            assert error(waiting.ready())["C"] == "57014"
        assert rows(waiting.ask(query("SELECT 1"))) == [("1",)]
