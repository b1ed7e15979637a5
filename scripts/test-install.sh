#!/usr/bin/env bash
# Shell: a test of meson.build: installs the plugin under a root of its own and asks GStreamer what it finds there.
#
# It builds in the dev profile in cargo's own target folder, where `make test` has built everything already.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
cd "$root"

work=$target/test-install
rm -rf "$work"
mkdir -p "$work"

fail() {
  printf 'test-install: %s\n' "$*" >&2
  exit 1
}

meson setup "$work/build" "$root" --buildtype=debug -Dcargo-target-dir="$target" >"$work/log" 2>&1 ||
  { cat "$work/log"; fail "meson setup failed"; }
meson install -C "$work/build" --destdir "$work/root" >>"$work/log" 2>&1 || { cat "$work/log"; fail "meson install failed"; }

# The same folder must be named by GStreamer (where it looks) and by our .pc file (where we say it is).
wanted=$(pkg-config --variable=pluginsdir gstreamer-1.0)
named=$(PKG_CONFIG_PATH=$(dirname "$(find "$work/root" -name gstvdi.pc)") pkg-config --variable=pluginsdir gstvdi)
[[ $named == "$wanted" ]] || fail "gstvdi.pc names $named, and GStreamer looks in $wanted"
plugins=$work/root$wanted
[[ -f $plugins/libgstvdi.so ]] || fail "no libgstvdi.so in $plugins"

listing=$(GST_REGISTRY=$work/registry GST_PLUGIN_PATH=$plugins gst-inspect-1.0 vdi)
for element in adaptiveencbin latencystats rtphdrextplayoutdelay wswebrtcsink; do
  grep -q "^ *$element:" <<<"$listing" || { printf '%s\n' "$listing"; fail "gst-inspect-1.0 vdi does not list $element"; }
done

# A second build finds nothing to do: the dependency file is right.
again=$(ninja -C "$work/build" 2>&1)
grep -q 'no work to do' <<<"$again" || { printf '%s\n' "$again"; fail "a second build does work again"; }

printf 'test-install: the plugin installs, and gst-inspect-1.0 lists its elements\n'
