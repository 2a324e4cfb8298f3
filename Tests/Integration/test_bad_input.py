# SPDX-License-Identifier: Apache-2.0
"""Clients that break the protocol, or say nothing, or never read, hurt only themselves."""

import contextlib
import os
import random
import socket
import struct
import time

import pytest
from localcluster.processes import wait_until
from support.endpoint import DATABASE, USER, value
from support.wire import (
    PROTOCOL_3_0, SYNC, Wire, bind, error, execute, kinds, message, parse, query, rows, startup,
    text,
)

GOOD = {"user": USER, "database": DATABASE}
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)


@pytest.fixture(autouse=True)
def others_are_unaffected(martlet):
    """Around every test: another client goes on, and nothing is leaked."""
    with martlet.connect() as other:
        assert value(other, "SELECT 1") == 1
        yield
        assert value(other, "SELECT 2") == 2
        wait_until("the bad clients to be gone",
                   lambda: martlet.metrics().sum("martlet_clients") <= 1, 60)


# Edge cases: 5
@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
    struct.pack("!ii", 3, PROTOCOL_3_0),
    struct.pack("!ii", -1, PROTOCOL_3_0),
    struct.pack("!ii", 0x7fffffff, PROTOCOL_3_0),
    struct.pack("!ii", 10_001, PROTOCOL_3_0) + bytes(9_993),
    struct.pack("!ii", 8, PROTOCOL_3_0),
    struct.pack("!ii", 9, PROTOCOL_3_0) + b"u",
    struct.pack("!ii", 14, PROTOCOL_3_0) + b"user\0x",
    struct.pack("!ii", 14, PROTOCOL_3_0) + b"user\0\0",
    startup({"database": DATABASE}),
    startup(GOOD, version=0x00020000),
    startup(GOOD, version=0x00040000),
    startup({**GOOD, "replication": "perhaps"}),
    SSL_REQUEST + SSL_REQUEST + SSL_REQUEST,
    os.urandom(5000),
    bytes(5000),
], ids=lambda data: repr(data[:12]))
def test_a_wrong_start(martlet, data):
    with Wire(martlet.port) as wire:
        with contextlib.suppress(ConnectionError):
            wire.send(data)
            wire.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            answer = b""
            while chunk := wire.socket.recv(65536):
                answer += chunk
            answer = answer.lstrip(b"N")
            # Nothing, or one complete FATAL error with an SQLSTATE.
            # To somebody who speaks version 2 it may answer in that version's words.
            if answer and not answer.startswith(b"EFATAL:"):
                assert answer[:1] == b"E"
                assert len(answer) == 1 + struct.unpack("!i", answer[1:5])[0]
                assert error([(b"E", answer[5:])])["S"] == "FATAL"
                assert len(error([(b"E", answer[5:])])["C"]) == 5


# Edge cases: 1
@pytest.mark.parametrize("requests", [[SSL_REQUEST], [GSS_REQUEST], [SSL_REQUEST, GSS_REQUEST],
                                      [GSS_REQUEST, SSL_REQUEST]])
def test_encryption_requests_are_answered(martlet, requests):
    with Wire(martlet.port) as wire:
        for one in requests:
            wire.send(one)
            assert wire.socket.recv(1) == b"N"
        wire.login()
        assert rows(wire.ask(query("SELECT 1"))) == [("1",)]


# Edge cases: 2
def test_a_newer_minor_version_is_negotiated(martlet):
    with Wire(martlet.port) as wire:
        wire.send(startup({**GOOD, "_pq_.unknown": "1"}, version=PROTOCOL_3_0 + 99))
        kind, body = wire.receive()
        assert kind == b"v"
        newest, count = struct.unpack("!ii", body[:8])
        assert newest & 0xffff <= 2 and count == 1 and body[8:] == text("_pq_.unknown")


# Edge cases: 5
def test_a_start_in_single_bytes(martlet):
    from support.endpoint import PASSWORD
    with Wire(martlet.port) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in startup({**GOOD, "application_name": "slow"}):
            wire.send(bytes([byte]))
        assert wire.authenticate(PASSWORD)[-1][0] == b"Z"
        for byte in query("SELECT 'in single bytes'"):
            wire.send(bytes([byte]))
        assert rows(wire.ready()) == [("in single bytes",)]


# Edge cases: 93
@pytest.mark.parametrize("data", [
    message(b"?"),
    message(b"\0"),
    message(b"R", b"\0\0\0\0"),
    message(b"Z", b"I"),
    b"Q" + struct.pack("!i", 3),
    b"Q" + struct.pack("!i", 0),
    b"Q" + struct.pack("!i", -5) + b"SELECT 1",
    b"Q" + struct.pack("!i", 0x7fffffff) + b"SELECT 1",
    b"P" + struct.pack("!i", 0x40000001) + b"x",
    message(b"Q", b"SELECT 1"),
    message(b"Q", b""),
    message(b"P", b"no terminator"),
    message(b"P", text("s") + text("SELECT 1") + struct.pack("!h", 9)),
    message(b"B", text("") + text("") + struct.pack("!hhi", 0, 1, 100)),
    message(b"B", text("") + text("") + struct.pack("!hhi", 0, 1, -7)),
    message(b"B", text("")),
    message(b"E", text("")),
    message(b"D", b""),
    message(b"D", b"X\0"),
    message(b"C", b"?\0"),
    message(b"S", b"too much"),
    message(b"F", b"\0"),
    message(b"p", b"a password now"),
], ids=lambda data: repr(data[:14]))
def test_a_wrong_message_after_login(martlet, data):
    with Wire(martlet.port).login() as wire:
        with contextlib.suppress(ConnectionError):
            wire.send(data, SYNC)
            wire.socket.shutdown(socket.SHUT_WR)
        found = wire.rest()
        problem = error(found)
        # Either the protocol is over with an error, or (a malformed but bounded message) the
        # server's own error came; never a result.
        assert "D" not in kinds(found)
        if problem:
            assert problem["C"][:2] in ("08", "22", "42", "26", "34", "54"), problem
        assert problem or not found or kinds(found) == "Z"


def test_a_client_that_says_nothing_is_let_go(start_martlet):
    endpoint = start_martlet({"clients": {"login_timeout": "1s"}})
    with Wire(endpoint.port) as silent, Wire(endpoint.port) as started:
        started.send(startup(GOOD))
        for wire in (silent, started):
            found = wire.rest()
            assert all(kind in (b"R", b"E") for kind, _ in found)
    wait_until("them to be gone",
               lambda: endpoint.metrics().sum("martlet_clients") == 0, 30)


PHASES = {
    "amid the start": lambda wire: wire.send(startup(GOOD)[:9]),
    "amid the exchange": lambda wire: wire.send(startup(GOOD)),
    "idle": lambda wire: wire.login(),
    "amid a message": lambda wire: wire.login().send(query("SELECT 1")[:7]),
    "amid a statement": lambda wire: wire.login().send(query("SELECT pg_sleep(0.2)")),
    "amid a pipeline": lambda wire: wire.login().send(
        *[parse("SELECT repeat('x', 9999)") + bind() + execute()] * 500, SYNC),
    "without Sync": lambda wire: wire.login().send(parse("SELECT 1"), bind(), execute()),
    "amid a transaction": lambda wire: wire.login().ask(query("BEGIN; SELECT 1")),
    "amid a failed transaction": lambda wire: wire.login().ask(query("BEGIN; SELECT 1/0")),
    "amid a copy": lambda wire: wire.login().send(query("COPY items FROM STDIN")),
    "amid a large result": lambda wire: wire.login().send(
        query("SELECT repeat('x', 9999) FROM generate_series(1, 20000)")),
    "pinned": lambda wire: wire.login().ask(query("CREATE TEMP TABLE leaving (n integer)")),
}


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("phase", PHASES)
def test_a_client_that_leaves(cluster, martlet, phase, reset):
    for _ in range(5):
        wire = Wire(martlet.port)
        PHASES[phase](wire)
        if reset:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.socket.close()
    question = ("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"
                " AND state <> 'idle'")
    wait_until("the servers to be idle",
               lambda: all(cluster.run(question, name)[0][0] == 0 for name in cluster.names), 60)
    with martlet.clients(10) as others:
        for other in others:
            assert other.execute("SELECT 1, 'x'").fetchone() == (1, "x")
            assert value(other, "UPDATE items SET note = note WHERE id = 70 RETURNING 5") == 5


def own_descriptors(martlet):
    """The descriptors that martlet has beside those of its pools, which grow and shrink."""
    servers = martlet.metrics().sum("martlet_servers")
    return len(os.listdir(f"/proc/{martlet.martlet.process.pid}/fd")) - servers


def test_noise(martlet):
    chance = random.Random(20)
    process = martlet.martlet.process.pid
    # Its own connections to Patroni and PostgreSQL come and go: the most of one second.
    before = 0
    for _ in range(20):
        before = max(before, own_descriptors(martlet))
        time.sleep(0.05)
    for number in range(200):
        with Wire(martlet.port) as wire, contextlib.suppress(ConnectionError):
            if chance.random() < 0.5:
                wire.login()
            wire.send(chance.randbytes(chance.choice([1, 4, 5, 8, 100, 3000])))
        with martlet.connect() as connection:
            assert value(connection, "SELECT 1") == 1, f"round {number}"
        assert martlet.martlet.process.pid == process, f"round {number}"
    wait_until(f"martlet to have no more than {before} descriptors of its own",
               lambda: own_descriptors(martlet) <= before, 60)


def test_a_flood_of_connections_that_say_nothing(martlet):
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(Wire(martlet.port))
        with martlet.connect() as connection:
            assert value(connection, "SELECT 1") == 1
