#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Prints the Secrets postgres-tls and martlet-tls, with certificates of an authority made for them:
#
#   ./make-secrets.sh NAMESPACE [DAYS] | kubectl apply -n NAMESPACE -f -
#
# The authority's key is thrown away, so nobody can sign anything else with it; to renew, run this
# again. Patroni and martlet take up new certificates by themselves, but clients that verify need the
# new ca.crt first: deploy it with the old one behind it.
set -euo pipefail

namespace=${1:?usage: make-secrets.sh NAMESPACE [DAYS]}
days=${2:-365}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days "$days" \
    -subj "/CN=postgres-cluster authority" -keyout "$work/ca.key" -out "$work/ca.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null

# secret NAME DNS-NAME...: one Secret, with a certificate for these names.
secret() {
    local name=$1 names='' one
    shift
    for one in "$@"; do names+=${names:+,}DNS:$one; done
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
        -keyout "$work/$name.key" -out "$work/$name.csr" 2>/dev/null
    openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" \
        -CAcreateserial -days "$days" -out "$work/$name.crt" -extfile <(
            printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$names"
            printf 'basicConstraints=critical,CA:FALSE\n'
        ) 2>/dev/null
    cat <<EOF
---
apiVersion: v1
kind: Secret
metadata:
  name: $name
  labels:
    app.kubernetes.io/name: postgres-cluster
type: kubernetes.io/tls
data:
  tls.crt: $(base64 -w0 <"$work/$name.crt")
  tls.key: $(base64 -w0 <"$work/$name.key")
  ca.crt: $(base64 -w0 <"$work/ca.crt")
EOF
}

secret postgres-tls \
    "*.postgres-cluster-headless.$namespace.svc" \
    postgres-cluster-headless "postgres-cluster-headless.$namespace.svc" \
    postgres-cluster "postgres-cluster.$namespace.svc" \
    postgres-cluster-repl "postgres-cluster-repl.$namespace.svc" \
    postgres-readonly "postgres-readonly.$namespace.svc" localhost
secret martlet-tls \
    martlet "martlet.$namespace" "martlet.$namespace.svc" "martlet.$namespace.svc.cluster.local"
