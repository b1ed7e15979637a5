#!/usr/bin/env bash
# Shell: the desktop that `make run` streams: a window manager, a terminal and a clock, on the display in $DISPLAY.
#
# It lives as long as the window manager and takes its clients along when it goes. It starts no X server and no sound:
# the launcher and run.sh own those.
set -euo pipefail

children=()
leave() {
  trap - EXIT INT TERM HUP
  ((${#children[@]} == 0)) || kill "${children[@]}" 2>/dev/null || true
  wait || true
}
trap leave EXIT
trap 'exit 0' INT TERM HUP

openbox --sm-disable &
manager=$!
children+=("$manager")

# Clients that start before the manager would come up without frames. 10 s is far more than any machine needs.
for _ in $(seq 100); do
  xprop -root _NET_SUPPORTING_WM_CHECK 2>/dev/null | grep -q 'window id' && break
  kill -0 "$manager" 2>/dev/null || break
  sleep 0.1
done

cd "${HOME:-/}"
xsetroot -solid '#2e3440'
xclock -geometry 164x164+1040+48 -update 1 -bg '#eceff4' -fg '#2e3440' -hd '#5e81ac' -hl '#2e3440' &
children+=($!)
# An xterm by itself copies to the primary selection alone, and pastes by no key: browsers share the clipboard.
xterm -xrm 'XTerm*selectToClipboard: true' \
  -xrm 'XTerm*VT100.translations: #override Ctrl Shift <Key>C: copy-selection(CLIPBOARD) \n Ctrl Shift <Key>V: insert-selection(CLIPBOARD)' \
  -geometry 96x28+48+48 -fa 'DejaVu Sans Mono' -fs 12 -bg '#1c1f26' -fg '#e5e9f0' -title Terminal &
children+=($!)

wait "$manager"
