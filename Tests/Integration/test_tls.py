# SPDX-License-Identifier: Apache-2.0
"""TLS on both sides, with certificates made for the test, before a cluster that speaks TLS only."""

import asyncio
import io
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading

import asyncpg
import psycopg
import psycopg2
import pytest
from conftest import binary, create_application
from localcluster.certificates import Authority
from localcluster.cluster import Cluster, Settings
from localcluster.ports import Ports
from localcluster.processes import wait_until
from localcluster.proxy import Martlet
from support.endpoint import DATABASE, PASSWORD, USER, Endpoint, value
from support.wire import PROTOCOL_3_2, Wire, error, query

PORTS = Ports(martlet=16472, http=19472, postgres=15431, patroni=18031, etcd=12399, etcd_peer=12400)
SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"
IS_ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


class Secure(Endpoint):
    """A martlet with TLS, and the files that its clients need."""

    @property
    def authority(self):
        return self.cluster.authority

    def address(self, **changes):
        """With the authority at hand, encrypted unless a test asks for something else."""
        files = {"sslmode": "verify-full", "sslrootcert": str(self.authority.file)}
        return super().address(**{**files, **changes})

    def context(self):
        """The same for drivers that use Python's own TLS."""
        return ssl.create_default_context(cafile=self.authority.file)


@pytest.fixture(scope="module")
def secure_cluster():
    """Two nodes that refuse whoever is not encrypted or has no certificate."""
    running = Cluster.load("test-tls")
    if running:
        running.stop()
    cluster = Cluster(Settings("test-tls", PORTS, nodes=2, tls=True))
    try:
        cluster.start()
        create_application(cluster)
        authority = cluster.authority
        authority.make("proxy")
        authority.make("martlet", "martlet")
        yield cluster
    finally:
        cluster.stop()


def settings_of(cluster, mode, **changes):
    """TLS wherever martlet has it; further settings are for the clients' side."""
    authority = cluster.authority
    return {
        "client_tls": {
            "sslmode": mode, "cert_file": str(authority.path("proxy.crt")),
            "key_file": str(authority.path("proxy.key")), **changes,
        },
        "server_tls": {
            "sslmode": "verify-full", "ca_file": str(authority.file),
            "cert_file": str(authority.path("martlet.crt")),
            "key_file": str(authority.path("martlet.key")),
        },
        "patroni": {"ca_file": str(authority.file)},
        "log": {"level": "debug"},
    }


def start(cluster, number, mode, changes=None, **client):
    """A further martlet before the cluster."""
    settings = settings_of(cluster, mode, **client) | (changes or {})
    one = Martlet(cluster, binary(), number, settings)
    if number == 0:
        one.create_account()
    one.write_configuration()
    one.start()
    endpoint = Secure(cluster, one)
    endpoint.wait_settled()
    return endpoint


@pytest.fixture(scope="module")
def secure(secure_cluster):
    """Offers TLS, and takes those without."""
    endpoint = start(secure_cluster, 0, "allow")
    yield endpoint
    endpoint.martlet.stop()


@pytest.fixture(scope="module")
def strict(secure):
    """Insists on TLS, version 1.3, and has little patience."""
    endpoint = start(secure.cluster, 1, "require", {"clients": {"login_timeout": "2s"}},
                     min_protocol_version="TLSv1.3")
    yield endpoint
    endpoint.martlet.stop()


@pytest.fixture(scope="module")
def certified(secure):
    """Wants certificates that are the users' own."""
    endpoint = start(
        secure.cluster, 2, "verify-full", ca_file=str(secure.authority.file),
        user_map=[{"certificate": "batch", "user": USER}])
    yield endpoint
    endpoint.martlet.stop()


def check(one):
    """What `martlet check` says with the settings of a martlet."""
    variables = {name: text for name, text in os.environ.items() if "MARTLET" not in name}
    return subprocess.run(
        [one.binary, "check", "--config", one.configuration], env=variables,
        capture_output=True, text=True, check=False, timeout=60)


def raw(endpoint):
    """A socket without a client behind it."""
    return socket.create_connection(("127.0.0.1", endpoint.port), timeout=30)


# Drivers.


@pytest.mark.parametrize("options", [
    {"sslmode": "require", "sslrootcert": ""},
    {"sslmode": "verify-ca"},
    {"sslmode": "verify-full", "host": "localhost"},
    {"channel_binding": "require"},
    {"sslnegotiation": "direct"},
    {"ssl_max_protocol_version": "TLSv1.2", "channel_binding": "require"},
], ids=lambda options: ",".join(f"{key}={val}" for key, val in options.items()))
def test_libpq(secure, options):
    with secure.connect(**options) as connection:
        assert connection.pgconn.ssl_in_use
        assert value(connection, IS_ENCRYPTED) is True
        connection.execute("UPDATE items SET value = value + 1 WHERE id = 1")
        assert value(connection, "SELECT count(*) FROM items") == 1000


def test_psycopg2_and_psql(secure):
    with psycopg2.connect(**secure.address()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM items")
        assert cursor.fetchone() == (1000,)
    done = subprocess.run(
        ["psql", "-Atc", "SELECT count(*) FROM items",
         f"host=localhost port={secure.port} user={USER} dbname={DATABASE} sslmode=verify-full "
         f"sslrootcert={secure.authority.file} channel_binding=require"],
        env={**os.environ, "PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=False,
        timeout=60)
    assert done.stdout == "1000\n", done.stderr


def test_asyncpg(secure):
    async def work():
        connection = await asyncpg.connect(
            host="localhost", port=secure.port, user=USER, password=PASSWORD, database=DATABASE,
            ssl=secure.context())
        rows = await connection.fetch("SELECT id, note FROM items ORDER BY id")
        await connection.close()
        return rows

    assert [row["id"] for row in asyncio.run(work())] == list(range(1, 1001))


def test_plain_clients_are_served_where_they_may_be(secure):
    with secure.connect(sslmode="disable") as connection:
        assert not connection.pgconn.ssl_in_use
        assert value(connection, IS_ENCRYPTED) is True
        encrypted = secure.metrics().sum("martlet_encrypted_clients")
        with secure.connect():
            assert secure.metrics().sum("martlet_encrypted_clients") == encrypted + 1


def test_200_clients_at_once(secure):
    async def one(number):
        connection = await asyncpg.connect(
            host="127.0.0.1", port=secure.port, user=USER, password=PASSWORD, database=DATABASE,
            ssl=secure.context(), timeout=60)
        found = await connection.fetchval("SELECT $1::int", number)
        await connection.close()
        return found

    async def all_of_them():
        return await asyncio.gather(*(one(number) for number in range(200)))

    assert asyncio.run(all_of_them()) == list(range(200))


# What TLS carries.


def test_large_results_and_copies(secure):
    with secure.connect() as connection:
        rows = connection.execute(
            "SELECT n, repeat(md5(n::text), 400) FROM generate_series(1, 2000) n").fetchall()
        assert len(rows) == 2000 and all(len(text) == 12800 for _, text in rows)
        connection.execute("CREATE TABLE copied (n int, t text)")
        lines = "".join(f"{number}\t{'x' * 1000}\n" for number in range(20_000))
        with connection.cursor() as cursor:
            with cursor.copy("COPY copied FROM STDIN") as copy:
                copy.write(lines)
            copied = io.BytesIO()
            with cursor.copy("COPY (SELECT * FROM copied ORDER BY n) TO STDOUT") as copy:
                for block in copy:
                    copied.write(block)
        assert copied.getvalue().decode() == lines
        connection.execute("DROP TABLE copied")


def test_a_slow_reader_over_tls(secure):
    def blocks():
        return secure.metrics().sum("martlet_blocked_senders_total")

    with secure.connect() as slow, secure.connect() as quick:
        before = blocks()
        slow.pgconn.send_query(b"SELECT repeat('x', 1000) FROM generate_series(1, 60000)")
        slow.pgconn.flush()
        wait_until("the sender to be stopped", lambda: blocks() > before, 30)
        assert value(quick, "SELECT 1") == 1
        assert slow.pgconn.get_result().ntuples == 60000
        assert slow.pgconn.get_result() is None


# Edge cases: 49
def test_cancel(secure):
    with secure.connect() as connection:
        timer = threading.Timer(0.5, lambda: connection.cancel_safe(timeout=20))
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(60)")
        timer.join()
        assert value(connection, "SELECT 1") == 1


def encrypted(endpoint):
    """A client of the raw protocol, in TLS."""
    wire = Wire(endpoint.port)
    wire.send(SSL_REQUEST)
    assert wire.socket.recv(1) == b"S"
    wire.socket = endpoint.context().wrap_socket(wire.socket, server_hostname="localhost")
    return wire


def test_an_encrypted_cancel_request_with_a_long_key(strict):
    # As libpq sends it since PostgreSQL 17, and with a key of protocol 3.2.
    with encrypted(strict).login(version=PROTOCOL_3_2) as wire:
        assert len(wire.key) == 36
        wire.send(query("SELECT pg_sleep(60)"))
        before = strict.metrics().sum("martlet_cancels_total", result="delivered")

        def cancelled():
            with encrypted(strict) as canceller:
                canceller.send(struct.pack("!ii", 44, 80877102) + wire.key)
                assert canceller.rest() == []
            return strict.metrics().sum("martlet_cancels_total", result="delivered") > before

        # The first may come before the statement runs.
        wait_until("it to be cancelled", cancelled, 30)
        assert error(wire.ready())["C"] == "57014"


def test_a_plain_cancel_request_is_taken_as_postgresql_does(strict):
    with strict.connect() as connection:
        packet = b"\0\0\0\x10\x04\xd2\x16\x2e" + connection.pgconn.backend_pid.to_bytes(4, "big")
        # The key is not known here; that nobody is refused for want of TLS is what counts.
        with raw(strict) as plain:
            plain.sendall(packet + b"\0\0\0\0")
            assert plain.recv(100) == b""


# Who is refused.


def test_plain_clients_are_refused(strict):
    with pytest.raises(psycopg.OperationalError, match="encrypted connections only") as caught:
        strict.connect(sslmode="disable")
    assert "password" not in str(caught.value)
    with strict.connect(channel_binding="require") as connection:
        assert value(connection, "SELECT 1") == 1
    assert strict.metrics().sum("martlet_logins_total", result="encryption_refused") >= 1


def test_old_versions_are_refused(strict):
    with pytest.raises(psycopg.OperationalError, match="protocol version"):
        strict.connect(ssl_max_protocol_version="TLSv1.2")
    wait_until("a line in the log", lambda: "unsupported protocol" in strict.log(), 20)


def test_clients_do_not_believe_a_stranger(secure):
    other = Authority(secure.authority.directory, "stranger")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        secure.connect(sslrootcert=str(other.file))
    wait_until("a line in the log", lambda: "unknown ca" in secure.log(), 20)
    assert secure.metrics().sum("martlet_logins_total", result="handshake_failed") >= 1


@pytest.mark.parametrize("name, common_name, signer, refusal", [
    ("own", USER, "ca", None),
    ("mapped", "batch", "ca", None),
    ("wrong", "somebody", "ca", "certificate authentication failed"),
    ("strange", USER, "stranger", "unknown ca|certificate verify failed|SSL error"),
    (None, None, None, "requires a valid client certificate"),
])
def test_client_certificates(certified, name, common_name, signer, refusal):
    options = {}
    if name:
        authority = Authority(certified.authority.directory, signer)
        certificate, key = authority.make(name, common_name)
        options = {"sslcert": str(certificate), "sslkey": str(key)}
    if refusal is None:
        with certified.connect(**options) as connection:
            assert value(connection, "SELECT current_user") == USER
        return
    with pytest.raises(psycopg.OperationalError, match=refusal):
        certified.connect(**options)


# Bytes that no driver sends.


# Edge cases: 1
def test_what_is_sent_before_the_handshake_is_not_believed(secure):
    """CVE-2021-23214: a startup packet slipped in before TLS must not count as the client's."""
    with raw(secure) as plain:
        plain.sendall(SSL_REQUEST + b"\0\0\0\x12\0\x03\0\0user\0eve\0\0")
        answer = plain.recv(1000)
        assert answer.startswith(b"E") and b"C08P01" in answer
        assert plain.recv(1000) == b""


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x16\x03\x01\x00\x10" + b"\xff" * 16,
    b"\x16\x03\x01\xff\xff" + b"\0" * 70000,
])
@pytest.mark.parametrize("asks", [True, False])
def test_garbage_in_the_handshake(secure, garbage, asks):
    with raw(secure) as plain:
        if asks:
            plain.sendall(SSL_REQUEST)
            assert plain.recv(1) == b"S"
        plain.sendall(garbage)
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(4096):
            pass
    with secure.connect() as connection:
        assert value(connection, "SELECT 1") == 1


# Edge cases: 4
def test_direct_tls_needs_its_protocol(secure):
    context = secure.context()
    with context.wrap_socket(raw(secure), server_hostname="localhost") as wrapped:
        assert wrapped.recv(100) == b""
    context.set_alpn_protocols(["http/1.1"])
    with pytest.raises(ssl.SSLError), raw(secure) as plain:
        context.wrap_socket(plain, server_hostname="localhost")


def test_a_stalled_handshake_ends_with_the_login_timeout(strict):
    with raw(strict) as silent, raw(strict) as stuttering:
        silent.sendall(SSL_REQUEST)
        assert silent.recv(1) == b"S"
        stuttering.sendall(b"\x16\x03\x01\x01\x00\x01")
        assert silent.recv(100) == b""
        assert stuttering.recv(100) == b""


# Files that change.


def test_a_replaced_certificate(secure):
    authority = secure.authority
    kept = {kind: authority.path(f"proxy.{kind}").read_bytes() for kind in ("crt", "key")}

    def put(name):
        for kind in ("crt", "key"):
            # As certificate managers do: a new file under the old name.
            copy = authority.path(f"new.{kind}")
            shutil.copy(authority.path(f"{name}.{kind}"), copy)
            copy.replace(authority.path(f"proxy.{kind}"))

    def refusal():
        try:
            with secure.connect():
                return ""
        except psycopg.OperationalError as error:
            return str(error)

    with secure.connect() as old:
        authority.make("elsewhere", "elsewhere", "DNS:elsewhere.example.org")
        put("elsewhere")
        wait_until("the other certificate", lambda: "does not match host name" in refusal(), 30)
        authority.make("expired", days=-1)
        put("expired")
        secure.martlet.process.send(signal.SIGHUP)
        wait_until("the expired one", lambda: "certificate verify failed" in refusal(), 30)
        authority.path("proxy.crt").write_text("not a certificate")
        lines = secure.log().count("previous ones kept")
        secure.martlet.process.send(signal.SIGHUP)
        wait_until("a complaint",
                   lambda: secure.log().count("previous ones kept") > lines, 30)
        assert "certificate verify failed" in refusal()
        for kind, content in kept.items():
            authority.path(f"proxy.{kind}").write_bytes(content)
        wait_until("the first certificate", lambda: refusal() == "", 30)
        assert value(old, "SELECT 1") == 1


def test_check_looks_at_certificates(secure):
    done = check(secure.martlet)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "client_tls: allow" in done.stdout
    assert "client_tls.cert_file" in done.stdout and "good for" in done.stdout
    assert "server_tls: verify-full" in done.stdout


def test_servers_that_cannot_be_believed(secure):
    """`martlet check` says of which server the certificate is not believed."""
    other = Authority(secure.authority.directory, "stranger")
    settings = settings_of(secure.cluster, "allow")
    settings["server_tls"]["ca_file"] = str(other.file)
    one = Martlet(secure.cluster, binary(), 3, settings)
    one.write_configuration()
    done = check(one)
    assert done.returncode == 1
    assert "certificate verify failed" in done.stdout
