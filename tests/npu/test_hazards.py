# SPDX-License-Identifier: Apache-2.0
"""The hazard check: Vela's streams have no hazards, and each removed wait is reported."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import pytest
from fixed_cases import FIXED, MIS_COMPILED
from operator_cases import make_case
from vela_compiler import compile_tosa

from pilotlight.npu.analysis.accesses import Bytes
from pilotlight.npu.analysis.hazards import Extent, Hazard, find_hazards
from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.npu.stream.configurations import configuration
from pilotlight.npu.stream.isa import Instruction, decode
from pilotlight.npu.stream.operations import INTERNAL

# KERNEL_WAIT and cascades are rare. These cases have them.
WITH_WAITS = ("conv2d-7", "table_int16-0", "depthwise_conv2d-1", "softmax-5", "residual-2", "cascade-1", "branches-0")
# Each output byte depends on few input bytes.
ELEMENT_BY_ELEMENT = ("concat-4", "tile-0", "table_int8-3", "add_sub-2")
BLOCKDEP, PMU_MASK_OFF = 0x12F, 0x013


@cache
def runner(name: str) -> DelegateRunner:
    family, number = name.rsplit("-", 1)
    case = make_case(family, int(number))
    return DelegateRunner(compile_tosa(case.tosa, case.npu, *case.options), case.npu)


def instructions(stream: bytes, npu: str) -> Iterator[Instruction]:
    words = struct.unpack(f"<{len(stream) // 4}I", stream)
    at = 0
    while at < len(words):
        instruction = decode(words, at, configuration(npu).product)
        yield instruction
        at += instruction.size_words


def with_word(made: DelegateRunner, at: int, word: int) -> list[Hazard]:
    """Return the hazards of the stream with one word replaced."""
    stream = made.payload.stream
    changed = stream[: 4 * at] + struct.pack("<I", word) + stream[4 * at + 4 :]
    return hazards(made, changed)


def hazards(
    made: DelegateRunner,
    stream: bytes,
    written: Sequence[Extent] | None = None,
    read: Sequence[Extent] | None = None,
) -> list[Hazard]:
    """Return the hazards of a stream.

    written: memory that is written before the stream starts; default: the inputs.
    read: memory that is read after the stream; default: the outputs.
    """
    inputs, outputs = (
        [Extent(place.region, place.offset, place.size_bytes) for place in places]
        for places in (made.blob.inputs, made.blob.outputs)
    )
    memory = {1: made.blob.scratch_size_bytes, 2: 4 << 20}
    return find_hazards(
        stream,
        made.configuration,
        memory,
        inputs if written is None else written,
        outputs if read is None else read,
    )


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
    # No kernel precedes the first one.
    assert reported >= 2


def test_a_skipped_operation_leaves_its_reader_without_input() -> None:
    made = runner("residual-2")
    first = next(
        item for item in instructions(made.payload.stream, made.configuration.name) if item.command.name == "OP_CONV"
    )
    found = with_word(made, first.at, PMU_MASK_OFF)
    assert "reads what nothing wrote before" in found[0].message
    assert found[0].at > first.at


@pytest.mark.parametrize("name", ("reduce_sum-15", "matmul-28"))
def test_a_copy_rounded_up_to_bytes_that_nobody_wrote_is_no_hazard(name: str) -> None:
    assert runner(name).hazards() == []


@pytest.mark.parametrize(
    "name",
    ("rescale-1", "conv2d-7", "depthwise_conv2d-1", "max_pool2d-0", "add_sub-2", "concat-4", "table_int8-3", "tile-0"),
)
def test_an_output_computed_from_a_byte_that_nobody_wrote_is_reported(name: str) -> None:
    """The simulator runs with several values of the byte.

    This shows which outputs depend on the byte.
    """
    made = runner(name)
    given = [np.zeros(place.size_bytes, np.int8) for place in made.blob.inputs]
    for at in (0, given[0].size // 2, given[0].size - 1):
        answers = []
        for value in (-128, -37, 0, 55, 127):
            given[0][at] = value
            outputs = [np.empty(place.size_bytes, np.int8) for place in made.blob.outputs]
            made.run(given, outputs)
            answers.append(outputs)
        given[0][at] = 0
        depends = np.any([answer[0] != answers[0][0] for answer in answers], axis=0)
        assert depends.any(), f"{name}: nothing depends on byte {at} of the input"
        place = made.blob.inputs[0]
        written = [
            Extent(place.region, place.offset, at),
            Extent(place.region, place.offset + at + 1, place.size_bytes - at - 1),
            *(Extent(other.region, other.offset, other.size_bytes) for other in made.blob.inputs[1:]),
        ]
        for byte in np.flatnonzero(depends)[:1]:
            found = hazards(made, made.payload.stream, written, [output_byte(made, int(byte))])
            assert len(found) == 1 and "reads what nothing wrote before: 1 bytes" in found[0].message
        if name in ELEMENT_BY_ELEMENT:
            item = made.blob.outputs[0].element_bytes
            elements = np.repeat(depends.reshape(-1, item).any(axis=1), item)
            for byte in np.flatnonzero(~elements)[:1]:
                assert hazards(made, made.payload.stream, written, [output_byte(made, int(byte))]) == []


def output_byte(made: DelegateRunner, byte: int) -> Extent:
    place = made.blob.outputs[0]
    return Extent(place.region, place.offset + byte, 1)


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
    # The stride is the word after the command. With 0, all rows have the same address.
    found = with_word(made, stride.at + 1, 0)
    assert "for two elements of its output" in found[0].message


def test_the_matrix_product_of_a_slice_that_vela_gets_wrong_is_reported() -> None:
    for name in MIS_COMPILED:
        assert "for two elements of its output" in runner(name).hazards()[0].message


def test_a_place_is_told_by_its_region_or_as_the_table_memory() -> None:
    offsets = np.array([24, 16, 17], np.int64)
    assert str(Bytes(1, offsets)) == "3 bytes of region 1 from 0x10"
    assert str(Bytes(INTERNAL, offsets)) == "3 bytes of the table memory from 0x10"
