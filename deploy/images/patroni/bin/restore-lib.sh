# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Making a data directory from a backup and the archive of the log, and recovering it. Sourced,
# after backup-lib.sh, by restore.sh and restore-test.sh, so that what is tested every week is
# what a restore does.

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# The newest backup of a directory that ended before a moment (seconds since 1970; empty: now).
choose_backup() {
    local directory=$1 moment=$2 one chosen=''
    while read -r one; do
        if [[ -z $moment ]] || (($(end_of "$directory/base/$one") <= moment)); then chosen=$one; fi
    done < <(backups_in "$directory")
    if [[ -z $chosen ]]; then
        fail "no backup in $directory/base${moment:+ ended before $(date -u -d "@$moment" +%FT%TZ)}; there are: $(backups_in "$directory" | tr '\n' ' ')"
    fi
    printf '%s\n' "$chosen"
}

# unpack directory name target: a verified data directory from a backup and those it depends on.
unpack() {
    local directory=$1 name=$2 target=$3 one
    local -a chain=()
    mapfile -t chain < <(chain_of "$directory" "$name")
    ((${#chain[@]})) || exit 1
    say "verifying and unpacking ${chain[*]}"
    if ((${#chain[@]} == 1)); then
        cp -a "$directory/base/$name" "$target" || fail "cannot copy $name to $target"
        # The copy and not the original: so the copying is verified, too.
        pg_verifybackup --quiet "$target" || fail "the backup $name is damaged"
    else
        for one in "${chain[@]}"; do
            pg_verifybackup --quiet "$directory/base/$one" || fail "the backup $one is damaged"
        done
        pg_combinebackup --output="$target" "${chain[@]/#/$directory/base/}" ||
            fail "pg_combinebackup could not put $name together"
    fi
    chmod 0700 "$target"
    # A replica's backup has its signal file, which would make the copy follow a primary.
    rm -f "$target/standby.signal" "$target/backup_manifest" "$target"/postmaster.*
}

control() { LC_ALL=C pg_controldata -D "$1" | sed -n "s/^$2: *//p"; }

# prepare data archive [setting value]: a configuration of its own, in $run. That of the backup is
# Patroni's, with addresses and files of another pod.
prepare() {
    local data=$1 archive=$2
    run=$(mktemp -d)
    printf 'local all all trust\n' >"$run/pg_hba.conf"
    : >"$run/pg_ident.conf"
    {
        printf "%s = '%s'\n" listen_addresses '' unix_socket_directories "$run" \
            hba_file "$run/pg_hba.conf" ident_file "$run/pg_ident.conf" timezone UTC \
            log_timezone UTC lc_messages C recovery_target_action promote \
            recovery_target_timeline latest \
            restore_command "$tools/wal-fetch.sh \"$archive\" %f %p"
        # Without it recovery need not have the primary's limits of connections and the like, which
        # may have been raised since; prepared transactions and locks are kept within theirs.
        printf 'hot_standby = off\narchive_mode = off\nmax_connections = 20\n'
        printf 'max_prepared_transactions = %s\n' "$(control "$data" max_prepared_xacts\ setting)"
        printf 'max_locks_per_transaction = %s\n' "$(control "$data" max_locks_per_xact\ setting)"
        shift 2
        (($# == 0)) || printf "%s = '%s'\n" "$@"
    } >"$run/postgresql.conf"
    : >"$data/recovery.signal"
}

# Starts the server and waits until it has recovered and takes writes.
recover() {
    local data=$1 deadline=$((SECONDS + ${RESTORE_TIMEOUT:-21600}))
    say "recovering in $data"
    pg_ctl start -D "$data" -l "$run/log" -W -s -o "-c config_file=$run/postgresql.conf"
    until query postgres 'SELECT 1' >/dev/null 2>&1; do
        sleep 0.5
        if ! pg_ctl status -D "$data" >/dev/null; then
            tail -n 30 "$run/log" >&2
            fail "recovery ended without a database; see the server's log above"
        fi
        ((SECONDS < deadline)) || fail "recovery is not at its end after ${RESTORE_TIMEOUT:-21600} s"
    done
    grep -E 'recovery stopping|redo done|last completed transaction|selected new timeline' "$run/log" >&2 || true
}

# query database statement: as superuser of the recovered server, over its socket.
query() {
    env -u PGPASSWORD PGOPTIONS='' psql -XAtq -v ON_ERROR_STOP=1 -h "$run" -U postgres -d "$1" -c "$2" </dev/null
}

# stop data: a clean end, so that whoever starts it next has nothing to recover.
stop() {
    [[ -n ${run:-} ]] || return 0
    if pg_ctl status -D "$1" >/dev/null 2>&1; then pg_ctl stop -D "$1" -s -m fast -t 600; fi
    rm -rf "$run"
    run=''
}
