#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Replaces the members' pods one by one, after a change of the StatefulSet (whose updateStrategy is
# OnDelete): standbys first, then a switchover to one of them, then the old primary. The cluster
# is without a primary for the seconds of one switchover. Readers are rolled by their Deployment.
#
#   deploy/scripts/rolling-restart.sh [-n NAMESPACE] [--yes]
#
# It may be run again after it was interrupted.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=deploy/scripts/lib.sh
source "$here/lib.sh"
common_arguments "$@"

uid_of() { k get pod "$1" -o 'jsonpath={.metadata.uid}'; }

replace() {
    local pod=$1 before
    before=$(uid_of "$pod")
    say "replacing $pod"
    k delete pod "$pod" --wait=true
    replaced() { [[ -n $(uid_of "$pod") && $(uid_of "$pod") != "$before" ]]; }
    wait_for 120 "a new $pod" replaced
    # A standby that has to clone the database takes its time.
    wait_for 7200 "$pod to stream" is_healthy "$pod"
}

mapfile -t pods < <(member_pods)
((${#pods[@]})) || fail 'there are no members'
old=$(leader)
[[ -n $old ]] || fail 'there is no leader'
for pod in "${pods[@]}"; do
    is_healthy "$pod" || fail "$pod is not healthy; fix that first (deploy/README.md)"
done
confirm "Replace ${pods[*]}; $old leads and comes last?"
for pod in "${pods[@]}"; do
    if [[ $pod != "$old" ]]; then replace "$pod"; fi
done
if ((${#pods[@]} > 1)); then
    "$here/switchover.sh" ${namespace:+-n "$namespace"} --yes
fi
replace "$old"
say "all members have new pods; the primary is $(leader)"
