# SPDX-License-Identifier: Apache-2.0
"""A cancel request may come to another martlet than the one that has the session."""

import os
import struct
import threading

import pytest
from localcluster.processes import wait_until
from support.libpq18 import Libpq18
from support.wire import PROTOCOL_3_0, PROTOCOL_3_2, Wire, error, query, rows
from test_cancel import cancel, running


@pytest.fixture
def pair(cluster, martlet, start_martlet):
    """Two martlets that have the same list of all."""
    first = martlet.port + 1
    peers = {"peers": {"addresses": [f"127.0.0.1:{first}", f"127.0.0.1:{first + 1}"]}}
    both = [start_martlet(peers), start_martlet(peers)]
    for one in both:
        wait_until("the peers", lambda one=one: "peer list updated" in one.log(), 30)
    return both


def cancels(endpoint, result):
    return endpoint.metrics().sum("martlet_cancels_total", result=result)


# Edge cases: 48
@pytest.mark.parametrize("version", [PROTOCOL_3_0, PROTOCOL_3_2])
def test_the_other_one_passes_it_on(cluster, pair, version):
    here, there = pair
    with Wire(here.port).login(version=version) as wire:
        assert len(wire.key) == (8 if version == PROTOCOL_3_0 else 36)
        wire.send(query(f"SELECT pg_sleep(600), 'elsewhere {version}'"))
        wait_until("it to run", lambda: running(cluster, f"elsewhere {version}"), 30)
        cancel(there.port, wire.key)
        assert error(wire.ready())["C"] == "57014"
        assert rows(wire.ask(query("SELECT 1"))) == [("1",)]
        assert cancels(there, "forwarded") == cancels(here, "delivered") == 1
        # It came with the mark that it was passed on, and so goes no further.
        marked = struct.pack("!I", struct.unpack("!I", wire.key[:4])[0] | 1 << 31) + os.urandom(4)
        for one in pair:
            cancel(one.port, marked)
            wait_until("it to be dropped", lambda one=one: cancels(one, "ignored") == 1, 30)
        assert cancels(there, "forwarded") == 1


def test_keys_that_are_nobodys(pair):
    here, there = pair
    with Wire(here.port).login() as wire:
        wire.send(query("SELECT pg_sleep(0.5), 'kept'"))
        for number in range(200):
            cancel(there.port, wire.key[:4] + os.urandom(4))
            cancel(there.port, os.urandom(8 + number % 29))
        assert rows(wire.ready()) == [("", "kept")]
    assert cancels(here, "delivered") == 0
    # Those that named the other; and of the rest, one in a hundred or so by chance.
    assert 200 <= cancels(there, "forwarded") <= 230
    for one in pair:
        assert cancels(one, "forwarded") + cancels(one, "ignored") < 1000


def test_a_peer_that_is_gone(cluster, pair, martlet):
    here, there = pair
    with Wire(here.port).login() as wire:
        key = wire.key
        here.martlet.stop()
    for _ in range(100):
        cancel(there.port, key)
    with Wire(there.port).login() as wire:
        assert rows(wire.ask(query("SELECT 1"))) == [("1",)]


@pytest.mark.parametrize("version", ["3.0", "3.2", "latest"])
def test_libpq_18(cluster, martlet, version):
    address = {**martlet.address(), "max_protocol_version": version, "sslmode": "disable"}
    with Libpq18(address) as connection:
        assert connection.protocol == (30000 if version == "3.0" else 30002)
        assert connection.execute("SELECT 41 + 1") == (None, "42")
        answer = []
        runner = threading.Thread(target=lambda: answer.append(
            connection.execute(f"SELECT pg_sleep(600), 'libpq 18 {version}'")))
        runner.start()
        wait_until("it to run", lambda: running(cluster, f"libpq 18 {version}"), 30)
        connection.cancel()
        runner.join()
        assert answer == [("57014", None)]
        assert connection.execute("SELECT 1") == (None, "1")
