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

# Members and readers: all that run PostgreSQL.
database_pods() {
    k get pods -l "app.kubernetes.io/name=$cluster,app.kubernetes.io/component in (member,reader)" -o name | sed 's|^pod/||' | sort
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

# Whether a member runs, streams (or leads), and its pod is ready. With one of the TLS components
# Patroni speaks https; what is asked is whether it works, not who it is.
is_healthy() {
    [[ $(k get pod "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]] &&
        in_pod "$1" bash -c '
            curl -fsk -o /dev/null https://127.0.0.1:8008/readiness ||
                curl -fs -o /dev/null http://127.0.0.1:8008/readiness'
}

image_of_members() {
    k get statefulset "$cluster" -o 'jsonpath={.spec.template.spec.containers[0].image}'
}

# Of the members, as patroni.yml has it.
data_directory() {
    local found
    found=$(k get configmap patroni-config -o 'jsonpath={.data.patroni\.yml}' | sed -n 's/^ *data_dir: *//p')
    [[ -n $found ]] || fail 'there is no data_dir in the ConfigMap patroni-config'
    printf '%s\n' "$found"
}

# Where the whole cluster has to end and to begin anew: restore.sh, major-upgrade.sh.

remember_replicas() {
    replicas=$(k get statefulset "$cluster" -o 'jsonpath={.spec.replicas}')
    reader_replicas=$(k get deployment "$readers" -o 'jsonpath={.spec.replicas}')
    ((replicas > 0)) || fail "$cluster has 0 replicas; scale it to what it should have first"
}

# A Job in the volumes of the first member and of the backups: name, image, command and arguments.
job_manifest() {
    local name=$1 image=$2 one
    shift 2
    cat <<YAML
apiVersion: batch/v1
kind: Job
metadata:
  name: $name
  labels:
    app.kubernetes.io/name: $cluster
    app.kubernetes.io/component: backup
spec:
  backoffLimit: 0
  template:
    metadata:
      labels:
        app.kubernetes.io/name: $cluster
        app.kubernetes.io/component: backup
    spec:
      restartPolicy: Never
      serviceAccountName: postgres-backup
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 999
        runAsGroup: 999
        fsGroup: 999
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: job
          image: $image
          command: [/usr/local/bin/entrypoint.sh]
          args:
YAML
    for one in "$@"; do printf '            - "%s"\n' "$one"; done
    cat <<YAML
          securityContext:
            runAsNonRoot: true
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
            seccompProfile: {type: RuntimeDefault}
          volumeMounts:
            - {name: pgdata, mountPath: /var/lib/postgresql}
            - {name: backup, mountPath: /backup}
            - {name: run, mountPath: /var/run/postgresql}
            - {name: tmp, mountPath: /tmp}
            - {name: shm, mountPath: /dev/shm}
      volumes:
        - name: pgdata
          persistentVolumeClaim: {claimName: pgdata-$cluster-0}
        - name: backup
          persistentVolumeClaim: {claimName: postgres-backup}
        - {name: run, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
        - {name: tmp, emptyDir: {sizeLimit: 512Mi}}
        - {name: shm, emptyDir: {medium: Memory, sizeLimit: 256Mi}}
YAML
}

# Runs the Job to its end and shows what it says; its failure is the caller's.
run_job() {
    local name=$1 complete='' failed=''
    job_manifest "$@" | k create -f -
    until [[ -n $complete || -n $failed ]]; do
        sleep 2
        complete=$(k get job "$name" -o 'jsonpath={.status.succeeded}')
        failed=$(k get job "$name" -o 'jsonpath={.status.failed}')
    done
    k logs "job/$name" >&2 || true
    [[ -n $complete && $complete != 0 ]]
}

no_pods() { [[ -z $(k get pods -l "app.kubernetes.io/name=$cluster,app.kubernetes.io/component in (member,reader,wal)" -o name) ]]; }
one_member() { [[ $(member_pods | wc -l) == 1 ]]; }
how_to_go_back() {
    say "to bring the cluster back as it was: kubectl scale statefulset $cluster --replicas=$replicas;" \
        "kubectl scale deployment $readers --replicas=${reader_replicas:-1}; kubectl scale deployment postgres-wal --replicas=1;" \
        "kubectl patch cronjob postgres-backup -p '{\"spec\":{\"suspend\":false}}' (and postgres-restore-test)"
}

suspend() {
    local one
    for one in postgres-backup postgres-restore-test; do
        k patch cronjob "$one" --type merge -p "{\"spec\":{\"suspend\":$1}}"
    done
}

end_everything() {
    say 'ending readers, members and the receiver of the log'
    suspend true
    # At 0 replicas the autoscaler leaves the Deployment alone.
    k scale deployment "$readers" --replicas=0
    k scale deployment postgres-wal --replicas=0
    # The first member last: so it is the primary to the end if it was one, and stops as such.
    k scale statefulset "$cluster" --replicas=1
    wait_for 600 'the other members to end' one_member
    k scale statefulset "$cluster" --replicas=0
    wait_for 600 'all pods to end' no_pods
}

# From the first member's volume: Patroni takes the database that it finds for the cluster's.
start_anew() {
    local index
    say 'starting the first member'
    k delete configmap "$cluster-config" "$cluster-leader" "$cluster-failover" "$cluster-sync" --ignore-not-found
    k scale statefulset "$cluster" --replicas=1
    wait_for 900 'a primary that takes writes' is_writable
    say 'starting the others, which clone it'
    for ((index = 1; index < replicas; index++)); do
        k delete pvc "pgdata-$cluster-$index" --ignore-not-found
    done
    k scale statefulset "$cluster" --replicas="$replicas"
    k scale deployment "$readers" --replicas="$((reader_replicas > 0 ? reader_replicas : 1))"
    k scale deployment postgres-wal --replicas=1
    suspend false
    # Passwords are those of the old moment; the Secret may have newer ones.
    in_pod "$(leader)" post-bootstrap
}
