# SPDX-License-Identifier: Apache-2.0
"""Real clients: drivers in several languages' styles, psql and pgbench."""

import os
import subprocess
import threading
from collections import Counter

import pytest
from support.drivers import ALL, Refused
from support.endpoint import DATABASE, PASSWORD, USER, WHERE


@pytest.fixture(params=ALL, ids=[one.__name__ for one in ALL])
def driver(request, martlet):
    """One connection by each driver."""
    address = martlet.address()
    del address["connect_timeout"]
    one = request.param(address)
    yield one
    one.close()


def test_reads_are_on_replicas_and_writes_on_the_primary(driver, primary_port, replica_ports):
    for number in range(20):
        assert driver.run(f"{WHERE} WHERE $1 >= 0", number)[0][0] in replica_ports
    for number in range(5):
        found = driver.run("INSERT INTO journal VALUES (-30, $1) RETURNING port", number)
        assert found == [(primary_port,)]
    assert len(driver.run("DELETE FROM journal WHERE client = -30 RETURNING 1")) == 5


def test_values_come_back(driver):
    text = "Grüße, 'quotes' \\ and \"more\" €"
    for number in range(10):
        found = driver.run("SELECT CAST($1 AS integer) + 1, CAST($2 AS text)", number, text)
        assert found == [(number + 1, text)]
    assert driver.run("SELECT CAST($1 AS text) IS NULL", None) == [(True,)]


def test_many_rows(driver):
    found = driver.run("SELECT n FROM generate_series(1, 20000) n")
    assert len(found) == 20000 and found[-1] == (20000,)


def test_errors_leave_the_connection_usable(driver):
    for statement, code in [
        ("SELECT 1 / 0", "22012"), ("SELECT nothing", "42703"), ("frobnicate", "42601"),
        ("INSERT INTO items (id) VALUES (1)", "23505"),
    ]:
        with pytest.raises(Refused) as refused:
            driver.run(statement)
        assert refused.value.code == code
        assert driver.run("SELECT 1") == [(1,)]


# Edge cases: 62
def test_transactions(driver, primary_port):
    driver.run("BEGIN")
    assert driver.run(WHERE) == [(primary_port,)]
    driver.run("INSERT INTO journal VALUES (-31, 1)")
    driver.run("ROLLBACK")
    driver.run("BEGIN")
    driver.run("INSERT INTO journal VALUES (-31, 2)")
    driver.run("SAVEPOINT s")
    with pytest.raises(Refused):
        driver.run("SELECT 1 / 0")
    driver.run("ROLLBACK TO s")
    driver.run("COMMIT")
    found = driver.run("DELETE FROM journal WHERE client = -31 RETURNING number")
    assert found == [(2,)]


# Edge cases: 62
def test_read_only_transactions(driver, replica_ports):
    driver.run("BEGIN READ ONLY")
    assert driver.run(WHERE)[0][0] in replica_ports
    with pytest.raises(Refused) as refused:
        driver.run("INSERT INTO journal VALUES (-32, 1)")
    assert refused.value.code == "25006"
    driver.run("ROLLBACK")
    assert driver.run("SELECT 1") == [(1,)]


def test_own_writes_are_seen(driver):
    for number in range(30):
        driver.run("UPDATE items SET value = $1 WHERE id = 60", number)
        assert driver.run("SELECT value FROM items WHERE id = 60") == [(number,)]


def test_settings(driver):
    driver.run("SET work_mem = '6MB'")
    for hint in ("", "/* martlet: primary */ ", ""):
        assert driver.run(f"{hint}SELECT current_setting('work_mem')") == [("6MB",)]


@pytest.mark.parametrize("kind", ALL, ids=[one.__name__ for one in ALL])
def test_64_clients_of_one_driver(martlet, kind, primary_port, replica_ports):
    address = martlet.address()
    del address["connect_timeout"]
    failures, ports = [], Counter()

    def work(number):
        try:
            connection = kind(address)
            for round_ in range(5):
                ports["read", connection.run(WHERE)[0][0] in replica_ports] += 1
                found = connection.run("UPDATE items SET value = $1 WHERE id = $2 RETURNING"
                                       " inet_server_port(), value", round_, 100 + number)
                ports["write", found[0][0] == primary_port] += 1
                assert found[0][1] == round_
                assert connection.run("SELECT value FROM items WHERE id = $1", 100 + number) == [
                    (round_,)]
            connection.close()
        except Exception as failure:  # noqa: BLE001 - any failure of any client fails the test
            failures.append(repr(failure))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    # A read directly after a write may be on the primary; a write is never on a replica.
    assert ports["write", True] == 64 * 5 and ports["write", False] == 0
    assert ports["read", True] >= 64


def tool(cluster, martlet, *words, text=None):
    """Runs psql or pgbench against martlet."""
    environment = {"PGPASSWORD": PASSWORD, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    options = ["-h", "127.0.0.1", "-p", str(martlet.port), "-U", USER]
    return subprocess.run(
        [cluster.binaries / words[0], *options, *words[1:], DATABASE], env=environment,
        input=text, capture_output=True, text=True, timeout=280, check=False)


def test_psql(cluster, martlet, replica_ports):
    script = f"""
\\set ON_ERROR_STOP on
\\conninfo
\\dt
\\d items
{WHERE};
BEGIN; INSERT INTO journal VALUES (-33, 1); COMMIT;
SELECT count(*) FROM journal WHERE client = -33;
\\copy (SELECT id FROM items ORDER BY id LIMIT 3) TO STDOUT
CREATE TEMP TABLE t AS SELECT 1 AS n;
\\copy t FROM STDIN
5
6
\\.
SELECT sum(n) FROM t;
DELETE FROM journal WHERE client = -33;
\\gdesc
"""
    done = tool(cluster, martlet, "psql", "-XAt", text=script)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {str(port) for port in replica_ports} & set(lines)
    assert ["1", "2", "3"] == [line for line in lines if line in ("1", "2", "3")][-3:]
    assert "12" in lines and "DELETE 1" in lines


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(cluster, martlet, mode):
    tables = "pgbench_history, pgbench_tellers, pgbench_branches, pgbench_accounts"
    try:
        done = tool(cluster, martlet, "pgbench", "-i", "-q", "-s", "4")
        assert done.returncode == 0, done.stderr
        for script, transactions in (("tpcb-like", 20), ("select-only", 50)):
            done = tool(cluster, martlet, "pgbench", "-n", "-M", mode, "-b", script, "-c", "64",
                        "-j", "2", "-t", str(transactions))
            assert done.returncode == 0, done.stderr
            assert f"processed: {64 * transactions}/{64 * transactions}" in done.stdout
            assert "failed transactions: 0 " in done.stdout
        with martlet.connect() as connection:
            connection.execute("SET martlet.route = 'primary'")
            sums = connection.execute(
                "SELECT (SELECT count(*) FROM pgbench_history),"
                " (SELECT sum(delta) FROM pgbench_history) = (SELECT sum(abalance) FROM"
                " pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers) ="
                " (SELECT sum(bbalance) FROM pgbench_branches)").fetchone()
            assert sums == (64 * 20, True, True)
    finally:
        with martlet.connect() as connection:
            connection.execute(f"DROP TABLE IF EXISTS {tables}")
