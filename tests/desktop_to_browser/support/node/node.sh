#!/usr/bin/env bash
# Shell: the tests' node: containerd, and a kubelet once that answers. It is the first process of a PID namespace, and ends with
# its standard input: whatever becomes of the test, the kernel ends all pods with it.
set -euo pipefail

folder=$1 kubernetes=$2 address=$3
cd "$folder"
# Volumes that kubelet mounts are to be seen in the pods, and nowhere outside of this node.
mount --make-rshared /

containerd --config containerd.toml >containerd.log 2>&1 &
(
  for _ in $(seq 300); do
    [[ ! -S containerd.sock ]] || break
    sleep 0.1
  done
  exec "$kubernetes" kubelet --config=kubelet.yaml --kubeconfig=kubeconfig --root-dir="$folder/kubelet" --cert-dir="$folder/kubelet-certs" \
    --hostname-override=vdi-node --node-ip="$address" --oom-score-adj=0 >kubelet.log 2>&1
) &
read -r _ || true
