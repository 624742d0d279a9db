# SPDX-License-Identifier: Apache-2.0
"""Each check of a program is one that a test would miss: with it removed, some malformed program is not refused as it
should be. Builds the runtime anew for each, so it runs with the campaigns only."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import programs
import pytest
from test_differential import Probes, wrong_answers

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
RUNTIME = ROOT / "firmware" / "executorch"

# File and condition; a mutant has "false" in its place.
CHECKS = (
    ("plan_verifier.cpp", "plan_.name() == nullptr"),
    ("plan_verifier.cpp", "plan_.values() == nullptr"),
    ("plan_verifier.cpp", "plan_.inputs() == nullptr"),
    ("plan_verifier.cpp", "CountOf(plan_.chains()) == 0"),
    ("plan_verifier.cpp", "size < 0"),
    ("plan_verifier.cpp", "!InRange(device->buffer_idx(), sizes.size())"),
    ("plan_verifier.cpp", "type != KernelTypes::Null && value.val() == nullptr"),
    ("plan_verifier.cpp", "value == nullptr"),
    ("plan_verifier.cpp", "op.name() == nullptr"),
    ("plan_verifier.cpp", "op.name()->size() >= InstructionDecoder::kMaxOperatorName"),
    ("plan_verifier.cpp", "delegate.id() == nullptr"),
    ("plan_verifier.cpp", "processed->index() >= count"),
    ("plan_verifier.cpp", "spec->key() == nullptr"),
    ("plan_verifier.cpp", "instruction.instr_args() == nullptr"),
    ("plan_verifier.cpp", "!InRange(index, count)"),
    ("plan_verifier.cpp", "!InRange(jump.destination_instruction(), chain_length + 1)"),
    ("plan_verifier.cpp", "ValueAt(index) == nullptr"),
    ("tensor_verifier.cpp", "size != 0 && c10::mul_overflows(stride, size, &stride)"),
    ("tensor_verifier.cpp", "tensor.dim_order()->size() != rank"),
    ("tensor_verifier.cpp", "rank > kTensorDimensionLimit"),
    ("tensor_verifier.cpp", "memory == 0"),
    ("tensor_verifier.cpp", "memory >= buffer_sizes.size()"),
    ("tensor_verifier.cpp", "extent.size_bytes > size - offset"),
    ("tensor_verifier.cpp", "!IsAligned(offset, extent.element_size)"),
    ("tensor_verifier.cpp", "index >= count"),
    ("tensor_verifier.cpp", "extent.size_bytes > segment->size() - offset"),
    ("tensor_extent.cpp", "element_size == 0"),
    ("tensor_extent.cpp", "sizes[i] < 0"),
    ("tensor_extent.cpp", "size_bytes > kMaxCount"),
    ("program_verifier.cpp", "segment->offset() > bounds.segments_bytes"),
    ("program_verifier.cpp", "segment->size() > bounds.segments_bytes - segment->offset()"),
    ("program_verifier.cpp", "segment == nullptr"),
    ("program_verifier.cpp", "entry->key() == nullptr"),
    ("program_verifier.cpp", "entry->segment_index() >= CountOf(program.segments())"),
    ("program.cpp", "!executorch_flatbuffer::VerifyProgramBuffer(verifier)"),
    ("program.cpp", "!executorch_flatbuffer::ProgramBufferHasIdentifier(bytes)"),
)


class Mutants:
    def __init__(self, folder: Path, malformed: list[Path], wheel: dict[str, str]) -> None:
        self._folder, self._malformed, self._wheel = folder, malformed, wheel
        self.sources = folder / "sources"
        shutil.copytree(RUNTIME, self.sources)

    def wrong(self) -> list[str]:
        """Build what lies in `sources` and say which malformed programs it does not answer right."""
        build = self._folder / "build"
        options = [f"-DRUNTIME_SOURCES={self.sources}", f"-DPILOTLIGHT_PYTHON={sys.executable}", "-DCMAKE_CXX_FLAGS=-w"]
        for command in (
            ["cmake", "-G", "Ninja", "-S", str(HERE / "differential"), "-B", str(build), *options],
            ["ninja", "-j2", "-C", str(build), "probe_bare"],
        ):
            result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
            assert result.returncode == 0, result.stdout[-4000:]
        ours = Probes(build).run("bare", self._malformed, "--operator", "probe::trace.out")
        return wrong_answers(ours, self._wheel)


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory, differential_build: Path) -> Mutants:
    folder = tmp_path_factory.mktemp("mutants")
    malformed = folder / "malformed"
    malformed.mkdir()
    assembler = programs.Assembler(malformed)
    good = assembler.assemble(programs.good())
    contents = assembler.assemble(programs.bad()) | dict(programs.damaged(good["one_kernel"], good["constants"]))
    for name, content in contents.items():
        (malformed / f"{name}.pte").write_bytes(content)
    files = [malformed / f"{name}.pte" for name in contents]
    return Mutants(folder, files, Probes(differential_build).run("wheel", files, "--operator", "probe::trace.out"))


@pytest.mark.campaign
@pytest.mark.parametrize(("file", "check"), CHECKS)
def test_a_runtime_without_this_check_is_noticed(mutants: Mutants, file: str, check: str) -> None:
    source = mutants.sources / file
    text = source.read_text(encoding="utf-8")
    assert check in text, "the check has moved: correct the list above"
    try:
        source.write_text(text.replace(check, "false", 1), encoding="utf-8")
        assert mutants.wrong() != []
    finally:
        source.write_text(text, encoding="utf-8")


@pytest.mark.campaign
def test_the_runtime_with_all_checks_is_right(mutants: Mutants) -> None:
    assert mutants.wrong() == []
