# SPDX-License-Identifier: Apache-2.0
"""A test notices each removed check of a program: some malformed program is then not refused as it
should be.

One build contains all mutants. An environment variable selects the check that is left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bad_programs import bad
from damaged_programs import damaged
from good_programs import good
from programs import Assembler
from test_differential import Probes, wrong_answers

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
RUNTIME = ROOT / "firmware" / "executorch"

# File and condition. In the mutant with the same index, the condition is false.
CHECKS = (
    ("plan_verifier.cpp", "plan_.name() == nullptr"),
    ("plan_verifier.cpp", "plan_.values() == nullptr"),
    ("plan_verifier.cpp", "indices == nullptr"),
    ("plan_verifier.cpp", "plan_.operators() == nullptr"),
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
    ("program_load.cpp", "!executorch_flatbuffer::VerifyProgramBuffer(verifier)"),
)


_CHOSEN = '(std::atoi(std::getenv("MUTANT")) == {index} ? false : ({check}))'


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory) -> Probes:
    folder = tmp_path_factory.mktemp("mutants")
    sources, build = folder / "sources", folder / "build"
    shutil.copytree(RUNTIME, sources)
    for index, (file, check) in enumerate(CHECKS):
        source = sources / file
        text = source.read_text(encoding="utf-8")
        assert check in text, f"{check} has moved from {file}: correct the list above"
        text = text.replace(check, _CHOSEN.format(index=index, check=check), 1)
        source.write_text(text if "<cstdlib>" in text else f"#include <cstdlib>\n{text}", encoding="utf-8")
    options = [f"-DRUNTIME_SOURCES={sources}", f"-DPILOTLIGHT_PYTHON={sys.executable}", "-DCMAKE_CXX_FLAGS=-w"]
    for command in (
        ["cmake", "-G", "Ninja", "-S", str(HERE / "differential"), "-B", str(build), *options],
        ["ninja", "-j2", "-C", str(build), "probe_bare"],
    ):
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout[-4000:]
    return Probes(build)


@pytest.fixture(scope="module")
def malformed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("malformed")
    assembler = Assembler(folder)
    sound = assembler.assemble(good())
    contents = assembler.assemble(bad()) | dict(damaged(sound["one_kernel"], sound["constants"]))
    for name, content in contents.items():
        (folder / f"{name}.pte").write_bytes(content)
    return [folder / f"{name}.pte" for name in contents]


@pytest.fixture(scope="module")
def wheel(differential_build: Path, malformed: list[Path]) -> dict[str, str]:
    return Probes(differential_build).run("wheel", malformed, "--operator", "probe::trace.out")


def _wrong(mutants: Probes, index: int, malformed: list[Path], wheel: dict[str, str]) -> list[str]:
    os.environ["MUTANT"] = str(index)
    return wrong_answers(mutants.run("bare", malformed, "--operator", "probe::trace.out"), wheel)


@pytest.mark.campaign
@pytest.mark.parametrize("index", range(len(CHECKS)), ids=lambda index: " ".join(CHECKS[index]))
def test_a_runtime_without_this_check_is_noticed(
    mutants: Probes, index: int, malformed: list[Path], wheel: dict[str, str]
) -> None:
    assert _wrong(mutants, index, malformed, wheel) != []


@pytest.mark.campaign
def test_the_runtime_with_all_checks_is_right(mutants: Probes, malformed: list[Path], wheel: dict[str, str]) -> None:
    assert _wrong(mutants, -1, malformed, wheel) == []
