#!/usr/bin/env bash
# gst-vdi from the command line: each line below is a whole server; open http://127.0.0.1:8080 in a browser.
#
#   examples/gst-launch.sh pattern
#   LISTEN=127.0.0.1:9000 examples/gst-launch.sh desktop
#
# GStreamer must find the plugin: installed by meson, or GST_PLUGIN_PATH=target/release after `cargo build --release`.
set -euo pipefail
listen=${LISTEN:-127.0.0.1:8080}

case ${1:-} in
  pattern) # The least that works.
    exec gst-launch-1.0 videotestsrc is-live=true ! adaptiveencbin ! latencystats ! wswebrtcsink listen="$listen"
    ;;
  desktop) # The X display in $DISPLAY, 30 times a second, with the age of each frame at the sink on the console (-v).
    exec gst-launch-1.0 -v xdamagesrc ! video/x-raw,framerate=30/1 \
      ! adaptiveencbin bitrate=4000 max-bitrate=8000 ! latencystats silent=false ! wswebrtcsink listen="$listen"
    ;;
  sound) # Picture and sound: two streams into one sink, one peer connection per browser.
    exec gst-launch-1.0 wswebrtcsink name=web listen="$listen" \
      videotestsrc is-live=true pattern=ball ! adaptiveencbin ! web. \
      audiotestsrc is-live=true wave=ticks ! audioconvert ! opusenc frame-size=10 ! web.
    ;;
  software) # No GPU, whatever the machine has; ends with an error where only hardware would work.
    exec gst-launch-1.0 videotestsrc is-live=true ! adaptiveencbin encoder-policy=software ! wswebrtcsink listen="$listen"
    ;;
  broker) # Behind a firewall: dials out to a broker that relays signalling (protocol/src/broker.rs), listens nowhere.
    exec gst-launch-1.0 videotestsrc is-live=true ! adaptiveencbin \
      ! wswebrtcsink listen='""' uri="${BROKER:?set BROKER to the ws:// or wss:// address of a broker}"
    ;;
  *)
    printf 'usage: %s pattern|desktop|sound|software|broker\n' "$0" >&2
    exit 2
    ;;
esac
