# SPDX-License-Identifier: Apache-2.0
"""The checking mode: Vela's streams are clean, and each wait taken out of them is reported."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache

import pytest
from fixed_cases import FIXED, MIS_COMPILED
from operator_cases import make_case
from vela_compiler import compile_tosa

from pilotlight.npu.configurations import configuration
from pilotlight.npu.hazards import Extent, Hazard, find_hazards
from pilotlight.npu.isa import Instruction, decode
from pilotlight.npu.simulation import DelegateRunner

# KERNEL_WAIT and cascades are rare: these have them.
WITH_WAITS = ("conv2d-7", "table_int16-0", "depthwise_conv2d-1", "softmax-5", "residual-2", "cascade-1", "branches-0")
BLOCKDEP, PMU_MASK_OFF = 0x12F, 0x013


@cache
def runner(name: str) -> DelegateRunner:
    family, number = name.rsplit("-", 1)
    case = make_case(family, int(number))
    return DelegateRunner(compile_tosa(case.tosa, case.target, *case.options), case.target)


def instructions(stream: bytes, target: str) -> Iterator[Instruction]:
    words = struct.unpack(f"<{len(stream) // 4}I", stream)
    at = 0
    while at < len(words):
        instruction = decode(words, at, configuration(target).product)
        yield instruction
        at += instruction.size_words


def with_word(made: DelegateRunner, at: int, word: int) -> list[Hazard]:
    """Look for hazards with one word of the stream replaced."""
    stream = made.payload.stream
    changed = stream[: 4 * at] + struct.pack("<I", word) + stream[4 * at + 4 :]
    return hazards(made, changed)


def hazards(made: DelegateRunner, stream: bytes) -> list[Hazard]:
    inputs, outputs = (
        [Extent(place.region, place.offset, place.size_bytes) for place in places]
        for places in (made.blob.inputs, made.blob.outputs)
    )
    return find_hazards(stream, made.configuration, {1: made.blob.scratch_size_bytes, 2: 4 << 20}, inputs, outputs)


@pytest.mark.parametrize("name", FIXED)
def test_what_vela_compiles_is_free_of_hazards(name: str) -> None:
    assert runner(name).hazards() == []


@pytest.mark.parametrize("command", ("OP_DMA_WAIT", "OP_KERNEL_WAIT"))
def test_every_wait_taken_out_is_reported(command: str) -> None:
    tried = 0
    for name in WITH_WAITS:
        made = runner(name)
        for instruction in instructions(made.payload.stream, made.configuration.name):
            if instruction.command.name == command:
                found = with_word(made, instruction.at, PMU_MASK_OFF)
                assert found, f"{name}: without the {command} at word {instruction.at}"
                assert found[0].at > instruction.at
                assert command.removeprefix("OP_") in found[0].message
                tried += 1
    assert tried >= 2


def test_too_much_overlap_of_two_kernels_is_reported() -> None:
    reported = 0
    made = runner("residual-2")
    for instruction in instructions(made.payload.stream, made.configuration.name):
        if instruction.command.name == "SET_BLOCKDEP" and instruction.fields["blockdep"] < 3:
            found = with_word(made, instruction.at, BLOCKDEP | 3 << 16)
            reported += bool(found)
            assert all("BLOCKDEP 3" in hazard.message for hazard in found)
    # The first kernel has none before it.
    assert reported >= 2


def test_a_skipped_operation_leaves_its_reader_without_input() -> None:
    made = runner("residual-2")
    first = next(
        item for item in instructions(made.payload.stream, made.configuration.name) if item.command.name == "OP_CONV"
    )
    found = with_word(made, first.at, PMU_MASK_OFF)
    assert "reads what nothing wrote before" in found[0].message
    assert found[0].at > first.at


def test_an_unwritten_output_is_reported() -> None:
    made = runner("conv2d-7")
    only = next(
        item for item in instructions(made.payload.stream, made.configuration.name) if item.command.name == "OP_CONV"
    )
    (found,) = with_word(made, only.at, PMU_MASK_OFF)
    assert found.command == "OP_STOP" and "leaves an output unwritten" in found.message


def test_an_output_whose_elements_overlap_is_reported() -> None:
    made = runner("conv2d-7")
    stride = next(
        item
        for item in instructions(made.payload.stream, made.configuration.name)
        if item.command.name == "SET_OFM_STRIDE_Y"
    )
    # The distance is the word after the command's: rows now lie on top of each other.
    found = with_word(made, stride.at + 1, 0)
    assert "for two elements of its output" in found[0].message


def test_the_matrix_product_of_a_slice_that_vela_gets_wrong_is_reported() -> None:
    for name in MIS_COMPILED:
        assert "for two elements of its output" in runner(name).hazards()[0].message
