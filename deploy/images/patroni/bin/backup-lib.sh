# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts of backup and restore share. Sourced, never run.
#
#   $BACKUP_DIR/base/NAME          a base backup, plain format; NAME = UTC time and full or incr
#   $BACKUP_DIR/base/.NAME         one that is not finished or not verified
#   $BACKUP_DIR/wal                what pg_receivewal has received
#   $BACKUP_DIR/status/JOB.prom    metrics in Prometheus' text format, see report
#   $BACKUP_DIR/before-restore-T   base and wal as they were before the cluster went back in time

BACKUP_DIR=${BACKUP_DIR:-/backup}
job=${job:-$(basename "$0" .sh)}

say() { printf '%s %s: %s\n' "$(date -u +%FT%TZ)" "$job" "$*" >&2; }

fail() {
    say "ERROR: $*"
    exit 1
}

# Connections by the replication protocol, as PATRONI_REPLICATION_USERNAME; passwords by
# environment, so that no list of processes has them.
export PGUSER=${PGUSER:-${PATRONI_REPLICATION_USERNAME:-replicator}}
if [[ -n ${PATRONI_REPLICATION_PASSWORD:-} ]]; then
    export PGPASSWORD=${PGPASSWORD:-$PATRONI_REPLICATION_PASSWORD}
fi
export PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}
export PGAPPNAME=${PGAPPNAME:-$job}

# ask conninfo command: one row of a replication command, fields separated by |.
ask() { psql -XAtq "$1 dbname=postgres replication=true" -c "$2" </dev/null; }

# When a run began, for report; with seconds, as Prometheus wants them.
now() { date +%s; }

# report outcome [metric value]...: writes $BACKUP_DIR/status/$job.prom as a whole, and pushes it
# to $PUSHGATEWAY_URL if that is set. Times of success and of failure survive each other.
report() {
    local outcome=$1 file=$BACKUP_DIR/status/$job.prom success failure
    shift
    mkdir -p "$BACKUP_DIR/status"
    success=$(status_value last_success_timestamp_seconds)
    failure=$(status_value last_failure_timestamp_seconds)
    if [[ $outcome == success ]]; then success=$(now); else failure=$(now); fi
    {
        gauge last_success_timestamp_seconds "${success:-0}"
        gauge last_failure_timestamp_seconds "${failure:-0}"
        gauge last_run_failed "$([[ $outcome == success ]] && echo 0 || echo 1)"
        while (($# >= 2)); do
            gauge "$1" "$2"
            shift 2
        done
    } >"$file.new"
    mv "$file.new" "$file"
    push "$file"
}

gauge() {
    printf '# TYPE postgres_backup_%s gauge\npostgres_backup_%s{job_name="%s"} %s\n' \
        "$1" "$1" "$job" "$2"
}

status_value() {
    sed -n "s/^postgres_backup_$1{.*} //p" "$BACKUP_DIR/status/$job.prom" 2>/dev/null || true
}

push() {
    [[ -n ${PUSHGATEWAY_URL:-} ]] || return 0
    curl -fsS --max-time 10 --data-binary "@$1" "$PUSHGATEWAY_URL/metrics/job/postgres_$job" ||
        say "could not push metrics to $PUSHGATEWAY_URL"
}

# One run at a time; what a killed run has left is not locked any more.
take_lock() {
    mkdir -p "$BACKUP_DIR/base" "$BACKUP_DIR/wal" "$BACKUP_DIR/status" ||
        fail "cannot write to $BACKUP_DIR as $(id -u):$(id -g) (it belongs to $(stat -c %u:%g "$BACKUP_DIR")): set fsGroup, or the uid of the EFS access point"
    exec 9>"$BACKUP_DIR/status/$1.lock"
    flock -n 9 || fail "another run holds $BACKUP_DIR/status/$1.lock"
}

# Finished backups of a directory, oldest first.
backups_in() {
    [[ -d $1/base ]] || return 0
    find "$1/base" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' -printf '%f\n' | sort
}

is_full() { [[ $1 == *-full ]]; }

# The full backup that an incremental one began with, and all between, up to NAME, oldest first.
# Each depends on the one before, as backup.sh makes them.
chain_of() {
    local directory=$1 name=$2 one
    local -a chain=()
    while read -r one; do
        is_full "$one" && chain=()
        chain+=("$one")
        [[ $one == "$name" ]] && break
    done < <(backups_in "$directory")
    [[ ${chain[-1]:-} == "$name" ]] || fail "there is no backup $name in $directory/base"
    is_full "${chain[0]}" || fail "the full backup that $name depends on is not in $directory/base"
    printf '%s\n' "${chain[@]}"
}

# The name of the first segment that a backup needs.
first_segment_of() {
    sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]*\))$/\1/p' "$1/backup_label"
}

# The end of a backup as seconds since 1970: it can be recovered to no earlier moment. The manifest
# is written last.
end_of() { stat -c %Y "$1/backup_manifest"; }

# keep_dynamic_configuration old new: what was set by apply-config.sh or patronictl edit-config stays
# when the cluster begins anew in another data directory. Patroni takes it from this file of its own;
# without one, from bootstrap.dcs, and with that of a backup it would be as old as the backup.
keep_dynamic_configuration() {
    [[ ! -e $1/patroni.dynamic.json ]] || cp -p "$1/patroni.dynamic.json" "$2/"
}

# set_aside why: what was backed up so far, apart from what follows, which cannot be joined to it.
# Prints where it is now.
set_aside() {
    local aside
    aside=$BACKUP_DIR/before-$1-$(date -u +%Y%m%dT%H%M%SZ)
    mkdir -p "$aside"
    mv "$BACKUP_DIR/base" "$BACKUP_DIR/wal" "$aside/"
    mkdir -p "$BACKUP_DIR/base" "$BACKUP_DIR/wal"
    printf '%s\n' "$aside"
}
