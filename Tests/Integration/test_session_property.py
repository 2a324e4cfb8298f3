# SPDX-License-Identifier: Apache-2.0
"""Random statements of two clients that share one server: each sees what PostgreSQL itself shows.

MARTLET_PROPERTY_SEED       the seed of the first sequence, or `random`, which is printed; else 1
MARTLET_PROPERTY_SEQUENCES  how many; by default one of a given seed, else about a minute's worth
"""

import os
import random

import pytest
from conftest import Martlet
from localcluster.processes import wait_until
from support.comparison import Comparison, smallest
from support.endpoint import DATABASE, USER, Endpoint
from support.statements import ROLE, SCHEMA, Generator

# The direct clients' own: advisory locks and notifications belong to one database.
DIRECT = "app_direct"


@pytest.fixture(scope="module")
def endpoints(cluster, martlet):
    """(port, database) of the primary and of a martlet with one server a node."""
    cluster.run(f"DROP DATABASE IF EXISTS {DIRECT}")
    cluster.run(f"CREATE DATABASE {DIRECT} OWNER {USER}")
    cluster.run(f"CREATE ROLE {ROLE}")
    cluster.run(f"GRANT {ROLE} TO {USER}")
    for database in (DATABASE, DIRECT):
        with cluster.connect(database=database) as connection:
            connection.execute(f"SET ROLE {USER}")
            connection.execute(SCHEMA)
    cluster.wait_replayed()
    # A client that waits for a server is the test's mistake, or martlet's.
    one = Martlet(cluster, martlet.martlet.binary, 9,
                  {"pools": {"size": 1, "wait_timeout": "10s"}})
    one.stop()
    one.write_configuration()
    one.start()
    endpoint = Endpoint(cluster, one)
    endpoint.wait_settled()
    yield (cluster.port_of(cluster.primary()), DIRECT), (endpoint.port, DATABASE)
    one.stop()
    wait_until("no session", lambda: not cluster.run(
        f"SELECT FROM pg_stat_activity WHERE datname = '{DIRECT}'"), 30)
    cluster.run(f"DROP DATABASE {DIRECT}")
    cluster.run("DROP SCHEMA one, two CASCADE", database=DATABASE)
    cluster.run(f"DROP ROLE {ROLE}")


def seeds():
    """Those of this run."""
    given = os.environ.get("MARTLET_PROPERTY_SEED")
    is_one = given and given != "random"
    count = int(os.environ.get("MARTLET_PROPERTY_SEQUENCES", 1 if is_one else 1000))
    chance = random.SystemRandom().randrange(1 << 32)
    first = chance if given == "random" else int(given or 1)
    print(f"MARTLET_PROPERTY_SEED={first} MARTLET_PROPERTY_SEQUENCES={count}")
    return range(first, first + count)


# Edge cases: 68
# Every single wait for an answer has a limit.
@pytest.mark.timeout(0)
def test_sessions_are_as_on_one_server(endpoints):
    for seed in seeds():
        generator = Generator(seed)
        steps = generator.steps()
        difference = compare(endpoints, generator.startups, steps)
        if difference:
            report(endpoints, seed, generator.startups, steps, difference)


def compare(endpoints, startups, steps):
    """The first difference of a run with new clients, or None."""
    return Comparison(*endpoints, startups).run(steps)


def report(endpoints, seed, startups, steps, difference):
    """Fails with the fewest steps that still do."""
    found = smallest(steps, lambda fewer: compare(endpoints, startups, fewer) is not None)
    lines = [f"MARTLET_PROPERTY_SEED={seed}, clients that start with {startups}:", *map(str, found)]
    again = compare(endpoints, startups, found)
    lines.append(str(again) if again else f"not every time; at first, of {steps}:\n{difference}")
    pytest.fail("\n".join(lines), pytrace=False)
