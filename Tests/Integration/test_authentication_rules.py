# SPDX-License-Identifier: Apache-2.0
"""Rules that say who may log in from where and how: every type and method, and their order."""

import contextlib
import functools
import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from localcluster.certificates import Authority
from localcluster.processes import wait_until
from support.endpoint import DATABASE, PASSWORD, USER, value
from test_authentication import accepted, account, attempt  # noqa: F401 (account is a fixture)


@pytest.fixture
def servers_ask(cluster):
    """Changes what every member's pg_hba.conf says of a user, for the time of a test."""
    kept = {}

    def put(method, user, password):
        required = {"trust": "none"}.get(method, method)

        def asks(name):
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(
                    host="127.0.0.1", port=cluster.port_of(name), dbname=DATABASE, user=user,
                    password=password, require_auth=required):
                return True
            return False

        for member in cluster.members():
            name = member["name"]
            file = Path(cluster.run("SHOW hba_file", name)[0][0])
            text = file.read_text()
            kept.setdefault(name, (file, text))
            file.write_text(f"host all {user} 127.0.0.1/32 {method}\n{text}")
            cluster.run("SELECT pg_reload_conf()", name)
            wait_until(f"{name} to ask for {method}", functools.partial(asks, name), 30)

    yield put
    for name, (file, text) in kept.items():
        file.write_text(text)
        cluster.run("SELECT pg_reload_conf()", name)


def md5_secret(cluster, name, password):
    """Gives a role a password of the old kind."""
    cluster.run(f"SET password_encryption = 'md5'; ALTER ROLE {name} PASSWORD '{password}'")
    secret = cluster.run("SELECT rolpassword FROM pg_authid WHERE rolname = %s",
                         parameters=[name])[0][0]
    assert secret.startswith("md5")
    cluster.wait_replayed()
    return secret


def ruled(start_martlet, *rules, **changes):
    """A martlet with these rules."""
    return start_martlet({"authentication": {"rules": list(rules)}, **changes})


def refusal(endpoint, **changes):
    """What a client is told that may not log in."""
    with pytest.raises(psycopg.OperationalError) as caught:
        endpoint.connect(**changes)
    return str(caught.value)


def nodes_of(connection):
    """Works on the primary and on replicas, each by a connection that has to be opened."""
    connection.execute("CREATE TEMPORARY TABLE probe (x int); DROP TABLE probe")
    return value(connection, "SELECT current_user")


def test_the_first_rule_that_matches_decides(start_martlet, account):  # noqa: F811
    account("app_first", "a password")
    endpoint = ruled(
        start_martlet,
        {"address": "10.0.0.0/8", "method": "trust"},
        {"database": "postgres", "user": [USER, "app_first"], "method": "reject"},
        {"database": ["nowhere", DATABASE], "user": USER, "method": "scram-sha-256"},
        {"user": "app_first", "address": ["::1", "127.0.0.0/8"], "method": "scram-sha-256"},
        {"user": "app_first", "method": "reject"},
    )
    assert accepted(endpoint, USER, PASSWORD)
    assert not accepted(endpoint, USER, "another")
    assert accepted(endpoint, "app_first", "a password")
    assert refusal(endpoint, dbname="postgres").rstrip().endswith(
        'FATAL:  an authentication rule rejects host "127.0.0.1", user "app", '
        'database "postgres", no encryption')
    assert (
        'no authentication rule for host "127.0.0.1", user "postgres", database "app", '
        "no encryption" in refusal(endpoint, user="postgres"))
    found = attempt(endpoint.port, "postgres", "x")
    assert [kind for kind, _ in found] == [b"E"] and b"C28000\0" in found[0][1]
    refused = endpoint.metrics().sum("martlet_logins_total", result="refused_by_rule")
    assert refused == 3


def test_sameuser(start_martlet):
    endpoint = ruled(start_martlet, {"database": "sameuser", "method": "scram-sha-256"})
    assert accepted(endpoint, USER, PASSWORD), "the database has the user's name"
    assert "no authentication rule" in refusal(endpoint, dbname="postgres")


def test_replication(cluster, start_martlet):
    replicator = {"user": "replicator", "password": cluster.settings.passwords["replicator"]}

    def identify(endpoint, mode):
        with endpoint.connect(**replicator, replication=mode) as connection:
            return connection.pgconn.exec_(b"IDENTIFY_SYSTEM").status == \
                psycopg.pq.ExecStatus.TUPLES_OK

    everything = ruled(start_martlet, {"method": "scram-sha-256"})
    assert "no authentication rule for replication connection from host \"127.0.0.1\", user " \
        "\"replicator\", no encryption" in refusal(everything, **replicator, replication="true")
    assert identify(everything, "database"), "logical replication is in a database"
    word = ruled(
        start_martlet, {"database": "replication", "user": "replicator", "method": "scram-sha-256"})
    assert identify(word, "true")
    assert "no authentication rule" in refusal(word, **replicator, replication="database")
    assert "no authentication rule" in refusal(word, **replicator)


def test_rules_are_reloaded(start_martlet):
    endpoint = ruled(start_martlet, {"method": "reject"})
    assert not accepted(endpoint, USER, PASSWORD)
    endpoint.martlet.write_configuration({"authentication": {"rules": [{"method": "md5"}]}})
    endpoint.martlet.reload()
    wait_until("the new rules", lambda: accepted(endpoint, USER, PASSWORD), 30)


def test_md5(cluster, start_martlet, account, servers_ask):  # noqa: F811
    account("app_md5_rule", "old")
    md5_secret(cluster, "app_md5_rule", "old")
    servers_ask("md5", "app_md5_rule", "old")
    endpoint = ruled(
        start_martlet,
        {"user": "app_md5_rule", "database": DATABASE, "method": "md5"},
        {"user": "app_md5_rule", "method": "scram-sha-256"},
        {"method": "md5"},
    )
    with endpoint.connect(user="app_md5_rule", password="old") as connection:
        assert nodes_of(connection) == "app_md5_rule"
        with contextlib.ExitStack() as stack:
            ports = {
                value(stack.enter_context(
                    endpoint.connect(user="app_md5_rule", password="old")),
                    "SELECT inet_server_port()")
                for _ in range(12)
            }
        assert ports <= {cluster.port_of(name) for name in cluster.replicas()}
    assert not accepted(endpoint, "app_md5_rule", "new")
    assert "password authentication failed" in refusal(
        endpoint, user="app_md5_rule", password="old", dbname="postgres")
    assert accepted(endpoint, USER, PASSWORD), "a secret of SCRAM is asked for by SCRAM"
    # A new secret of the new kind counts at once, and one of the old kind again.
    cluster.run("ALTER ROLE app_md5_rule PASSWORD 'new'")
    assert accepted(endpoint, "app_md5_rule", "new")
    assert not accepted(endpoint, "app_md5_rule", "old")


def test_md5_without_rules_and_from_the_configuration(
        cluster, start_martlet, account, servers_ask):  # noqa: F811
    account("app_md5_plain", "old")
    secret = md5_secret(cluster, "app_md5_plain", "old")
    servers_ask("md5", "app_md5_plain", "old")
    for settings in ({}, {"users": [{"name": "app_md5_plain", "secret": secret}]}):
        endpoint = start_martlet({"authentication": settings})
        assert accepted(endpoint, "app_md5_plain", "old")
        assert not accepted(endpoint, "app_md5_plain", "new")
        assert secret not in endpoint.log()


def test_trust(cluster, start_martlet, account, servers_ask):  # noqa: F811
    for name in ("app_trusted", "app_known", "app_asked"):
        account(name, "a password")
    servers_ask("trust", "app_trusted", "")
    endpoint = start_martlet({"authentication": {
        "rules": [{"user": ["app_trusted", "app_known", "app_asked", "nobody"],
                   "address": "127.0.0.1", "method": "trust"}],
        "users": [{"name": "app_known", "secret": "a password"}],
    }})
    for name in ("app_trusted", "app_known"):
        with endpoint.connect(user=name, password="") as connection:
            assert nodes_of(connection) == name
    # martlet lets it in, and has nothing to show to a server that asks.
    assert "nothing that is known of the user answers it" in refusal(
        endpoint, user="app_asked", password="")
    assert 'role "nobody" is not permitted to log in' in refusal(endpoint, user="nobody")
    cluster.run("ALTER ROLE app_trusted NOLOGIN")
    assert 'role "app_trusted" is not permitted to log in' in refusal(
        endpoint, user="app_trusted"), "although there are servers of it"


@pytest.fixture
def authority(tmp_path):
    """An authority of clients' certificates, and martlet's own certificate."""
    authority = Authority(tmp_path / "certificates")
    authority.make("proxy")
    return authority


def encrypted(start_martlet, authority, rules, **changes):
    """A martlet that offers TLS, with these rules."""
    return start_martlet({
        "client_tls": {
            "sslmode": "allow", "cert_file": str(authority.path("proxy.crt")),
            "key_file": str(authority.path("proxy.key")), "ca_file": str(authority.file), **changes,
        },
        "authentication": {"rules": rules},
    })


def test_cert(start_martlet, account, servers_ask, authority, tmp_path):  # noqa: F811
    account("app_cert", "a password")
    account("app_mapped", "a password")
    servers_ask("trust", "app_cert", "")
    servers_ask("trust", "app_mapped", "")
    endpoint = encrypted(
        start_martlet, authority,
        [{"type": "hostssl", "user": ["app_cert", "app_mapped"], "method": "cert"},
         {"type": "hostssl", "user": USER, "method": "scram-sha-256"}],
        user_map=[{"certificate": "batch", "user": "app_mapped"}])

    def shown(name, user):
        certificate, key = authority.make(name, name)
        return {"user": user, "password": "", "sslmode": "require",
                "sslcert": str(certificate), "sslkey": str(key)}

    for name, user in (("app_cert", "app_cert"), ("batch", "app_mapped")):
        with endpoint.connect(**shown(name, user)) as connection:
            assert nodes_of(connection) == user
    assert 'certificate authentication failed for user "app_cert"' in refusal(
        endpoint, **shown("batch", "app_cert"))
    assert "connection requires a valid client certificate" in refusal(
        endpoint, user="app_cert", sslmode="require", sslcert=str(tmp_path / "none"))
    assert "no encryption" in refusal(endpoint, user="app_cert", sslmode="disable")
    # A certificate of somebody else's authority is none.
    stranger = Authority(tmp_path / "stranger")
    certificate, key = stranger.make("app_cert", "app_cert")
    assert refusal(endpoint, user="app_cert", sslmode="require",
                   sslcert=str(certificate), sslkey=str(key))
    # Who is not asked for one by a rule needs none.
    with endpoint.connect(sslmode="require", sslcert=str(tmp_path / "none")) as connection:
        assert value(connection, "SELECT 1") == 1


def test_hostssl_and_hostnossl(start_martlet, authority):
    endpoint = encrypted(start_martlet, authority, [
        {"type": "hostssl", "database": DATABASE, "method": "scram-sha-256"},
        {"type": "hostnossl", "database": "postgres", "method": "scram-sha-256"},
    ], ca_file=None)
    with endpoint.connect(sslmode="require") as connection:
        assert value(connection, "SELECT 1") == 1
    assert "no encryption" in refusal(endpoint, sslmode="disable")
    with endpoint.connect(sslmode="disable", dbname="postgres") as connection:
        assert value(connection, "SELECT 1") == 1
    assert "SSL encryption" in refusal(endpoint, sslmode="require", dbname="postgres")


def test_check_points_out_rules_in_vain(start_martlet):
    endpoint = ruled(
        start_martlet, {"method": "scram-sha-256"}, {"user": USER, "method": "reject"},
        {"type": "hostssl", "method": "md5"})
    done = subprocess.run(
        [endpoint.martlet.binary, "check", "--config", endpoint.martlet.configuration],
        env={name: text for name, text in os.environ.items() if "MARTLET" not in name},
        capture_output=True, text=True, check=False, timeout=60)
    found = " ".join((done.stdout + done.stderr).split())
    assert (
        "authentication.rules[1]: can never match: authentication.rules[0] matches all that it "
        "could" in found)
    assert "authentication.rules[2]: can never match: client_tls.sslmode is disable" in found
    assert accepted(endpoint, USER, PASSWORD)
