# SPDX-License-Identifier: Apache-2.0
"""A server that breaks the protocol is closed and never used again; nobody gets its bytes."""

import struct

import pytest
from localcluster.processes import wait_until
from support.breaking import MARK, FalsePatroni
from support.endpoint import value
from support.wire import Wire, error, message, query, rows

READY = message(b"Z", b"I")
# What is sent in place of a server's answer, and whether the connection then stays open.
BREAKAGES = {
    "an unknown kind": lambda data: (message(b"?", b"what") + data, True),
    "a short length": lambda data: (b"D" + struct.pack("!i", 3) + data, True),
    "a negative length": lambda data: (b"D" + struct.pack("!i", -4) + data, True),
    "an endless length": lambda data: (b"D" + struct.pack("!i", 0x7fffffff) + data, True),
    "half an answer": lambda data: (data[: len(data) // 2], False),
    "nothing": lambda data: (b"", False),
    "an answer too many": lambda data: (data + READY, True),
    "two answers at once": lambda data: (data + data, True),
    "a message of a client": lambda data: (message(b"Q", b"SELECT 1\0") + data, True),
    "a wrong status": lambda data: (message(b"Z", b"?"), True),
    "a ready without a status": lambda data: (message(b"Z", b""), True),
    "another login": lambda data: (message(b"R", b"\0\0\0\5salt") + data, True),
    "copy out of nowhere": lambda data: (message(b"d", b"x\n") + data, True),
    "noise": lambda data: (bytes(range(256)), False),
}


@pytest.fixture
def patroni(cluster):
    """The breaking relays."""
    one = FalsePatroni(cluster, BREAKAGES)
    yield one
    one.close()


# Edge cases: 93
@pytest.mark.parametrize("breakage", BREAKAGES)
def test_it_is_closed_and_nobody_else_notices(start_martlet, patroni, breakage):
    endpoint = start_martlet({"patroni": {"urls": patroni.urls}, "pools": {"size": 3}})
    with endpoint.clients(6) as others:
        for number, other in enumerate(others):
            assert value(other, "SELECT %s::integer", (number,)) == number
        with Wire(endpoint.port).login() as victim:
            victim.send(query(f"/* martlet: primary */ SELECT '{MARK.decode()}{breakage}'"))
            found = victim.rest_or_ready()
            problem = error(found)
            if problem:
                assert problem["C"][:2] in ("08", "57", "58"), problem
            else:
                # At most the answer itself; nothing of what was broken.
                assert rows(found) in ([], [(MARK.decode() + breakage,)])
        # A read that got nothing at all is asked again, as often as it may be.
        assert patroni.broken == 1 or (breakage == "nothing" and patroni.broken > 1)
        wait_until("martlet to close that server", lambda: patroni.closed == patroni.broken, 60)
        for round_ in range(10):
            for number, other in enumerate(others):
                hint = "/* martlet: primary */ " if round_ % 2 else ""
                assert value(other, f"{hint}SELECT {number * 100 + round_}") == (
                    number * 100 + round_)
    with endpoint.connect() as connection:
        assert value(connection, "SELECT 'still here'") == "still here"
