# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the operator's scripts share. Sourced, never run. They need kubectl, with rights over pods,
# workloads, claims and ConfigMaps of the namespace, and nothing else.

cluster=postgres-cluster
readers=postgres-readonly
namespace=${NAMESPACE:-}
assume_yes=false

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# kubectl in the chosen namespace; that of the current context if none was chosen.
k() { kubectl ${namespace:+--namespace "$namespace"} "$@"; }

usage() {
    sed -n '3,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit "${1:-2}"
}

# Takes -n NAMESPACE, --yes and --help from the front of the arguments; what is left is in $rest.
rest=()
common_arguments() {
    rest=()
    while (($#)); do
        case $1 in
        -n | --namespace)
            namespace=${2:?}
            shift
            ;;
        --yes) assume_yes=true ;;
        -h | --help) usage 0 ;;
        *) rest+=("$1") ;;
        esac
        shift
    done
}

confirm() {
    local answer
    $assume_yes && return
    printf '%s Type yes to go on: ' "$1" >&2
    read -r answer
    [[ $answer == yes ]] || fail 'nothing was changed'
}

# The pod that Patroni's lock names; its label may be older.
leader() { k get configmap "$cluster-leader" -o 'jsonpath={.metadata.annotations.leader}'; }

member_pods() {
    k get pods -l "app.kubernetes.io/name=$cluster,app.kubernetes.io/component=member" -o name | sed 's|^pod/||' | sort
}

# in_pod pod command...: in its container patroni.
in_pod() {
    local pod=$1
    shift
    k exec "$pod" -c patroni -- "$@"
}

# wait_for seconds what command...: until the command succeeds.
wait_for() {
    local seconds=$1 what=$2 began=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS - began < seconds)) || fail "waited $seconds s in vain for $what"
        sleep 2
    done
}

# Whether the lock's holder takes writes.
is_writable() {
    local pod
    pod=$(leader) && [[ -n $pod ]] &&
        [[ $(in_pod "$pod" psql -h /var/run/postgresql -U postgres -XAtc 'SELECT NOT pg_is_in_recovery()') == t ]]
}

# Whether a member runs, streams (or leads), and its pod is ready.
is_healthy() {
    [[ $(k get pod "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]] &&
        in_pod "$1" curl -fs -o /dev/null http://127.0.0.1:8008/readiness
}
