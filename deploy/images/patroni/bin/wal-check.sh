#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Whether the archive of the log keeps up with the primary: exit status 0 and metrics, or 1 and a
# reason. The readiness probe of postgres-wal.
#
#   WAL_MAX_BEHIND   segments that may be missing (2)
set -euo pipefail

# shellcheck disable=SC2034  # used by backup-lib.sh
job=wal
# shellcheck source=deploy/images/patroni/bin/backup-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/backup-lib.sh"
export PGCONNECT_TIMEOUT=3

# The number of a segment in the order of the log, from its name and the size of segments.
number_of() {
    local name=$1 per_file=$((0x100000000 / size))
    printf '%d\n' "$((16#${name:8:8} * per_file + 16#${name:16:8}))"
}

system=$(ask "host=${WAL_HOST:-postgres-cluster} target_session_attrs=read-write" IDENTIFY_SYSTEM) || {
    # Not for the archive to report: there are alerts for a cluster without a primary.
    say 'there is no primary to compare with'
    exit 0
}
IFS='|' read -r _ timeline position _ <<<"$system"
newest=$(find "$BACKUP_DIR/wal" -maxdepth 1 -name '????????????????????????*' -printf '%f\n' | sort -k 1.9,1.24 | tail -n 1)
[[ -n $newest ]] || fail 'nothing has been received yet'
size=$(stat -c %s "$BACKUP_DIR/wal/$newest")
low=$((16#${position#*/}))
current=$(printf '%08X%08X%08X' "$timeline" "$((16#${position%/*}))" "$((low / size))")
behind=$(($(number_of "$current") - $(number_of "$newest")))
if ((behind > ${WAL_MAX_BEHIND:-2})); then
    report failure behind_segments "$behind"
    fail "the archive ends $behind segments before the primary ($newest, $current)"
fi
report success behind_segments "$((behind < 0 ? 0 : behind))"
