# SPDX-License-Identifier: Apache-2.0
"""Clusters of two nodes, one after the other, and the martlet that the clients are run against.

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

VARIANTS = {
    "15": {},
    "17 with TLS": {"postgres": 17, "tls": True, "client_certificates": False},
    "18": {"postgres": 18},
}
PORTS = Ports(martlet=16482, http=19482, postgres=15441, patroni=18041, etcd=12409, etcd_peer=12410)


def running_cluster(variant, keep):
    """The cluster that an earlier run left, if it is wanted and well."""
    cluster = Cluster.load("conformance")
    if not cluster:
        return None
    if keep and cluster.etcd.alive and cluster.settings.postgres == variant.get("postgres", 15):
        wait_until("the kept cluster", cluster.healthy, 60)
        return cluster
    cluster.stop()
    return None


def new_cluster(variant):
    """One primary, one replica, and the clients' user."""
    cluster = Cluster(Settings("conformance", PORTS, nodes=2, **variant))
    cluster.start()
    cluster.run(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
        sql.Identifier(USER), sql.Literal(PASSWORD)))
    return cluster


def tls_settings(authority):
    """No byte in clear on either side of martlet."""
    authority.make("proxy")
    return {
        "client_tls": {"sslmode": "require", "cert_file": str(authority.path("proxy.crt")),
                       "key_file": str(authority.path("proxy.key"))},
        "server_tls": {"sslmode": "verify-full", "ca_file": str(authority.file)},
        "patroni": {"ca_file": str(authority.file)},
    }


@pytest.fixture(scope="session", params=VARIANTS)
def cluster(request):
    """The cluster, of each version."""
    keep = "MARTLET_TEST_KEEP" in os.environ
    variant = VARIANTS[request.param]
    cluster = running_cluster(variant, keep) or new_cluster(variant)
    yield cluster
    if not keep:
        cluster.stop()


@pytest.fixture(scope="session")
def martlet(cluster):
    """The martlet that all clients share, with the standard settings."""
    tls = tls_settings(cluster.authority) if cluster.settings.tls else {}
    one = Martlet(cluster, binary(), changes=tls)
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
