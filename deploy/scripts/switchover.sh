#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes another member the primary, in the planned way: no write is lost, and martlet keeps the
# clients waiting for the two or three seconds that it takes.
#
#   deploy/scripts/switchover.sh [-n NAMESPACE] [--yes] [CANDIDATE]
set -euo pipefail

# shellcheck source=deploy/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
common_arguments "$@"
candidate=${rest[0]:-}

old=$(leader)
[[ -n $old ]] || fail 'there is no leader'
[[ $candidate != "$old" ]] || fail "$old is the leader already"
confirm "Switch over from $old${candidate:+ to $candidate}?"
in_pod "$old" patronictl -c /etc/patroni switchover "$cluster" --leader "$old" \
    ${candidate:+--candidate "$candidate"} --force

changed() { [[ $(leader) != "$old" ]] && is_writable; }
wait_for 60 'another leader that takes writes' changed
new=$(leader)
[[ -z $candidate || $new == "$candidate" ]] || fail "the leader is $new, not $candidate"
say "the primary was $old and is $new"
