#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# pg_upgrade from one data directory to another on the same volume; deploy/scripts/major-upgrade.sh
# runs it with the cluster stopped. Versions are read from the directories' names.
#
#   upgrade.sh [--link] /var/lib/postgresql/17/main /var/lib/postgresql/18/main
#
# The image must have the programs of both versions (build argument UPGRADE_FROM).
set -euo pipefail

# shellcheck disable=SC2034  # used by backup-lib.sh
job=upgrade
# shellcheck source=deploy/images/patroni/bin/backup-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/backup-lib.sh"

mode=--copy
if [[ ${1:-} == --link ]]; then
    mode=--link
    shift
fi
old=${1:?} new=${2:?}
from=$(<"$old/PG_VERSION") to=$(basename "$(dirname "$new")")
old_programs=/usr/lib/postgresql/$from/bin new_programs=/usr/lib/postgresql/$to/bin
[[ -x $old_programs/pg_ctl ]] || fail "the image has no PostgreSQL $from; build it with UPGRADE_FROM=$from"
[[ -x $new_programs/pg_upgrade ]] || fail "the image has no PostgreSQL $to"
[[ ! -e $new/PG_VERSION ]] || fail "$new is there already; move it away first"

control() { LC_ALL=C "$old_programs/pg_controldata" -D "$old" | sed -n "s/^$1: *//p"; }
state=$(control 'Database cluster state')
# A standby that was stopped has "shut down in recovery", and may lack the last writes.
[[ $state == 'shut down' ]] ||
    fail "$old is in the state \"$state\", not of a primary that was stopped: make this member the primary first (switchover.sh $(hostname)), then try again"

checksums=--data-checksums
if [[ $(control 'Data page checksum version') == 0 ]]; then
    checksums=''
    ((to < 18)) || checksums=--no-data-checksums
fi
rm -rf "$new.upgrading"
mkdir -p "$(dirname "$new")"
say "initdb of $to, ${checksums:-without checksums}"
# shellcheck disable=SC2086  # none or one option
"$new_programs/initdb" -D "$new.upgrading" -U postgres --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=peer --auth-host=scram-sha-256 $checksums \
    --wal-segsize="$(($(control 'Bytes per WAL segment') / 1048576))" >/dev/null

# Patroni's configuration names addresses and files of the running cluster; pg_upgrade has its own.
run=$(mktemp -d)
printf 'local all all trust\n' >"$run/pg_hba.conf"
common="-c hba_file=$run/pg_hba.conf -c listen_addresses="
cd "$new.upgrading"
PGUSER='' "$new_programs/pg_upgrade" "$mode" -U postgres -b "$old_programs" -B "$new_programs" \
    -d "$old" -D "$new.upgrading" -s "$run" -o "$common" -O "$common" || {
    find "$new.upgrading/pg_upgrade_output.d" -name '*.log' -exec tail -n 20 {} + >&2 || true
    fail 'pg_upgrade failed; see above'
}
cd /
keep_dynamic_configuration "$old" "$new.upgrading"
mv "$new.upgrading" "$new"
say "the archive as it was is in $(set_aside upgrade)"
say "upgraded $old to $new"
