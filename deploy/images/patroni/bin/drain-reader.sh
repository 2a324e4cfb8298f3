#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# preStop hook of a reader: tells everyone to send no new reads, then waits for those that run.
# A proxy that watches pods has seen the deletion already; one that asks Patroni sees the tag.
#
#   drain-reader.sh [SECONDS]
#
#   SECONDS        longest wait (90); less than terminationGracePeriodSeconds by the time that
#                  PostgreSQL needs for its end
#   DRAIN_NOTICE   seconds of it that are given to proxies to notice: Patroni reads its files again
#                  within its loop_wait of 10 (12)
#
# It never fails: the pod ends anyway, and a failed hook only cuts the time short.
set -uo pipefail

notice=${DRAIN_NOTICE:-12}
limit=${1:-90}
directory=${TMPDIR:-/tmp}/patroni

say() { printf 'drain: %s\n' "$*" >&2; }

# How many sessions are at work: a statement or a transaction; Patroni's own do not count.
sessions_at_work() {
    PGPASSWORD=${PATRONI_SUPERUSER_PASSWORD:-} PGCONNECT_TIMEOUT=3 psql -XAtq \
        -h "${PGHOST:-/var/run/postgresql}" -U "${PATRONI_SUPERUSER_USERNAME:-postgres}" \
        -d postgres -c "SELECT count(*) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND state <> 'idle'
              AND pid <> pg_backend_pid() AND application_name NOT LIKE 'Patroni%'" 2>/dev/null
}

if [[ -d $directory ]]; then
    printf 'tags:\n  noloadbalance: true\n' >"$directory/zz-drain.yml"
    # Patroni is the container's first process; SIGHUP makes it read its files again.
    kill -HUP 1 || say 'cannot tell Patroni to reload'
fi
sleep "$notice"
while ((SECONDS < limit)); do
    found=$(sessions_at_work) || { say 'PostgreSQL does not answer'; break; }
    if [[ $found == 0 ]]; then
        say "nothing runs after $SECONDS s"
        exit 0
    fi
    sleep 1
done
say "gave up after $SECONDS s; sessions at work: ${found:-unknown}"
exit 0
