# SPDX-License-Identifier: Apache-2.0
"""The scripts with other versions of PostgreSQL, and from one to the next. No Patroni here."""

import copy
from base64 import b64encode

import pytest
import yaml
from harness.image import Image
from harness.kube import wait_until, with_environment
from harness.manifests import DEPLOY, Manifests, render

SERVER = r"""
initdb -D /var/lib/postgresql/data -U postgres --auth-local=peer --auth-host=scram-sha-256 \
    >/dev/null
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


PGBACKREST = r"""
initdb -D $PGDATA -U postgres --auth-local=peer --data-checksums >/dev/null
cat >> $PGDATA/postgresql.conf <<END
listen_addresses = ''
unix_socket_directories = '/var/run/postgresql'
archive_mode = on
archive_command = '{archive_command}'
END
pg_ctl -D $PGDATA -w -s -l /tmp/log start
export PGHOST=/var/run/postgresql
psql -qc 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS n'
pgbackrest-loop.sh >/tmp/loop 2>&1 &
until grep -q 'backup made\|ERROR' /tmp/loop; do sleep 0.3; done
kill $!
cat /tmp/loop
grep -q 'backup made' /tmp/loop
pgbackrest --stanza=main info
psql -qc 'INSERT INTO t VALUES (7777777)' -c 'SELECT pg_switch_wal()'
pg_ctl -D $PGDATA -w -s stop
mv $PGDATA $PGDATA.lost
pgbackrest --stanza=main restore
pg_ctl -D $PGDATA -w -s -l /tmp/log start
until [ "$(psql -XAtc 'SELECT pg_is_in_recovery()')" = f ]; do sleep 0.3; done
psql -XAtc "SELECT 'found ' || count(*) FROM t WHERE n = 7777777 OR n = 1"
pg_ctl -D $PGDATA -w -s stop
"""


def test_pgbackrest_backs_up_and_restores(bare_kube):
    """With the component's own configuration, but for where the repository is."""
    kube = bare_kube
    kube.images["patroni-15"] = Image("patroni", kube.directory, 15)
    objects = render(DEPLOY.parent / "Tests/Kubernetes/real/overlay-pgbackrest")
    found = copy.deepcopy(Manifests(objects).find("StatefulSet", "postgres-cluster"))
    template = found["spec"]["template"]
    template["spec"]["containers"] = [
        c for c in template["spec"]["containers"] if c["name"] == "pgbackrest"]
    template["spec"]["volumes"] = [v for v in template["spec"]["volumes"]
                                   if v["name"] in ("run", "pgbackrest-tmp", "pgbackrest")]
    template["spec"]["automountServiceAccountToken"] = False
    kube.manifests.objects.append(Manifests(objects).find("ConfigMap", "pgbackrest"))
    kube.manifests.objects.append({
        "kind": "Secret", "metadata": {"name": "pgbackrest-s3"}, "data": {
            "PGBACKREST_REPO1_CIPHER_PASS": b64encode(b"of the repository").decode()}})
    patroni = yaml.safe_load(kube.manifests.data("ConfigMap", "pgbackrest")["pgbackrest.yml"])
    command = patroni["bootstrap"]["dcs"]["postgresql"]["parameters"]["archive_command"]
    _, log = kube.run_to_end(
        "pgbackrest", bare(template, PGBACKREST.format(archive_command=command), {
            "PGBACKREST_REPO1_TYPE": "posix", "BACKUP_HOUR": "0",
            "PGBACKREST_REPO1_PATH": "/var/lib/postgresql/repository",
            "PGBACKREST_PG1_PATH": "/var/lib/postgresql/15/main"}),
        claims={"pgdata": "pgbackrest"}, image="patroni-15")
    assert "cipher: aes-256-cbc" in log and "full backup" in log
    assert "found 2" in log
