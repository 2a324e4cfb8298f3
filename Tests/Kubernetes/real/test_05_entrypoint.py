# SPDX-License-Identifier: Apache-2.0
"""What the entry point says of volumes and settings that PostgreSQL would refuse."""

import copy
import os

import pytest
from harness.kube import wait_until


@pytest.fixture
def start(bare_kube):
    """Starts the entry point over a volume; gives the exit code and what it said."""
    kube = bare_kube
    found = kube.manifests.find("StatefulSet", "postgres-cluster")["spec"]["template"]

    def run(prepare=lambda volume: None, args=None, without=(), until=None, user=None):
        template = copy.deepcopy(found)
        # Not a member of the cluster.
        template["metadata"]["labels"] = {}
        container = template["spec"]["containers"][0]
        container["args"] = args or container["args"]
        container["env"] = [e for e in container["env"] if e["name"] not in without]
        name = f"entry-{os.urandom(3).hex()}"
        prepare(kube.claim(name))
        pod = kube.run_pod(name, template, claims={"pgdata": name}, watched=False)
        try:
            if until:
                wait_until(until, lambda: until in pod.log, 20)
                return None, pod.log
            assert pod.container.wait(20), pod.log
            return pod.container.code, pod.log
        finally:
            pod.remove()
    return run


def data(volume):
    """The data directory of a member, made by its user."""
    place = volume / "18/main"
    place.mkdir(parents=True)
    for one in (place.parent, place):
        os.chown(one, 999, 999)
    place.chmod(0o700)
    return place


def test_a_volume_of_root_is_explained(start):
    def prepare(volume):
        os.chown(volume, 0, 0)
        volume.chmod(0o755)
    code, log = start(prepare)
    assert code == 1
    assert "cannot write to /var/lib/postgresql as 999:999 (it belongs to 0:0, mode 755)" in log
    for word in ("fsGroup: 999", "efs-ap", 'uid: "999"', "subPath"):
        assert word in log


def test_a_data_directory_of_somebody_else_is_explained(start):
    def prepare(volume):
        place = data(volume)
        os.chown(place, 50000, 50000)
    code, log = start(prepare)
    assert code == 1 and "has wrong ownership: 50000:50000, mode 700, not 999" in log
    assert "chown -R 999:999" in log


def test_leftovers_of_another_initdb_are_explained_and_kept(start):
    kept = []

    def prepare(volume):
        kept.append(data(volume) / "base")
        kept[0].mkdir()
    code, log = start(prepare)
    assert code == 1 and "is not empty, and there is no database in it: base" in log
    assert "mv /var/lib/postgresql/18/main /var/lib/postgresql/18/main.leftover" in log
    assert kept[0].exists()


def test_an_unfinished_clone_is_removed_and_repeated(start):
    places = []

    def prepare(volume):
        place = data(volume)
        places.append(place)
        (place / "backup_label").write_text("START WAL LOCATION")
        (place / "base").mkdir()
        for file in place.iterdir():
            os.chown(file, 999, 999)
    _, log = start(prepare, until="removing an unfinished clone from /var/lib/postgresql/18/main")
    assert "ERROR" not in log
    wait_until("an empty directory", lambda: not list(places[0].glob("b*")), 5)


def test_another_version_is_explained(start):
    def prepare(volume):
        place = data(volume)
        (place / "PG_VERSION").write_text("17\n")
        (place / "global").mkdir()
        (place / "global/pg_control").write_text("")
    code, log = start(prepare)
    assert code == 1 and "was made by PostgreSQL 17; this image has 18" in log
    assert "major-upgrade" in log


def test_the_layout_of_old_images_is_noticed(start):
    def prepare(volume):
        place = volume / "data"
        place.mkdir()
        (place / "PG_VERSION").write_text("13\n")
        os.chown(place, 999, 999)
    start(prepare, until="there is a database of version 13 in /var/lib/postgresql/data")


def test_database_is_uninitialized_is_explained(start):
    code, log = start(without=("PATRONI_SUPERUSER_PASSWORD",))
    assert code == 1 and "PATRONI_SUPERUSER_PASSWORD is not set" in log
    assert "Database is uninitialized" in log and "key: POSTGRES_PASSWORD" in log


def test_postgres_alone_is_refused(start):
    code, log = start(args=["postgres"])
    assert code == 1 and "this image runs Patroni, not postgres alone" in log


def test_a_missing_configuration_is_explained(start):
    code, log = start(args=["patroni", "/etc/nothing/patroni.yml"])
    assert code == 1 and "cannot read Patroni's configuration" in log and "ConfigMap" in log


def test_other_commands_are_started_as_they_are(start):
    code, log = start(args=["/bin/sh", "-c", "echo $0 $PGDATA; exit 7"])
    assert code == 7 and "/bin/sh /var/lib/postgresql/18/main" in log
