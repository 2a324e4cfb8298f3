# SPDX-License-Identifier: Apache-2.0
"""Every limit and timeout of clients and servers, with the error that reaching it gives."""

import contextlib
import os
import resource
import socket
import subprocess
import threading

import psycopg
import pytest
from localcluster.processes import wait_until
from support.endpoint import DATABASE, USER, value
from support.wire import SYNC, Wire, bind, error, execute, message, parse, query
from test_authentication import account  # noqa: F401 (a fixture)

PRIMARY = "/* martlet: primary */ "


def sqlstate(call, *arguments, **options):
    """The SQLSTATE of the error that a call must bring."""
    with pytest.raises(psycopg.Error) as caught:
        call(*arguments, **options)
    return caught.value.sqlstate


def refused(endpoint, **parameters):
    """(SQLSTATE, message) of a login that is refused; None where it is not."""
    with Wire(endpoint.port) as wire:
        try:
            wire.login(**parameters)
        except AssertionError as failure:
            found = failure.args[0]
            return found["C"], found["M"]
    return None


def ended_with(wire):
    """The error with which martlet ends a connection."""
    found = error(wire.rest())
    assert found["S"] == "FATAL"
    return found["C"]


# Clients.


def test_clients_in_all_per_user_and_per_database(start_martlet, account):  # noqa: F811
    account("app_single", "x")
    endpoint = start_martlet({
        "clients": {"maximum": 5, "maximum_per_user": 2, "maximum_per_database": 3},
        "pools": {"overrides": [{"user": "app_single", "clients_per_user": 1}]},
    })

    def login(stack, **parameters):
        stack.enter_context(Wire(endpoint.port)).login(**parameters)

    with contextlib.ExitStack() as stack:
        login(stack)
        login(stack)
        assert refused(endpoint) == ("53300", 'too many connections for role "app"')
        login(stack, user="app_single", password="x")
        assert refused(endpoint, user="app_single", password="x")[1].endswith('"app_single"')
        postgres = endpoint.cluster.settings.passwords["postgres"]
        superuser = {"user": "postgres", "password": postgres}
        assert refused(endpoint, **superuser) == (
            "53300", f'too many connections for database "{DATABASE}"')
        login(stack, **superuser, database="postgres")
        login(stack, **superuser, database="postgres")
        assert refused(endpoint, **superuser, database="postgres") == (
            "53300", "sorry, too many clients already")
    wait_until("the places to be free", lambda: refused(endpoint) is None, 30)


def test_connections_that_have_not_logged_in(start_martlet):
    endpoint = start_martlet({"clients": {"maximum_logging_in": 3}})
    with contextlib.ExitStack() as stack:
        inside = [stack.enter_context(endpoint.connect()) for _ in range(4)]
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", endpoint.port)))
        # Event loops take clients side by side, not in their order.
        wait_until("them to be known", lambda: endpoint.metrics().sum(
            "martlet_clients", state="login") == 3, 30)
        with Wire(endpoint.port) as one_more:
            assert ended_with(one_more) == "53300"
        assert all(value(one, "SELECT 1") == 1 for one in inside)
    wait_until("the places to be free", lambda: refused(endpoint) is None, 30)


def test_connections_from_one_address_that_have_not_logged_in(start_martlet):
    endpoint = start_martlet({"clients": {"maximum_logging_in_per_address": 1}})

    def come(source):
        return socket.create_connection(
            ("127.0.0.1", endpoint.port), timeout=30, source_address=(source, 0))

    with come("127.0.0.1") as first:
        wait_until("it to be known", lambda: endpoint.metrics().sum(
            "martlet_clients", state="login") == 1, 30)
        with come("127.0.0.1") as again:
            assert b"C53300\0" in again.recv(1000)
        with come("127.0.0.2") as other:
            other.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
            assert other.recv(1) == b"N"
        first.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
        assert first.recv(1) == b"N"


@contextlib.contextmanager
def descriptors(endpoint, limit):
    """Lets martlet have no new descriptor whose number is not below the limit."""
    pid = endpoint.martlet.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_clients_for_whom_there_is_no_descriptor(start_martlet):
    endpoint = start_martlet()
    with contextlib.ExitStack() as stack:
        inside = stack.enter_context(endpoint.connect())
        assert value(inside, "SELECT 1") == 1
        used = len(os.listdir(f"/proc/{endpoint.martlet.process.pid}/fd"))
        with descriptors(endpoint, used + 8):
            for _ in range(16):
                stack.enter_context(socket.create_connection(("127.0.0.1", endpoint.port)))
            with Wire(endpoint.port) as wire:
                assert ended_with(wire) == "53300"
        # Not even one to tell it with: the kernel keeps the client, and martlet comes back to it.
        with descriptors(endpoint, 3):
            waiting = stack.enter_context(Wire(endpoint.port))
            told = endpoint.log().count("accept() failed")
            wait_until("it to try again", lambda: endpoint.log().count(
                "accept() failed") > told + 1, 30)
        waiting.login()
        assert value(inside, "SELECT 1") == 1


# Edge cases: 9
def test_login_timeout(start_martlet):
    endpoint = start_martlet({"clients": {"login_timeout": "1s"}})
    with Wire(endpoint.port) as silent:
        assert ended_with(silent) == "57014"


def test_idle_timeouts_and_their_overrides(start_martlet, account):  # noqa: F811
    account("app_patient", "x")
    endpoint = start_martlet({
        "clients": {"idle_timeout": "1s", "idle_in_transaction_timeout": "1s"},
        "pools": {"overrides": [
            {"user": "app_patient", "idle_timeout": "0", "idle_in_transaction_timeout": "1h"}]},
    })
    with Wire(endpoint.port) as patient, Wire(endpoint.port) as idle, \
            Wire(endpoint.port) as holder:
        patient.login(user="app_patient", password="x")
        idle.login()
        holder.login().ask(query("BEGIN; SELECT 1"))
        assert ended_with(idle) == "57P05"
        assert ended_with(holder) == "25P03"
        patient.ask(query("BEGIN; SELECT 1"))
        with Wire(endpoint.port) as later:
            later.login()
            assert ended_with(later) == "57P05", "so long has the other one waited"
        assert not error(patient.ask(query("SELECT 1")))


# Work.


# Edge cases: 106
@pytest.mark.parametrize("statement", [
    "SELECT pg_sleep(600)", PRIMARY + "SELECT pg_sleep(600)",
    "UPDATE items SET value = value WHERE id = 1 AND pg_sleep(600) IS NULL",
])
def test_query_timeout(cluster, start_martlet, statement):
    endpoint = start_martlet({"clients": {"query_timeout": "500ms"}})
    with endpoint.connect() as connection:
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            connection.execute(statement)
        assert str(caught.value).startswith("canceling statement due to query timeout")
        assert value(connection, "SELECT 1") == 1, "the session goes on"
    for name in [cluster.primary(), *cluster.replicas()]:
        assert not cluster.run(
            "SELECT 1 FROM pg_stat_activity WHERE query ~ 'sleep\\(600' AND state = 'active' "
            "AND pid <> pg_backend_pid()", name), "nothing runs on"
    assert endpoint.metrics().sum("martlet_errors_total", cause="query_timeout") == 1


def test_query_timeout_in_a_pipeline_and_in_a_transaction(start_martlet):
    endpoint = start_martlet({
        "pools": {"overrides": [{"database": DATABASE, "query_timeout": "500ms"}]}})
    with Wire(endpoint.port) as wire:
        wire.login()
        found = wire.ask(
            parse("SELECT pg_sleep(600)"), bind(), execute(), parse("SELECT 1"), bind(), execute(),
            SYNC)
        assert error(found)["C"] == "57014"
        wire.ask(query("BEGIN"))
        assert error(wire.ask(query("SELECT pg_sleep(600)")))["C"] == "57014"
        assert wire.ask(query("ROLLBACK"))[-1] == (b"Z", b"I")


def test_query_timeout_of_a_copy_that_never_ends(start_martlet):
    endpoint = start_martlet({"clients": {"query_timeout": "500ms"}})
    statement = "COPY journal (client) FROM STDIN"
    for start in ([query(statement)], [parse(statement), bind(), execute(), SYNC]):
        with Wire(endpoint.port) as wire:
            wire.login()
            wire.send(*start)
            wire.until(b"G")
            wire.send(message(b"d", b"1\n"))
            found = error(wire.until(b"E"))
            assert (found["C"], found["M"]) == (
                "57014", "canceling statement due to query timeout")
            # It had not heard of that yet.
            wire.send(message(b"d", b"2\n"), message(b"c"), *([] if len(start) == 1 else [SYNC]))
            assert wire.ready()[-1] == (b"Z", b"I")
            assert not error(wire.ask(query("SELECT 1")))


def test_transaction_timeout(cluster, start_martlet):
    endpoint = start_martlet({"clients": {"transaction_timeout": "1s"}})
    with Wire(endpoint.port) as idle, Wire(endpoint.port) as busy, Wire(endpoint.port) as alone:
        alone.login().send(query(PRIMARY + "SELECT pg_sleep(3)"))
        idle.login().ask(query("BEGIN"))
        assert not error(idle.ask(query("UPDATE items SET value = -1 WHERE id = 77")))
        busy.login().ask(query("BEGIN"))
        busy.send(query("SELECT pg_sleep(600)"))
        found = busy.until(b"Z")
        assert error(found)["C"] == "57014"
        assert error(found)["M"] == "canceling statement due to transaction timeout"
        assert ended_with(busy) == "25P04"
        assert ended_with(idle) == "25P04"
        assert not error(alone.ready()), "a statement alone has no transaction block"
    assert cluster.run("SELECT value FROM items WHERE id = 77", database=DATABASE) == [(77,)]


def test_wait_timeout(start_martlet):
    endpoint = start_martlet({"pools": {
        "size": 1, "overrides": [{"user": USER, "wait_timeout": "500ms"}]}})
    with endpoint.clients(2) as (holder, waiter):
        with holder.transaction():
            holder.execute(PRIMARY + "SELECT 1")
            assert sqlstate(waiter.execute, PRIMARY + "SELECT 1") == "53300"
        assert value(waiter, PRIMARY + "SELECT 1") == 1


# Servers.


def test_servers_of_a_user_over_its_databases(cluster, start_martlet):
    endpoint = start_martlet({"pools": {"servers_per_user": 2}})
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(endpoint.connect(dbname=name))
            for name in (DATABASE, "postgres") for _ in range(4)
        ]
        most = most_servers(cluster, clients)
    assert most == 2


def test_servers_of_a_database_over_its_users(cluster, start_martlet, account):  # noqa: F811
    account("app_second", "x")
    endpoint = start_martlet({"pools": {"overrides": [
        {"database": DATABASE, "servers_per_database": 2}]}})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(endpoint.connect()) for _ in range(4)]
        clients += [
            stack.enter_context(endpoint.connect(user="app_second", password="x"))
            for _ in range(4)
        ]
        most = most_servers(cluster, clients, (USER, "app_second"))
    assert most == 2


def most_servers(cluster, clients, users=(USER,)):
    """Lets all work on the primary at once; how many servers were seen there at the most."""
    failures = []

    def work(client):
        try:
            for _ in range(3):
                client.execute(PRIMARY + "SELECT pg_sleep(0.1)")
        except psycopg.Error as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        # Those that were closed and are on their way out do not count; they are not active.
        found = cluster.run(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = ANY (%s) "
            "AND state = 'active' AND query LIKE '%%sleep(0.1)'", parameters=[list(users)])
        most = max(most, found[0][0])
    for thread in threads:
        thread.join()
    assert not failures
    return most


def test_the_reserve(cluster, start_martlet):
    endpoint = start_martlet({"pools": {
        "size": 1, "reserve_size": 1, "reserve_timeout": "500ms"}})
    with endpoint.clients(2) as (holder, waiter), holder.transaction():
        first = value(holder, PRIMARY + "SELECT pg_backend_pid()")
        assert value(waiter, PRIMARY + "SELECT pg_backend_pid()") != first


def test_server_idle_timeout_and_lifetime(cluster, start_martlet):
    for settings in ({"server_idle_timeout": "1s"}, {"server_lifetime": "1s"}):
        endpoint = start_martlet({"pools": settings})
        with endpoint.connect() as connection:
            pid = value(connection, PRIMARY + "SELECT pg_backend_pid()")
            wait_until("the server to be closed", lambda pid=pid: not cluster.run(
                "SELECT 1 FROM pg_stat_activity WHERE pid = %s", parameters=[pid]), 30)
            assert value(connection, PRIMARY + "SELECT 1") == 1


# TCP.


def keepalive_timers():
    """What `ss` says of established connections: [(local port, peer's port, timer)]."""
    done = subprocess.run(
        ["ss", "-tnoH", "state", "established"], capture_output=True, text=True, check=True,
        timeout=60)
    found = []
    for line in done.stdout.splitlines():
        words = line.split()
        if "timer:(keepalive" in line:
            found.append((*(int(word.rsplit(":", 1)[1]) for word in words[2:4]), words[4]))
    return found


# Edge cases: 113
def test_keepalive_of_clients_and_servers(cluster, start_martlet):
    endpoint = start_martlet({"tcp": {"keepalive_idle": "2h"}})
    with endpoint.connect() as connection:
        towards_server = (
            value(connection, PRIMARY + "SELECT inet_client_port()"),
            cluster.port_of(cluster.primary()))
        with socket.socket(fileno=os.dup(connection.fileno())) as own:
            towards_client = (endpoint.port, own.getsockname()[1])

        def timers():
            found = {tuple(ports): timer for *ports, timer in keepalive_timers()}
            return [found.get(towards_server), found.get(towards_client)]

        # While something is not acknowledged yet it is another timer that runs.
        wait_until("both connections to be at rest", lambda: all(timers()), 30)
        found = timers()
        # By default it would be seconds.
        assert all("min" in timer for timer in found), found
