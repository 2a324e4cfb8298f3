#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Restores the newest backup and all of the log to a scratch directory, starts the server, and
# checks it. A backup that was never restored is a hope. CronJob postgres-restore-test runs it.
#
#   RESTORE_DIR       scratch space for a whole database (/restore)
#   RESTORE_CHECKS    directory of *.sql files; each statement's every row must be `t`
#   RESTORE_AMCHECK   on: pg_amcheck of all tables and B-trees (default); off
#   WAL_HOST          the primary's Service, to know how far the log must reach
#
# It fails, with exit status 1, a metric and a message, if a backup is damaged, if the log has a
# gap, if it ends before the primary was when the test began, or if a check fails.
set -euo pipefail

# shellcheck disable=SC2034  # used by backup-lib.sh
job=restore_test
# shellcheck source=deploy/images/patroni/bin/backup-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/backup-lib.sh"
# shellcheck source=deploy/images/patroni/bin/restore-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/restore-lib.sh"

data=${RESTORE_DIR:-/restore}/data
began=$SECONDS

finish() {
    local status=$?
    stop "$data" || true
    rm -rf "$data"
    ((status == 0)) && return
    report failure
    say "FAILED with status $status: what is in $BACKUP_DIR may not be enough to restore the database"
}

# Where the primary is now; empty if there is none. The archive may be this moment behind.
position_of_primary() {
    local answer
    answer=$(ask "host=${WAL_HOST:-postgres-cluster} target_session_attrs=read-write" IDENTIFY_SYSTEM) || {
        say 'no primary answers; the log is only compared with itself'
        return 0
    }
    sleep "${RESTORE_SETTLE:-5}"
    cut -d '|' -f 3 <<<"$answer"
}

# The position at which the newest segment of the archive begins. Recovery ends silently at a gap;
# so that it was passed shows that there is none.
start_of_newest_segment() {
    local newest size
    newest=$(find "$BACKUP_DIR/wal" -maxdepth 1 -name '????????????????????????*' ! -name '*.history*' \
        -printf '%f\n' | sort -k 1.9,1.24 | tail -n 1)
    [[ -n $newest ]] || fail "there is no log in $BACKUP_DIR/wal: does postgres-wal run?"
    size=$(stat -c %s "$BACKUP_DIR/wal/$newest")
    printf '%X/%X\n' "$((16#${newest:8:8}))" "$((16#${newest:16:8} * size))"
}

require_position() {
    local wanted=$1 what=$2
    [[ $(query postgres "SELECT pg_current_wal_lsn() >= '$wanted'::pg_lsn") == t ]] ||
        fail "the restored database ends at $(query postgres 'SELECT pg_current_wal_lsn()'), before $wanted, $what"
}

databases() { query postgres 'SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1'; }

check_files() {
    local file database answer
    [[ -d ${RESTORE_CHECKS:-} ]] || return 0
    for file in "$RESTORE_CHECKS"/*.sql; do
        [[ -e $file ]] || continue
        # The database is the file's name up to its first dot: app.orders.sql
        database=$(basename "$file" | cut -d . -f 1)
        answer=$(query "$database" "$(<"$file")") || fail "the check $file could not run"
        [[ -n $answer ]] || fail "the check $file gave no row"
        ! grep -qvx t <<<"$answer" || fail "the check $file gave: $answer"
        say "$(basename "$file") passed"
    done
}

check() {
    local database
    while read -r database; do
        # Reads the whole catalogue, and would stumble over what is inconsistent in it.
        env -u PGPASSWORD pg_dump -h "$run" -U postgres -d "$database" --schema-only >/dev/null ||
            fail "pg_dump of $database failed"
    done < <(databases)
    if [[ ${RESTORE_AMCHECK:-on} == on ]]; then
        env -u PGPASSWORD pg_amcheck -h "$run" -U postgres --all --install-missing --no-dependent-toast ||
            fail 'pg_amcheck found damage'
    fi
    check_files
}

main() {
    local newest wanted start size
    trap finish EXIT
    take_lock restore-test
    # What a killed run has left.
    rm -rf "$data"
    mkdir -p "$(dirname "$data")"
    newest=$(choose_backup "$BACKUP_DIR" '')
    wanted=$(position_of_primary)
    start=$(start_of_newest_segment)
    unpack "$BACKUP_DIR" "$newest" "$data"
    prepare "$data" "$BACKUP_DIR/wal"
    recover "$data"
    require_position "$start" "where the newest segment of the archive begins: the log has a gap"
    if [[ -n $wanted ]]; then
        require_position "$wanted" 'where the primary was when the test began: the archive is behind'
    fi
    check
    size=$(query postgres 'SELECT sum(pg_database_size(oid))::bigint FROM pg_database')
    stop "$data"
    report success duration_seconds "$((SECONDS - began))" size_bytes "$size" \
        backup_end_timestamp_seconds "$(end_of "$BACKUP_DIR/base/$newest")"
    say "restored $newest and the log up to ${wanted:-$start}, and checked it, in $((SECONDS - began)) s"
}

main
