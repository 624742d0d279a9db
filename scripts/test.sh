#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Sets up what is missing, then runs every check and test.
#
#   scripts/test.sh              all that runs before each change lands
#   scripts/test.sh --campaign   also the long runs (MobileNetV2, the README on other Debian releases)
#   scripts/test.sh --quick      a representative part, in some minutes
#   scripts/test.sh --lint       formatters, linters and type checks only
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

needs=--test markers='not campaign' tests=(tests) depth=()
case "${1:-}" in
  '' | --lint) ;;
  --campaign) needs=--campaign markers='campaign or not campaign' depth=(--deep) ;;
  # The .pte reader compared with the wheel's; kernels, drivers and emulator with this compiler and
  # QEMU; a whole model.
  --quick)
    tests=(tests/unit/python tests/unit/documents tests/unit/firmware/executorch/test_differential.py
      tests/unit/firmware/kernels/test_transcendental.py tests/fuzz/test_regressions_on_board.py
      tests/emulator/test_boot.py tests/emulator/test_faults.py tests/emulator/test_npu_port.py
      tests/emulator/test_conformance_on_board.py tests/npu/test_networks.py tests/hil/test_models.py)
    ;;
  *)
    printf '%s: %s is not an option; these are:\n' "$0" "$1" >&2
    sed -n '6,9p' "$0" >&2
    exit 2
    ;;
esac
"$root/scripts/setup.sh" "$needs"
export PATH="$root/.venv/bin:$PATH"
unset PYTHONPATH # It may name another checkout, whose package would then be tested.
unset PYTHONDONTWRITEBYTECODE # Without byte code, each process would parse the package again.
cd "$root"

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

say "format and lint"
mapfile -t cpp < <(git ls-files '*.cpp' '*.h' '*.c' | grep -v '/templates/')
clang-format --dry-run --Werror "${cpp[@]}"
ruff format --quiet --check --config python/pyproject.toml python tests
ruff check --quiet --config python/pyproject.toml python tests
mypy --no-error-summary --config-file python/pyproject.toml
shellcheck scripts/*.sh tests/fuzz/oss_fuzz/build.sh .ci/run
[ "${1:-}" = --lint ] && exit 0

say "firmware unit tests (host)"
# The linter and editors read the command of each source from this build.
cmake -S . -B build/unit-tests -G Ninja -DBOARD=host -DPILOTLIGHT_TESTS=ON \
  -DPILOTLIGHT_JOIN_SOURCES=OFF -DCMAKE_BUILD_TYPE=Debug >build-unit-tests.log 2>&1 ||
  { cat build-unit-tests.log && exit 1; }
rm -f build-unit-tests.log
cmake --build build/unit-tests
ctest --test-dir build/unit-tests --output-on-failure --no-tests=error

say "lint of the firmware"
python scripts/tidy.py build/unit-tests "${depth[@]}"

say "Python, simulator and emulator tests"
# One worker more than cores, because some wait for the emulator. A worker takes up to 1.8 GB.
workers=$(($(nproc) < 8 ? $(nproc) + 1 : 8))
# Each worker takes the next file, in the order of tests/conftest.py.
pytest -c python/pyproject.toml --rootdir . -n "$workers" --dist loadfile --no-loadscope-reorder \
  --durations=30 -m "$markers" "${tests[@]}"
