# SPDX-License-Identifier: Apache-2.0
"""In the steady state a unit of work allocates nothing on martlet's heap."""

import struct
import subprocess
from pathlib import Path

import pytest
from support.wire import SYNC, Wire, bind, execute, parse, query

LIBRARY = Path(__file__).resolve().parents[2] / "benchmarks/clients/allocations.c"
WARM, UNITS = 2_000, 10_000


@pytest.fixture
def counted(tmp_path, start_martlet):
    """A martlet under a library that counts, and a function that reads the count."""
    library, file = tmp_path / "allocations.so", tmp_path / "count"
    subprocess.run(["clang", "-O2", "-shared", "-fPIC", "-o", library, LIBRARY], check=True)
    endpoint = start_martlet(
        {"shards": 1}, {"LD_PRELOAD": str(library), "BENCH_ALLOCATIONS": str(file)})
    return endpoint, lambda: struct.unpack("q", file.read_bytes())[0]


@pytest.mark.parametrize("route", ["primary", "replica"])
@pytest.mark.parametrize("protocol", ["simple", "prepared"])
def test_unit_allocates_nothing(counted, protocol, route):
    """The rest is what probes and logs allocate meanwhile: far less than one for a unit."""
    endpoint, count = counted
    with Wire(endpoint.port) as client:
        client.login()
        client.ask(query(f"SET martlet.route = '{route}'"))
        unit = query("SELECT value FROM items WHERE id = 7")
        if protocol == "prepared":
            client.ask(parse("SELECT value FROM items WHERE id = $1", "read"), SYNC)
            unit = bind("read", parameters=[7]) + execute() + SYNC
        for _ in range(WARM):
            client.ask(unit)
        before = count()
        for _ in range(UNITS):
            client.ask(unit)
        assert count() - before < UNITS
