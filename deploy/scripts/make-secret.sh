#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes the Secret "db" with every password that the deployment needs. What it has already, and what
# the environment gives, is kept; the rest is drawn at random. Nothing is shown.
#
#   deploy/scripts/make-secret.sh [-n NAMESPACE]     creates or completes it
#   POSTGRES_PASSWORD=... make-secret.sh             with a password of one's own choice
#   deploy/scripts/make-secret.sh --print            only prints the manifest (all passwords in it)
set -euo pipefail

keys=(
    POSTGRES_PASSWORD             # the superuser
    POSTGRES_REPLICATION_PASSWORD # standbys, backups, and pg_rewind
    PATRONI_RESTAPI_PASSWORD      # switchover and the like over HTTP
    MARTLET_PASSWORD              # martlet's service account
    APP_PASSWORD                  # the application
)
namespace=()
print=false

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

while (($#)); do
    case $1 in
    -n | --namespace) namespace=(--namespace "${2:?}") && shift ;;
    --print) print=true ;;
    *) fail "unknown argument $1; see the head of $0" ;;
    esac
    shift
done

# Letters and digits only: these also go into URLs and files.
draw() { head -c 500 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c 1-32; }

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
umask 0077

# As files: the command line of a process can be seen by others. What else the user put into the
# Secret stays as well, which an apply of only our keys would not promise.
$print || kubectl "${namespace[@]}" get secret db --ignore-not-found -o json >"$directory/present"
for key in "${keys[@]}"; do
    present=''
    if [[ -s $directory/present ]]; then
        present=$(python3 -c 'import base64, json, sys
value = json.load(open(sys.argv[1])).get("data", {}).get(sys.argv[2], "")
print(base64.b64decode(value).decode(), end="")' "$directory/present" "$key")
    fi
    printf '%s' "${present:-${!key:-$(draw)}}" >"$directory/$key"
done

manifest() {
    local key
    local -a files=()
    for key in "${keys[@]}"; do files+=(--from-file="$key=$directory/$key"); done
    kubectl "${namespace[@]}" create secret generic db "${files[@]}" --dry-run=client -o yaml
}

if $print; then
    manifest
elif [[ -s $directory/present ]]; then
    # A merge: other keys stay.
    manifest >"$directory/manifest"
    kubectl "${namespace[@]}" patch secret db --type merge --patch-file "$directory/manifest"
else
    manifest | kubectl "${namespace[@]}" create -f -
fi
