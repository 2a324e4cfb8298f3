# SPDX-License-Identifier: Apache-2.0
"""The operator's scripts, deploy/scripts, on the running cluster."""

import os
import subprocess
import time

import pytest
from harness.controllers import Workloads
from harness.kube import wait_until
from harness.kubectl import Kubectl
from harness.manifests import DEPLOY
from harness.settings import PATH


@pytest.fixture(scope="module")
def workloads(kube):
    """Controllers that keep three members, one reader and the receiver of the log."""
    one = Workloads(kube, {("statefulset", "postgres-cluster"): 3,
                           ("deployment", "postgres-readonly"): 1,
                           ("deployment", "postgres-wal"): 1})
    kubectl = Kubectl(kube, one)
    one.path = f"{kubectl.directory}:{PATH}"
    wait_until("all pods", lambda: len(kube.members()) == 4, 60)
    kube.wait_streaming([p.name for p in kube.members()])
    wait_until("all pods to be ready", lambda: all(p.ready for p in kube.members()), 60)
    yield one
    one.stop()
    kubectl.stop()
    for pod in one.pods_of("postgres-readonly") + one.pods_of("postgres-wal"):
        pod.remove()


def script(workloads, name, *arguments, check=True, timeout=280):
    """Runs one of deploy/scripts."""
    done = subprocess.run(
        [DEPLOY / "scripts" / name, "-n", workloads.kube.namespace, *arguments],
        env={"PATH": workloads.path, "HOME": os.environ.get("HOME", "/")}, timeout=timeout,
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_script_without_a_yes_changes_nothing(kube, workloads):
    leader = kube.wait_leader()
    done = script(workloads, "switchover.sh", check=False)
    assert done.returncode != 0 and kube.wait_leader() is leader


def test_switchover(kube, workloads):
    old = kube.wait_leader()
    candidate = next(p for p in kube.members("member") if p is not old)
    done = script(workloads, "switchover.sh", "--yes", candidate.name)
    assert f"the primary was {old.name} and is {candidate.name}" in done.stderr
    assert kube.wait_leader() is candidate
    kube.wait_streaming([p.name for p in kube.members()])


def test_apply_config(kube, workloads):
    file = kube.manifests.find("ConfigMap", "patroni-config")
    text = file["data"]["patroni.yml"]
    assert "work_mem: 8MB" in text
    leader = kube.wait_leader()
    # As the kubelet would bring a changed ConfigMap into the pod.
    place = leader.directory / "volumes/patroni-config/patroni.yml"
    place.write_text(text.replace("work_mem: 8MB", "work_mem: 12MB"))
    try:
        done = script(workloads, "apply-config.sh", "--dry-run")
        assert '"work_mem": "12MB"' in done.stdout
        assert kube.sql("SHOW work_mem", leader) == "8MB"
        script(workloads, "apply-config.sh", "--yes")
        assert {p.name: kube.sql("SHOW work_mem", p) for p in kube.members()} == dict.fromkeys(
            (p.name for p in kube.members()), "12MB")
        # What Patroni leaves behind of a change that it reads while its PostgreSQL starts: it has
        # taken note, postgresql.conf has not, and the same change again is none.
        missed = next(p for p in kube.members("member") if p is not leader)
        missed.container.run("sed", "-i", "s/^work_mem = .*/work_mem = '8MB'/", kube.sql(
            "SHOW config_file", missed))
        kube.sql("SELECT pg_reload_conf()", missed)
        wait_until("the old value", lambda: kube.sql("SHOW work_mem", missed) == "8MB")
        script(workloads, "apply-config.sh", "--yes")
        assert kube.sql("SHOW work_mem", missed) == "12MB"
    finally:
        place.write_text(text)


def test_rolling_restart(kube, workloads):
    before = {p.name: p for p in kube.members("member")}
    done = script(workloads, "rolling-restart.sh", "--yes")
    assert done.stderr.count("replacing") == 3
    after = {p.name: p for p in kube.members("member")}
    assert all(after[name] is not pod for name, pod in before.items())
    kube.wait_streaming(list(after))


def test_the_cluster_goes_back_in_time(kube, workloads):
    wait_until("the receiver", lambda: all(p.ready for p in workloads.pods_of("postgres-wal")), 60)
    workloads.job_from("postgres-backup", "before")
    assert workloads.wait_job("before")
    kube.sql("CREATE TABLE IF NOT EXISTS history (note text);"
             " INSERT INTO history VALUES ('kept')")
    # Settings do not go back: they are not of the database, no more than passwords are.
    kube.patroni("PATCH", "/config", {"postgresql": {"parameters": {"work_mem": "14MB"}}})
    wait_until("the setting", lambda: kube.sql("SHOW work_mem") == "14MB", 30)
    moment = kube.sql("SELECT clock_timestamp()")
    time.sleep(1.1)
    kube.sql("INSERT INTO history VALUES ('a mistake')")
    kube.wait_archive()
    listed = script(workloads, "restore.sh", "--list").stdout
    assert "-full  ended" in listed or "-incr  ended" in listed
    done = script(workloads, "restore.sh", "--yes", "--time", moment)
    assert "restored; the primary is postgres-cluster-0" in done.stderr
    assert kube.sql("SELECT string_agg(note, '+') FROM history") == "kept"
    wait_until("all members", lambda: len(kube.members()) == 4, 60)
    kube.wait_streaming([p.name for p in kube.members()])
    for pod in kube.members():
        assert kube.sql("SELECT string_agg(note, '+') FROM history", pod) == "kept"
        assert kube.sql("SHOW work_mem", pod) == "14MB"
    # What was there is still there, in case the moment was wrong.
    volume = kube.claim("pgdata-postgres-cluster-0")
    assert list((volume / "18").glob("main.before-restore-*"))
    archive = kube.claim("postgres-backup")
    assert list(archive.glob("before-restore-*/base/*-full"))
    # And the new history is archived and backed up.
    name = next(n for n in workloads.jobs if n.startswith("after-restore-"))
    assert workloads.wait_job(name), workloads.jobs[name]["log"]
    kube.sql("INSERT INTO history VALUES ('afterwards')")
    kube.wait_archive()
    workloads.job_from("postgres-restore-test", "tested")
    assert workloads.wait_job("tested"), workloads.jobs["tested"]["log"]


def test_a_restore_that_fails_says_how_to_go_back(kube, workloads):
    done = script(workloads, "restore.sh", "--yes", "--time", "2001-01-01", check=False)
    assert done.returncode != 0
    assert "the data directory and the archive are as they were" in done.stderr
    assert "kubectl scale statefulset postgres-cluster --replicas=3" in done.stderr
    # As it says.
    workloads.wanted.update({("statefulset", "postgres-cluster"): 3,
                             ("deployment", "postgres-readonly"): 1,
                             ("deployment", "postgres-wal"): 1})
    wait_until("all members", lambda: len(kube.members()) == 4, 60)
    kube.wait_streaming([p.name for p in kube.members()])
    assert kube.sql("SELECT count(*) FROM history") == "2"


def test_an_archive_that_lost_its_place_begins_anew(kube, workloads):
    wait_until("the receiver", lambda: all(p.ready for p in workloads.pods_of("postgres-wal")), 60)
    done = script(workloads, "restart-archive.sh", "--yes")
    assert "a full backup is made" in done.stderr
    archive = kube.claim("postgres-backup")
    assert list(archive.glob("before-restart-*/wal/0*"))
    assert [p.name[-4:] for p in (archive / "base").iterdir()] == ["full"]
