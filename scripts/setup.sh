#!/usr/bin/env bash
# Setup: brings a Debian 12 machine to the point where gst-vdi builds, runs and passes its tests.
#
#   scripts/setup.sh run    what `make run` needs: GStreamer, the virtual display, sound, the page's packages
#   scripts/setup.sh test   that, and what `make check`, `make test` and `make bench` need besides
#
# Safe to run at any time and quick when nothing is missing. It installs Debian packages (through sudo if you are not
# root), the npm packages of the lock file, and for `test` cargo-deny and the tests' Kubernetes into a cache folder of
# its own. It never installs or replaces Rust, Node or Go: it says which are missing.
set -euo pipefail

profile=${1:-test}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

run_packages=(
  build-essential ca-certificates curl pkg-config
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libgstreamer-plugins-bad1.0-dev
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-nice gstreamer1.0-x gstreamer1.0-pulseaudio
  xvfb xauth openbox xterm x11-apps x11-utils x11-xserver-utils fonts-dejavu-core
  pulseaudio pulseaudio-utils
)
test_packages=(
  chromium firefox-esr xdotool meson ninja-build python3 python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0
  gir1.2-gst-plugins-bad-1.0 gir1.2-gtk-3.0 gir1.2-gtk-4.0 python3-pyqt5 python3-pyqt6
  coturn iproute2 nftables dbus-daemon pipewire pipewire-pulse wireplumber
  qemu-system-x86 busybox-static libsdl2-2.0-0
  buildah containerd containernetworking-plugins mmdebstrap podman runc
)

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 1
}

case $profile in
  run) packages=("${run_packages[@]}") ;;
  test) packages=("${run_packages[@]}" "${test_packages[@]}") ;;
  *) fail "unknown profile \"$profile\"; known are run and test" ;;
esac

debian_packages() {
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || fail \
    "this is no Debian: install the counterparts of these packages yourself, then run the make target again with" \
    "SETUP_PACKAGES=skip in the environment:" "${packages[*]}"

  local missing=() package
  for package in "${packages[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "these Debian packages are missing, and neither root nor sudo is at hand:" "${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  # Debian starts a server when its package comes. The tests start coturn themselves, and nobody asked for a relay that
  # is open to the network; who wants it as a service unmasks it.
  # Nor do the tests need the services of podman and containerd.
  if [[ -d /run/systemd/system ]]; then
    [[ " ${missing[*]} " != *" coturn "* ]] || "${as_root[@]}" systemctl mask coturn.service
    [[ " ${missing[*]} " != *" podman "* ]] || "${as_root[@]}" systemctl mask podman.service podman.socket
    [[ " ${missing[*]} " != *" containerd "* ]] || "${as_root[@]}" systemctl mask containerd.service
  fi
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# at_least FOUND WANTED: compares dotted versions.
at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

tool() { # NAME WANTED FOUND WHERE
  [[ -n $3 ]] || fail "$1 is missing: version $2 or newer is needed; $4"
  at_least "$3" "$2" || fail "$1 is version $3, and $2 or newer is needed; $4"
}

# The lock file's npm packages, installed again only when the lock has changed.
npm_packages() {
  [[ -f package-lock.json ]] || return 0
  local stamp=target/setup/npm-lock.sha256 lock
  lock=$(sha256sum package-lock.json)
  if [[ -d node_modules && -f $stamp && $(<"$stamp") == "$lock" ]]; then
    return 0
  fi
  say "installing the npm packages of package-lock.json"
  npm ci --no-fund --no-audit --ignore-scripts
  mkdir -p target/setup
  printf '%s\n' "$lock" >"$stamp"
}

cargo_deny() {
  scripts/cargo-deny.sh --version >/dev/null 2>&1 && return 0
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}/gst-vdi
  say "building cargo-deny into $cache (once, some minutes)"
  CARGO_TARGET_DIR=$cache/build cargo install cargo-deny --version '^0.20' --locked --debug --root "$cache"
  rm -rf "$cache/build"
}

[[ ${SETUP_PACKAGES:-} == skip ]] || debian_packages

version_of() { command -v "$1" >/dev/null && "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1 || true; }
tool cargo 1.92 "$(version_of cargo --version)" "rustup installs it: https://rustup.rs"
tool node 20.11 "$(version_of node --version)" "https://nodejs.org has packages for Debian"
tool npm 9 "$(version_of npm --version)" "it comes with Node"
[[ $profile != test ]] || tool go 1.25 "$(version_of go version)" "the tests' Kubernetes is built with it: https://go.dev/dl"
tool gstreamer-1.0 1.22 "$(version_of pkg-config --modversion gstreamer-1.0)" "Debian 12 has 1.22"

npm_packages
[[ $profile != test ]] || cargo_deny
# The tests' Kubernetes cluster, once for each version of it.
[[ $profile != test ]] || { scripts/kubernetes.sh && scripts/kubernetes.sh crds; } >/dev/null
# The kernel of the tests that need devices, once; those tests say that they skip where there is none for the machine.
if [[ $profile == test && $(dpkg --print-architecture 2>/dev/null) == amd64 ]]; then scripts/guest-kernel.sh >/dev/null; fi
say "ready ($profile)"
