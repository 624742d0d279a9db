# SPDX-License-Identifier: Apache-2.0
"""Removes bounds checks, one at a time, and shows that the fuzz tests notice each removal.

    python tests/fuzz/remove_checks.py [WORD...]      only checks whose name has one of the words

A check is removed from a copy of the sources. The regression corpus judges the copy first, then
prefixes and mutations, at 64 bits and at 32 bits. If a check's text is not found exactly once, that
is an error: when a check moves, its entry here must follow. Exit code 1 when a removal was not
noticed. tests/npu/driver_mutations.py does the same for the delegate.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import building  # noqa: E402
import mutations  # noqa: E402
import regressions  # noqa: E402
import seeds  # noqa: E402

RUNTIME, PROTOCOL, DELEGATE = "firmware/executorch/", "firmware/protocol/", "firmware/ethos_u/"


@dataclass(frozen=True)
class Check:
    """`text` stands exactly once in `file`; `without` is the same code with the check removed."""

    name: str
    file: str
    text: str
    without: str


CHECKS = (
    Check(
        "file: shorter than its header says",
        RUNTIME + "program_load.cpp",
        "if (*file_size < expected_size)",
        "if (false)",
    ),
    Check(
        "segment: its end is in the file",
        RUNTIME + "program_verifier.cpp",
        "segment->offset() > bounds.segments_bytes ||\n"
        "        segment->size() > bounds.segments_bytes - segment->offset()",
        "segment->offset() > bounds.segments_bytes",
    ),
    Check(
        "segment: its beginning is in the file",
        RUNTIME + "program_verifier.cpp",
        "segment->offset() > bounds.segments_bytes ||\n",
        "\n",
    ),
    Check(
        "constant: begins in its segment",
        RUNTIME + "program_verifier.cpp",
        "if (offset > segment->size())",
        "if (false)",
    ),
    Check(
        "constant: ends in its segment",
        RUNTIME + "tensor_verifier.cpp",
        "offset > segment->size() || extent.size_bytes > segment->size() - offset",
        "false",
    ),
    Check("constant: is one of the list", RUNTIME + "tensor_verifier.cpp", "if (index >= count)", "if (index == 99)"),
    Check(
        "plan: the tensor ends in its memory",
        RUNTIME + "tensor_verifier.cpp",
        "offset > size || extent.size_bytes > size - offset",
        "offset > size",
    ),
    Check("plan: the memory is there", RUNTIME + "tensor_verifier.cpp", "memory >= buffer_sizes.size()", "false"),
    Check("plan: no buffer of negative size", RUNTIME + "plan_verifier.cpp", "size < 0 || !FitsSize", "!FitsSize"),
    Check("shape: rank", RUNTIME + "tensor_verifier.cpp", "if (rank > kTensorDimensionLimit)", "if (false)"),
    Check(
        "shape: strides of 32 bits",
        RUNTIME + "tensor_verifier.cpp",
        "size != 0 && c10::mul_overflows(stride, size, &stride)",
        "false",
    ),
    Check("shape: negative sizes", RUNTIME + "tensor_extent.cpp", "if (sizes[i] < 0)", "if (false)"),
    Check(
        "shape: products that overflow",
        RUNTIME + "tensor_extent.cpp",
        "c10::mul_overflows(size_bytes, static_cast<std::size_t>(sizes[i]), &size_bytes) ||\n"
        "        size_bytes > kMaxCount",
        "(size_bytes *= static_cast<std::size_t>(sizes[i]), false)",
    ),
    Check("list: items are values", RUNTIME + "plan_verifier.cpp", "  if (value == nullptr) {\n", "  if (false) {\n"),
    Check(
        "list: tensors list tensors",
        RUNTIME + "plan_verifier.cpp",
        "(type == KernelTypes::Tensor || none)",
        "true",
    ),
    Check(
        "list: integers where they can be read",
        RUNTIME + "plan_verifier.cpp",
        "if (items == nullptr || !IsAligned(*items) || !bounds_.Take(*items))",
        "if (items == nullptr || !bounds_.Take(*items))",
    ),
    Check("call: arguments are values", RUNTIME + "plan_verifier.cpp", "if (ValueAt(index) == nullptr)", "if (false)"),
    Check(
        "call: the operator or delegate is there",
        RUNTIME + "plan_verifier.cpp",
        "if (!InRange(index, count))",
        "if (false)",
    ),
    Check(
        "call: arguments are counted in 16 bits", RUNTIME + "plan_verifier.cpp", "indices->size() > UINT16_MAX", "false"
    ),
    Check(
        "jump: stays in its chain",
        RUNTIME + "plan_verifier.cpp",
        "if (!InRange(jump.destination_instruction(), chain_length + 1))",
        "if (false)",
    ),
    Check(
        "move: between values of one type",
        RUNTIME + "plan_verifier.cpp",
        " || to->val_type() != from->val_type()",
        "",
    ),
    Check("delegate: its data are there", RUNTIME + "plan_verifier.cpp", "processed->index() >= count", "false"),
    Check(
        "delegate: keys of compile specs",
        RUNTIME + "plan_verifier.cpp",
        "spec->key() == nullptr || spec->value() == nullptr",
        "false",
    ),
    Check("blob: a block ends in the blob", DELEGATE + "blob.cpp", "length > bytes_.size() - at)", "false)"),
    Check("blob: a tensor ends in its region", DELEGATE + "blob.cpp", "if (end > limit)", "if (false)"),
    Check(
        "blob: as many tensors as counted",
        DELEGATE + "blob.cpp",
        "count * kRecordBytes != block.data.size() - kCountBytes",
        "false",
    ),
    Check("frame: fits its buffer", PROTOCOL + "frame.cpp", "if (size_ == buffer_.size())", "if (false)"),
    Check(
        "frame: has a header and a checksum",
        PROTOCOL + "frame.cpp",
        "if (size_ < kHeaderBytes + kCrcBytes)",
        "if (false)",
    ),
    Check("message: a field ends in the payload", PROTOCOL + "message.cpp", "count > payload_.size() - at_", "false"),
    Check(
        "message: a piece ends in its tensor",
        "firmware/apps/check/server.cpp",
        "offset <= size_bytes && length <= size_bytes - offset",
        "offset <= size_bytes",
    ),
)


class Judge:
    """Runs the fuzz tests' work on a copy of the sources in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.sources = folder / "sources"
        for name in ("firmware", "cmake", "python"):
            shutil.copytree(building.ROOT / name, self.sources / name)
        seeds.write(folder / "seeds")
        self._expected = regressions.write(folder / "corpus")
        self._cases = folder / "cases.bin"
        mutations.write(sorted((folder / "seeds/loader").glob("*.pte")), 100_000, 64, self._cases)

    def verdict(self) -> str:
        """Return which test noticed the removal; "" when none did."""
        for bits in ("64", "32"):
            options = (f"-DWORD_BITS={bits}", f"-DPILOTLIGHT_SOURCES={self.sources}")
            built = building.build(self._folder / f"replay-{bits}", *options)
            for what in self._findings(built, bits):
                return f"{what}, {bits} bits"
        return ""

    def _findings(self, built: Path, bits: str) -> Iterator[str]:
        done = building.replay(built, "loader", "--print", *sorted((self._folder / "corpus").glob("*.pte")))
        if done.returncode != 0:
            yield f"corpus: {_reason(done.stderr)}"
            return
        got = {
            Path(path).stem: (stage, int(error, 16))
            for path, stage, error in re.findall(r"^(\S+): (\w+) 0x(\w+) \d+$", done.stdout, re.MULTILINE)
        }
        for name, wrong in regressions.differences(self._expected, got, narrow=bits == "32").items():
            yield f"corpus: {name}: {wrong}"
            return
        streams = [part for file in sorted((self._folder / "seeds/frames").glob("*")) for part in ("--prefixes", file)]
        models = [self._folder / "seeds/loader" / f"{name}.pte" for name in ("cnn_u55_128", "constants")]
        files = [part for model in models for part in ("--prefixes", model)]
        for name, target, arguments in (
            ("prefixes of frames", "frames", streams),
            ("prefixes of models", "loader", files),
            ("mutations", "loader", ["--cases", self._cases]),
        ):
            done = building.replay(built, target, *arguments)
            if done.returncode != 0:
                yield f"{name}: {_reason(done.stderr)}"
                return
            if arguments is files and "  ran 0x00" in done.stderr:
                yield f"{name}: one of them ran"
                return


def _reason(said: str) -> str:
    found = re.search(r"(VIOLATION: .*|runtime error: .*|ERROR: AddressSanitizer: \S+)", said)
    return found.group(1)[:110] if found else "failed"


def main() -> int:
    wanted = [check for check in CHECKS if not sys.argv[1:] or any(word in check.name for word in sys.argv[1:])]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="remove-checks-") as name:
        judge = Judge(Path(name))
        noticed = judge.verdict()
        if noticed:
            print(f"the tests fail with all checks in place: {noticed}")
            return 1
        for check in wanted:
            file = judge.sources / check.file
            source = file.read_text(encoding="utf-8")
            if source.count(check.text) != 1:
                print(f"{check.name}: {check.file} has its text {source.count(check.text)} times, not once")
                missed += 1
                continue
            began = time.monotonic()
            file.write_text(source.replace(check.text, check.without), encoding="utf-8")
            try:
                noticed = judge.verdict()
            finally:
                file.write_text(source, encoding="utf-8")
            missed += not noticed
            seconds = time.monotonic() - began
            print(f"{'noticed' if noticed else 'MISSED'}  {check.name}  ({seconds:.0f} s)  {noticed}", flush=True)
    print(f"{len(wanted) - missed} of {len(wanted)} noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
