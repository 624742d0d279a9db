#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Downloads the packages in python/sources.txt with pip and unpacks them into .venv/src, if they are
# not there yet. A build downloads nothing. setup.sh calls this script.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
pins=$root/python/sources.txt
stamp=$venv/src/.pilotlight-sources
wanted=$(sha256sum "$pins" | cut -c1-16)
[ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ] || exit 0

printf '   downloading C sources: %s\n' "$(sed -n 's/^\([a-z][^ ]*\) .*/\1/p' "$pins" | paste -sd' ')"
mkdir -p "$venv/src"
folder=$(mktemp -d "$venv/src/fetching.XXXXXX")
trap 'rm -rf "$folder"' EXIT
# --no-build-isolation: what pip needs to read the packages' metadata is installed already.
"$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-binary :all: --no-deps --no-build-isolation \
  --require-hashes --dest "$folder" -r "$pins"
for archive in "$folder"/*.tar.gz; do
  name=$(basename "$archive" .tar.gz)
  tar -xzf "$archive" -C "$folder"
  rm -rf "${venv:?}/src/$name"
  mv "$folder/$name" "$venv/src/$name"
done
printf '%s\n' "$wanted" >"$stamp"
