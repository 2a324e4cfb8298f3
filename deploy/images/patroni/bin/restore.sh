#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Point-in-time restore into a data directory: the newest backup before the moment, the log up to
# it, promotion, and a clean stop. deploy/scripts/restore.sh runs it in the volume of the first
# member, with the cluster stopped; by hand it makes a copy anywhere:
#
#   restore.sh [--time T | --lsn LSN | --name RESTORE-POINT | --latest] [option...]
#
#   --time T       as `date -d` reads it; without a zone, UTC: '2026-11-26 14:05:00'
#   --target DIR   the data directory to make (PGDATA). One that is there is kept, renamed
#   --backup NAME  not the newest possible backup
#   --from DIR     an archive that was set aside ($BACKUP_DIR/before-restore-...)
#   --set-aside    afterwards set the archive aside: this is the cluster's new history
#   --list         show what there is and end
#
# Exit status 0 only if the moment was reached. The configuration is that of the cluster, which names
# files of the cluster's data directory; a copy elsewhere is started with
#   pg_ctl start -D DIR -o "-c listen_addresses= -c hba_file=DIR/pg_hba.conf -c ident_file=DIR/pg_ident.conf"
set -euo pipefail

# shellcheck disable=SC2034  # used by backup-lib.sh
job=restore
# shellcheck source=deploy/images/patroni/bin/backup-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/backup-lib.sh"
# shellcheck source=deploy/images/patroni/bin/restore-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/restore-lib.sh"

usage() {
    sed -n '/^#   restore.sh/,/^# Exit/s/^# \{0,3\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

list() {
    local one
    for one in $(backups_in "$from"); do
        printf '%s  ended %s\n' "$one" "$(date -u -d "@$(end_of "$from/base/$one")" +%FT%TZ)"
    done
    printf 'log up to: %s\n' \
        "$(find "$from/wal" -maxdepth 1 -name '????????????????????????*' -printf '%f %TFT%TH:%TM:%TSZ\n' | sort -k 1.9,1.24 | tail -n 1)"
    find "$BACKUP_DIR" -maxdepth 1 -name 'before-*' -printf 'set aside: %p\n'
    exit 0
}

target=${PATRONI_POSTGRESQL_DATA_DIR:-${PGDATA:-}}
from=$BACKUP_DIR
backup='' moment='' aside=false listing=false
recovery=()

while (($#)); do
    case $1 in
    --time)
        moment=$(TZ=UTC date -d "${2:?}" +%s) || fail "not a time: $2"
        recovery=(recovery_target_time "$(TZ=UTC date -d "$2" '+%F %T.%6N+00')")
        shift
        ;;
    --lsn) recovery=(recovery_target_lsn "${2:?}") && shift ;;
    --name) recovery=(recovery_target_name "${2:?}") && shift ;;
    --latest) recovery=() ;;
    --target) target=${2:?} && shift ;;
    --backup) backup=${2:?} && shift ;;
    --from) from=${2:?} && shift ;;
    --set-aside) aside=true ;;
    --list) listing=true ;;
    *) usage ;;
    esac
    shift
done

[[ -d $from/base ]] || fail "there is no archive in $from"
if $listing; then list; fi
[[ -n $target ]] || fail 'no data directory: --target or PGDATA'

main() {
    local kept
    # A backup that is at work would write on into what is set aside.
    if $aside; then take_lock backup; fi
    [[ -n $backup ]] || backup=$(choose_backup "$from" "$moment")
    if [[ -e $target/postmaster.pid ]]; then
        fail "$target has a postmaster.pid: a server runs there, or did not end well. Stop the cluster first; if nothing runs, remove that file"
    fi
    rm -rf "$target.restoring"
    mkdir -p "$(dirname "$target")"
    trap 'stop "$target.restoring" || true' EXIT
    unpack "$from" "$backup" "$target.restoring"
    prepare "$target.restoring" "$from/wal" "${recovery[@]}"
    recover "$target.restoring"
    say "recovered; the database is at $(query postgres 'SELECT pg_current_wal_lsn()')"
    stop "$target.restoring"
    # Only now, when there is something to put in its place.
    if [[ -e $target ]]; then
        keep_dynamic_configuration "$target" "$target.restoring"
        kept=$target.before-restore-$(date -u +%Y%m%dT%H%M%SZ)
        mv "$target" "$kept"
        say "the data directory as it was is in $kept; remove it when it is not needed any more"
    fi
    mv "$target.restoring" "$target"
    if $aside; then
        say "the archive as it was is in $(set_aside restore); take a full backup now"
    fi
    say "restored to $target"
}

main
