#!/usr/bin/env bash
# Setup: runs cargo-deny, the one on the PATH or else the one that setup.sh built into its cache folder.
set -euo pipefail
if command -v cargo-deny >/dev/null; then
  exec cargo-deny "$@"
fi
exec "${XDG_CACHE_HOME:-$HOME/.cache}/gst-vdi/bin/cargo-deny" "$@"
