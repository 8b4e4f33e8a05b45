#!/usr/bin/env bash
# Builds wheel and sdist of the last commit, ready for an index, and checks their metadata.
# Needs python3 with venv, git, and the network for the build tools.
set -euo pipefail
# shellcheck source=packaging/common.sh
. "$(dirname "$0")/../common.sh"

output=$repository/dist address=$(read_address)
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=$(realpath -m "$2") && shift 2 ;;
    --address) address=$2 && shift 2 ;;
    *) fail "Usage: $0 [--output FOLDER] [--address URL]" ;;
  esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
mkdir "$work/source" "$work/dist"
export_commit "$work/source" "$address"
[ -n "$address" ] || say "packaging/address holds no address: the metadata gets no links. To give one: --address URL"

python3 -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet --requirement "$repository/packaging/python/tools.txt"
SOURCE_DATE_EPOCH=$(read_commit_time)
export SOURCE_DATE_EPOCH
"$work/tools/bin/python" -m build --outdir "$work/dist" "$work/source" > "$work/log" || { cat "$work/log" && exit 1; }
"$work/tools/bin/twine" check --strict "$work"/dist/* >&2

mkdir -p "$output"
for file in "$work"/dist/*; do
  mv "$file" "$output/"
  printf '%s\n' "$output/${file##*/}"
done
