#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
#
# Builds the fuzz targets in OSS-Fuzz's environment, so that ClusterFuzz can run them unchanged.
#
#   build.sh [TARGET...]    loader, delegate, frames, kernels; without an argument, all of them
#
# The environment: CC, CXX, CFLAGS and CXXFLAGS with the sanitizer's flags, LIB_FUZZING_ENGINE, OUT
# for the files that ClusterFuzz takes, WORK for intermediate files, and ARCHITECTURE (i386 is a
# 32-bit build). PYTHON is the interpreter that has the executorch package; the default is .venv's.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
for variable in CC CXX LIB_FUZZING_ENGINE OUT WORK; do
  if [ -z "${!variable:-}" ]; then
    printf '%s is not set: this script runs in the environment of OSS-Fuzz\n' "$variable" >&2
    printf '  try: python tests/fuzz/campaign.py, which needs no environment\n' >&2
    exit 20
  fi
done
python=${PYTHON:-$root/.venv/bin/python}
targets=("$@")
[ $# -gt 0 ] || targets=(loader delegate frames kernels)

word_bits=64
[ "${ARCHITECTURE:-x86_64}" != i386 ] || word_bits=32
kernels=OFF
[[ " ${targets[*]} " != *" kernels "* ]] || kernels=ON

PATH=$(dirname "$python"):$PATH
cmake -S "$here/.." -B "$WORK/pilotlight" -G Ninja -DENGINE=oss-fuzz -DKERNELS=$kernels \
  -DWORD_BITS=$word_bits -DPILOTLIGHT_PYTHON="$python"
cmake --build "$WORK/pilotlight" --target "${targets[@]/%/_fuzzer}"
mkdir -p "$OUT"
for target in "${targets[@]}"; do
  cp "$WORK/pilotlight/${target}_fuzzer" "$OUT/"
done
"$python" "$here/archives.py" "$OUT" "${targets[@]}"
