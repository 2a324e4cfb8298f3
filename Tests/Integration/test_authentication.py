# SPDX-License-Identifier: Apache-2.0
"""Who may in; and what a stranger can learn, which is nothing."""

import concurrent.futures
import contextlib
import socket
import struct
import threading

import psycopg
import pytest
from localcluster.processes import wait_until
from psycopg import sql
from support.endpoint import DATABASE, PASSWORD, USER, value
from support.wire import Scram, Wire, error, fields, kinds, message, startup, text


@pytest.fixture
def account(cluster):
    """Makes roles that are gone afterwards."""
    made = []

    def make(name, password, options="LOGIN"):
        made.append(name)
        cluster.run(f"DROP ROLE IF EXISTS {name}")
        cluster.run(sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(
            sql.Identifier(name), sql.SQL(options), sql.Literal(password)))
        cluster.wait_replayed()
        return name

    yield make
    for name in made:
        cluster.run(f"DROP ROLE IF EXISTS {name}")


def attempt(port, user, password):
    """Everything that a log-in attempt brings."""
    with Wire(port) as wire:
        wire.send(startup({"user": user, "database": DATABASE}))
        return wire.authenticate(password) + wire.rest()


def accepted(endpoint, user, password):
    """Whether a connection with this password works."""
    try:
        with endpoint.connect(user=user, password=password) as connection:
            return value(connection, "SELECT current_user") == user
    except psycopg.OperationalError:
        return False


# Edge cases: 9
def test_a_wrong_password_and_an_unknown_user_look_the_same(martlet):
    wrong = attempt(martlet.port, USER, "not it")
    unknown = attempt(martlet.port, "nobody_of_this_name", "not it")
    assert kinds(wrong) == kinds(unknown) == "RRE"
    assert wrong[0] == unknown[0], "the same mechanisms"
    errors = [error(found) for found in (wrong, unknown)]
    for found, name in zip(errors, (USER, "nobody_of_this_name"), strict=True):
        assert (found["S"], found["C"]) == ("FATAL", "28P01")
        assert found["M"] == f'password authentication failed for user "{name}"'
    assert errors[0].keys() == errors[1].keys()
    challenges = [found[1][1][4:].split(b",") for found in (wrong, unknown)]
    for challenge in challenges:
        assert [field[:2] for field in challenge] == [b"r=", b"s=", b"i="]
    assert len(challenges[0][1]) == len(challenges[1][1]), "salts of one length"
    assert challenges[0][2] == challenges[1][2], "as many rounds"


def test_an_unknown_user_always_gets_the_same_salt(martlet):
    salts = {
        attempt(martlet.port, "still_nobody", "x")[1][1].split(b",s=")[1] for _ in range(3)
    }
    assert len(salts) == 1
    other = attempt(martlet.port, "nobody_else", "x")[1][1].split(b",s=")[1]
    assert other not in salts


@pytest.mark.parametrize("password", ["", "x", PASSWORD + " ", PASSWORD.upper(), "a" * 5000])
def test_wrong_passwords_are_refused(martlet, password):
    with pytest.raises(psycopg.OperationalError):
        martlet.connect(password=password)


# Edge cases: 9
def test_an_unknown_database(martlet):
    with pytest.raises(psycopg.OperationalError, match='database "nowhere" does not exist'):
        martlet.connect(dbname="nowhere")


def test_a_role_that_may_not_log_in(martlet, account):
    account("app_group", "a password", "NOLOGIN")
    with pytest.raises(psycopg.OperationalError):
        martlet.connect(user="app_group", password="a password")


# Edge cases: 16
def test_a_password_that_has_expired(martlet, account):
    account("app_expired", "a password", "LOGIN VALID UNTIL '2020-01-01'")
    found = attempt(martlet.port, "app_expired", "a password")
    assert error(found)["C"] == "28P01"


def test_a_role_with_an_md5_secret_where_the_servers_want_scram(cluster, martlet, account):
    account("app_md5", "x")
    cluster.run("SET password_encryption = md5; ALTER ROLE app_md5 PASSWORD 'x'")
    assert not accepted(martlet, "app_md5", "x"), "pg_hba.conf asks for SCRAM"
    assert not accepted(martlet, "app_md5", "y")


# Edge cases: 15
def test_a_changed_password_counts_for_who_comes_after_the_change(cluster, martlet, account):
    account("app_change", "password 0")
    with martlet.connect(user="app_change", password="password 0") as connection:
        for number in range(1, 21):
            cluster.run(f"ALTER ROLE app_change PASSWORD 'password {number}'")
            # The old one first, so that nothing but the change itself can have told martlet.
            assert not accepted(martlet, "app_change", f"password {number - 1}"), number
            assert accepted(martlet, "app_change", f"password {number}"), number
        assert value(connection, "SELECT current_user") == "app_change", "who is in stays in"


def test_a_role_that_changes_while_others_log_in(cluster, martlet, account):
    account("app_busy", "old")
    ends, seen = threading.Event(), []

    def knock():
        while not ends.is_set():
            seen.append(accepted(martlet, "app_busy", "old"))

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until("logins", lambda: seen.count(True) > 20, 60)
        cluster.run("ALTER ROLE app_busy PASSWORD 'new'")
        assert not accepted(martlet, "app_busy", "old")
        assert accepted(martlet, "app_busy", "new")
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def test_what_else_ends_a_password_at_once(cluster, martlet, account):
    account("app_ends", "a password", "LOGIN VALID UNTIL 'infinity'")
    for end, back in (
        ("NOLOGIN", "LOGIN"), ("VALID UNTIL '2020-01-01'", "VALID UNTIL 'infinity'"),
        ("VALID UNTIL '-infinity'", "VALID UNTIL '2999-01-01'"),
        ("PASSWORD NULL", "PASSWORD 'a password'"),
    ):
        assert accepted(martlet, "app_ends", "a password"), end
        cluster.run(f"ALTER ROLE app_ends {end}")
        assert not accepted(martlet, "app_ends", "a password"), end
        cluster.run(f"ALTER ROLE app_ends {back}")
    assert accepted(martlet, "app_ends", "a password")


# Edge cases: 16
@pytest.mark.parametrize("lifetime", ["0", "1h"])
def test_a_password_that_expires(cluster, start_martlet, account, lifetime):
    account("app_expires", "a password", "LOGIN VALID UNTIL 'infinity'")
    endpoint = start_martlet({"authentication": {"secret_lifetime": lifetime}})
    end = cluster.run("SELECT now() + interval '3 s'")[0][0]
    cluster.run(f"ALTER ROLE app_expires VALID UNTIL '{end}'")
    assert accepted(endpoint, "app_expires", "a password")
    wait_until("its end", lambda: not accepted(endpoint, "app_expires", "a password"), 30)
    assert cluster.run("SELECT now() >= %s", parameters=[end])[0][0], "not before its time"


def test_a_secret_that_is_kept(cluster, start_martlet, account):
    account("app_kept", "old")
    endpoint = start_martlet({"authentication": {"secret_lifetime": "1h"}})
    assert accepted(endpoint, "app_kept", "old")
    cluster.run("ALTER ROLE app_kept PASSWORD 'new'")
    assert not accepted(endpoint, "app_kept", "new"), "the old one is still remembered"
    assert accepted(endpoint, "app_kept", "new"), "but not after a failure"
    assert not accepted(endpoint, "app_kept", "old")


def test_a_connection_limit_is_one_of_servers(cluster, martlet, account):
    account("app_limited", "a password", "LOGIN CONNECTION LIMIT 2")
    statement = "/* martlet: primary */ SELECT pg_backend_pid() FROM pg_sleep(0.1)"
    with martlet.clients(8, user="app_limited", password="a password") as clients:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            pids = set(pool.map(lambda one: value(one, statement), clients))
    assert 1 <= len(pids) <= 2, "all are served, by as many servers as the role may have"


def test_a_new_user_and_its_database(cluster, martlet, account):
    assert not accepted(martlet, "app_new", "a password")
    account("app_new", "a password")
    assert accepted(martlet, "app_new", "a password")
    cluster.run("DROP DATABASE IF EXISTS app_new_database")
    try:
        cluster.run("CREATE DATABASE app_new_database")
        with martlet.connect(dbname="app_new_database") as connection:
            assert value(connection, "SELECT current_database()") == "app_new_database"
    finally:
        cluster.run("DROP DATABASE IF EXISTS app_new_database WITH (FORCE)")


def test_names_and_passwords_with_odd_characters(martlet, account):
    name = "app_odd"
    account(name, "pässwörd ' \\ \" = , €")
    assert accepted(martlet, name, "pässwörd ' \\ \" = , €")


def test_users_of_the_configuration(cluster, start_martlet, account):
    account("app_listed", "as in the file")
    secret = cluster.run("SELECT rolpassword FROM pg_authid WHERE rolname = 'app_listed'")[0][0]
    for entry in ("as in the file", secret):
        endpoint = start_martlet({"authentication": {
            "lookup": False, "users": [{"name": "app_listed", "secret": entry}]}})
        assert accepted(endpoint, "app_listed", "as in the file")
        assert not accepted(endpoint, "app_listed", "another")
        assert not accepted(endpoint, USER, PASSWORD), "not in the file, and no look-up"
        assert "as in the file" not in endpoint.log() and secret not in endpoint.log()


def test_the_exchange_cannot_be_skipped_or_repeated(martlet):
    def first(mechanism, data):
        return message(b"p", text(mechanism) + struct.pack("!i", len(data)) + data)

    for replies in (
        [message(b"Q", text("SELECT 1"))],
        [first("PLAIN", b"x")],
        [first("SCRAM-SHA-256-PLUS", Scram("x").first())],
        [first("SCRAM-SHA-256", b"")],
        [first("SCRAM-SHA-256", b"n,,n=,r=")],
        [first("SCRAM-SHA-256", b"p=tls-unique,,n=,r=abc")],
        [first("SCRAM-SHA-256", b"n,,m=ext,n=,r=abcdefgh")],
        [first("SCRAM-SHA-256", Scram("x").first()), message(b"p", b"c=biws,r=wrong,p=AAAA")],
        [first("SCRAM-SHA-256", Scram("x").first()), message(b"p", b"")],
        [first("SCRAM-SHA-256", b"n,,n=,r=" + b"a" * 100_000)],
    ):
        with Wire(martlet.port) as wire:
            wire.send(startup({"user": USER, "database": DATABASE}))
            found = [wire.receive()]
            for reply in replies:
                with contextlib.suppress(ConnectionError):
                    wire.send(reply)
                    found.append(wire.receive())
            with contextlib.suppress(OSError):
                wire.socket.shutdown(socket.SHUT_WR)
            found = [one for one in found if one] + wire.rest()
            problems = [fields(body) for kind, body in found if kind == b"E"]
            assert len(problems) <= 1
            for problem in problems:
                assert problem["S"] == "FATAL" and problem["C"][:2] in ("08", "0A", "28", "54")
            assert b"Z" not in [kind for kind, _ in found]
            assert (b"R", bytes(4)) not in found, "nobody is let in"


# Edge cases: 15
def test_the_clients_key_opens_servers_after_a_restart_of_the_servers(cluster, start_martlet):
    endpoint = start_martlet({"pools": {"server_lifetime": "1s", "server_idle_timeout": "1s"}})
    with endpoint.connect() as connection:
        pids = set()

        def replaced():
            pids.add(value(connection, "/* martlet: primary */ SELECT pg_backend_pid()"))
            return len(pids) > 1

        wait_until("a second server", replaced, 60, interval=0.3)
