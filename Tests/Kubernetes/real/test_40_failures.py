# SPDX-License-Identifier: Apache-2.0
"""What the cluster survives. Last, because it leaves the cluster in another state."""

import time

import pytest
from harness.kube import wait_until


@pytest.fixture(scope="module")
def quick(kube):
    """Shorter times, by PATCH as apply-config.sh does; the order of events is the same."""
    kube.patroni("PATCH", "/config", {"ttl": 20, "loop_wait": 5, "retry_timeout": 5})
    wait_until("the new times", lambda: kube.store.get("configmaps", "postgres-cluster-leader")[
        "metadata"]["annotations"]["ttl"] == "20", 30)
    return kube


def test_writes_go_on_while_the_api_is_away(quick):
    kube = quick
    leader = kube.wait_leader()
    members = [p.name for p in kube.members()]
    kube.wait_streaming(members)
    kube.sql("CREATE TABLE outage (n int)")
    # Failsafe needs everybody's address in the leader's record.
    kube.wait_failsafe(members)
    # Longer than ttl: without failsafe mode the primary would have stepped down by then.
    for kind, seconds in (("refuse", 22), ("hang", 22)):
        kube.api.set_outage(kind)
        began, written = time.time(), 0
        try:
            while time.time() - began < seconds:
                kube.sql(f"INSERT INTO outage VALUES ({written})", leader, timeout=5)
                written += 1
                time.sleep(0.5)
        finally:
            kube.api.set_outage(None)
        assert written > seconds
        kube.wait_renewed()
        assert kube.wait_leader() is leader
    assert "failsafe" in leader.log.lower()
    kube.wait_streaming(members)


def test_watches_recover_from_versions_that_are_gone(quick):
    kube = quick
    leader = kube.wait_leader()
    # The API drops the watches and has forgotten what came after them.
    kube.api.set_outage("refuse")
    kube.store.forget()
    kube.api.set_outage(None)
    record = kube.store.get("configmaps", "postgres-cluster-leader")["metadata"]
    wait_until("a renewed lock", lambda: kube.store.get(
        "configmaps", "postgres-cluster-leader")["metadata"]["annotations"]["renewTime"]
        > record["annotations"]["renewTime"], 30)
    assert kube.wait_leader() is leader


def test_a_lost_node_is_replaced_and_comes_back(quick):
    kube = quick
    old = kube.wait_leader()
    kube.sql("CREATE TABLE survivors (n int); INSERT INTO survivors VALUES (1)")
    position = kube.sql("SELECT pg_current_wal_lsn()")
    for pod in kube.members():
        wait_until("the write to be everywhere", lambda pod=pod: pod is old or kube.sql(
            f"SELECT pg_last_wal_replay_lsn() >= '{position}'", pod) == "t")
    began = time.time()
    old.lose_node()
    new = kube.wait_leader(60, other_than=old)
    assert time.time() - began < 40
    assert kube.sql("SELECT n FROM survivors", new) == "1"
    kube.sql("INSERT INTO survivors VALUES (2)", new)
    # A node that is lost keeps its label, but no Service leads to a pod that is not ready.
    wait_until("the label", lambda: new.labels.get("role") == "primary")
    wait_until("the Service", lambda: kube.resolve(
        "postgres-cluster.databases.svc.cluster.local") == [new.ip])
    old.come_back()
    kube.wait_streaming([old.name], 120)
    assert kube.sql("SELECT count(*) FROM survivors", old) == "2"
    wait_until("its label", lambda: old.labels.get("role") == "replica")


def test_a_deleted_leader_hands_over(quick):
    kube = quick
    old = kube.wait_leader()
    index = int(old.name.rsplit("-", 1)[1])
    clones = old.log.count("replica has been created")
    began = time.time()
    leaving = kube.in_background(old.delete)
    new = kube.wait_leader(60, other_than=old)
    assert time.time() - began < 15
    leaving.result()
    assert old.ended_in_time
    # The StatefulSet makes it again, with the same volume.
    again = kube.start_member(index)
    kube.wait_streaming([again.name], 120)
    assert kube.wait_leader() is new
    assert again.log.count("replica has been created") == clones


def test_nothing_was_refused_in_all_this(kube):
    assert kube.api.refused() == []
