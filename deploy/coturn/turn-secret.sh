#!/bin/bash
# Setup: makes the secret that coturn and the operator share, in the namespaces of both, if there is none. It is random, it
# is nowhere but in the cluster, and it is not printed.
#
#   deploy/coturn/turn-secret.sh [--rotate] [options for kubectl]
#
# --rotate makes another one. Credentials of the old one end at once: coturn is restarted, and the operator gives each
# session new ones.
set -euo pipefail

case ${1:-} in
-h | --help)
    # The comment above, without its marks.
    sed -n '2,/^set /{/^#/{s/^# \{0,1\}//;s/^Setup: \(.\)/\U\1/;p}}' "$0"
    exit 0
    ;;
esac
rotate=
if [ "${1:-}" = --rotate ]; then
    rotate=yes
    shift
fi
kubectl() { command "${KUBECTL:-kubectl}" "$@"; }
options=("$@")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 077

for namespace in vdi-turn vdi-system; do
    if ! kubectl "${options[@]}" get namespace "$namespace" --output name >/dev/null; then
        echo "There is no namespace $namespace: run \`kubectl apply -k deploy\` first." >&2
        exit 1
    fi
done

# An operator that has the old secret and a coturn that has the new one, or the other way round, would be worse than
# none: what one of them has already is what the other gets.
read_secret() {
    kubectl "${options[@]}" --namespace "$1" get secret turn-secret --ignore-not-found \
        --output 'go-template={{index .data "static-auth-secret" | base64decode}}' >"$folder/static-auth-secret"
    [ -s "$folder/static-auth-secret" ]
}
if [ -z "$rotate" ] && { read_secret vdi-turn || read_secret vdi-system; }; then
    echo "The secret is there already; it is kept."
else
    head --bytes 32 /dev/urandom | base64 --wrap 0 | tr '+/' '-_' | tr --delete '=' >"$folder/static-auth-secret"
fi

for namespace in vdi-turn vdi-system; do
    kubectl create secret generic turn-secret --namespace "$namespace" --dry-run=client --output yaml \
        --from-file="static-auth-secret=$folder/static-auth-secret" |
        kubectl "${options[@]}" apply --server-side --field-manager turn-secret --force-conflicts --filename - >/dev/null
    echo "secret/turn-secret is in the namespace $namespace"
done

if [ -n "$rotate" ]; then
    kubectl "${options[@]}" --namespace vdi-turn rollout restart daemonset/coturn
    kubectl "${options[@]}" --namespace vdi-system rollout restart deployment/vdi-operator
fi
