# Shell: a PulseAudio of our own: its socket, state and cookie lie in one private folder, its only sink is a null sink.
# To be sourced. It touches no other PulseAudio of this user or machine, and works for root as for anybody.

# What a null sink is told of its channels, so that programs find as many as $SELKIES_AUDIO_CHANNELS says.
sink_form() {
  local front=front-left,front-right,front-center,lfe,rear-left,rear-right
  case ${SELKIES_AUDIO_CHANNELS:-2} in
    6) printf 'channels=6 channel_map=%s' "$front" ;;
    8) printf 'channels=8 channel_map=%s,side-left,side-right' "$front" ;;
  esac
}

# start_pulse FOLDER: starts it, exports PULSE_SERVER, and leaves its pid in $pulse_pid. Fails after 10 s without an answer.
start_pulse() {
  local home=$1
  mkdir -p -m 700 "$home"
  # Its own session: the terminal's Ctrl-C must not end the sound before the launcher has ended.
  setsid env -u DISPLAY -u PULSE_SERVER -u DBUS_SESSION_BUS_ADDRESS -u DBUS_SYSTEM_BUS_ADDRESS \
    HOME="$home" XDG_RUNTIME_DIR="$home" PULSE_RUNTIME_PATH="$home" PULSE_STATE_PATH="$home" \
    pulseaudio -n --daemonize=no --use-pid-file=no --exit-idle-time=-1 --disallow-exit --realtime=no --high-priority=no \
    --log-level=error \
    --load="module-null-sink sink_name=desktop sink_properties=device.description=Desktop $(sink_form)" \
    --load="module-native-protocol-unix socket=$home/native auth-anonymous=1" \
    </dev/null >"$home/log" 2>&1 &
  pulse_pid=$!
  export PULSE_SERVER=unix:$home/native
  for _ in $(seq 100); do
    [[ -S $home/native ]] && pactl info >/dev/null 2>&1 && return 0
    kill -0 "$pulse_pid" 2>/dev/null || break
    sleep 0.1
  done
  printf 'PulseAudio did not start:\n%s\n' "$(<"$home/log")" >&2
  return 1
}
