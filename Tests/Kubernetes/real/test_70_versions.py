# SPDX-License-Identifier: Apache-2.0
"""The scripts with other versions of PostgreSQL, and from one to the next. No Patroni here."""

import copy

import pytest
from harness.image import Image
from harness.kube import wait_until, with_environment

SERVER = """
initdb -D /var/lib/postgresql/data -U postgres --auth-local=peer --auth-host=scram-sha-256 >/dev/null
cat >> /var/lib/postgresql/data/postgresql.conf <<END
listen_addresses = '*'
unix_socket_directories = '/var/run/postgresql'
END
echo 'host replication replicator all scram-sha-256' >> /var/lib/postgresql/data/pg_hba.conf
pg_ctl -D /var/lib/postgresql/data -w -s -l /tmp/log start
psql -h /var/run/postgresql -U postgres -d postgres -q -v ON_ERROR_STOP=1 <<END
CREATE ROLE replicator LOGIN REPLICATION PASSWORD '$PATRONI_REPLICATION_PASSWORD';
SELECT pg_create_physical_replication_slot('backup', true);
CREATE TABLE t AS SELECT generate_series(1, 1000) AS n;
END
echo ready
exec sleep 600
"""


def bare(template, script, environment=None):
    """A member's pod that runs a script and is no member."""
    template = copy.deepcopy(template)
    template["metadata"]["labels"] = {}
    template["spec"]["containers"][0]["args"] = [
        "/bin/bash", "-euo", "pipefail", "-c", script]
    return with_environment(template, environment or {})


@pytest.fixture(params=[15, 17])
def server(bare_kube, request):
    """A server of this version, and its image."""
    kube, major = bare_kube, request.param
    image = f"patroni-{major}"
    kube.images[image] = Image("patroni", kube.directory, major)
    found = kube.manifests.find("StatefulSet", "postgres-cluster")["spec"]["template"]
    pod = kube.run_pod(f"server-{major}", bare(found, SERVER), image,
                       claims={"pgdata": f"server-{major}"}, watched=False)
    wait_until("the server", lambda: "ready" in pod.log, 30)
    yield kube, image, pod, major
    pod.remove()


def test_backup_log_and_restore_test(server):
    kube, image, pod, major = server
    environment = {"BACKUP_DIR": f"/backup/{major}", "BACKUP_HOSTS": pod.ip, "WAL_HOST": pod.ip,
                   "RESTORE_AMCHECK": "on"}
    place = kube.claim("postgres-backup") / str(major)
    place.mkdir()
    kube.give(place, 999, 0o2775)
    receiver = kube.manifests.find("Deployment", "postgres-wal")["spec"]["template"]
    receiver = with_environment(receiver, environment)
    wal = kube.run_pod(f"wal-{major}", receiver, image, watched=False)
    try:
        _, log = kube.run_job("postgres-backup", environment=environment, image=image)
        assert "made and verified" in log
        kube.sql("INSERT INTO t VALUES (7777777)", pod)
        kube.sql("SELECT pg_switch_wal()", pod)
        kube.sql("INSERT INTO t VALUES (8888888)", pod)
        wait_until("the archive", lambda: wal.container.run(
            "wal-check.sh", check=False).returncode == 0, 30)
        checks = place / "checks"
        checks.mkdir()
        (checks / "postgres.t.sql").write_text(
            "SELECT count(*) = 2 FROM t WHERE n IN (7777777, 8888888)")
        _, log = kube.run_job("postgres-restore-test", image=image, environment={
            **environment, "RESTORE_CHECKS": f"/backup/{major}/checks"})
        assert "postgres.t.sql passed" in log and "and checked it" in log
        # No summaries here: whatever the version, the next one is a full one.
        _, log = kube.run_job("postgres-backup", environment=environment, image=image)
        assert "full backup" in log
    finally:
        wal.remove()


@pytest.mark.parametrize("option", ["", "--link"])
def test_an_upgrade_keeps_the_data(bare_kube, option):
    kube = bare_kube
    kube.images["upgrade"] = Image("patroni", kube.directory, 18, older=17)
    found = kube.manifests.find("StatefulSet", "postgres-cluster")["spec"]["template"]
    found = copy.deepcopy(found)
    found["spec"]["containers"][0]["volumeMounts"].append(
        {"name": "backup", "mountPath": "/backup"})
    found["spec"]["volumes"].append({"name": "backup", "emptyDir": {}})
    _, log = kube.run_to_end("upgrade", bare(found, f"""
        old=/usr/lib/postgresql/17/bin
        mkdir -p /var/lib/postgresql/17 /backup/base /backup/wal
        $old/initdb -D /var/lib/postgresql/17/main -U postgres --data-checksums --encoding=UTF8 \\
            --locale=C.UTF-8 >/dev/null
        $old/pg_ctl -D /var/lib/postgresql/17/main -w -s -l /tmp/log \\
            -o '-c unix_socket_directories=/var/run/postgresql' start
        $old/psql -h /var/run/postgresql -U postgres -d postgres -q \\
            -c 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS n'
        ! upgrade.sh {option} /var/lib/postgresql/17/main /var/lib/postgresql/18/main || exit 9
        $old/pg_ctl -D /var/lib/postgresql/17/main -w -s stop
        upgrade.sh {option} /var/lib/postgresql/17/main /var/lib/postgresql/18/main
        pg_ctl -D /var/lib/postgresql/18/main -w -s -l /tmp/log \\
            -o '-c unix_socket_directories=/var/run/postgresql' start
        psql -h /var/run/postgresql -U postgres -d postgres -XAtc \\
            "SELECT 'found ' || count(*) || ' in ' || current_setting('server_version_num') FROM t"
        pg_ctl -D /var/lib/postgresql/18/main -w -s stop
    """), claims={"pgdata": f"upgrade{option}"}, image="upgrade")
    assert "make this member the primary first" in log
    assert "found 1000 in 18" in log
