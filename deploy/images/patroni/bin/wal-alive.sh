#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Liveness of postgres-wal: its loop marks each turn, and between turns a receiver runs.
set -euo pipefail

mark=${TMPDIR:-/tmp}/wal-receive.turn
[[ -e $mark ]] || exit 1
# A receiver may run for months; without one, the last turn was a moment ago.
grep -qsx pg_receivewal /proc/[0-9]*/comm || (($(date +%s) - $(stat -c %Y "$mark") < 120))
