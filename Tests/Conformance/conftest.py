# SPDX-License-Identifier: Apache-2.0
"""A cluster of two nodes and the martlet that the clients are run against.

MARTLET_TEST_BINARY  the executable to test; else .build/release, else .build/debug
MARTLET_TEST_KEEP    set: use a cluster that an earlier run left, and leave it for the next
"""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(REPOSITORY / "deploy/local"), str(REPOSITORY / "Tests/Integration")]
sys.dont_write_bytecode = True

# These need the path above.
from localcluster.cluster import Cluster, Settings  # noqa: E402
from localcluster.ports import Ports  # noqa: E402
from localcluster.processes import wait_until  # noqa: E402
from localcluster.proxy import Martlet  # noqa: E402
from psycopg import sql  # noqa: E402
from support.binary import binary  # noqa: E402
from support.endpoint import PASSWORD, USER, Endpoint  # noqa: E402

PORTS = Ports(martlet=16482, http=19482, postgres=15441, patroni=18041, etcd=12409, etcd_peer=12410)


def running_cluster(keep):
    """The cluster that an earlier run left, if it is wanted and well."""
    cluster = Cluster.load("conformance")
    if not cluster:
        return None
    if keep and cluster.etcd.alive:
        wait_until("the kept cluster", cluster.healthy, 60)
        return cluster
    cluster.stop()
    return None


def new_cluster():
    """One primary, one replica, and the clients' user."""
    cluster = Cluster(Settings("conformance", PORTS, nodes=2))
    cluster.start()
    cluster.run(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
        sql.Identifier(USER), sql.Literal(PASSWORD)))
    return cluster


@pytest.fixture(scope="session")
def cluster():
    """The cluster."""
    keep = "MARTLET_TEST_KEEP" in os.environ
    cluster = running_cluster(keep) or new_cluster()
    yield cluster
    if not keep:
        cluster.stop()


@pytest.fixture(scope="session")
def martlet(cluster):
    """The martlet that all clients share, with the standard settings."""
    one = Martlet(cluster, binary())
    one.stop()
    one.create_account()
    one.write_configuration()
    one.start()
    endpoint = Endpoint(cluster, one)
    try:
        endpoint.wait_settled()
        yield endpoint
    finally:
        one.stop()
