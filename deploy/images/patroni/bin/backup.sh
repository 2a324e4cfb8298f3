#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Takes a base backup, verifies it, and removes what is too old. CronJob postgres-backup runs it.
#
#   BACKUP_DIR          where backups are (/backup)
#   BACKUP_HOSTS        servers to try, in order (postgres-cluster-repl,postgres-cluster): a replica,
#                       so that the primary does not read all of its files; else the primary
#   BACKUP_FULL_DAYS    a full backup at least every so many days; between them incremental ones
#                       where the server is PostgreSQL 17 or later with summarize_wal (7)
#   BACKUP_KEEP_FULL    how many full backups are kept, each with its incremental ones (2)
#   BACKUP_MAX_RATE     of pg_basebackup, in kB/s or with a suffix (100M)
#
# The log of transactions comes with each backup (-X stream), so that it can be restored alone;
# postgres-wal adds all later moments.
set -euo pipefail

# shellcheck disable=SC2034  # used by backup-lib.sh
job=backup
# shellcheck source=deploy/images/patroni/bin/backup-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/backup-lib.sh"

hosts=${BACKUP_HOSTS:-postgres-cluster-repl,postgres-cluster}
full_days=${BACKUP_FULL_DAYS:-7}
keep_full=${BACKUP_KEEP_FULL:-2}
rate=${BACKUP_MAX_RATE:-100M}
[[ $keep_full =~ ^[1-9][0-9]*$ ]] || fail "BACKUP_KEEP_FULL must be at least 1, not $keep_full"

partial=''
host=''
began=$SECONDS

finish() {
    local status=$?
    ((status == 0)) && return
    [[ -n $partial ]] && rm -rf "$partial"
    report failure
    say "FAILED with status $status: no backup was made"
}

# The first server that answers, in $host.
choose_host() {
    local one
    for one in ${hosts//,/ }; do
        if ask "host=$one" 'IDENTIFY_SYSTEM' >/dev/null; then
            host=$one
            return
        fi
        say "$one does not answer"
    done
    fail "none of $hosts answers"
}

# The backup that an incremental one may start from; nothing if it must be a full one.
base_of_incremental() {
    local newest full='' one tool
    [[ $(ask "host=$host" 'SHOW summarize_wal' 2>/dev/null) == on ]] || return 0
    tool=$(pg_basebackup --version | sed 's/.*) \([0-9]*\).*/\1/')
    ((tool >= 17)) || return 0
    newest=$(backups_in "$BACKUP_DIR" | tail -n 1)
    while read -r one; do if is_full "$one"; then full=$one; fi; done < <(backups_in "$BACKUP_DIR")
    [[ -n $full ]] || return 0
    # A backup of another system, or one from before a restore, is no base for this one.
    [[ $(system_of "$BACKUP_DIR/base/$newest") == "$(ask "host=$host" 'IDENTIFY_SYSTEM' | cut -d '|' -f 1)" ]] || return 0
    (($(now) - $(end_of "$BACKUP_DIR/base/$full") < full_days * 86400)) || return 0
    printf '%s\n' "$newest"
}

# The system identifier of a data directory.
system_of() { LC_ALL=C pg_controldata -D "$1" | sed -n 's/^Database system identifier: *//p'; }

# take kind option...: pg_basebackup to $partial.
take() {
    local kind=$1
    shift
    partial=$BACKUP_DIR/base/.$stamp-$kind
    say "$kind backup from $host"
    pg_basebackup -d "host=$host" -D "$partial" --format=plain --wal-method=stream \
        --checkpoint=fast --max-rate="$rate" --manifest-checksums=SHA256 --no-password "$@"
}

# An incremental backup needs summaries that go back to its base; after a failover or a long
# time they may be missing, and then a full backup is the answer.
take_best() {
    local base
    base=$(base_of_incremental)
    if [[ -n $base ]]; then
        if take incr --incremental="$BACKUP_DIR/base/$base/backup_manifest"; then return; fi
        say "no incremental backup is possible; taking a full one"
        rm -rf "$partial"
    fi
    take full
}

# Every file against the manifest, and the log that came with it against its checksums.
verify() {
    pg_verifybackup --quiet "$1" || fail "pg_verifybackup found the new backup to be bad"
}

# Removes full backups beyond those to keep, what depends on them, and the log before the rest.
remove_old() {
    local -a all=() fulls=()
    local one oldest segment
    mapfile -t all < <(backups_in "$BACKUP_DIR")
    for one in "${all[@]}"; do if is_full "$one"; then fulls+=("$one"); fi; done
    ((${#fulls[@]} > keep_full)) || return 0
    oldest=${fulls[-keep_full]}
    for one in "${all[@]}"; do
        [[ $one < $oldest ]] || break
        say "removing $one"
        rm -rf "${BACKUP_DIR:?}/base/$one"
    done
    segment=$(first_segment_of "$BACKUP_DIR/base/$oldest")
    pg_archivecleanup "$BACKUP_DIR/wal" "$segment"
}

main() {
    local name
    trap finish EXIT
    take_lock backup
    stamp=$(date -u +%Y%m%dT%H%M%SZ)
    find "$BACKUP_DIR/base" -mindepth 1 -maxdepth 1 -name '.[0-9]*' -exec rm -rf {} +
    choose_host
    take_best
    verify "$partial"
    name=$(basename "$partial")
    sync -f "$partial"
    mv "$partial" "$BACKUP_DIR/base/${name#.}"
    partial=''
    remove_old
    report success duration_seconds "$((SECONDS - began))" \
        size_bytes "$(du -sb "$BACKUP_DIR/base/${name#.}" | cut -f 1)" \
        count "$(backups_in "$BACKUP_DIR" | wc -l)"
    say "made and verified ${name#.} in $((SECONDS - began)) s"
}

main
