#!/usr/bin/env bash
# Runs in a root of try.sh as an ordinary user: the demo, then the daemon plays its clip into PipeWire and a reader reads it.
set -euo pipefail

work=$(mktemp -d)
jobs_to_end=()
end() {
  kill "${jobs_to_end[@]}" 2> /dev/null || true
  wait
  rm -rf "$work"
}
trap end EXIT

wait_for() { # WHAT COMMAND...: for as long as a slow machine takes
  local what=$1
  shift
  for _ in $(seq 600); do
    "$@" > /dev/null 2>&1 && return
    sleep 0.5
  done
  echo "there is no $what" >&2
  tail -20 "$work"/*.log >&2
  exit 1
}

run() { # NAME COMMAND...: in the background, with a log
  "${@:2}" > "$work/$1.log" 2>&1 &
  jobs_to_end=("$!" "${jobs_to_end[@]}")
}

camdaemon demo --output "$work/demo" > "$work/demo.log" 2>&1 || { tail -20 "$work/demo.log" >&2 && exit 1; }
ls -l "$work/demo" >&2

export XDG_RUNTIME_DIR=$work/run
mkdir -m 700 "$XDG_RUNTIME_DIR"
export DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
run dbus dbus-daemon --session --nofork --nopidfile "--address=$DBUS_SESSION_BUS_ADDRESS"
wait_for bus test -S "$XDG_RUNTIME_DIR/bus"
run pipewire pipewire
wait_for PipeWire test -S "$XDG_RUNTIME_DIR/pipewire-0"
run wireplumber wireplumber

run camdaemon camdaemon run --source pattern --sink pipewire --backdrop color:#00ff00
wait_for daemon camdaemon status
wait_for "camera in PipeWire" sh -c 'pw-cli list-objects Node | grep -q "node.name = .*camdaemon"'
node=$(pw-cli list-objects Node | sed -n 's/.*node.name = "\(.*camdaemon[^"]*\)".*/\1/p' | head -1)

# One picture of the size 64x36, of which the middle of the left rim is backdrop: green, once the card has gone.
read_green() {
  timeout 60 gst-launch-1.0 -q pipewiresrc "target-object=$node" num-buffers=1 ! videoconvert ! videoscale ! \
    video/x-raw,format=RGB,width=64,height=36 ! filesink "location=$work/picture" > "$work/gst.log" 2>&1
  [ "$(tail -c +$((64 * 3 * 18 + 1)) "$work/picture" | head -c 3 | od -An -tu1 | awk '{ print ($2 > 200 && $1 < 80 && $3 < 80) }')" = 1 ]
}
wait_for "picture with the backdrop" read_green
echo "A reader of PipeWire got the picture of $node: you in front of the backdrop" >&2
camdaemon stop
