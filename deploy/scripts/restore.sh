#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Takes the whole cluster back to a moment. Applications are without a database until it is done.
#
#   deploy/scripts/restore.sh [-n NAMESPACE] [--yes] --time '2026-11-26 14:05:00+00'
#   deploy/scripts/restore.sh [-n NAMESPACE] --latest      all that was archived
#   deploy/scripts/restore.sh [-n NAMESPACE] --list        what there is
#
# Also --lsn LSN, --name RESTORE-POINT, --backup NAME, --from DIR: as deploy/images/patroni/bin/restore.sh,
# which does the work in a Job in the volume of the first member.
#
# In order, and nothing is lost before there is a restored cluster that takes writes:
#   1. readers, members, and the receiver of the log end;
#   2. a Job restores into the first member's volume; the old data directory stays beside it
#      (main.before-restore-...), and the archive is set aside (before-restore-...), since the
#      restored cluster writes another history;
#   3. Patroni's ConfigMaps go, and the first member starts and leads;
#   4. the volumes of the other members are deleted; they start and clone;
#   5. readers and the archive start again, and a full backup is taken.
# If 2 fails nothing has changed: `kubectl scale` as the script says brings the cluster back.
set -euo pipefail

# shellcheck source=deploy/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
common_arguments "$@"
((${#rest[@]})) || usage
for one in "${rest[@]}"; do
    [[ $one =~ ^[A-Za-z0-9:./+\ _-]+$ ]] || fail "odd characters in the argument $one"
done

stamp=$(date -u +%Y%m%d%H%M%S)
image=$(image_of_members)
data=$(data_directory)

if [[ " ${rest[*]} " == *' --list '* ]]; then
    # The receiver has the same volume, and nothing has to stop.
    k exec deploy/postgres-wal -- /usr/local/bin/restore.sh --list
    exit
fi

remember_replicas
confirm "Restore with ${rest[*]}: all later writes will be gone from the cluster, and applications are without a database until it is done."

end_everything

say 'restoring'
run_job "restore-$stamp" "$image" /usr/local/bin/restore.sh --target "$data" "${rest[@]}" --set-aside || {
    how_to_go_back
    fail "the restore failed; the data directory and the archive are as they were (kubectl logs job/restore-$stamp)"
}

start_anew
say 'taking a full backup of the restored cluster'
k create job --from=cronjob/postgres-backup "after-restore-$stamp"
say "restored; the primary is $(leader). The old data directory is in its volume beside the new one;" \
    "remove it, and the archive that was set aside, when they are not needed any more"
