#!/usr/bin/env bash
# Fills in the recipes for systems that are not built here (RPM, Arch, Flatpak, container) for an sdist, and checks them as far
# as the tools go that this machine has.
#
#   recipes.sh [SDIST] [--output FOLDER] [--address URL]       without SDIST: the one in dist/
set -euo pipefail
# shellcheck source=packaging/common.sh
. "$(dirname "$0")/common.sh"

sdist=$repository/dist/camdaemon-$(read_version).tar.gz
output=$repository/dist/recipes address=$(read_address)
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=$(realpath -m "$2") && shift 2 ;;
    --address) address=$2 && shift 2 ;;
    -*) fail "Usage: $0 [SDIST] [--output FOLDER] [--address URL]" ;;
    *) sdist=$(realpath "$1") && shift ;;
  esac
done
[ -f "$sdist" ] || fail "there is no $sdist. Run: packaging/python/build.sh"
app=$(read_app_id)
checksum=$(sha256sum "$sdist") && checksum=${checksum%% *}
cd "$repository/packaging"

# Lines that only name the address are left out as long as there is none.
fill_in() { # RECIPE FILE
  mkdir -p "$output/$(dirname "$2")"
  sed -e "${address:+s|@ADDRESS@|$address|g}" -e '/@ADDRESS@/d' -e "s|@VERSION@|$(read_version)|g" -e "s|@APP_ID@|$app|g" \
    -e "s|@SHA256@|$checksum|g" -e "s|@DATE@|$(date --utc --date="@$(read_commit_time)" +%F)|g" "$1" > "$output/$2"
}

check() { # FILE COMMAND...
  local file=$1
  shift
  if ! command -v "$1" > /dev/null; then
    say "$file: $1 is not installed, not checked with it"
  elif (cd "$output/$(dirname "$file")" && "$@") > "$output/log" 2>&1; then
    say "$file: $1 finds nothing wrong"
  else
    cat "$output/log" >&2
    fail "$file: $1 refuses it"
  fi
}

fill_in rpm/camdaemon.spec.in rpm/camdaemon.spec
# Debian's rpm has no macros for Python.
check rpm/camdaemon.spec rpmspec --parse --define 'python3_version 3.13' --define 'py_byte_compile() %%{nil}' camdaemon.spec
check rpm/camdaemon.spec rpmlint --rpmlintrc "$PWD/rpm/rpmlintrc" camdaemon.spec

fill_in arch/PKGBUILD.in arch/PKGBUILD
check arch/PKGBUILD bash -n PKGBUILD
check arch/PKGBUILD shellcheck --shell=bash --exclude=SC2034,SC2154,SC2164 PKGBUILD # what makepkg reads, sets and checks

fill_in flatpak/camdaemon.yml.in "flatpak/$app.yml"
fill_in flatpak/metainfo.xml.in "flatpak/$app.metainfo.xml"
check "flatpak/$app.yml" flatpak-builder --show-manifest "$app.yml"
check "flatpak/$app.metainfo.xml" appstreamcli validate --no-net --pedantic "$app.metainfo.xml"

fill_in container/Containerfile.in container/Containerfile
check container/Containerfile hadolint Containerfile
rm -f "$output/log"
say "Filled in, not built here: $output"
