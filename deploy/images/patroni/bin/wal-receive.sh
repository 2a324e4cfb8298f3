#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Receives the log of transactions without a pause, by the permanent slot `backup`, which Patroni
# keeps on all members: after a failover the new primary has what is still to be received.
# Deployment postgres-wal runs it, once.
#
#   BACKUP_DIR     the log goes to $BACKUP_DIR/wal
#   WAL_HOST       the primary's Service (postgres-cluster)
#   WAL_SLOT       (backup)
#
# target_session_attrs: during a failover the Service may still lead to the old primary, whose
# slot must not be moved.
set -euo pipefail

# shellcheck disable=SC2034  # used by backup-lib.sh
job=wal
# shellcheck source=deploy/images/patroni/bin/backup-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/backup-lib.sh"

host=${WAL_HOST:-postgres-cluster}
slot=${WAL_SLOT:-backup}
receiver=''

finish() {
    trap - TERM INT
    if [[ -n $receiver ]]; then
        kill -INT "$receiver" 2>/dev/null || true
        wait "$receiver" 2>/dev/null || true
    fi
    exit 0
}

how_to_mend() {
    say "ERROR: the primary does not have what comes next any more: the slot was lost" \
        "(max_slot_wal_keep_size), or the cluster went back in time without" \
        "deploy/scripts/restore.sh. What was received so far stays usable with its backups. To go" \
        "on: deploy/scripts/restart-archive.sh, which sets it aside and takes a new full backup."
    report failure
}

main() {
    local log
    take_lock wal
    log=$(mktemp)
    trap finish TERM INT
    say "receiving from $host by slot $slot to $BACKUP_DIR/wal"
    while true; do
        # For wal-alive.sh.
        touch "${TMPDIR:-/tmp}/wal-receive.turn"
        # --synchronous: what was received is on disk, and the slot moves, at once and not only at
        # the end of a segment. --no-loop: so that its errors can be read here.
        pg_receivewal -d "host=$host target_session_attrs=read-write" -D "$BACKUP_DIR/wal" \
            --slot="$slot" --synchronous --no-loop --no-password --status-interval=5 \
            2> >(tee "$log" >&2) &
        receiver=$!
        wait "$receiver" || true
        receiver=''
        if grep -Eq 'already been removed|not in this server.s history|can no longer|does not exist' "$log"; then
            how_to_mend
            sleep 30 &
            wait $! || true
        else
            sleep 1
        fi
    done
}

main
