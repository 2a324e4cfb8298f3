# SPDX-License-Identifier: Apache-2.0
"""deploy/scripts/major-upgrade.sh as a whole: a cluster of 17 becomes one of 18."""

import copy
import os
import subprocess

import pytest
from harness.controllers import Workloads
from harness.image import Image
from harness.kube import wait_until
from harness.kubectl import Kubectl
from harness.manifests import DEPLOY
from harness.settings import PATH

IMAGE = "registry.example/martlet-patroni:18-from-17"
WANTED = {("statefulset", "postgres-cluster"): 3, ("deployment", "postgres-readonly"): 1,
          ("deployment", "postgres-wal"): 1}


@pytest.fixture(scope="module")
def workloads(bare_kube):
    """Three members, a reader and the receiver of the log, all of 17, where nothing was before."""
    kube = bare_kube
    kube.clear()
    kept, objects = kube.images["patroni"], copy.deepcopy(kube.manifests.objects)
    kube.images["patroni"] = Image("patroni", kube.directory, 17)
    kube.images[IMAGE] = Image("patroni", kube.directory, 18, older=17)
    data = kube.manifests.find("ConfigMap", "patroni-config")["data"]
    assert "data_dir: /var/lib/postgresql/18/main" in data["patroni.yml"]
    data["patroni.yml"] = data["patroni.yml"].replace("/18/main", "/17/main")
    one = Workloads(kube, WANTED)
    kubectl = Kubectl(kube, one)
    one.path = f"{kubectl.directory}:{PATH}"
    settle(kube, one)
    yield one
    one.stop()
    kubectl.stop()
    kube.clear()
    kube.images["patroni"], kube.manifests.objects[:] = kept, objects


def settle(kube, workloads):
    """Until all that is wanted is there, streams and is ready."""
    wait_until("all members", lambda: len(kube.members()) == 4, 60)
    kube.wait_streaming([p.name for p in kube.members()], 180)
    wait_until("all pods to be ready", lambda: all(p.ready for p in kube.pods.values()), 60)


def upgrade(workloads, *arguments):
    """Runs the script."""
    return subprocess.run(
        [DEPLOY / "scripts/major-upgrade.sh", "-n", workloads.kube.namespace, "--yes",
         "--image", IMAGE, *arguments], timeout=280, stdin=subprocess.DEVNULL,
        env={"PATH": workloads.path, "HOME": os.environ.get("HOME", "/")},
        capture_output=True, text=True)


def test_a_wrong_version_changes_nothing(bare_kube, workloads):
    done = upgrade(workloads, "16", "18")
    assert done.returncode != 0 and "which is not of version 16" in done.stderr
    assert workloads.wanted == WANTED


def test_the_upgrade(bare_kube, workloads):
    kube = bare_kube
    leader = kube.wait_leader()
    kube.sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n", database="mlops")
    # Not in the manifests, so only Patroni knows it.
    kube.patroni("PATCH", "/config", {"postgresql": {"parameters": {"work_mem": "13MB"}}})
    for pod in kube.members():
        wait_until("work_mem", lambda pod=pod: kube.sql("SHOW work_mem", pod) == "13MB")
    # The script makes the first member the primary, if it is another.
    if leader.name == "postgres-cluster-0":
        leader.container.run("patronictl", "-c", "/etc/patroni", "switchover", "postgres-cluster",
                             "--leader", leader.name, "--force")
        kube.wait_leader(other_than=leader)
        kube.wait_streaming([p.name for p in kube.members()])
    workloads.job_from("postgres-backup", "before")
    assert workloads.wait_job("before"), workloads.jobs["before"]["log"]
    done = upgrade(workloads, "17", "18")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "runs version 18; the primary is postgres-cluster-0" in done.stderr
    assert workloads.wanted == WANTED
    settle(kube, workloads)
    for pod in kube.members():
        assert kube.sql("SHOW server_version_num", pod).startswith("18")
        assert kube.sql("SELECT count(*) FROM kept", pod, "mlops") == "1000"
        assert kube.sql("SHOW data_checksums", pod) == "on"
        assert kube.sql("SHOW work_mem", pod) == "13MB"
    assert (kube.claim("pgdata-postgres-cluster-0") / "17/main/PG_VERSION").exists()
    assert kube.api.refused() == []


def test_the_archive_goes_on_with_the_new_version(bare_kube, workloads):
    kube = bare_kube
    archive = kube.claim("postgres-backup")
    assert list(archive.glob("before-upgrade-*/base/*-full"))
    name = next(n for n in workloads.jobs if n.startswith("after-upgrade-"))
    assert workloads.wait_job(name), workloads.jobs[name]["log"]
    made = [p for p in (archive / "base").iterdir() if p.name[0] != "."]
    assert [(p / "PG_VERSION").read_text().strip() for p in made] == ["18"]
    kube.sql("INSERT INTO kept VALUES (0)", database="mlops")
    kube.wait_archive()
    workloads.job_from("postgres-restore-test", "tested")
    assert workloads.wait_job("tested"), workloads.jobs["tested"]["log"]
    for one in ("postgres-backup", "postgres-restore-test"):
        assert kube.manifests.find("CronJob", one)["spec"]["suspend"] is False
