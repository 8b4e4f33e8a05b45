#!/usr/bin/env bash
# Builds the .deb of the last commit for releases of Debian, each in a clean root of that release.
#
#   build.sh [--output FOLDER] [--address URL] RELEASE...      such as: bookworm trixie
#
# The maintainer's name and address are DEBFULLNAME and DEBEMAIL, as for Debian's own tools. Needs root, mmdebstrap and the
# network; the architecture is this machine's.
set -euo pipefail
# shellcheck source=packaging/common.sh
. "$(dirname "$0")/../common.sh"
# shellcheck source=packaging/deb/roots.sh
. "$(dirname "$0")/roots.sh"

output=$repository/dist address=$(read_address) releases=()
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=$(realpath -m "$2") && shift 2 ;;
    --address) address=$2 && shift 2 ;;
    -*) fail "Usage: $0 [--output FOLDER] [--address URL] RELEASE..." ;;
    *) releases+=("$1") && shift ;;
  esac
done
[ ${#releases[@]} -gt 0 ] || fail "no release is named. Run: $0 bookworm trixie"

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$output" "$work/source"
export_commit "$work/source" "$address"

# What the build needs; nothing of it gets into the package. The compiler is for evdev, which the hotkeys use.
tools=(python3-dev python3-venv ca-certificates dpkg-dev gcc libc6-dev linux-libc-dev)

for release in "${releases[@]}"; do
  root=$work/$release
  make_root "$release" "$root" "${tools[@]}"
  mkdir "$root/build"
  cp -a "$work/source" "$root/build/source"
  cp /etc/ssl/certs/ca-certificates.crt "$root/build/certificates"
  index=$(python3 -m pip config get global.index-url 2> /dev/null || true)
  # shellcheck disable=SC2046 # no space is in a proxy's address
  enter "$root" env PIP_CERT=/build/certificates PIP_DISABLE_PIP_VERSION_CHECK=1 ${index:+PIP_INDEX_URL="$index"} \
    $(env | grep -iE '^https?_proxy=' || true) SOURCE_DATE_EPOCH="$(read_commit_time)" CAMDAEMON_VERSION="$(read_version)" \
    ADDRESS="$address" MAINTAINER="${DEBFULLNAME:-the camdaemon authors} <${DEBEMAIL:-}>" \
    bash /build/source/packaging/deb/assemble.sh >&2
  for deb in "$root"/build/*.deb; do
    mv "$deb" "$output/"
    printf '%s\n' "$output/${deb##*/}"
    say "$(megabytes "$output/${deb##*/}") MB, and unpacked $(megabytes "$root/build/package/usr") MB"
  done
  rm -rf --one-file-system "$root"
done
