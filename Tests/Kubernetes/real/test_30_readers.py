# SPDX-License-Identifier: Apache-2.0
"""Readers, from the Deployment's template: they join, never lead, drain, and leave."""

import json
import time
import urllib.error
import urllib.request

import pytest
from harness.kube import wait_until


def rest(pod, path):
    """(status, body) of a pod's Patroni."""
    try:
        with urllib.request.urlopen(f"http://{pod.ip}:8008{path}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or "null")


@pytest.fixture(scope="module")
def reader(kube):
    """One that streams and is ready."""
    pod = kube.start_replica("postgres-readonly")
    kube.wait_streaming([pod.name])
    wait_until("the reader to be ready", lambda: pod.ready, 60)
    return pod


def test_a_reader_joins_and_is_found(kube, reader):
    assert reader.labels["role"] == "replica"
    assert kube.resolve("postgres-readonly.databases.svc.cluster.local") == [reader.ip]
    # Backups come from members.
    assert reader.ip not in kube.resolve("postgres-cluster-repl.databases.svc.cluster.local")
    assert reader.ip in kube.resolve("postgres-cluster-headless.databases.svc.cluster.local")
    assert kube.sql("SELECT pg_is_in_recovery()", reader) == "t"
    assert rest(reader, "/replica")[0] == 200


def test_a_reader_is_never_a_candidate(kube, reader):
    _, cluster = rest(kube.wait_leader(), "/cluster")
    tags = {m["name"]: m.get("tags", {}) for m in cluster["members"]}
    assert tags[reader.name]["nofailover"] is True and tags[reader.name]["nosync"] is True
    assert not tags[reader.name].get("clonefrom")
    assert tags["postgres-cluster-0"].get("clonefrom") is True


def test_it_was_cloned_from_a_member_and_has_its_slot(kube, reader):
    slot = reader.name.replace("-", "_")
    wait_until("its slot", lambda: kube.sql(
        f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'") == "t")


def test_a_reader_that_leaves_finishes_what_runs(kube, reader):
    slow = kube.in_background(
        kube.sql, "SELECT 'finished' FROM pg_sleep(20)", reader, "postgres", 60)
    wait_until("the query", lambda: kube.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND state = 'active'"
        " AND pid <> pg_backend_pid()", reader) == "1")
    leaving = kube.in_background(reader.delete)
    # At once no Service leads there any more, and soon Patroni says so, too.
    wait_until("no endpoint", lambda: kube.resolve(
        "postgres-readonly.databases.svc.cluster.local") == [], 5)
    wait_until("/replica to be refused", lambda: rest(reader, "/replica")[0] == 503, 15)
    began = time.time()
    assert slow.result() == "finished"
    leaving.result()
    assert reader.ended_in_time and time.time() - began < 40
    assert "nothing runs after" in reader.log
    _, cluster = rest(kube.wait_leader(), "/cluster")
    assert reader.name not in {m["name"] for m in cluster["members"]}


def test_nothing_that_it_asked_of_the_api_was_refused(kube):
    assert kube.api.refused("postgres-cluster") == []
