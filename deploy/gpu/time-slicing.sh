#!/bin/bash
# Setup: names the ConfigMap time-slicing-config in the GPU operator's ClusterPolicy, and waits until the nodes offer the
# slices. It changes nothing if that is so already.
#
#   deploy/gpu/time-slicing.sh [--off] [options for kubectl]
#
# --off takes the name out again. TIME_SLICING_WAIT is how many seconds to wait for the nodes (300; 0 does not wait).
set -euo pipefail

name=time-slicing-config
default=any
case ${1:-} in
-h | --help)
    # The comment above, without its marks.
    sed -n '2,/^set /{/^#/{s/^# \{0,1\}//;s/^Setup: \(.\)/\U\1/;p}}' "$0"
    exit 0
    ;;
esac
if [ "${1:-}" = --off ]; then
    name=
    default=
    shift
fi
options=("$@")
kubectl() { command "${KUBECTL:-kubectl}" "${options[@]}" "$@"; }
refuse() {
    echo "$1" >&2
    exit 1
}

mapfile -t policies < <(kubectl get clusterpolicies.nvidia.com --output name)
[ "${#policies[@]}" -eq 1 ] ||
    refuse "There are ${#policies[@]} ClusterPolicies, and one is needed: is the NVIDIA GPU operator installed?"
policy=${policies[0]}

if [ -n "$name" ]; then
    kubectl --namespace gpu-operator get configmap "$name" --output name >/dev/null ||
        refuse "There is no ConfigMap $name in the namespace gpu-operator: apply deploy/gpu first."
fi

# A merge patch leaves everything else of the policy as its owner has it.
kubectl patch "$policy" --type merge --patch \
    "{\"spec\":{\"devicePlugin\":{\"config\":{\"name\":\"$name\",\"default\":\"$default\"}}}}"

[ -n "$name" ] || exit 0
wait=${TIME_SLICING_WAIT:-300}
[ "$wait" -gt 0 ] || exit 0
echo "Waiting up to $wait s for the nodes with GPUs to offer their slices."
for ((second = 0; second < wait; second += 5)); do
    # The device plugin multiplies; GPU feature discovery tells by how much.
    # Nodes whose label names a configuration of their own are not asked.
    nodes=$(kubectl get nodes --no-headers --selector 'nvidia.com/gpu.present=true,!nvidia.com/device-plugin.config' \
        --output 'custom-columns=:.metadata.name,:.metadata.labels.nvidia\.com/gpu\.replicas,:.status.allocatable.nvidia\.com/gpu')
    if [ -n "$nodes" ] && ! awk '$2 != 8 || $3 + 0 < 8 { late = 1 } END { exit !late }' <<<"$nodes"; then
        awk '{ print "node/" $1 " offers " $3 " slices" }' <<<"$nodes"
        exit 0
    fi
    sleep 5
done
refuse "These nodes do not offer eight slices for each GPU (name, replicas, allocatable):
${nodes:-none: no node has the label nvidia.com/gpu.present}
Look at the pods of the device plugin: kubectl --namespace gpu-operator logs daemonset/nvidia-device-plugin-daemonset --all-containers"
