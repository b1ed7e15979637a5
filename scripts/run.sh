#!/usr/bin/env bash
# Shell: what `make run` does once everything is built: a private PulseAudio, then the launcher with the desktop.
#
# Ctrl-C, SIGTERM or the end of the launcher ends both, in order, and removes the private folder. Options after the
# script's name go to the launcher (`scripts/run.sh --framerate 30`), and so do the SELKIES_* variables.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
launcher=${VDI_LAUNCHER:-${CARGO_TARGET_DIR:-$root/target}/release/vdi-launcher}
# shellcheck source=scripts/pulse.sh
. "$root/scripts/pulse.sh"

private=$(mktemp -d "${TMPDIR:-/tmp}/gst-vdi-run.XXXXXX")
pulse_pid=
launcher_pid=

leave() {
  trap - EXIT
  trap '' INT TERM HUP
  if [[ -n $launcher_pid ]] && kill -TERM "$launcher_pid" 2>/dev/null; then
    wait "$launcher_pid" || true
  fi
  if [[ -n $pulse_pid ]] && kill -TERM "$pulse_pid" 2>/dev/null; then
    wait "$pulse_pid" || true
  fi
  rm -rf "$private"
}
trap leave EXIT
trap 'exit 0' INT TERM HUP

if ! start_pulse "$private/pulse"; then
  printf 'Going on without sound.\n' >&2
  unset PULSE_SERVER
else
  printf 'The desktop has a sound server of its own: PULSE_SERVER=%s\n' "$PULSE_SERVER" >&2
fi

"$launcher" "$@" -- "$root/scripts/desktop.sh" &
launcher_pid=$!
status=0
wait "$launcher_pid" || status=$?
launcher_pid=
exit "$status"
