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


STREAM, STREAM1, WALK, ACCESS = "command_stream_0.cpp", "command_stream_1.cpp", "stream_verifier.h", "region_access.cpp"
REGISTERS, REGISTERS_HEADER = "command_registers.cpp", "command_registers.h"
GEOMETRY, GEOMETRY_HEADER = "operand_geometry.cpp", "operand_geometry.h"
BLOB, PAYLOAD, BACKEND, NPU, PROGRAM = "blob.cpp", "payload.cpp", "backend.cpp", "npu.cpp", "program.cpp"
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
    Mutation("copy: from internal memory", STREAM, " || (source & kInternalMemory) != 0", ""),
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
        "exists ? commands_.settings[index] : 0",
        "commands_.settings[index]",
    ),
    Mutation("registers: index of a long one", REGISTERS, "group >= kGroups || place", "place"),
    Mutation("registers: of U65 alone", REGISTERS, "payload_kind == 0", "false"),
    Mutation("operations: unknown modes", WALK, "param > range->last_param", "false"),
    Mutation("stream: cut off in a command", WALK, "stream_.size() - next < 4", "false"),
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
    Mutation("blob: tensor's region", BLOB, "region != kScratchRegion && region != own_region", "false"),
    Mutation("blob: tensor beyond its region", BLOB, "if (end > limit)", "if (false)"),
    Mutation("blob: region of inputs too large", BLOB, " && end <= kMaxBytes", ""),
    Mutation("blob: inputs in different regions", BLOB, "a.region == b.region && ", ""),
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
    Mutation("payload: words of COP2", PAYLOAD, "word(fixed.word) != fixed.value", "false"),
    Mutation("payload: short COP2", PAYLOAD, "bytes.size() > kFactsAfter + kFactsBytes", "true"),
    Mutation("payload: size of COP2", PAYLOAD, "word(kSizeWord) != bytes.size() - kSizeAfter", "false"),
    Mutation(
        "payload: size of COP2's entry", PAYLOAD, "word(kEntrySizeWord) != bytes.size() - kEntrySizeAfter", "false"
    ),
    Mutation("payload: COP2 with few facts", PAYLOAD, "facts_bytes < kFactsBytes", "false"),
    Mutation("payload: COP2 without a stream", PAYLOAD, "facts_bytes >= bytes.size() - kFactsAfter", "false"),
    Mutation("payload: COP2's alignment", PAYLOAD, "(kFactsAfter + facts_bytes) % kStreamAlignBytes != 0", "false"),
    Mutation("payload: facts that must match", PAYLOAD, "& product->config_match) != 0", "& 0) != 0"),
    Mutation("payload: size of the inputs' region", PROGRAM, "sizes[kInputRegion]", "0"),
    Mutation("payload: another NPU", PROGRAM, "!Runs(payload.built_for, npu)", "false"),
    Mutation("second: values without a table", WALK, "row->first <= value && value <= row->last", "false"),
    Mutation("second: branch out of the stream", STREAM1, "target >= stream_bytes ||", "false ||"),
    Mutation("second: branch into a command", STREAM1, "return reached_ == all ?", "return true ?"),
    Mutation(
        "second: registers after a branch", STREAM1, "reached_ |= 1u << i;\n      Forget();", "reached_ |= 1u << i;"
    ),
    Mutation("second: too many branches", STREAM1, "if (target_count_ == kMostBranches)", "if (false)"),
    Mutation("second: IFM", STREAM1, "PILOTLIGHT_TRY(AccessStored(kIfmMap, input));", ""),
    Mutation(
        "second: IFM2 of a product",
        STREAM1,
        "return AccessStored(kIfm2Map, {1, output.depth, input.depth});",
        "return Status::kOk;",
    ),
    Mutation("second: IFM2 as accumulator", STREAM1, "PILOTLIGHT_TRY(AccessStored(kIfm2Map, output));", ""),
    Mutation("second: IFM2 twice", STREAM1, "if (ifm2_is_weights)", "if (false)"),
    Mutation(
        "second: first operand",
        STREAM1,
        "AccessOperand(kIfmMap, output, registers_.Get(kIfmBroadcast))",
        "Accept(nullptr)",
    ),
    Mutation("second: second operand", STREAM1, "if (!unary)", "if (false)"),
    Mutation("second: storage of an input", STREAM1, "if (storage != kChained) return", "if (false) return"),
    Mutation("second: storage of the output", STREAM1, "storage != kChained || (precision", "(precision"),
    Mutation("second: chained and transposed", STREAM1, " || (precision & kReordered) != 0", ""),
    Mutation("second: chain buffer", STREAM1, "if (ChainBuffer(map) == ChainBytes(map, size))", "if (true)"),
    Mutation("second: transposed output", STREAM1, "Transposed(size, precision >> 11 & 7)", "size"),
    Mutation("second: output", STREAM1, "return keeps ? Status::kOk : AccessOutput(output);", "return Status::kOk;"),
    Mutation("second: kept accumulator", STREAM1, "start == kFromKept && !Equal(kept_, output)", "false"),
    Mutation("second: accumulator of none", STREAM1, "!accumulates && (start != kFromZero || keeps)", "false"),
    Mutation("second: scales", STREAM1, "if (weights || scaled_by_channel)", "if (false)"),
    Mutation("second: scales of a pool", STREAM1, "if (weights || scaled_by_channel)", "if (weights)"),
    Mutation("second: product with scales", STREAM1, "if (product && scaled_by_channel)", "if (false)"),
    Mutation("second: fewer scales", STREAM1, "length < kScaleRecordBytes * channels", "false"),
    Mutation(
        "second: weights",
        STREAM1,
        "if (weights) PILOTLIGHT_TRY(AccessWeights",
        "if (false) PILOTLIGHT_TRY(AccessWeights",
    ),
    Mutation("second: weights of all decoders", STREAM1, "decoder < decoders; ++decoder", "decoder < 1; ++decoder"),
    Mutation("second: weights of an idle decoder", STREAM1, "idle && !registers_.HasBytes(group, place + 1)", "idle"),
    Mutation("second: fast weights", STREAM1, "one_stream ? 1 : build_.cores", "build_.cores"),
    Mutation("second: table", STREAM1, "end <= kTableMemoryBytes ?", "true ?"),
    Mutation(
        "second: registers of an operation",
        STREAM1,
        "if (registers_.used_unset()) return Bad(kUnsetRegister); const std::uint32_t end",
        "const std::uint32_t end",
    ),
    Mutation("second: copy from internal memory", STREAM1, "(source & kInternalMemory) != 0", "false"),
    Mutation("second: copy of nothing", STREAM1, "rows == 0 || planes == 0 || ", ""),
    Mutation("second: copy of no bytes", STREAM1, " || registers_.Address(kDmaGroup, kLength) == 0", ""),
    Mutation("second: index at both ends", STREAM1, "(source & target & kIndexed) != 0", "false"),
    Mutation("second: list of indices", STREAM1, "((source | target) & kIndexed) != 0", "false"),
    Mutation("second: planes of a list", STREAM1, "if (planes > 1) { Extend", "if (false) { Extend"),
    Mutation(
        "second: rows that an index reaches", STREAM1, "if ((region & kIndexed) == 0) return rows;", "return rows;"
    ),
    Mutation("second: rows", STREAM1, "if (rows > 1) Extend", "if (false) Extend"),
    Mutation("second: planes", STREAM1, "if (planes > 1) Extend", "if (false) Extend"),
    Mutation("second: long strides", STREAM1, "is_long && steps > kStepsOfLongStrides", "false"),
    Mutation("second: strides of either sign", STREAM1, "stride < 0 ? bytes.begin : bytes.end", "bytes.end"),
    Mutation(
        "second: copied bytes that are read",
        STREAM1,
        "PILOTLIGHT_TRY(Access(kDmaReadChannel, source & kRegionMask, from));",
        "",
    ),
    Mutation(
        "second: copied bytes that are written",
        STREAM1,
        "return Access(kDmaWriteChannel, target & kRegionMask, to);",
        "return Status::kOk;",
    ),
    Mutation(
        "second: copy beyond internal memory",
        STREAM1,
        "to.begin >= 0 && to.end <= std::int64_t{build_.internal_kib} * 1024",
        "true",
    ),
    Mutation("second: copy before internal memory", STREAM1, "to.begin >= 0 && ", ""),
    Mutation(
        "second: unset in a copy of tables",
        STREAM1,
        "if (registers_.used_unset()) return Bad(kUnsetRegister); const bool inside",
        "const bool inside",
    ),
    Mutation("delegate: no data", BACKEND, "processed != nullptr && processed->data() != nullptr", "true"),
    Mutation("delegate: size of a tensor", BACKEND, "tensor.nbytes() != io.size_bytes ||", "false ||"),
    Mutation("delegate: number of arguments", BACKEND, "args.size() != input_count + outputs.size()", "false"),
    Mutation(
        "delegate: fast scratch that shrank", BACKEND, "fast_scratch_.size() < handle.fast_scratch_bytes", "false"
    ),
    Mutation(
        "driver: the product's own fault", NPU, "reg::kStatusAnyFault | product_->own_fault", "reg::kStatusAnyFault"
    ),
    Mutation("driver: window of the PMU", NPU, "product_->pmu_window + offset", "offset"),
    Mutation("driver: memory type", NPU, "if (setup->is_attributes)", "if (false)"),
    Mutation("driver: memory type in a limit", NPU, "if (setup->is_attributes)", "if (true)"),
    Mutation("driver: width of an address", NPU, "1} << product_->address_bits", "1} << 48"),
    Mutation(
        "driver: product of another image",
        NPU,
        "if (product_ == nullptr) return",
        "if (product_ == nullptr) product_ = pilotlight_npu_products[0]; if (false) return",
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
        tests = sorted((self.folder / "tests" / "npu").glob("test_driver_verification*.py"))
        run = _run(
            sys.executable,
            "-m",
            "pytest",
            "-qx",
            "-m",
            "not campaign",
            "-c",
            str(ROOT / "python" / "pyproject.toml"),
            *map(str, tests),
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
