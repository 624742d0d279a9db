# SPDX-License-Identifier: Apache-2.0
"""The hazard check: Vela's streams have no hazards, and each removed wait is reported."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from fixed_cases import FIXED, MIS_COMPILED
from operator_cases import make_case
from vela_compiler import compile_tosa

from pilotlight.npu.analysis.accesses import ACCUMULATORS, Bytes, Kernel
from pilotlight.npu.analysis.hazards import Extent, Hazard, find_hazards
from pilotlight.npu.analysis.unknown_bytes import UnknownBytes
from pilotlight.npu.analysis.waits import Waits
from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.npu.stream.configurations import configuration
from pilotlight.npu.stream.faults import Channel
from pilotlight.npu.stream.feature_map import FeatureMap
from pilotlight.npu.stream.isa import ElementwiseMode, Instruction, decode
from pilotlight.npu.stream.operations import CHAINS, INTERNAL, Copy, CopyEnd, Kind, Operand, Operation, Range
from pilotlight.npu.stream.products import U85

# KERNEL_WAIT and cascades are rare. These cases have them.
WITH_WAITS = ("conv2d-7", "table_int16-0", "depthwise_conv2d-1", "softmax-5", "residual-2", "cascade-1", "branches-0")
# Each output byte depends on few input bytes.
ELEMENT_BY_ELEMENT = ("concat-4", "tile-0", "table_int8-3", "add_sub-2", "transpose-16", "reverse-3", "reverse-4")
BLOCKDEP, PMU_MASK_OFF = 0x12F, 0x013
U85_SIZES = (128, 256, 512, 1024, 2048)
U85_FIXED = [(name, f"ethos-u85-{U85_SIZES[index % 5]}") for index, name in enumerate(FIXED)]
# Cases whose U85 streams have waits for copies and kernels, chains and kept accumulators.
U85_WITH_WAITS = (
    ("conv2d-1", "ethos-u85-2048"),
    ("softmax-0", "ethos-u85-256"),
    ("up_and_skip-0", "ethos-u85-1024"),
    ("branches-0", "ethos-u85-512"),
    ("cascade-1", "ethos-u85-128"),
)


@cache
def runner(name: str, npu: str = "") -> DelegateRunner:
    """Return the runner of a case, compiled for `npu` or else as the case says."""
    family, number = name.rsplit("-", 1)
    case = make_case(family, int(number))
    if npu:
        return DelegateRunner(compile_tosa(case.tosa, npu), npu)
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


@pytest.mark.parametrize(("name", "npu"), U85_FIXED)
def test_what_vela_compiles_for_u85_is_free_of_hazards(name: str, npu: str) -> None:
    assert runner(name, npu).hazards() == []


def test_jobs_that_vela_takes_to_end_early_are_no_hazard() -> None:
    """A kernel of 1x1 with stride 2, for which Vela counts only the rows of its own blocks."""
    case = make_case("cascade", 9)
    blob = compile_tosa(case.tosa, "ethos-u85-512", "--disable-cascading")
    assert DelegateRunner(blob, "ethos-u85-512").hazards() == []


@pytest.mark.parametrize("command", ("OP_DMA_WAIT", "OP_KERNEL_WAIT"))
@pytest.mark.parametrize("cases", ([(name, "") for name in WITH_WAITS], U85_WITH_WAITS), ids=("u55 and u65", "u85"))
def test_every_wait_taken_out_is_reported(command: str, cases: Sequence[tuple[str, str]]) -> None:
    tried = 0
    for name, npu in cases:
        made = runner(name, npu)
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


def test_more_overlap_than_vela_allows_on_u85_is_reported() -> None:
    reported = 0
    for name, npu in U85_WITH_WAITS:
        made = runner(name, npu)
        for instruction in instructions(made.payload.stream, made.configuration.name):
            if instruction.command.name == "SET_BLOCKDEP" and instruction.fields["blockdep"] < 7:
                found = with_word(made, instruction.at, BLOCKDEP | 7 << 16)
                reported += bool(found)
                assert all("BLOCKDEP 7" in hazard.message for hazard in found)
    assert reported >= 5


def test_copies_that_run_at_the_same_time_must_not_meet() -> None:
    found: list[str] = []
    waits = Waits(U85, {1: 64}, lambda at, command, message: found.append(message))

    def copy(at: int, source: int, target: int) -> None:
        waits.copy(at, Copy(CopyEnd(Range(1, source, 8)), CopyEnd(Range(1, target, 8))))

    copy(1, 0, 16)
    copy(2, 8, 24)
    assert found == []
    copy(3, 20, 32)
    assert [message.partition(",")[0] for message in found] == ["reads 8 bytes of region 1 from 0x14", *found[1:]]
    assert len(found) == 1 and "the DMA at word 2 still writes" in found[0]
    found.clear()
    waits.dma_wait(0)
    copy(4, 16, 40)
    copy(5, 48, 16)
    (message,) = found
    assert "overwrites 8 bytes of region 1 from 0x10, which the DMA at word 4 still reads" in message


def elementwise(
    source: tuple[int, int], target: tuple[int, int], size: int = 8, blockdep: int = 0, block: int = 8
) -> Kernel:
    """Return a kernel of U85 that reads and writes `size` bytes.

    source, target: (region, offset).
    """
    ifm, ofm = (
        Operand(
            (1, size, 1),
            FeatureMap(Channel.IFM, number, 0, (at, 0, 0, 0), size, 1, 0, 1, 1, size, np.dtype("i1"), False, 0),
        )
        for number, at in (source, target)
    )
    operation = Operation(
        target[1],
        Kind.ELEMENTWISE,
        ElementwiseMode.ABS,
        ifm,
        ofm=ofm,
        block=(1, block, 16),
        microblock=(1, 1, 16),
        blockdep=blockdep,
    )
    return Kernel(operation, configuration("ethos-u85-128"))


def test_a_chain_counts_as_one_kernel() -> None:
    """Two kernels can be outstanding, and a chain is one of them."""
    found: list[str] = []
    for before_the_copy, expected in (((), 1), ((1,), 0), ((0,), 0)):
        found.clear()
        waits = Waits(U85, {1: 256, INTERNAL: 2048}, lambda at, command, message: found.append(message))
        waits.kernel(elementwise((1, 0), (1, 16)))
        waits.kernel(elementwise((1, 32), (CHAINS, 0)))
        waits.kernel(elementwise((CHAINS, 0), (CHAINS + 1, 0)))
        waits.kernel(elementwise((CHAINS + 1, 0), (1, 48)))
        for outstanding in before_the_copy:
            waits.kernel_wait(outstanding)
        waits.copy(9, Copy(CopyEnd(Range(0, 0, 8)), CopyEnd(Range(1, 0, 8))))
        assert len(found) == expected, found


def test_each_kernel_of_a_chain_is_compared_with_the_kernel_before_the_chain() -> None:
    found: list[str] = []
    for blockdep, expected in ((0, 0), (1, 1)):
        found.clear()
        waits = Waits(U85, {1: 256, INTERNAL: 2048}, lambda at, command, message: found.append(message))
        waits.kernel(elementwise((1, 0), (1, 16)))
        waits.kernel(elementwise((1, 32), (CHAINS, 0)))
        reader = elementwise((CHAINS, 0), (1, 48), blockdep=blockdep)
        second = Operand(reader.operation.inputs[0].shape, elementwise((1, 16), (1, 64)).operation.inputs[0].map)
        waits.kernel(Kernel(replace(reader.operation, ifm2=second), configuration("ethos-u85-128")))
        assert len(found) == expected, found


def test_a_chain_without_its_first_kernel_is_reported() -> None:
    made = runner("softmax-0", "ethos-u85-256")
    assert any(operand.is_chained for item in made.operations.values() for operand in item.inputs)
    first = next(item for item in made.operations.values() if item.ofm is not None and item.ofm.is_chained)
    found = with_word(made, first.at, PMU_MASK_OFF)
    assert any(
        "reads what nothing wrote before" in hazard.message and "of chain 0" in hazard.message for hazard in found
    )


def test_a_chain_buffer_does_not_outlive_its_chain() -> None:
    """A kernel outside of the chain, between the writer of a chain buffer and its reader, ends the
    chain."""

    chain = (CHAINS, 0)
    writer, other, reader = elementwise((1, 0), chain), elementwise((1, 0), (1, 16)), elementwise(chain, (1, 32))
    for kernels, expected in (((writer, reader), 0), ((other, writer, reader), 0), ((writer, other, reader), 1)):
        found: list[str] = []
        unknown = UnknownBytes({1: 64}, lambda at, command, message: found.append(message), passing={CHAINS: 8})  # noqa: B023
        unknown.written(1, 0, 8)
        for item in kernels:
            unknown.kernel(item)
        unknown.output(0, 1, 32, 40)
        assert found == ["reads what nothing wrote before: 8 bytes of chain 0 from 0x0"][:expected]


def test_accumulators_that_no_kernel_kept_are_reported() -> None:
    made = runner("conv2d-1", "ethos-u85-2048")
    keeping = next(item for item in made.operations.values() if item.keeps)
    found = with_word(made, keeping.at, PMU_MASK_OFF)
    assert any("bytes of the accumulators from 0x0" in hazard.message for hazard in found)


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
    ("name", "npu"),
    [
        *(
            (name, "")
            for name in ("rescale-1", "conv2d-7", "depthwise_conv2d-1", "max_pool2d-0", "add_sub-2", "concat-4")
        ),
        *((name, "") for name in ("table_int8-3", "tile-0")),
        # A kernel with accumulators of the previous one, a chain, matrix products, a resize, and
        # outputs with other axes.
        *(
            (name, f"ethos-u85-{macs}")
            for name, macs in (
                ("conv2d-1", 2048),
                ("residual-15", 1024),
                ("matmul-25", 1024),
                ("matmul-11", 256),
                ("resize_bilinear-1", 128),
                ("transpose-16", 512),
                ("reverse-3", 512),
                ("reverse-4", 2048),
                ("add_sub-2", 1024),
            )
        ),
    ],
)
def test_an_output_computed_from_a_byte_that_nobody_wrote_is_reported(name: str, npu: str) -> None:
    """The simulator runs with several values of the byte.

    This shows which outputs depend on the byte.
    """
    made = runner(name, npu)
    generator = np.random.default_rng(1)
    sizes = [place.size_bytes for place in made.blob.inputs]
    bases = [[generator.integers(-high, high + 1, size, np.int8) for size in sizes] for high in (0, 8, 126)]
    tried = 0
    for at in (0, sizes[0] // 2, sizes[0] - 1):
        answers = []
        for base, value in itertools.product(bases, (-128, -37, 0, 55, 127)):
            kept, base[0][at] = base[0][at], value
            outputs = [np.empty(place.size_bytes, np.int8) for place in made.blob.outputs]
            made.run(base, outputs)
            base[0][at] = kept
            answers.append(outputs)
        depends = np.any([answer[0] != answers[index // 5 * 5][0] for index, answer in enumerate(answers)], axis=0)
        if not depends.any():
            continue
        tried += 1
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
    assert tried, f"{name}: nothing depends on these bytes of the input"


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
    assert str(Bytes(CHAINS + 3, offsets)) == "3 bytes of chain 3 from 0x10"
    assert str(Bytes(ACCUMULATORS, offsets)) == "3 bytes of the accumulators from 0x10"
