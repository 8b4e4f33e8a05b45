#!/usr/bin/env bash
# Installs a wheel as people do, looks at what works and how large it is, and that nothing stays after removal.
#
#   check.sh WHEEL [pip] [pip-torch] [pipx] [pipx-torch] [uv]     all of them if none is named
#
# What runs is camdaemon's demo, without torch; DEMO=no leaves it out. The sizes are those of camdaemon and what it needs,
# without pip. Needs python3 with venv and the network; takes minutes.
set -euo pipefail
# shellcheck source=packaging/common.sh
. "$(dirname "$0")/../common.sh"

[ $# -gt 0 ] || fail "Usage: $0 WHEEL [pip] [pip-torch] [pipx] [pipx-torch] [uv]"
wheel=$(realpath "$1") && shift
[ $# -gt 0 ] || set -- pip pip-torch pipx pipx-torch uv
constraints=$repository/constraints.txt

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
mkdir "$work/home" "$work/cwd"
cd "$work/cwd" # not the checkout, whose camdaemon would be imported
python3 -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --requirement "$repository/packaging/python/tools.txt"

# Every file that the installer and camdaemon may write is below these.
export HOME=$work/home PIPX_HOME=$work/pipx PIPX_BIN_DIR=$work/bin PIPX_MAN_DIR=$work/man
export UV_TOOL_DIR=$work/uv UV_TOOL_BIN_DIR=$work/bin UV_NO_CONFIG=1 PIP_NO_INPUT=1
export UV_CACHE_DIR=${UV_CACHE_DIR:-$work/uv-cache} PIPX_SHARED_LIBS=$work/pipx-shared
export PATH=$work/tools/bin:$PATH

try() { # COMMAND yes|no: it answers, runs the demo, and has torch only where it was asked for
  local command=$1 torch=$2 python
  "$command" --version
  "$command" config list > /dev/null
  "$command" man > /dev/null
  "$command" --help > /dev/null
  python=$(sed -n '1s/^#!\([^ ]*\).*/\1/p' "$(realpath "$command")")
  if [ "$torch" = no ]; then
    "$python" -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is not None)' ||
      fail "torch was installed, but nobody asked for it"
    [ "${DEMO:-yes}" = yes ] || return 0
    "$command" demo --output "$work/demo" > "$work/demo.log" 2>&1 || { tail -20 "$work/demo.log" && fail "the demo failed"; }
    [ -s "$work/demo/demo.mp4" ] || fail "the demo wrote no film"
    rm -r "$work/demo"
  else
    "$python" -c 'import torch; print("torch", torch.__version__)'
  fi
}

expect_nothing_left() { # NAME: what the installer made is gone, but for its own empty locks; camdaemon left its cache only
  local left
  left=$(find "$work/bin" "$work/pipx/venvs" "$work/uv" "$work/man" -mindepth 1 \
    ! -type d ! -name .gitignore ! -name '.*lock' 2> /dev/null || true)
  [ -z "$left" ] || fail "$1: these files stay after removal:"$'\n'"$left"
  left=$(find "$HOME/.config" "$HOME/.local" -type f ! -path "$HOME/.local/state/pipx/*" 2> /dev/null || true)
  [ -z "$left" ] || fail "$1: these files stay in the home folder:"$'\n'"$left"
}

try_pip() { # EXTRA TORCH
  local pip=("$work/tools/bin/pip" --python "$work/env") before
  python3 -m venv --without-pip "$work/env"
  before=$(find "$work/env" ! -type d | sort)
  "${pip[@]}" install --quiet --constraint "$constraints" "$wheel$1"
  say "pip$1: $(megabytes "$work/env") MB"
  try "$work/env/bin/camdaemon" "$2"
  "${pip[@]}" freeze --all | sed 's/ @ .*//; s/==.*//' | xargs "${pip[@]}" uninstall --quiet --yes
  diff <(printf '%s\n' "$before") <(find "$work/env" ! -type d | sort) || fail "pip uninstall left these"
  rm -r "$work/env"
}

try_pipx() { # EXTRA TORCH
  pipx install --quiet --pip-args="--constraint $constraints" "$wheel$1"
  say "pipx$1: $(megabytes "$work/pipx/venvs/camdaemon") MB"
  try "$work/bin/camdaemon" "$2"
  pipx uninstall --quiet camdaemon
  expect_nothing_left pipx
}

try_uv() {
  uv tool install --quiet --constraints "$constraints" "$wheel"
  say "uv tool: $(megabytes "$work/uv/camdaemon") MB"
  try "$work/bin/camdaemon" no
  uv tool uninstall --quiet camdaemon
  expect_nothing_left uv
}

for way; do
  say "== $way"
  case $way in
    pip) try_pip '' no ;;
    pip-torch) try_pip '[torch]' yes ;;
    pipx) try_pipx '' no ;;
    pipx-torch) try_pipx '[torch]' yes ;;
    uv) try_uv ;;
    *) fail "$way is none of pip, pip-torch, pipx, pipx-torch, uv" ;;
  esac
done
