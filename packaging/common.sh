# shellcheck shell=bash
# What the scripts of this folder share. Sourced, with `set -euo pipefail` before it.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
placeholder=URL-OF-THIS-REPOSITORY

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

# The one place of the version is camdaemon/__init__.py.
read_version() { sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$repository/camdaemon/__init__.py"; }

# What desktops and portals know camdaemon by.
read_app_id() { sed -n 's/^APP_ID = "\(.*\)"$/\1/p' "$repository/camdaemon/control/hotkeys/portal.py"; }

# The project's address, or nothing as long as packaging/address holds the placeholder.
read_address() {
  local address
  address=$(< "$repository/packaging/address")
  [ "$address" = "$placeholder" ] || printf '%s\n' "${address%/}"
}

# Seconds since 1970 of the last commit, so that the same commit gives the same files.
read_commit_time() { git -C "$repository" log -1 --format=%ct; }

# Megabytes (of 1000000 bytes) of files or folders: what they hold, not the blocks of one file system.
megabytes() { du -sc --apparent-size --block-size=1 "$@" | awk 'END { printf "%.0f", $1 / 1e6 }'; }

# Puts what is committed into a folder, with another address if one is given.
export_commit() { # FOLDER [ADDRESS]
  [ -z "$(git -C "$repository" status --porcelain --untracked-files=no)" ] ||
    say "Changes that are not committed are left out."
  git -C "$repository" archive HEAD | tar -x -C "$1"
  [ -z "${2-}" ] || printf '%s\n' "$2" > "$1/packaging/address"
}
