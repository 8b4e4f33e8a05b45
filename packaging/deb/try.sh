#!/usr/bin/env bash
# Tries a .deb in a clean root of its release: installs, runs, upgrades, removes and purges it, and says what stays.
#
#   try.sh RELEASE DEB       such as: try.sh trixie camdaemon_0.1.0-1~deb13_amd64.deb
#
# The daemon plays its clip into PipeWire, and a reader of PipeWire has to get its picture; DAEMON=no leaves that out.
# Needs root, mmdebstrap and the network.
set -euo pipefail
# shellcheck source=packaging/common.sh
. "$(dirname "$0")/../common.sh"
# shellcheck source=packaging/deb/roots.sh
. "$(dirname "$0")/roots.sh"

[ $# = 2 ] || fail "Usage: $0 RELEASE DEB"
release=$1 deb=$(realpath "$2")

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM
root=$work/root reader=()
# What a desktop has, and a program that reads PipeWire's cameras.
[ "${DAEMON:-yes}" = no ] ||
  reader=(dbus-daemon pipewire wireplumber gstreamer1.0-tools gstreamer1.0-pipewire gstreamer1.0-plugins-base)
make_root "$release" "$root" ca-certificates bash-completion man-db "${reader[@]}"
mkdir "$root/try"
cp "$deb" "$root/try/camdaemon.deb"
cp "$(dirname "$0")/try-daemon.sh" "$root/try/"

list_files() {
  enter "$root" find / -xdev ! -path '/proc/*' ! -path '/dev/*' ! -path '/try/*' ! -path '/var/cache/*' ! -path '/tmp/*' \
    ! -path '/var/log/*' ! -path '/var/lib/apt/*' ! -path '/var/lib/dpkg/*' ! -path '/home/*' | sort
}

run_apt() { enter "$root" apt-get -qq -o Dpkg::Use-Pty=0 --yes --no-install-recommends "$@"; }

as_user() { # COMMAND...: as somebody who may write nothing but their home folder
  enter "$root" setpriv --reuid=1000 --regid=1000 --clear-groups env HOME=/home/viewer "$@"
}

expect_same_files() { # WHEN: as before the installation, but for packages that it depended on
  list_files > "$work/after"
  diff "$work/before" "$work/after" | grep '^[<>]' > "$work/changes" || true
  [ ! -s "$work/changes" ] || fail "$1, these files differ from those before:"$'\n'"$(< "$work/changes")"
  say "$1, no file has come or gone"
}

try_commands() {
  as_user camdaemon --version
  as_user camdaemon config list > /dev/null
  as_user camdaemon --help > /dev/null
  as_user camdaemon devices || say "(no camera here)"
  as_user camdaemon doctor > "$work/doctor" || true # there is no camera
  grep -E 'OpenVINO|weights' "$work/doctor" || fail "the doctor does not tell of the network"$'\n'"$(< "$work/doctor")"
  enter "$root" man --where camdaemon
  for file in bash-completion/completions/camdaemon zsh/vendor-completions/_camdaemon \
    fish/vendor_completions.d/camdaemon.fish; do
    [ -s "$root/usr/share/$file" ] || fail "/usr/share/$file is missing"
  done
  grep -q '^ExecStart=/usr/bin/camdaemon run$' "$root/usr/lib/systemd/user/camdaemon.service" || fail "no unit"
  enter "$root" camdaemon --version > /dev/null # root's bytecode must not stay
}

# The package as if an earlier version of it had had one more module.
make_earlier() {
  local site
  dpkg-deb --raw-extract "$deb" "$work/earlier"
  sed -i 's/^Version: .*/&~earlier/' "$work/earlier/DEBIAN/control"
  site=$(echo "$work"/earlier/usr/lib/camdaemon/lib/python3.*/site-packages/camdaemon)
  echo 'print("earlier")' > "$site/earlier.py"
  dpkg-deb --root-owner-group -Znone --build "$work/earlier" "$root/try/earlier.deb" > /dev/null
  rm -r "$work/earlier"
}

enter "$root" install -d -o 1000 -g 1000 /home/viewer
printf 'viewer:x:1000:1000::/home/viewer:/bin/sh\n' >> "$root/etc/passwd" # D-Bus serves only users that it finds there
# What logind, which does not run here, would have made: without these WirePlumber's monitor of it ends the whole of it.
enter "$root" mkdir -p /run/systemd/seats /run/systemd/sessions /run/systemd/users /run/systemd/machines
# Libraries first: they stay when camdaemon goes, as apt's autoremove decides.
enter "$root" apt-get -qq update
depends=$(dpkg-deb --field "$deb" Depends | sed 's/([^)]*)//g; s/|[^,]*//g; s/,/ /g')
# shellcheck disable=SC2086 # names of packages
run_apt install $depends
list_files > "$work/before"

say "Installing an earlier version, and upgrading it"
make_earlier
run_apt install /try/earlier.deb
[ -n "$(find "$root/usr/lib/camdaemon" -name 'earlier*.pyc')" ] || fail "the installation made no bytecode"
run_apt install /try/camdaemon.deb
[ -z "$(find "$root/usr/lib/camdaemon" -name 'earlier*')" ] || fail "the upgrade leaves files of the earlier version"
say "Installed: $(megabytes "$root/usr/lib/camdaemon") MB in /usr/lib/camdaemon"
try_commands
[ "${DAEMON:-yes}" = no ] || as_user env PATH=/usr/bin:/bin bash /try/try-daemon.sh
enter "$root" apt-get -qq --simulate install --install-recommends /try/camdaemon.deb > /dev/null || fail "no recommendation"
run_apt remove camdaemon
expect_same_files "After removal"
run_apt install /try/camdaemon.deb
run_apt purge camdaemon
expect_same_files "After purging"
find "$root/home/viewer" -type f -printf "In the user's home stays: %P\n" >&2
