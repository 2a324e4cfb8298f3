#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Goes to a later major version of PostgreSQL by pg_upgrade in the first member's volume; the others
# clone it. Applications are without a database meanwhile: minutes, and as long as it takes to copy
# the data, unless --link.
#
#   1. Build the image of the new version with the old one in it:
#        docker build --build-arg POSTGRES_MAJOR=18 --build-arg UPGRADE_FROM=17 \
#          -t martlet-patroni:18-4.1.5-from-17 deploy/images/patroni
#   2. Take a backup, and see that the restore test passes.
#   3. deploy/scripts/major-upgrade.sh [-n NAMESPACE] [--yes] --image IMAGE [--link] FROM TO
#   4. Put the new image and data_dir into the manifests, so that the next apply agrees.
#
# The old data directory stays beside the new one (with --link, which shares files, it must not be
# started again); the archive is set aside, since another system begins. Until step 3 says that the
# new version leads, the way back is to undo image and data_dir and to scale up.
set -euo pipefail

# shellcheck source=deploy/scripts/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
common_arguments "$@"

image='' options=() versions=()
while ((${#rest[@]})); do
    case ${rest[0]} in
    --image)
        image=${rest[1]:?}
        rest=("${rest[@]:1}")
        ;;
    --link) options+=(--link) ;;
    [0-9]*) versions+=("${rest[0]}") ;;
    *) usage ;;
    esac
    rest=("${rest[@]:1}")
done
[[ -n $image && ${#versions[@]} == 2 ]] || usage
from=${versions[0]} to=${versions[1]}

stamp=$(date -u +%Y%m%d%H%M%S)
data=$(data_directory)
[[ $data == */"$from"/* ]] || fail "data_dir is $data, which is not of version $from"
new=${data/"/$from/"/"/$to/"}
remember_replicas
confirm "Upgrade $cluster from $from to $to: applications are without a database until it is done."

# pg_upgrade wants a primary that was stopped, in the volume that the Job has.
if [[ $(leader) != "$cluster-0" ]]; then
    "$(dirname "${BASH_SOURCE[0]}")/switchover.sh" ${namespace:+-n "$namespace"} --yes "$cluster-0"
fi
end_everything
say "upgrading $data to $new"
run_job "upgrade-$stamp" "$image" /usr/local/bin/upgrade.sh "${options[@]}" "$data" "$new" || {
    how_to_go_back
    fail "the upgrade failed; the old data directory is as it was (kubectl logs job/upgrade-$stamp)"
}

say 'changing image and data_dir'
for workload in "statefulset $cluster" "deployment $readers" 'deployment postgres-wal'; do
    # shellcheck disable=SC2086  # two words
    k set image $workload "*=$image"
done
for one in postgres-backup postgres-restore-test; do k set image cronjob "$one" "*=$image"; done
configuration=$(k get configmap patroni-config -o 'jsonpath={.data.patroni\.yml}')
patch=$(python3 -c 'import json, sys
print(json.dumps({"data": {"patroni.yml": sys.stdin.read().replace(sys.argv[1], sys.argv[2])}}))' \
    "data_dir: $data" "data_dir: $new" <<<"$configuration")
k patch configmap patroni-config --type merge -p "$patch"
start_anew
say 'collecting statistics, which pg_upgrade may not bring along'
in_pod "$(leader)" vacuumdb -h /var/run/postgresql -U postgres --all --analyze-in-stages
say 'taking a full backup of the new version'
k create job --from=cronjob/postgres-backup "after-upgrade-$stamp"
say "$cluster runs version $to; the primary is $(leader). Put the image $image and data_dir: $new" \
    "into the manifests. The old data directories can be removed when they are not needed any more"
