# SPDX-License-Identifier: Apache-2.0
"""The cluster and martlet with the component tls-secrets: nothing goes without TLS."""

import base64
import copy
import os
import subprocess
from pathlib import Path

import psycopg
import pytest
import yaml
from harness.controllers import Workloads
from harness.image import Image
from harness.kube import wait_until
from harness.kubectl import Kubectl
from harness.load import writes_and_reads
from harness.manifests import DEPLOY, Manifests, make_secret, render
from harness.settings import PASSWORDS, PATH


@pytest.fixture(scope="module")
def workloads(bare_kube, martlet_image):
    """A cluster made anew, in which TLS is then turned on; and a martlet.

    Of PostgreSQL 15, which is Debian's: those of PyPI are built without TLS.
    """
    kube = bare_kube
    kube.clear()
    kept, image = kube.manifests.objects, kube.images["patroni"]
    kube.images["patroni"] = Image("patroni", kube.directory, 15)
    kube.manifests.objects = objects("overlay")
    one = Workloads(kube, {("statefulset", "postgres-cluster"): 3,
                           ("deployment", "postgres-readonly"): 1,
                           ("deployment", "postgres-wal"): 1})
    kubectl = Kubectl(kube, one)
    one.path = f"{kubectl.directory}:{PATH}"
    settle(kube, 5)
    assert kube.sql("SHOW ssl") == "off"
    kube.sql("CREATE TABLE kept AS SELECT 1 AS n")
    turn_on(kube, one)
    one.wanted["deployment", "martlet"] = 1
    settle(kube)
    yield one
    one.stop()
    kubectl.stop()
    kube.clear()
    kube.manifests.objects, kube.images["patroni"] = kept, image


def objects(overlay):
    """What is rendered of an overlay, for PostgreSQL 15, and the passwords."""
    result = [*copy.deepcopy(render(Path(__file__).parent / overlay)), make_secret(**PASSWORDS)]
    data = Manifests(result).find("ConfigMap", "patroni-config")["data"]
    assert "data_dir: /var/lib/postgresql/18/main" in data["patroni.yml"]
    data["patroni.yml"] = data["patroni.yml"].replace("/18/main", "/15/main")
    return result


def turn_on(kube, workloads):
    """As the manual says: no members for a while, and the apply brings them and the others back."""
    certificates = subprocess.run(
        [DEPLOY / "kubernetes/components/tls-secrets/make-secrets.sh", kube.namespace], check=True,
        capture_output=True, text=True, env={"PATH": PATH}).stdout
    workloads.wanted["statefulset", "postgres-cluster"] = 0
    wait_until("the members to end", lambda: not kube.members("member"), 120)
    kube.manifests.objects = [*objects("overlay-tls"), *yaml.safe_load_all(certificates)]
    old = list(kube.pods.values())
    workloads.wanted["statefulset", "postgres-cluster"] = 3
    for pod in old:
        kube.in_background(pod.delete)
    wait_until("the others to be replaced", lambda: not any(
        p in old for p in list(kube.pods.values())), 120)


def settle(kube, pods=6):
    """Until all are there, stream and are ready."""
    wait_until("all pods", lambda: len(kube.pods) == pods, 60)
    kube.wait_streaming([p.name for p in kube.members()], 180)
    wait_until("all pods to be ready", lambda: all(p.ready for p in kube.pods.values()), 60)
    kube.wait_services()


def script(workloads, name, *arguments):
    """Runs one of deploy/scripts."""
    done = subprocess.run(
        [DEPLOY / "scripts" / name, "-n", workloads.kube.namespace, "--yes", *arguments],
        env={"PATH": workloads.path, "HOME": os.environ.get("HOME", "/")}, timeout=280,
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def conninfo(bare_kube, workloads, tmp_path):
    """As the manual has it, and an application's."""
    authority = tmp_path / "ca.crt"
    found = bare_kube.manifests.find("Secret", "martlet-tls")["data"]["ca.crt"]
    authority.write_bytes(base64.b64decode(found))
    address = bare_kube.resolve(f"martlet.{bare_kube.domain}")[0]
    return (f"host=martlet.databases.svc hostaddr={address} port=5432 user=mlops_user dbname=mlops"
            f" password={PASSWORDS['APP_PASSWORD']} sslmode=verify-full sslrootcert={authority}")


def test_members_and_readers_stream_over_tls_by_name(bare_kube, workloads):
    kube = bare_kube
    leader = kube.wait_leader()
    names = kube.sql("SELECT application_name FROM pg_stat_replication"
                     " JOIN pg_stat_ssl USING (pid) WHERE ssl").split()
    assert {p.name for p in kube.members() if p is not leader} <= set(names)
    for pod in kube.members():
        if pod is not leader:
            conninfo = kube.sql("SELECT conninfo FROM pg_stat_wal_receiver", pod)
            assert f"host={leader.name}.postgres-cluster-headless.databases.svc" in conninfo
            assert "sslmode=verify-full" in conninfo
    assert kube.sql("SELECT n FROM kept") == "1"
    assert kube.api.refused() == []


def test_nobody_comes_without_tls(bare_kube, workloads, conninfo):
    leader = bare_kube.wait_leader()
    plain = conninfo.replace("verify-full", "disable")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(f"{plain} hostaddr={leader.ip}", connect_timeout=10)
    with pytest.raises(psycopg.OperationalError, match="(?i)tls|ssl|encrypt"):
        psycopg.connect(plain, connect_timeout=10)


def test_martlet_serves_those_who_verify_it(bare_kube, workloads, conninfo):
    kube = bare_kube
    with psycopg.connect(conninfo, autocommit=True) as one:
        assert one.pgconn.ssl_in_use
        one.execute("CREATE TABLE things (address text)")
        writes_and_reads(one, kube, 30)
        # And its own connections to the servers.
        assert one.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
                           ).fetchone()[0] is True
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        psycopg.connect(conninfo.replace("host=martlet.databases.svc", "host=elsewhere"))


def test_a_backup_comes_from_a_replica(bare_kube, workloads):
    _, log = bare_kube.run_job("postgres-backup")
    assert "from postgres-cluster-repl" in log and "made and verified" in log
    bare_kube.sql("CHECKPOINT")
    bare_kube.wait_archive()


def test_the_scripts_speak_https(bare_kube, workloads, conninfo):
    kube = bare_kube
    old = kube.wait_leader()
    candidate = next(p for p in kube.members("member") if p is not old)
    script(workloads, "switchover.sh", candidate.name)
    assert kube.wait_leader() is candidate
    for pod in kube.members():
        place = pod.directory / "volumes/patroni-config/patroni.yml"
        place.write_text(place.read_text().replace("work_mem: 8MB", "work_mem: 12MB"))
    script(workloads, "apply-config.sh")
    assert {kube.sql("SHOW work_mem", p) for p in kube.members()} == {"12MB"}
    before = {p.name: p for p in kube.members("member")}
    script(workloads, "rolling-restart.sh")
    assert all(p is not before[p.name] for p in kube.members("member"))
    settle(kube)
    with psycopg.connect(conninfo, autocommit=True) as one:
        one.execute("INSERT INTO things VALUES ('after all that')")
    assert kube.api.refused() == []
