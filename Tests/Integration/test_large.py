# SPDX-License-Identifier: Apache-2.0
"""Large messages and slow peers do not grow martlet's memory."""

import struct
import threading

from localcluster.processes import wait_until
from support.endpoint import value
from support.wire import SYNC, Wire, bind, error, execute, message, parse, query, rows, status

MEGABYTE = 1 << 20
ALLOWED = 48 * MEGABYTE


def stalled(cluster, text):
    """Whether the server waits for somebody to read what it has sent."""
    question = ("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"
                " AND position(%s in query) > 0")
    return any(cluster.run(question, name, parameters=(text,))[0][0] for name in cluster.names)


# Edge cases: 92
def test_a_slow_reader_of_a_large_result(cluster, martlet):
    rows_wanted, width = 512, MEGABYTE
    before = martlet.resident_bytes()
    with Wire(martlet.port).login() as wire:
        wire.send(query(f"SELECT repeat('x', {width}), 'large' FROM"
                        f" generate_series(1, {rows_wanted})"))
        wait_until("the server to wait", lambda: stalled(cluster, "'large'"), 60)
        highest, count, size = martlet.resident_bytes(), 0, 0
        # Others are served while this one does not read.
        with martlet.connect() as other:
            assert value(other, "SELECT 1") == 1
        while (found := wire.receive())[0] != b"Z":
            if found[0] == b"D":
                count, size = count + 1, size + len(found[1])
            if count % 64 == 0:
                highest = max(highest, martlet.resident_bytes())
    assert count == rows_wanted and size >= rows_wanted * width
    assert highest - before < ALLOWED


# Edge cases: 94
def test_a_reader_that_never_reads_and_then_leaves(cluster, martlet):
    before = martlet.resident_bytes()
    wires = [Wire(martlet.port).login() for _ in range(8)]
    for wire in wires:
        wire.send(query("SELECT repeat('y', 1000), 'unread' FROM generate_series(1, 1000000)"))
    wait_until("the servers to wait", lambda: stalled(cluster, "'unread'"), 60)
    highest = martlet.resident_bytes()
    for wire in wires:
        wire.socket.close()
    wait_until("the servers to be free", lambda: not stalled(cluster, "'unread'"), 60)
    assert highest - before < ALLOWED
    with martlet.connect() as other:
        assert value(other, "SELECT 1") == 1


# Edge cases: 94
def test_a_reader_that_never_reads_is_let_go_where_there_is_a_limit(cluster, start_martlet):
    strict = start_martlet({"tcp": {"user_timeout": "1s"}})
    with Wire(strict.port).login() as wire:
        wire.send(query("SELECT repeat('z', 1000), 'never read' FROM generate_series(1, 1000000)"))
        wait_until("the server to wait", lambda: stalled(cluster, "'never read'"), 60)
        # The client is still there, with its window closed.
        wait_until("the server to be free", lambda: not stalled(cluster, "'never read'"), 60)


# Edge cases: 92
def test_a_large_parameter_is_streamed(martlet):
    size = 200 * MEGABYTE
    before, highest = martlet.resident_bytes(), 0
    with Wire(martlet.port, timeout=200).login() as wire:
        header = b"\0\0" + struct.pack("!hhi", 0, 1, size)
        wire.send(parse("/* martlet: primary */ SELECT length($1::text)"))
        wire.send(b"B", struct.pack("!i", 4 + len(header) + size + 2), header)
        for _ in range(200):
            wire.send(b"z" * MEGABYTE)
            highest = max(highest, martlet.resident_bytes())
        wire.send(b"\0\0", execute(), SYNC)
        answer = wire.ready()
    assert error(answer) is None and rows(answer) == [(str(size),)]
    assert highest - before < ALLOWED


def test_a_large_statement_is_run_on_the_primary(martlet, primary_port):
    padding = "/* " + "p" * (3 * MEGABYTE) + " */"
    with Wire(martlet.port).login() as wire:
        answer = wire.ask(query(f"SELECT inet_server_port() {padding}"))
        assert rows(answer) == [(str(primary_port),)]
        answer = wire.ask(parse(f"SELECT inet_server_port() {padding}"), bind(), execute(), SYNC)
        assert rows(answer) == [(str(primary_port),)]


# Edge cases: 34
def test_a_client_that_sends_much_before_it_reads(martlet):
    count = 20_000
    before = martlet.resident_bytes()
    with Wire(martlet.port, timeout=200).login() as wire:
        one = query("SELECT repeat('w', 2000)")
        sender = threading.Thread(target=lambda: wire.send(*[one] * count))
        sender.start()
        highest = 0
        for number in range(count):
            answer = wire.ready()
            assert len(answer) == 4 and status(answer) == "I"
            if number % 1000 == 0:
                highest = max(highest, martlet.resident_bytes())
        sender.join()
    assert highest - before < ALLOWED


def test_a_large_copy_in(martlet):
    line = message(b"d", b"1\t" + b"c" * 60_000 + b"\n")
    with martlet.connect() as connection:
        connection.execute("CREATE TABLE large_copy (n integer, t text)")
    before, highest = martlet.resident_bytes(), 0
    try:
        with Wire(martlet.port, timeout=200).login() as wire:
            wire.send(query("COPY large_copy FROM STDIN"))
            wire.until(b"G")
            for _ in range(100):
                wire.send(*[line] * 16)
                highest = max(highest, martlet.resident_bytes())
            wire.send(message(b"c"))
            assert error(wire.ready()) is None
        assert highest - before < ALLOWED
        with martlet.connect() as connection:
            assert value(connection, "SELECT count(*) FROM large_copy") == 1600
    finally:
        with martlet.connect() as connection:
            connection.execute("DROP TABLE large_copy")
