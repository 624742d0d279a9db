#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Unpacks what python/sources.txt names into .venv/src, by the package manager and only when it is
# not there yet: nothing is fetched while building. setup.sh calls this.
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
# What it needs to tell its own name is installed already.
"$venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-binary :all: --no-deps --no-build-isolation \
  --require-hashes --dest "$folder" -r "$pins"
for archive in "$folder"/*.tar.gz; do
  name=$(basename "$archive" .tar.gz)
  tar -xzf "$archive" -C "$folder"
  rm -rf "${venv:?}/src/$name"
  mv "$folder/$name" "$venv/src/$name"
done
printf '%s\n' "$wanted" >"$stamp"
