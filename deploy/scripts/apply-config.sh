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
# pod has is what is applied. Then every member and reader reads its files again, as by patronictl
# reload, and the script waits for that. Members that must restart for a change say "Pending
# restart": patronictl restart postgres-cluster, or rolling-restart.sh.
#
# It may be run again at any time, and mends a member that has missed an earlier change.
set -euo pipefail

# shellcheck source=deploy/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
common_arguments "$@"

# ask pod: SQL from the input, as the superuser.
ask() { k exec -i "$1" -c patroni -- psql -h /var/run/postgresql -U postgres -XAtq -v ON_ERROR_STOP=1; }

# Whether Patroni in a pod has gone through the configuration: then its copy of it is the same.
has_read() {
    [[ $(ask "$1" <<<"SELECT pg_read_file('patroni.dynamic.json')::jsonb = \$applied\$$applied\$applied\$::jsonb") == t ]]
}

# When PostgreSQL in a pod has last read its files.
load_time() { ask "$1" <<<'SELECT pg_conf_load_time()'; }

# Whether it has read them since the moment in $before.
has_reloaded() {
    local moment
    moment=$(load_time "$1") && [[ $moment != "${before[$1]}" ]]
}

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
# The password is in the pod's environment and never on a command line; the body comes by stdin. The
# answer is the whole configuration as it is now.
# shellcheck disable=SC2016  # expanded in the pod
applied=$(k exec -i "$pod" -c patroni -- bash -euo pipefail -c '
    scheme=https; curl -sk --max-time 5 -o /dev/null https://127.0.0.1:8008/liveness || scheme=http
    printf "user = \"%s:%s\"\n" "$PATRONI_RESTAPI_USERNAME" "$PATRONI_RESTAPI_PASSWORD" >/tmp/apply-config.curl
    curl -fsSk --max-time 20 -K /tmp/apply-config.curl -X PATCH -H "Content-Type: application/json" --data-binary @- "$scheme://127.0.0.1:8008/config" || { rm -f /tmp/apply-config.curl; exit 1; }
    rm -f /tmp/apply-config.curl' <<<"$configuration")
say 'applied; waiting for the members to take it over'

# Patroni 4.1 passes over a change that it reads while its PostgreSQL is starting, as the old primary
# does after a switchover: it says "nothing to reload" and never comes back to it. A reload that was
# asked for writes postgresql.conf in any case.
declare -A before=()
late=()
for one in $(database_pods); do
    if (wait_for 60 "$one to read the configuration" has_read "$one") &&
        before[$one]=$(load_time "$one") &&
        in_pod "$one" patronictl -c /etc/patroni reload "$cluster" "$one" --force; then
        continue
    fi
    unset "before[$one]"
    late+=("$one")
done
for one in "${!before[@]}"; do
    (wait_for 60 "$one to reload" has_reloaded "$one") || late+=("$one")
done
in_pod "$pod" patronictl -c /etc/patroni list "$cluster"
((${#late[@]} == 0)) || fail "it is applied, but maybe not yet in ${late[*]}: a member that does not run" \
    'reads it when it starts; for one that does, run this again'
