#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing. Then it builds the handwritten-digits model for an emulated Cortex-M55 +
# Ethos-U55 and checks every held-out sample bit for bit.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/setup.sh"
export PATH="$root/.venv/bin:$PATH"
cd "$root"

build=build/demo
trap 'west poweroff -d "$build" >/dev/null 2>&1 || true' EXIT
run() {
  printf '\n\033[1m$ %s\033[0m\n' "$*"
  "$@"
}
run west build -b qemu-corstone300 -m digits -d "$build"
run west flash -d "$build"
run west check -d "$build"
