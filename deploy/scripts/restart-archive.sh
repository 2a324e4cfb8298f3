#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Begins the archive of the log anew after it has lost its place (postgres-wal is not ready and says
# that the slot was lost), and takes a full backup. What was archived before stays, set aside.
#
#   deploy/scripts/restart-archive.sh [-n NAMESPACE] [--yes]
set -euo pipefail

# shellcheck source=deploy/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
common_arguments "$@"

confirm 'Set the archive aside and begin a new one?'
k exec deploy/postgres-wal -- /usr/local/bin/restart-archive.sh
k rollout restart deployment postgres-wal
k rollout status deployment postgres-wal --timeout=300s
name=after-restart-$(date -u +%Y%m%d%H%M%S)
k create job --from=cronjob/postgres-backup "$name"
k wait --for=condition=complete --timeout=6h "job/$name" ||
    fail "the backup failed: kubectl logs job/$name"
say "a full backup is made ($name)"
