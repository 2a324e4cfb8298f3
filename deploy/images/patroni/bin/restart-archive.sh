#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Begins the archive anew where the log cannot be continued: what there is goes to
# $BACKUP_DIR/before-restart-..., and stays good for restores to earlier moments. Take a full
# backup afterwards; deploy/scripts/restart-archive.sh does both.
set -euo pipefail

# shellcheck disable=SC2034  # used by backup-lib.sh
job=restart-archive
# shellcheck source=deploy/images/patroni/bin/backup-lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/backup-lib.sh"

take_lock backup
say "the archive as it was is in $(set_aside restart)"
