#!/usr/bin/env bash
# Setup: builds what the tests' Kubernetes cluster is made of, and prints where it is:
#
#   scripts/kubernetes.sh        the program that is etcd, kube-apiserver, kube-controller-manager, kube-scheduler,
#                                kubelet and kubectl in one
#   scripts/kubernetes.sh crds   the folder with the custom resources of others, out of their own Go modules
#
# Both are kept outside of the tree, named by what they are made from: they are built once (the program takes some ten
# minutes and 3 GB of Go's caches), and again only when their lists in tests/cluster/kubernetes have changed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source=$root/tests/cluster/kubernetes
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gst-vdi
export GOFLAGS=-mod=readonly CGO_ENABLED=0

say() { printf 'kubernetes: %s\n' "$*" >&2; }
fail() {
  say "$@"
  exit 1
}

program() { # FOLDER
  say "building a Kubernetes cluster into $1 (once, some minutes)"
  (cd "$source" && go build -buildvcs=false -trimpath -ldflags='-s -w' -o "$1/kubernetes" . >&2)
}

crds() { # FOLDER
  local module sum file found name
  while read -r module sum file; do
    [[ -n $module && $module != \#* ]] || continue
    found=$(cd "$source" && go mod download -json "$module")
    # Go asks no list of ours for a module that nothing imports: its sum is compared here.
    [[ $(field Sum <<<"$found") == "$sum" ]] || fail "$module has another sum than crds.txt has"
    name=$(basename "$(dirname "${module%@*}/x" | sed 's,/v[0-9]*$,,')")
    install -m 644 "$(field Dir <<<"$found")/$file" "$1/$name-$(basename "$file")"
  done <"$source/crds.txt"
}

field() { sed -n "s/^\t\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p"; }

case ${1:-program} in
  program) inputs=(go.mod go.sum main.go) name=kubernetes make=program prints=/kubernetes ;;
  crds) inputs=(crds.txt) name=crds make=crds prints='' ;;
  *) fail "unknown part \"$1\"; known are program and crds" ;;
esac

hash=$(cd "$source" && sha256sum "${inputs[@]}" | sha256sum)
folder=$cache/$name-${hash:0:16}
if [[ ! -d $folder ]]; then
  command -v go >/dev/null || fail "go is missing: scripts/setup.sh says which version is needed"
  mkdir -p "$cache"
  # One builds while another waits, and then finds it built.
  exec 9>"$cache/$name.lock"
  flock 9
fi
if [[ ! -d $folder ]]; then
  rm -rf "$folder.part"
  mkdir "$folder.part"
  $make "$folder.part"
  mv "$folder.part" "$folder"
fi
printf '%s\n' "$folder$prints"
