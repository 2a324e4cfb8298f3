# SPDX-License-Identifier: Apache-2.0
"""Limits, reloading, ending, the HTTP endpoint, logs and the other commands."""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading

import psycopg
import pytest
from localcluster.cluster import http
from localcluster.processes import wait_until
from support.endpoint import PASSWORD, value
from support.wire import Wire, error, query, rows, startup


def refusal(endpoint, **changes):
    """The SQLSTATE that a connection attempt gets, or None."""
    with Wire(endpoint.port) as wire:
        wire.send(startup({"user": "app", "database": "app", **changes}))
        found = wire.authenticate(PASSWORD)
        problem = error(found)
        return problem and problem["C"]


# Edge cases: 9
def test_the_limit_of_clients(start_martlet):
    endpoint = start_martlet({"clients": {"maximum": 3}})
    with endpoint.clients(3):
        assert refusal(endpoint) == "53300"
    wait_until("room again", lambda: refusal(endpoint) is None, 30)


def test_the_limit_of_clients_of_one_user(start_martlet):
    endpoint = start_martlet({"clients": {"maximum_per_user": 2}})
    with endpoint.clients(2):
        assert refusal(endpoint) == "53300"
    wait_until("room again", lambda: refusal(endpoint) is None, 30)


def test_the_limit_of_servers_is_exact_and_waiting_ends(cluster, start_martlet):
    endpoint = start_martlet({"pools": {"size": 2, "wait_timeout": "1s"}})
    with endpoint.clients(3) as (one, two, three):
        for connection in (one, two):
            connection.execute("BEGIN")
            connection.execute("UPDATE journal SET number = 0 WHERE client = -50")
        with pytest.raises(psycopg.Error) as refused:
            three.execute("UPDATE journal SET number = 0 WHERE client = -50")
        assert refused.value.sqlstate == "53300" and not three.closed
        one.execute("COMMIT")
        three.execute("UPDATE journal SET number = 0 WHERE client = -50")
        two.execute("COMMIT")


def test_a_pool_never_exceeds_its_size(cluster, start_martlet):
    endpoint = start_martlet({"pools": {"size": 3}})
    question = ("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'"
                " AND backend_type = 'client backend'")
    base = {name: cluster.run(question, name)[0][0] for name in cluster.names}
    highest, ended = dict.fromkeys(cluster.names, 0), threading.Event()

    def work():
        with endpoint.connect() as connection:
            while not ended.is_set():
                connection.execute("SELECT pg_sleep(0.002)")
                connection.execute("/* martlet: primary */ SELECT pg_sleep(0.002)")

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        for name in cluster.names:
            highest[name] = max(highest[name], cluster.run(question, name)[0][0] - base[name])
    ended.set()
    for thread in threads:
        thread.join()
    assert max(highest.values()) == 3, highest


def test_a_reload_takes_effect_and_drops_nobody(start_martlet):
    endpoint = start_martlet({"clients": {"maximum": 2}})
    with endpoint.clients(2) as (one, two):
        one.execute("BEGIN")
        assert refusal(endpoint) == "53300"
        endpoint.martlet.write_configuration({"clients": {"maximum": 10}})
        endpoint.martlet.reload()
        wait_until("the new limit", lambda: refusal(endpoint) is None, 30)
        assert value(one, "SELECT 1") == value(two, "SELECT 1") == 1
        one.execute("COMMIT")


def test_settings_that_need_a_restart_are_named_at_each_reload(start_martlet):
    endpoint = start_martlet()
    endpoint.martlet.write_configuration({"shards": 3})
    for count in (1, 2):
        endpoint.martlet.reload()
        wait_until("the warning", lambda count=count: endpoint.log().count("setting=shards")
                   == count, 30)


def test_a_new_password_of_the_service_account_is_taken_by_a_reload(cluster, start_martlet):
    cluster.run("CREATE ROLE rotated LOGIN PASSWORD 'first' IN ROLE martlet")
    cluster.wait_replayed()
    try:
        endpoint = start_martlet({"service": {"user": "rotated", "password": "first"}})
        with endpoint.connect() as connection:
            cluster.run("ALTER ROLE rotated PASSWORD 'second'")
            cluster.wait_replayed()
            for name in cluster.names:
                cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                            " WHERE usename = 'rotated'", name)
            wait_until("the refusals", lambda: endpoint.log().count("rejected by server")
                       == len(cluster.names), 60)
            endpoint.martlet.write_configuration({"service": {"password": "second"}})
            endpoint.martlet.reload()
            wait_until("the end of it", lambda: endpoint.log().count("accepted by server again")
                       == len(cluster.names), 60)
            assert value(connection, "SELECT 1") == 1
            endpoint.wait_settled()
        assert "'second'" not in endpoint.log() and "password=second" not in endpoint.log()
        endpoint.martlet.stop()
    finally:
        cluster.run("DROP ROLE rotated")


@pytest.mark.parametrize("damage", [
    "clients: {maximum: many}", "unknown_key: 1", "clients: [", "patroni: {urls: []}",
], ids=["type", "unknown", "syntax", "contradiction"])
def test_a_bad_file_changes_nothing_and_says_where(start_martlet, damage):
    endpoint = start_martlet({"clients": {"maximum": 2}})
    file = endpoint.martlet.configuration
    good = file.read_text()
    with endpoint.clients(2) as (one, _):
        before = len(endpoint.log())
        file.write_text(re.sub(r"(?ms)^(clients|patroni):.*?(?=^\w|\Z)", "", good)
                        + f"\n{damage}\n" if damage.startswith(("clients", "patroni"))
                        else f"{good}\n{damage}\n")
        endpoint.martlet.reload()
        wait_until("a message", lambda: file.name in endpoint.log()[before:], 30)
        assert refusal(endpoint) == "53300"
        assert value(one, "SELECT 1") == 1
        assert "password" not in endpoint.log()[before:].lower() or PASSWORD not in endpoint.log()
    assert endpoint.martlet.process.alive


# Edge cases: 114
def test_at_the_end_transactions_finish_and_then_clients_are_told(start_martlet):
    endpoint = start_martlet({"drain_timeout": "60s"})
    with Wire(endpoint.port).login() as working, Wire(endpoint.port).login() as idle:
        working.ask(query("BEGIN"))
        working.ask(query("UPDATE items SET value = 90 WHERE id = 90"))
        endpoint.martlet.process.send(signal.SIGTERM)
        farewell = idle.rest()
        assert error(farewell)["C"] == "57P01"
        assert http(f"{endpoint.martlet.url}/readyz")[0] in (503, None)
        answer = working.ask(query("UPDATE items SET value = 91 WHERE id = 90 RETURNING value"))
        assert rows(answer) == [("91",)]
        working.send(query("COMMIT"))
        found = working.rest()
        assert b"C" in [kind for kind, _ in found], "the transaction is finished"
        assert error(found)["C"] == "57P01"
    assert endpoint.martlet.process.wait_gone(60)
    assert endpoint.martlet.process.child.returncode == 0
    with psycopg.connect(**endpoint.address(port=endpoint.cluster.port_of(
            endpoint.cluster.primary()))) as direct:
        assert value(direct, "SELECT value FROM items WHERE id = 90") == 91


# Edge cases: 114
def test_the_end_does_not_wait_for_ever(start_martlet):
    endpoint = start_martlet({"drain_timeout": "1s"})
    with Wire(endpoint.port).login() as working:
        working.ask(query("BEGIN; SELECT 1"))
        endpoint.martlet.process.send(signal.SIGTERM)
        assert endpoint.martlet.process.wait_gone(60)


def test_the_http_endpoint(martlet, cluster):
    for path in ("/healthz", "/readyz", "/metrics", "/topology"):
        assert http(martlet.martlet.url + path)[0] == 200, path
    assert http(martlet.martlet.url + "/nothing")[0] == 404
    assert http(martlet.martlet.url + "/healthz", {"a": 1}, "POST")[0] == 405
    topology = martlet.topology()
    assert topology["primary"] == cluster.primary()
    nodes = {node["name"]: node for node in topology["nodes"]}
    assert nodes.keys() == set(cluster.names)
    for name, node in nodes.items():
        assert (node["host"], node["port"]) == ("127.0.0.1", cluster.port_of(name))
        assert node["role"] == ("primary" if name == cluster.primary() else "replica")
        if node["role"] == "replica":
            assert node["eligible"] is True and node["exclusion"] is None
            assert node["lag_bytes"] >= 0 and node["lag_seconds"] >= 0


def test_metrics_name_what_an_operator_needs(martlet, cluster):
    with martlet.connect() as connection:
        connection.execute("SELECT 1")
        connection.execute("UPDATE items SET value = value WHERE id = 91")
        found = martlet.metrics()
        names = {name for name, _, _ in found.samples}
        for name in ("martlet_clients", "martlet_servers", "martlet_units_total",
                     "martlet_waiting_clients", "martlet_held_units",
                     "martlet_replica_lag_bytes", "martlet_read_demand"):
            assert name in names, name
        assert found.sum("martlet_clients") == 1
    assert set(found.by("martlet_replica_lag_bytes", "node")) >= set(cluster.replicas())
    assert set(found.by("martlet_servers", "node")) <= set(cluster.names)
    assert sum(found.by("martlet_servers", "node").values()) >= 2


def test_the_read_demand_rises_with_the_reads(martlet):
    ended = threading.Event()

    def work():
        with martlet.connect() as connection:
            while not ended.is_set():
                connection.execute("SELECT pg_sleep(0.2)")

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    try:
        wait_until("demand", lambda: martlet.metrics().sum("martlet_read_demand") > 1, 90)
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_logs_hold_no_password_and_no_statement(cluster, martlet):
    with martlet.connect() as connection:
        connection.execute("SELECT 'a very secret statement'")
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT 'another secret statement' / 0")
    with pytest.raises(psycopg.OperationalError):
        martlet.connect(password="a wrong but secret password")
    log = martlet.log()
    assert log.strip(), "there is a log"
    secrets = [PASSWORD, *cluster.settings.passwords.values(), "secret statement",
               "a wrong but secret password", "SCRAM-SHA-256$"]
    assert not [one for one in secrets if one in log]


def test_a_statement_is_shown_only_where_the_operator_asked_for_it(start_martlet):
    for asked in (False, True):
        endpoint = start_martlet({"log": {"statements": asked}})
        with endpoint.connect() as connection:
            def retried(connection=connection, endpoint=endpoint):
                # Until its function is known from the catalogue it goes to the primary at once.
                connection.execute("SELECT claims_to_be_stable(), 'a told statement'")
                return [line for line in endpoint.log().splitlines() if "retried" in line]

            lines = wait_until("a statement to be run again", retried, 30)
        assert ["a told statement" in line for line in lines] == [asked]


def test_a_lost_server_is_not_told_once_for_each_connection(cluster, start_martlet):
    endpoint = start_martlet()
    with contextlib.ExitStack() as stack:
        clients = [endpoint.connect() for _ in range(15)]
        for client in clients:
            stack.callback(client.close)
            client.execute("BEGIN")
            client.execute("UPDATE journal SET number = 0 WHERE client = -50")
        before = len(endpoint.log())
        cluster.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE usename = 'app' AND query LIKE 'UPDATE journal%'")
        wait_until("the summary", lambda: " times=14" in endpoint.log()[before:], 30)
        told = endpoint.log()[before:].count("server connection failed")
        assert told == 2, endpoint.log()[before:]


def test_logs_as_json(start_martlet):
    endpoint = start_martlet({"log": {"format": "json"}})
    with endpoint.connect() as connection:
        connection.execute("SELECT 1")
    lines = endpoint.log().splitlines()
    assert lines and all(json.loads(line)["level"] for line in lines)


def command(martlet, *words):
    """Runs one of martlet's other commands."""
    # Variables of this beginning are martlet's, and it knows none of the tests' own.
    environment = {key: v for key, v in os.environ.items() if not key.startswith("MARTLET_")}
    return subprocess.run(
        [martlet.martlet.binary, *words], capture_output=True, text=True, timeout=120,
        env=environment, check=False)


def test_check_finds_nothing_wrong(martlet):
    done = command(martlet, "check", "--config", martlet.martlet.configuration)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout


def test_check_finds_a_wrong_service_password_and_a_silent_patroni(cluster, start_martlet):
    endpoint = start_martlet()
    passwords = cluster.settings.passwords
    urls = [*(cluster.patroni_url(index) for index in range(3)), "http://127.0.0.1:1"]
    for changes in ({"service": {"password": "wrong"}}, {"patroni": {"urls": urls}}):
        endpoint.martlet.write_configuration(changes)
        done = command(endpoint, "check", "--config", endpoint.martlet.configuration)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "FAIL" in done.stdout
        assert passwords["martlet"] not in done.stdout + done.stderr


def test_explain_says_where_and_why(martlet):
    for statement, word in (("SELECT 1", "replica"), ("DELETE FROM x", "primary")):
        done = command(martlet, "explain", statement)
        assert done.returncode == 0 and word in done.stdout


def test_a_wrong_configuration_is_explained(tmp_path, martlet):
    file = tmp_path / "martlet.yaml"
    file.write_text("patroni:\n  urls: [http://127.0.0.1:8011]\nlisten_adress: x\n"
                    "service: {user: martlet, password: hidden-one}\n")
    done = command(martlet, "serve", "--config", file)
    assert done.returncode == 78
    assert "martlet.yaml:3" in done.stderr and "listen" in done.stderr
    assert "hidden-one" not in done.stdout + done.stderr


def test_version_and_help(martlet):
    assert re.search(r"\d+\.\d+", command(martlet, "--version").stdout)
    words = command(martlet, "--help").stdout
    for one in ("serve", "check", "explain", "setup"):
        assert one in words


def test_the_environment_is_enough(cluster, start_martlet):
    endpoint = start_martlet()
    endpoint.martlet.stop()
    endpoint.martlet.configuration.write_text("{}\n")
    endpoint.martlet.start({
        "MARTLET_PATRONI_URLS": cluster.patroni_url(0) + "," + cluster.patroni_url(1),
        "MARTLET_SERVICE_USER": "martlet",
        "MARTLET_SERVICE_PASSWORD": cluster.settings.passwords["martlet"],
        "MARTLET_LISTEN": f"127.0.0.1:{endpoint.martlet.port}",
        "MARTLET_HTTP_LISTEN": f"127.0.0.1:{endpoint.martlet.http_port}",
    })
    with endpoint.connect() as connection:
        assert value(connection, "SELECT 1") == 1


def test_it_starts_and_serves_reads_with_one_patroni_url(cluster, start_martlet):
    endpoint = start_martlet({"patroni": {"urls": [cluster.patroni_url(2)]}})
    assert {node["name"] for node in endpoint.topology()["nodes"]} == set(cluster.names)
