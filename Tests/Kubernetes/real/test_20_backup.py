# SPDX-License-Identifier: Apache-2.0
"""Backups, the continuous log, and restores, by the rendered jobs on the running cluster."""

import time

import pytest
from harness.kube import wait_until


@pytest.fixture(scope="module")
def archive(kube):
    """postgres-wal at work, and a table to write to."""
    kube.sql("CREATE TABLE events (id bigserial PRIMARY KEY, note text,"
             " at timestamptz DEFAULT clock_timestamp())", database="mlops")
    kube.sql("INSERT INTO events (note) SELECT 'filler ' || n FROM generate_series(1, 20000) n",
             database="mlops")
    pod = kube.start_replica("postgres-wal")
    wait_until("the log to arrive", lambda: list((pod_claim(kube) / "wal").glob("0*")), 30)
    yield pod
    pod.delete()


def pod_claim(kube):
    return kube.claim("postgres-backup")


def backups(kube):
    return sorted(p.name for p in (pod_claim(kube) / "base").glob("[0-9]*"))


def metric(kube, job, name):
    text = (pod_claim(kube) / "status" / f"{job}.prom").read_text()
    return next(float(line.split()[-1]) for line in text.splitlines()
                if line.startswith(f"postgres_backup_{name}{{"))


def write(kube, note):
    """One row; the moment after its commit, by the server's clock."""
    kube.sql(f"INSERT INTO events (note) VALUES ('{note}')", database="mlops")
    return kube.sql("SELECT clock_timestamp()")


def in_restore_pod(kube, script, *, check=True, seconds=120):
    """A script in a pod like that of the restore test: the archive, scratch space, the image."""
    found = kube.manifests.find("CronJob", "postgres-restore-test")
    template = found["spec"]["jobTemplate"]["spec"]["template"]
    spec = template["spec"]
    container = {**spec["containers"][0], "args": ["/bin/bash", "-euo", "pipefail", "-c", script]}
    template = {**template, "spec": {**spec, "containers": [container]}}
    return kube.run_to_end(f"restore-{time.time_ns()}", template, seconds, check)


def restored(kube, option, question):
    """What a database restored with an option of restore.sh answers."""
    _, log = in_restore_pod(kube, f"""
        restore.sh {option} --target /restore/pitr
        hba='-c hba_file=/restore/pitr/pg_hba.conf -c ident_file=/restore/pitr/pg_ident.conf'
        pg_ctl start -D /restore/pitr -s -w -l /tmp/log -o "-c listen_addresses= $hba" ||
            {{ cat /tmp/log; exit 1; }}
        echo "answer=$(PGUSER= psql -h /var/run/postgresql -U postgres -d mlops -XAtc "{question}")"
        pg_ctl stop -D /restore/pitr -s -m fast""")
    return log.rsplit("answer=", 1)[1].splitlines()[0]


def switch_over(kube):
    """POST /switchover, as patronictl does; the old and the new leader."""
    leader = kube.wait_leader()
    kube.patroni("POST", "/switchover", {"leader": leader.name}, leader)
    return leader, kube.wait_leader(other_than=leader)


def test_a_full_backup_comes_from_a_replica_and_is_verified(kube, archive):
    # While no replica is ready the backup comes from the primary, rather than not at all.
    kube.wait_services()
    leader = kube.wait_leader()
    _, log = kube.run_job("postgres-backup")
    assert backups(kube) == [log.split("verified ")[-1].split()[0]]
    assert backups(kube)[0].endswith("-full") and "from postgres-cluster-repl" in log
    label = (pod_claim(kube) / "base" / backups(kube)[0] / "backup_label").read_text()
    assert "BACKUP FROM: standby" in label, leader.name
    assert time.time() - metric(kube, "backup", "last_success_timestamp_seconds") < 60
    assert metric(kube, "backup", "last_run_failed") == 0
    assert metric(kube, "backup", "size_bytes") > 1e6


def test_a_restore_to_a_moment_has_what_was_before_and_not_what_came_after(kube, archive):
    between = write(kube, "first")
    time.sleep(1.1)
    write(kube, "second")
    kube.wait_archive()
    question = "SELECT string_agg(note, '+' ORDER BY id) FROM events WHERE note !~ 'filler'"
    assert restored(kube, f"--time '{between}'", question) == "first"
    assert restored(kube, "--latest", question) == "first+second"


def test_a_moment_that_is_not_covered_is_refused(kube, archive):
    code, log = in_restore_pod(
        kube, "restore.sh --time '2020-01-01' --target /restore/pitr", check=False)
    assert code != 0 and "ended before 2020-01-01" in log
    code, log = in_restore_pod(
        kube, "restore.sh --time '2120-01-01' --target /restore/pitr", check=False)
    assert code != 0 and "recovery ended before configured recovery target was reached" in log


def test_the_log_has_no_gap_over_a_switchover(kube, archive):
    old, new = switch_over(kube)
    for number in range(5):
        write(kube, f"after the switchover {number}")
    # And back into segments of the new timeline.
    kube.sql("SELECT pg_switch_wal()")
    write(kube, "in the next segment")
    kube.wait_archive()
    question = "SELECT count(*) FROM events WHERE note ~ 'after the switchover|next segment'"
    assert restored(kube, "--latest", question) == "6"
    names = {p.name[:8] for p in (pod_claim(kube) / "wal").glob("0*[0-9A-F]")}
    assert {"00000001", "00000002"} <= names, names
    assert archive.container.run("wal-check.sh", check=False).returncode == 0


def test_the_restore_test_passes_and_says_so(kube, archive):
    _, log = kube.run_job("postgres-restore-test")
    assert "and checked it" in log
    assert metric(kube, "restore_test", "last_run_failed") == 0
    assert time.time() - metric(kube, "restore_test", "last_success_timestamp_seconds") < 60


def test_an_incremental_backup_is_restored_with_its_full_one(kube, archive):
    write(kube, "before the incremental")
    # The replica must have summarised up to the start of the backup.
    _, log = kube.run_job("postgres-backup")
    assert backups(kube)[-1].endswith("-incr"), log
    full, incremental = (
        sum(f.stat().st_size for f in (pod_claim(kube) / "base" / name / "base").rglob("*"))
        for name in (backups(kube)[0], backups(kube)[-1]))
    assert incremental < full / 2
    write(kube, "after the incremental")
    kube.wait_archive()
    question = "SELECT count(*) FROM events WHERE note ~ 'the incremental'"
    assert restored(kube, "--latest", question) == "2"


def test_old_backups_go_with_what_depends_on_them(kube, archive):
    for _ in range(2):
        kube.run_job("postgres-backup", environment={"BACKUP_FULL_DAYS": "0"})
    found = backups(kube)
    assert [name.rsplit("-", 1)[1] for name in found] == ["full", "full"]
    label = (pod_claim(kube) / "base" / found[0] / "backup_label").read_text()
    first = label.split("(file ")[1].split(")")[0]
    # A backup of a standby ends no segment; what is left may be one that is not whole yet.
    kube.sql("SELECT pg_switch_wal()")

    def segments():
        return [p.name for p in (pod_claim(kube) / "wal").glob("????????????????????????")]

    wait_until("a whole segment", segments, 30)
    assert all(name[8:] >= first[8:] for name in segments())
    assert restored(kube, "--latest", "SELECT count(*) > 0 FROM events") == "t"


def damaged_copy(kube, damage):
    """Runs the restore test with damage done to the archive, which is then taken back."""
    place = pod_claim(kube)
    restore = damage(place)
    try:
        return kube.run_job("postgres-restore-test", check=False)
    finally:
        restore()


def flip_bytes(file):
    """Damages a file; gives what mends it."""
    data = file.read_bytes()
    middle = len(data) // 2
    file.write_bytes(data[:middle] + bytes(b ^ 0xFF for b in data[middle:middle + 64])
                     + data[middle + 64:])
    return lambda: file.write_bytes(data)


def test_a_damaged_backup_makes_the_restore_test_fail(kube, archive):
    def damage(place):
        table = max((place / "base" / backups(kube)[-1] / "base").rglob("[0-9]*"),
                    key=lambda f: f.stat().st_size if f.is_file() else 0)
        return flip_bytes(table)
    code, log = damaged_copy(kube, damage)
    assert code != 0 and "is damaged" in log and "FAILED" in log
    assert metric(kube, "restore_test", "last_run_failed") == 1
    assert time.time() - metric(kube, "restore_test", "last_failure_timestamp_seconds") < 60
    # When it last went well is still known.
    assert metric(kube, "restore_test", "last_success_timestamp_seconds") > 0


def test_a_gap_in_the_log_makes_the_restore_test_fail(kube, archive):
    for _ in range(3):
        write(kube, "segment")
        kube.sql("SELECT pg_switch_wal()")
    write(kube, "after the segments")
    kube.wait_archive()

    def damage(place):
        complete = sorted((place / "wal").glob("????????????????????????"))
        lost = complete[-2]
        lost.rename(place / "lost")
        return lambda: (place / "lost").rename(lost)
    code, log = damaged_copy(kube, damage)
    assert code != 0 and "the log has a gap" in log


def test_checks_of_ones_own_can_make_it_fail(kube, archive):
    place = pod_claim(kube) / "checks"
    place.mkdir()
    (place / "mlops.events.sql").write_text("SELECT count(*) > 20000 FROM events")
    environment = {"RESTORE_CHECKS": "/backup/checks", "RESTORE_AMCHECK": "off"}
    _, log = kube.run_job("postgres-restore-test", environment=environment)
    assert "mlops.events.sql passed" in log
    (place / "mlops.events.sql").write_text("SELECT count(*) > 9999999 FROM events")
    code, log = kube.run_job("postgres-restore-test", environment=environment, check=False)
    assert code != 0 and "mlops.events.sql gave: f" in log


def test_a_backup_that_cannot_be_made_fails_loudly(kube, archive):
    before = backups(kube)
    code, log = kube.run_job("postgres-backup", check=False, environment={
        "BACKUP_HOSTS": "no-such-service"})
    assert code != 0 and "none of no-such-service answers" in log
    assert metric(kube, "backup", "last_run_failed") == 1
    assert backups(kube) == before
    assert not list((pod_claim(kube) / "base").glob(".*"))
