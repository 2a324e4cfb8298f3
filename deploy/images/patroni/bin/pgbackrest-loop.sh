#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Takes a pgBackRest backup a day, in the pod where the primary is. It runs beside Patroni in each
# member, because pgBackRest reads the data directory, and the primary moves.
#
#   BACKUP_HOUR       hour of the day, UTC (2)
#   BACKUP_FULL_DAY   day of the week of the full backup, 1 is Monday (7)
#   PGBACKREST_STANZA          (main)
set -euo pipefail

hour=${BACKUP_HOUR:-2}
full_day=${BACKUP_FULL_DAY:-7}
stanza=${PGBACKREST_STANZA:-main}

say() { printf '%s pgbackrest-loop: %s\n' "$(date -u +%FT%TZ)" "$*" >&2; }

is_primary() {
    [[ $(psql -XAtq -h /var/run/postgresql -U postgres -d postgres -c 'SELECT NOT pg_is_in_recovery()' 2>/dev/null) == t ]]
}

# The day (UTC) of the newest backup in the repository, whoever made it.
day_of_newest() {
    pgbackrest --stanza="$stanza" --output=json --log-level-console=off info |
        jq -r '.[0].backup | if length == 0 then 0 else .[-1].timestamp.stop end' |
        { read -r stop && date -u -d "@$stop" +%F; }
}

back_up() {
    local kind=diff
    [[ $(date -u +%u) != "$full_day" ]] || kind=full
    # Both are harmless when there is nothing to do; after a switchover the new primary checks that
    # its own archive_command works.
    pgbackrest --stanza="$stanza" stanza-create
    pgbackrest --stanza="$stanza" check
    # The first one is full whatever is asked for.
    pgbackrest --stanza="$stanza" --type="$kind" backup
}

trap 'exit 0' TERM INT
while true; do
    if ((10#$(date -u +%H) >= hour)) && is_primary; then
        # A stanza that is not there yet has no newest backup.
        newest=$(day_of_newest) || newest=''
        if [[ $newest != "$(date -u +%F)" ]]; then
            if back_up; then say 'backup made'; else say 'ERROR: no backup was made; trying again in 10 minutes'; fi
        fi
    fi
    sleep 600 &
    wait $! || true
done
