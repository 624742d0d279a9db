#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing and nothing else: Debian packages, the virtual
# environment .venv, the west workspace. Running it again costs a second.
#
#   scripts/setup.sh             what building and checking models needs
#   scripts/setup.sh --test      also what the test suite needs
#   scripts/setup.sh --campaign  also what the test suite's long runs need
#   scripts/setup.sh --fuzz      also what fuzzing campaigns need
#
# Exit code 30: Debian packages are missing and this user may not install them
# (the line to run is printed). PYTHON selects the interpreter (3.10 to 3.13).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/packages.sh
. "$root/scripts/packages.sh"

say() { printf '\033[1m==\033[0m %s\n' "$*"; }

case "${1:-}" in
  '') packages=("${packages_build[@]}") ;;
  --test) packages=("${packages_test[@]}") ;;
  --campaign) packages=("${packages_campaign[@]}") ;;
  --fuzz) packages=("${packages_fuzz[@]}") ;;
  *)
    printf '%s: %s is not an option; these are:\n' "$0" "$1" >&2
    sed -n '6,10p' "$0" >&2
    exit 2
    ;;
esac

for tool in dpkg-query apt-get; do
  command -v "$tool" >/dev/null && continue
  printf '%s is not on PATH: this script sets up Debian 12, 13 and derivatives.\n' "$tool" >&2
  printf '  try: a container of Debian; or install what these packages hold, and do the rest of %s by hand:\n' "$0" >&2
  printf '    %s\n' "${packages[*]}" >&2
  exit 30
done
missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$state" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  line="apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    printf 'Debian packages are missing, and installing them needs root. Run this line, then this script again:\n\n  sudo %s\n\n' "$line" >&2
    exit 30
  fi
  say "installing Debian packages: ${missing[*]}"
  log=$(mktemp)
  if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive $line -q; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    printf 'apt-get failed; its whole output is in %s\n' "$log" >&2
    exit 30
  fi
  rm -f "$log"
fi

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))'; then
  printf '%s is %s, and the packages are pinned for Python 3.10 to 3.13.\n  try: PYTHON=python3.13 %s\n' \
    "$python" "$("$python" --version 2>&1)" "$0" >&2
  exit 30
fi

venv=$root/.venv
wanted=$(cat "$root/python/requirements.txt" "$root/python/pyproject.toml" | sha256sum | cut -c1-16)
stamp=$venv/.pilotlight-requirements
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
  say "setting up the virtual environment .venv: PyTorch, ExecuTorch, Vela, CMake, west; a few minutes"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" "$root/scripts/install_packages.py" "$root/python/requirements.txt"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e "$root/python"
  printf '%s\n' "$wanted" >"$stamp"
fi
if [ "${1:-}" = --campaign ]; then
  zoo=$root/tests/zoo/requirements.txt
  zoo_stamp=$venv/.pilotlight-zoo
  if ! cmp -s "$zoo" "$zoo_stamp"; then
    say "installing the packages that the zoo takes networks from (24 MB)"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$zoo"
    cp "$zoo" "$zoo_stamp"
  fi
fi
"$root/scripts/fetch_sources.sh"

# A clone that is a project of another west workspace needs no workspace of its own.
if ! (cd "$root" && "$venv/bin/west" list -f '{abspath}' 2>/dev/null) | grep -qxF "$(realpath "$root")"; then
  say "setting up the west workspace"
  mkdir -p "$root/.west"
  printf '[manifest]\npath = .\nfile = west.yml\n' >"$root/.west/config"
fi
say "set-up is complete; to use it in this shell: . $(printf '%q' "$venv/bin/activate")"
