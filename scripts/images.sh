#!/usr/bin/env bash
# Setup: builds the images of deploy/images without a registry: a base by mmdebstrap, then the Dockerfile by buildah.
#
#   scripts/images.sh [session] [operator]    both if none is named
#
# They get the names localhost/gst-vdi/session and .../operator in a store of their own, below the cache folder, and are
# written to target/images/*.tar. The programs are those of VDI_PROFILE (debug or release), built already. Base and layers
# are kept for the next time and are never needed: the folder may be deleted. It touches no other store of this machine.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
profile=${VDI_PROFILE:-debug}
programs=${CARGO_TARGET_DIR:-$root/target}/$profile
out=${VDI_IMAGES_OUT:-$root/target/images}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gst-vdi/images
# Where the store is; a test has it elsewhere and shares the cached base.
store=${VDI_IMAGES_STORE:-$cache/store}
images=("$@")
((${#images[@]})) || images=(session operator)

say() { printf 'images: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

((EUID == 0)) || fail "only root can make a base and layers here; with a registry at hand, docker or podman build deploy/images/Dockerfile for anybody"
for tool in buildah mmdebstrap strip; do
  command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install buildah mmdebstrap binutils"
done

# The time of the tree: of files and images.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)

# No service of this machine has a part in it, so the containers' tools are told to look for none.
export BUILDAH_ISOLATION=chroot
store_options=(--root "$store" --runroot "$store.run")
storage() { buildah "${store_options[@]}" --storage-driver overlay "$@"; }

mkdir -p "$cache" "$out" target/images/binaries
# Two builds at once would make the same base twice, and buildah's cache of layers is not for two.
exec 9>"$cache/lock"
flock 9

# buildah keeps the containers of stages that are only copied from, mounted, and each layer that was ever made.
tidy() {
  storage rm --all >/dev/null 2>&1 || true
  storage rmi --prune >/dev/null 2>&1 || true
}
trap tidy EXIT

# The base is made anew with each month, so that the updates of Debian find their way in.
base_tar=$cache/base-bookworm-$(date -u +%Y-%m).tar
base=localhost/gst-vdi/debian:$(date -u +%Y-%m)
if [[ ! -s $base_tar ]]; then
  say "making a Debian base (once a month, about half a minute)"
  rm -f "$cache"/base-bookworm-*.tar
  # The mirror is the machine's own: its sources have the signatures and the address.
  mmdebstrap --quiet --format=tar --variant=minbase --include=ca-certificates --aptopt='Acquire::Languages "none"' \
    --customize-hook='rm -rf "$1"/usr/share/man/* "$1"/var/log/*; find "$1/usr/share/doc" ! -type d ! -name copyright -delete' \
    bookworm "$base_tar.part"
  mv "$base_tar.part" "$base_tar"
fi
if ! storage inspect --type image "$base" >/dev/null 2>&1; then
  container=$(storage from scratch)
  storage add -q "$container" "$base_tar" / >/dev/null
  storage commit -q --rm --timestamp "$(date -u -d "$(date -u +%Y-%m-01)" +%s)" "$container" "$base" >/dev/null
fi

build() { # TARGET OPTION…
  storage build --quiet --layers --timestamp "$SOURCE_DATE_EPOCH" --pull=never \
    --file deploy/images/Dockerfile --ignorefile deploy/images/Dockerfile.dockerignore --target "$1" \
    --build-arg DEBIAN="$base" --build-arg BINARIES=prebuilt "${@:2}" --tag "localhost/gst-vdi/$1" .
}

for image in "${images[@]}"; do
  case $image in
    session) wanted=(vdi-launcher libgstvdi.so) ;;
    operator) wanted=(vdi-operator) ;;
    *) fail "there is no image \"$image\"; the images are session and operator" ;;
  esac
  for name in "${wanted[@]}"; do
    [[ -f $programs/$name ]] || fail "$programs/$name is missing: cargo build --workspace (or --release) first"
    # Not over the old file: what has not changed keeps its layer.
    strip -o "target/images/binaries/$name.new" "$programs/$name"
    mv "target/images/binaries/$name.new" "target/images/binaries/$name"
  done
  say "building $image"
  # Under a name of its own, Debian's part outlives the tidying up.
  [[ $image != session ]] || build session-packages >/dev/null
  build "$image" --build-arg REVISION="$revision" >"$out/$image.id"
  if [[ ${VDI_IMAGES_TAR:-yes} == yes ]]; then
    rm -f "$out/$image.tar"
    # Under its version, as deploy/overlays/small names it.
    storage push -q "localhost/gst-vdi/$image" "oci-archive:$out/$image.tar:localhost/gst-vdi/$image:$version"
  fi
done
