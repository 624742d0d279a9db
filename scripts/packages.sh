# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# Debian packages by purpose. setup.sh sources this file.
packages_build=(python3 python3-venv g++ gcc-arm-none-eabi libnewlib-arm-none-eabi
  libstdc++-arm-none-eabi-newlib qemu-system-arm libflatbuffers-dev flatbuffers-compiler)
packages_test=("${packages_build[@]}" git libgtest-dev espeak-ng valgrind shellcheck
  g++-multilib)
packages_campaign=("${packages_test[@]}" debootstrap)
packages_fuzz=("${packages_test[@]}" clang libclang-rt-dev afl++)
