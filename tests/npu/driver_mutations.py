# SPDX-License-Identifier: Apache-2.0
"""Removes the driver's checks, one at a time, and shows that a test notices each removal.

    python tests/npu/driver_mutations.py [PART]      mutations whose name begins with PART

Each mutation is made in a copy of the sources. The unit tests of firmware/ethos_u judge it first,
then test_driver_verification.py. A mutation that does not apply is an error: when a check moves,
its mutation must follow.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bounded

ROOT = Path(__file__).parents[2]
DRIVER = Path("firmware", "ethos_u")
COPIED = (
    "CMakeLists.txt",
    "CMakePresets.json",
    "cmake",
    "boards",
    "firmware",
    "python",
    "scripts",
    "tests",
    "third_party",
)
TIMEOUT_S = 600


@dataclass(frozen=True)
class Mutation:
    """`before` must occur exactly once in firmware/ethos_u/<file>."""

    what: str
    file: str
    before: str
    after: str


STREAM, ACCESS = "command_stream.cpp", "region_access.cpp"
REGISTERS, REGISTERS_HEADER = "command_registers.cpp", "command_registers.h"
GEOMETRY, GEOMETRY_HEADER = "operand_geometry.cpp", "operand_geometry.h"
BLOB, PAYLOAD, BACKEND, NPU = "blob.cpp", "payload.cpp", "backend.cpp", "npu.cpp"
MUTATIONS = (
    Mutation("access: beyond the end", ACCESS, "begin >= 0 && end <= size", "begin >= 0"),
    Mutation("access: before the begin", ACCESS, "begin >= 0 && end <= size", "end <= size"),
    Mutation("access: writes to the weights", ACCESS, " && !(written && region == 0)", ""),
    Mutation(
        "access: region that is not there",
        ACCESS,
        "const bool missing = region > 1 && size == 0;",
        "const bool missing = false;",
    ),
    Mutation(
        "copy: beyond the internal memory",
        STREAM,
        "length != 0 && to + length > std::int64_t{build_.internal_kib} * 1024",
        "false",
    ),
    Mutation("copy: of two dimensions", STREAM, "((source | target) & 0x600) != 0 || ", ""),
    Mutation("copy: from internal memory", STREAM, " || (source & 0x100) != 0", ""),
    Mutation(
        "table: beyond the table memory",
        STREAM,
        "(function - kFirstTable) * kTableSlotBytes + size > kTableMemoryBytes",
        "false",
    ),
    Mutation(
        "scales: fewer than channels",
        STREAM,
        "length < kScaleRecordBytes * records",
        "false",
    ),
    Mutation("streams: those of the second core", STREAM, "core < cores; ++core", "core < 1; ++core"),
    Mutation("scales: those of an idle core", STREAM, "!idle || registers_.HasBytes(group, kScaleLength)", "!idle"),
    Mutation("weights: those of an idle core", STREAM, "!idle || registers_.HasBytes(group, kWeightLength)", "!idle"),
    Mutation("kernel: pads more than it covers", GEOMETRY, "size < padding", "false"),
    Mutation("bricks: columns that are none", GEOMETRY, "stride_x_ != brick_bytes", "false"),
    Mutation("bricks: off their alignment", GEOMETRY, "bricks_ && base % kBrickChannels != 0", "false"),
    Mutation("bricks: those before the last", GEOMETRY, "before > pixel_end_", "false"),
    Mutation("strides: negative ones", GEOMETRY, "stride < 0 ? (count - 1) * stride : 0", "0"),
    Mutation(
        "tiles: the lower ones",
        GEOMETRY_HEADER,
        "IsLower(tile) ? size_.height - upper : upper",
        "IsLower(tile) ? 0 : upper",
    ),
    Mutation(
        "tiles: the right ones",
        GEOMETRY_HEADER,
        "IsRight(tile) ? size_.width - left_columns_ : left_columns_",
        "IsRight(tile) ? 0 : left_columns_",
    ),
    Mutation("registers: left from another stream", REGISTERS_HEADER, "(used_ & kIsSet) == 0", "false"),
    Mutation(
        "registers: reserved bits",
        REGISTERS,
        "(param & ~std::uint32_t{legal.bits}) != 0",
        "false",
    ),
    Mutation("registers: reserved values", REGISTERS, "(param & param >> 1 & legal.ternary_bits) != 0", "false"),
    Mutation(
        "registers: index of a short one",
        REGISTERS,
        "exists ? commands_.setting_kinds[index] : 0",
        "commands_.setting_kinds[index]",
    ),
    Mutation("registers: index of a long one", REGISTERS, "group >= kGroups || place", "place"),
    Mutation("registers: of U65 alone", REGISTERS, "payload_kind == 0", "false"),
    Mutation("operations: unknown modes", STREAM, "param > range->last_param", "false"),
    Mutation("stream: cut off in a command", STREAM, "stream_.size() - next < 4", "false"),
    Mutation("blob: block longer than the blob", BLOB, "length > bytes_.size() - at)", "false)"),
    Mutation("blob: padding beyond the blob", BLOB, "padding > bytes_.size() - at - length", "false"),
    Mutation("blob: no room for a header", BLOB, "bytes_.size() - at < kHeaderBytes", "false"),
    Mutation("blob: block twice", BLOB, "if (block.present)", "if (false)"),
    Mutation("blob: block missing", BLOB, "if (!block.present)", "if (false)"),
    Mutation("blob: external block", BLOB, "header[kExternalAt] != std::byte{0}", "false"),
    Mutation("blob: count against length", BLOB, "count * kRecordBytes != block.data.size() - kCountBytes", "false"),
    Mutation("blob: block without a count", BLOB, "block.data.size() < kCountBytes", "false"),
    Mutation("blob: scratch size is a word", BLOB, "block.data.size() != sizeof(std::uint32_t)", "false"),
    Mutation(
        "blob: scratch size impossible",
        BLOB,
        'size_bytes > kMaxBytes) return Bad("scratch',
        'false) return Bad("scratch',
    ),
    Mutation("blob: too many tensors", BLOB, "count > kMaxTensors", "false"),
    Mutation("blob: element size", BLOB, "element_bytes == 0 || element_bytes > 8", "false"),
    Mutation("blob: dimension", BLOB, "dim == 0 || dim > kMaxBytes", "false"),
    Mutation(
        "blob: product of dimensions", BLOB, 'size_bytes > kMaxBytes) return Bad("tensor', 'false) return Bad("tensor'
    ),
    Mutation("blob: tensor's region", BLOB, "LoadU32(record + kRegionAt) != kScratchRegion", "false"),
    Mutation("blob: tensor beyond the scratch", BLOB, "size_bytes > scratch_size_bytes - offset", "false"),
    Mutation("blob: tensor's offset", BLOB, "offset > scratch_size_bytes || ", ""),
    Mutation(
        "blob: overlapping inputs",
        BLOB,
        "a.offset < b.offset + b.size_bytes && b.offset < a.offset + a.size_bytes",
        "false",
    ),
    Mutation("payload: whole words", PAYLOAD, "bytes.size() % kWordBytes != 0 || ", ""),
    Mutation("payload: configuration cut off", PAYLOAD, "words_after < 2 || ", ""),
    Mutation("payload: stream beyond the end", PAYLOAD, "length == 0 || length > words_after", "length == 0"),
    Mutation("payload: second stream", PAYLOAD, "if (!payload.stream.empty())", "if (false)"),
    Mutation("payload: stream's alignment", PAYLOAD, "at % kStreamAlignBytes != 0", "false"),
    Mutation("payload: another NPU", "program.cpp", "!Runs(payload.built_for, npu)", "false"),
    Mutation("delegate: no data", BACKEND, "processed != nullptr && processed->data() != nullptr", "true"),
    Mutation("delegate: size of a tensor", BACKEND, "tensor.nbytes() != io.size_bytes ||", "false ||"),
    Mutation("delegate: number of arguments", BACKEND, "args.size() != input_count + outputs.size()", "false"),
    Mutation(
        "delegate: fast scratch that shrank", BACKEND, "fast_scratch_.size() < handle.fast_scratch_bytes", "false"
    ),
    Mutation("driver: a region not given", NPU, "program.used_regions & ~given", "0"),
    Mutation("driver: out of the NPU's reach", NPU, "if (!Reachable(address, bytes.size()))", "if (false)"),
    Mutation(
        "driver: shared cache lines",
        NPU,
        "AddressOf(bytes.data()) % kCacheLineBytes != 0 || bytes.size() % kCacheLineBytes != 0",
        "false",
    ),
    Mutation(
        "driver: deadline passed before the start",
        NPU,
        "platform::NowUs() >= deadline_us) return Fail(",
        "false) return Fail(",
    ),
    Mutation(
        "driver: reset that does not end", NPU, "platform::NowUs() + kResetTimeoutUs", "platform::NowUs() + 1'000'000"
    ),
    Mutation("driver: reset after a failure", NPU, "opened_ = Reset() == Status::kOk;", "opened_ = true;"),
)


def apply(mutation: Mutation, driver: Path) -> None:
    """Apply the mutation to a copy of the driver. Raises ValueError unless the mutation fits
    exactly once."""
    path = driver / mutation.file
    # clang-format may break the lines differently, so any white space matches a blank.
    pattern = re.compile(r"\s+".join(re.escape(part) for part in mutation.before.split(" ")))
    source = path.read_text()
    if (count := len(pattern.findall(source))) != 1:
        raise ValueError(f"{mutation.what}: {mutation.before!r} occurs {count} times in {mutation.file}")
    path.write_text(pattern.sub(lambda _: mutation.after, source))


class Copy:
    """A copy of the sources in a folder, with the unit tests built from it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._build = folder, folder / "build"
        ignore = shutil.ignore_patterns("__pycache__", "build", ".mypy_cache")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=ignore)
            else:
                shutil.copyfile(source, folder / name)
        flags = folder / "cmake" / "flags.cmake"
        # Without the removed check, a variable may be unused.
        flags.write_text(flags.read_text().replace(" -Werror", ""))
        configure = ("cmake", "-S", str(folder), "-B", str(self._build), "-G", "Ninja", "-DBOARD=host")
        options = ("-DPILOTLIGHT_TESTS=ON", "-DCMAKE_BUILD_TYPE=Debug", f"-DPILOTLIGHT_PYTHON={sys.executable}")
        sanitizers = "-fsanitize=address,undefined -fno-sanitize-recover=all"
        done = _run(
            *configure,
            *options,
            f"-DCMAKE_CXX_FLAGS={sanitizers}",
            "-DCMAKE_EXE_LINKER_FLAGS=-fsanitize=address,undefined",
        )
        if done.returncode:
            raise ValueError(done.stdout + done.stderr)

    def notices(self) -> str:
        """Return the test that finds the copy wrong, or "" if none does."""
        built = _run("cmake", "--build", str(self._build), "--target", "ethos_u_test")
        if built.returncode:
            raise ValueError(built.stdout[-3000:])
        (tests,) = self._build.rglob("ethos_u_test")
        run = _run(str(tests), "--gtest_brief=1")
        if run.returncode:
            failed = re.search(r"\[  FAILED  \] (\S+)", run.stdout)
            return failed[1] if failed else f"a sanitizer: {_summary(run.stderr)}"
        return self._compared()

    def _compared(self) -> str:
        tests = self.folder / "tests" / "npu" / "test_driver_verification.py"
        run = _run(
            sys.executable,
            "-m",
            "pytest",
            "-qx",
            "-m",
            "not campaign",
            "-c",
            str(ROOT / "python" / "pyproject.toml"),
            str(tests),
        )
        failed = re.search(r"^FAILED \S+::(\S+)", run.stdout, re.MULTILINE)
        return failed[1] if failed else "" if run.returncode == 0 else run.stdout[-500:]


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    return bounded.run(command, TIMEOUT_S, capture_output=True, text=True, env=environment)


def _summary(text: str) -> str:
    found = re.search(r"(SUMMARY|runtime error): .*", text)
    return found[0] if found else text[-200:]


def run_mutations(say: Callable[[str], None] = print, part: str = "") -> list[Mutation]:
    """Return the mutations that no test noticed."""
    chosen = [mutation for mutation in MUTATIONS if mutation.what.startswith(part)]
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder))
        if noticed := copy.notices():
            raise ValueError(f"the unbroken driver fails: {noticed}")
        for mutation in chosen:
            driver = copy.folder / DRIVER
            apply(mutation, driver)
            noticed = copy.notices()
            say(f"{mutation.what:45} {noticed[:100] or 'SURVIVES'}")
            if not noticed:
                survivors.append(mutation)
            shutil.copyfile(ROOT / DRIVER / mutation.file, driver / mutation.file)
    say(f"{len(chosen) - len(survivors)} of {len(chosen)} mutations noticed")
    return survivors


if __name__ == "__main__":
    sys.exit(bool(run_mutations(lambda text: print(text, flush=True), *sys.argv[1:])))
