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
image=$(k get statefulset "$cluster" -o 'jsonpath={.spec.template.spec.containers[0].image}')
data=$(k get configmap patroni-config -o 'jsonpath={.data.patroni\.yml}' | sed -n 's/^ *data_dir: *//p')
[[ -n $image && -n $data ]] || fail "there is no StatefulSet $cluster, or no data_dir in patroni-config"

# The Job's manifest; its arguments are those of restore.sh in the image.
manifest() {
    local name=$1 one
    shift
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
        - name: restore
          image: $image
          command: [/usr/local/bin/entrypoint.sh]
          args:
            - /usr/local/bin/restore.sh
            - --target
            - $data
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
    manifest "$@" | k create -f -
    until [[ -n $complete || -n $failed ]]; do
        sleep 2
        complete=$(k get job "$name" -o 'jsonpath={.status.succeeded}')
        failed=$(k get job "$name" -o 'jsonpath={.status.failed}')
    done
    k logs "job/$name" >&2 || true
    [[ -n $complete && $complete != 0 ]]
}

if [[ " ${rest[*]} " == *' --list '* ]]; then
    # The receiver has the same volume, and nothing has to stop.
    k exec deploy/postgres-wal -- /usr/local/bin/restore.sh --list
    exit
fi

replicas=$(k get statefulset "$cluster" -o 'jsonpath={.spec.replicas}')
reader_replicas=$(k get deployment "$readers" -o 'jsonpath={.spec.replicas}')
((replicas > 0)) || fail "$cluster has 0 replicas; scale it to what it should have first"
confirm "Restore with ${rest[*]}: all later writes will be gone from the cluster, and applications are without a database until it is done."

no_pods() { [[ -z $(k get pods -l "app.kubernetes.io/name=$cluster,app.kubernetes.io/component in (member,reader,wal)" -o name) ]]; }
back() {
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

say 'ending readers, members and the receiver of the log'
suspend true
# At 0 replicas the autoscaler leaves the Deployment alone.
k scale deployment "$readers" --replicas=0
k scale deployment postgres-wal --replicas=0
k scale statefulset "$cluster" --replicas=0
wait_for 600 'all pods to end' no_pods

say 'restoring'
run_job "restore-$stamp" "${rest[@]}" --set-aside || {
    back
    fail "the restore failed; the data directory and the archive are as they were (kubectl logs job/restore-$stamp)"
}

say 'starting the first member'
k delete configmap "$cluster-config" "$cluster-leader" "$cluster-failover" "$cluster-sync" --ignore-not-found
k scale statefulset "$cluster" --replicas=1
wait_for 900 'the restored primary to take writes' is_writable

say 'starting the others, which clone it'
for ((index = 1; index < replicas; index++)); do
    k delete pvc "pgdata-$cluster-$index" --ignore-not-found
done
k scale statefulset "$cluster" --replicas="$replicas"
k scale deployment "$readers" --replicas="$((reader_replicas > 0 ? reader_replicas : 1))"
k scale deployment postgres-wal --replicas=1
suspend false
# Passwords are those of the moment; the Secret may have newer ones.
in_pod "$(leader)" post-bootstrap
say 'taking a full backup of the restored cluster'
k create job --from=cronjob/postgres-backup "after-restore-$stamp"
say "restored; the primary is $(leader). The old data directory is in its volume beside the new one;" \
    "remove it, and the archive that was set aside, when they are not needed any more"
