#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Entry point of the image. Before Patroni starts, it makes sure that the volume can hold a
# PostgreSQL data directory, because neither PostgreSQL nor Patroni says what to change in
# Kubernetes when it cannot. Everything else is started as it is.
#
#   entrypoint.sh patroni /etc/patroni      (a file, or a directory of files)
#   entrypoint.sh COMMAND ARGUMENT...
set -euo pipefail

say() { printf 'entrypoint: %s\n' "$*" >&2; }

# fail reason, with how to fix it on standard input.
fail() {
    {
        printf 'entrypoint: ERROR: %s\n' "$1"
        sed 's/^/entrypoint:   /'
    } >&2
    exit 1
}

uid=$(id -u)
gid=$(id -g)

check_environment() {
    if [[ $uid == 0 ]]; then
        fail 'running as root, which PostgreSQL refuses' <<'TEXT'
Set in the pod: securityContext: {runAsNonRoot: true, runAsUser: 999, runAsGroup: 999, fsGroup: 999}.
TEXT
    fi
    [[ -n ${PATRONI_SUPERUSER_PASSWORD:-} ]] && return
    # This is what a manifest written for the official image has.
    fail 'PATRONI_SUPERUSER_PASSWORD is not set' <<'TEXT'
Here Patroni initialises the database. "Database is uninitialized and superuser password is not
specified" comes from the entry point of the official postgres image, which is not used; its
variables (POSTGRES_PASSWORD, POSTGRES_USER, POSTGRES_DB) have no effect. Map the keys of the
Secret `db` instead:
  env:
  - {name: PATRONI_SUPERUSER_PASSWORD, valueFrom: {secretKeyRef: {name: db, key: POSTGRES_PASSWORD}}}
  - {name: PATRONI_REPLICATION_PASSWORD, valueFrom: {secretKeyRef: {name: db, key: POSTGRES_REPLICATION_PASSWORD}}}
If the Secret is missing: deploy/scripts/make-secret.sh
TEXT
}

owner_of() { stat -c '%u:%g, mode %a' "$1"; }

# The nearest directory above that is there: the mount point, or what an earlier start has made.
existing_ancestor() {
    local directory=$1
    until [[ -e $directory ]]; do directory=$(dirname "$directory"); done
    printf '%s\n' "$directory"
}

# Whether a file can be made in the directory, and to whom it then belongs.
check_writable() {
    local directory=$1 probe found
    if ! probe=$(mktemp "$directory/.owner-XXXXXX" 2>/dev/null); then
        fail "cannot write to $directory as $uid:$gid (it belongs to $(owner_of "$directory"))" <<TEXT
A block volume (EBS and most others): set fsGroup: $gid in the pod's securityContext, with
  fsGroupChangePolicy: OnRootMismatch.
EFS: fsGroup has no effect on it. The access point must have the uid and gid of PostgreSQL; in the
  StorageClass: parameters: {provisioningMode: efs-ap, uid: "$uid", gid: "$gid", directoryPerms: "700"}.
  An access point never changes afterwards: delete the claim and let a new one be provisioned.
A subPath: the kubelet makes its directory as root. Mount the volume itself at /var/lib/postgresql
  without subPath; the data directory is made below it.
hostPath, local or static NFS: chown $uid:$gid the directory on its host, mode 700.
TEXT
    fi
    found=$(stat -c %u "$probe")
    rm -f "$probe"
    [[ $found == "$uid" ]] || fail "files in $directory belong to $found, not to $uid" <<TEXT
The file system replaces the owner: an EFS access point made with another uid (50000 and above where
the StorageClass names none), or an NFS export that squashes users. PostgreSQL would say "data
directory has wrong ownership". Make the access point with the uid $uid and gid $gid:
  parameters: {provisioningMode: efs-ap, uid: "$uid", gid: "$gid", directoryPerms: "700"}
then delete the claim and let a new one be provisioned: an access point never changes.
TEXT
}

first_files() { find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | head -n 5 | tr '\n' ' '; }

check_data_directory() {
    local data=$1 version
    [[ -e $data ]] || return 0
    [[ -d $data ]] || fail "$data is not a directory" <<<'Remove it, or set PGDATA elsewhere.'
    if [[ $(stat -c %u "$data") != "$uid" ]]; then
        fail "data directory $data has wrong ownership: $(owner_of "$data"), not $uid" <<TEXT
It was made by a container that ran as another user. The pod must run with runAsUser: $uid, and
what is on the volume must belong to it:
  kubectl debug or a pod that mounts the claim as root:  chown -R $uid:$gid $(dirname "$data")
On EFS the owner cannot be changed: the access point must have uid $uid, gid $gid.
TEXT
    fi
    [[ -n $(ls -A "$data") ]] || return 0
    if [[ ! -e $data/global/pg_control ]]; then
        if [[ -e $data/backup_label || -e $data/backup_manifest ]]; then
            # pg_basebackup writes pg_control last: a clone was interrupted, and can be repeated.
            say "removing an unfinished clone from $data"
            find "$data" -mindepth 1 -delete
            return
        fi
        fail "$data is not empty, and there is no database in it: $(first_files "$data")" <<TEXT
initdb refuses a directory that has anything in it. These are leftovers: of an initdb that was
interrupted, of a volume with policy Retain that was bound again, of lost+found where the mount
point itself is the data directory. If nothing in it is wanted, move it away and restart the pod:
  kubectl debug or a pod that mounts the claim:  mv $data $data.leftover
or delete the claim (persistentVolumeClaim) of this pod and the pod.
TEXT
    fi
    version=$(<"$data/PG_VERSION")
    [[ $version == "${PG_MAJOR:-$version}" ]] ||
        fail "$data was made by PostgreSQL $version; this image has $PG_MAJOR" <<TEXT
Use the image of PostgreSQL $version, or go to $PG_MAJOR by deploy/scripts/major-upgrade.sh: each
version has a directory of its own (/var/lib/postgresql/VERSION/main).
TEXT
}

# Of the layout that the official image had before version 18.
warn_of_old_layout() {
    local data=$1 old=/var/lib/postgresql/data
    if [[ $data != "$old" && -e $old/PG_VERSION && ! -e $data/PG_VERSION ]]; then
        say "WARNING: there is a database of version $(<"$old/PG_VERSION") in $old, which is not used;" \
            "the data directory is $data (see deploy/scripts/major-upgrade.sh)"
    fi
}

prepare_data_directory() {
    local data=${PATRONI_POSTGRESQL_DATA_DIR:-${PGDATA:?PGDATA is not set}} parent
    parent=$(dirname "$data")
    check_writable "$(existing_ancestor "$parent")"
    mkdir -p "$parent"
    check_data_directory "$data"
    warn_of_old_layout "$data"
    mkdir -p "$data"
    chmod 0700 "$data"
}

# Patroni reads all files of a directory, later ones over earlier ones. drain-reader.sh adds one,
# which a mounted ConfigMap does not allow; a changed ConfigMap is still seen through the links.
configuration_directory() {
    local source=$1 directory=${TMPDIR:-/tmp}/patroni file
    local -a files=("$source")
    [[ -d $source ]] && files=("$source"/*.yml)
    mkdir -p "$directory"
    rm -f "$directory"/*.yml
    for file in "${files[@]}"; do
        [[ -r $file ]] || fail "cannot read Patroni's configuration $file" <<'TEXT'
The ConfigMap patroni-config must be mounted at /etc/patroni (key patroni.yml).
TEXT
        ln -s "$file" "$directory/"
    done
    printf '%s\n' "$directory"
}

main() {
    umask 0077
    case ${1:-} in
    patroni)
        check_environment
        prepare_data_directory
        directory=$(configuration_directory "${2:-/etc/patroni}")
        exec patroni "$directory"
        ;;
    postgres)
        fail 'this image runs Patroni, not postgres alone' <<'TEXT'
Leave out the container's command and args, or set args: [patroni, /etc/patroni].
TEXT
        ;;
    '') fail 'no command' <<<'Expected: patroni /etc/patroni' ;;
    *) exec "$@" ;;
    esac
}

main "$@"
