#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Brings what stands below bootstrap.dcs in the ConfigMap patroni-config into the running cluster.
# Patroni reads it once, when the cluster is made; from then on it lives in the ConfigMap
# postgres-cluster-config, and this is a PATCH of that: what the file does not name stays.
#
#   deploy/scripts/apply-config.sh [-n NAMESPACE] [--yes] [--dry-run]
#
# The kubelet needs up to a minute to bring a changed ConfigMap into the pods; what the leader's
# pod has is what is applied. Members that must restart for it say "Pending restart":
# patronictl restart postgres-cluster, or rolling-restart.sh.
set -euo pipefail

# shellcheck source=deploy/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
common_arguments "$@"

pod=$(leader)
[[ -n $pod ]] || fail 'there is no leader'

# In the pod there is YAML, and there are all the files that Patroni reads, in its order.
# shellcheck disable=SC2016  # Python's, not the shell's
wanted='
import glob, json, os, sys, yaml
def merge(a, b):
    for key, value in b.items():
        a[key] = merge(a[key], value) if isinstance(value, dict) and isinstance(a.get(key), dict) else value
    return a
result = {}
for file in sorted(glob.glob("/etc/patroni/*.yml")):
    merge(result, ((yaml.safe_load(open(file)) or {}).get("bootstrap") or {}).get("dcs") or {})
json.dump(result, sys.stdout, indent=2, sort_keys=True)
'
configuration=$(in_pod "$pod" /opt/patroni/bin/python3 -c "$wanted")
[[ $configuration != '{}' ]] || fail "there is no bootstrap.dcs in /etc/patroni of $pod"
printf '%s\n' "$configuration"
[[ " ${rest[*]} " != *' --dry-run '* ]] || exit 0
confirm "Apply this to $cluster?"
# The password is in the pod's environment and never on a command line; the body comes by stdin.
# shellcheck disable=SC2016  # expanded in the pod
k exec -i "$pod" -c patroni -- bash -euo pipefail -c '
    scheme=https; curl -sk --max-time 5 -o /dev/null https://127.0.0.1:8008/liveness || scheme=http
    printf "user = \"%s:%s\"\n" "$PATRONI_RESTAPI_USERNAME" "$PATRONI_RESTAPI_PASSWORD" >/tmp/apply-config.curl
    curl -fsSk --max-time 20 -K /tmp/apply-config.curl -X PATCH -H "Content-Type: application/json" --data-binary @- -o /dev/null "$scheme://127.0.0.1:8008/config" || { rm -f /tmp/apply-config.curl; exit 1; }
    rm -f /tmp/apply-config.curl' <<<"$configuration"
say 'applied; members take it over within loop_wait'
in_pod "$pod" patronictl -c /etc/patroni list "$cluster"
