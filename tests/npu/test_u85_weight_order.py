# SPDX-License-Identifier: Apache-2.0
"""The order of U85's weights is that of the plain loops below, for random geometries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.weight_codec_fast import HEADER_BYTES, decode_fast
from pilotlight.npu.arithmetic.weight_order_u85 import WeightGeometryU85
from pilotlight.npu.arithmetic.weights import U85_INT32_SCALES, U85_INT48_SCALES, parse_scales
from pilotlight.npu.stream.faults import BadWeights, MalformedStream
from pilotlight.npu.stream.u85 import microblocks, ofm_microblock_depth

SIZES = (128, 256, 512, 1024, 2048)
CORES = {128: 1, 256: 1, 512: 2, 1024: 4, 2048: 4}
# Output channel, row, column and input channel of a weight; None where the stream is padded.
Place = tuple[int, int, int, int] | None


def input_depths(g: WeightGeometryU85) -> tuple[int, int]:
    """Return the input channels of a block and of a micro-block."""
    if g.part_kernel_first:
        block = 16
    elif g.ifm_bits == 32 or (g.macs <= 256 and g.ofm_microblock_depth == 16 and not g.sparse):
        block = 32
    else:
        block = 128 if g.sparse and g.ifm_bits == 8 else 64
    if g.depthwise:
        return block, 1
    return block, 8 if g.part_kernel_first and g.ifm_bits == 16 and not g.sparse else block


def rounding(g: WeightGeometryU85) -> int:
    if g.depthwise:
        return 10
    if not g.part_kernel_first:
        return 1
    return 10 if g.ifm_bits == 16 or g.sparse else 5


def places(g: WeightGeometryU85, core: int) -> Iterator[Place]:
    """Yield what is at each place of a core's stream."""
    cores, (block, step), multiple = CORES[g.macs], input_depths(g), rounding(g)
    depth = g.ofm_microblock_depth
    inner = 1 if g.depthwise else 16 if g.sparse else 8
    filler = 0 if g.ifm_bits != 16 and g.macs <= 256 else 2 if g.macs <= 512 else 6
    stride_y, stride_x = (g.stride_y, g.stride_x) if g.part_kernel_first or g.depthwise else (1, 1)
    in_channels = 1 if g.depthwise else g.in_channels
    sub_height, sub_width = 8 // g.dilation_y, 8 // g.dilation_x
    in_blocks = list(range(0, in_channels, block))
    for oz in range(0, g.out_channels, g.ofm_block_depth):
        out_end = min(g.out_channels, oz + g.ofm_block_depth)
        for iz in in_blocks:
            in_end = min(in_channels, iz + block)
            for sx in range(0, g.width, sub_width):
                width = min(sub_width, g.width - sx)
                for sy in range(0, g.height, sub_height):
                    height = min(sub_height, g.height - sy)
                    for io in range(iz, in_end, step):
                        for ob in range(oz, out_end, depth):
                            left = -(-width * height // multiple) * multiple
                            for yy in range(stride_y):
                                for xx in range(stride_x):
                                    for row, y in enumerate(range(yy, height, stride_y)):
                                        xs = range(xx, width, stride_x)
                                        for x in xs if row % 2 == 0 else reversed(xs):
                                            left -= 1
                                            for ii in range(0, step, inner):
                                                for oq in range(4 * core, depth, 4 * cores):
                                                    for o in range(ob + oq, ob + oq + 4):
                                                        for i in range(io + ii, io + ii + inner):
                                                            inside = o < out_end and i < in_channels
                                                            yield (o, sy + y, sx + x, i) if inside else None
                                            if g.depthwise and left % multiple == 0:
                                                yield from [None] * (filler * depth // cores)
                            if left:
                                end = left + (filler if g.depthwise else 0)
                                yield from [None] * (end * step * depth // cores)
        in_blocks.reverse()


def streams_of(g: WeightGeometryU85, weights: NDArray[np.int16]) -> list[NDArray[np.int16]]:
    """Return the weights in each core's order. weights: [out, height, width, in]. Padding is 99."""
    return [
        np.array([99 if place is None else weights[place] for place in places(g, core)], np.int16)
        for core in range(CORES[g.macs])
    ]


def fast_stream(g: WeightGeometryU85, cores: list[NDArray[np.int16]]) -> bytes:
    turn = g.ofm_microblock_depth * input_depths(g)[1] * rounding(g) // len(cores)
    turns = [values.reshape(-1, turn) for values in cores]
    symbols = bytes(np.stack(turns, axis=1).astype(np.int8))
    return bytes([1]) + bytes(HEADER_BYTES - 1) + symbols + bytes(-len(symbols) % 32)


@st.composite
def geometries(draw: st.DrawFn) -> WeightGeometryU85:
    macs = draw(st.sampled_from(SIZES))
    depthwise = draw(st.booleans())
    part = not depthwise and draw(st.booleans())
    dilation = st.sampled_from([1, 1, 2])
    large = draw(st.integers(0, 3)) == 0
    size = st.integers(1, 19 if large else 5)
    in_channels = st.integers(1, 20 if large else 150)
    return WeightGeometryU85(
        depthwise=depthwise,
        out_channels=draw(st.integers(1, 70)),
        in_channels=draw(in_channels),  # Means nothing if depthwise.
        height=draw(size),
        width=draw(st.integers(1, 3) if large else size),
        stride_y=draw(st.integers(1, 4)),
        stride_x=draw(st.integers(1, 4)),
        dilation_y=draw(dilation),
        dilation_x=draw(dilation),
        part_kernel_first=part,
        ifm_bits=draw(st.sampled_from([8, 8, 16, 32])),
        sparse=not depthwise and draw(st.booleans()),
        fast=not depthwise and draw(st.booleans()),
        ofm_block_depth=draw(st.sampled_from([8, 16, 24, 32, 64, 128])),
        ofm_microblock_depth=draw(st.sampled_from([depth for _, _, depth in microblocks(macs).values()])),
        macs=macs,
    )


POINTWISE = WeightGeometryU85(
    depthwise=False,
    out_channels=40,
    in_channels=70,
    height=1,
    width=1,
    stride_y=1,
    stride_x=1,
    dilation_y=1,
    dilation_x=1,
    part_kernel_first=False,
    ifm_bits=8,
    sparse=False,
    fast=False,
    ofm_block_depth=32,
    ofm_microblock_depth=16,
    macs=512,
)


# The examples are rare: blocks of inputs of two sizes taken backwards, unused places that only
# 16-bit input has, and sparse weights with a micro-block for which dense ones have small blocks.
@settings(max_examples=250)
@example(replace(POINTWISE, part_kernel_first=True, ifm_bits=16, in_channels=37, out_channels=70), 0)
@example(replace(POINTWISE, depthwise=True, ifm_bits=16, macs=128, height=3, width=4), 0)
@example(replace(POINTWISE, sparse=True, macs=256), 0)
@given(geometries(), st.integers(0, 1 << 30))
def test_the_order_is_that_of_the_plain_loops(g: WeightGeometryU85, seed: int) -> None:
    shape = (g.out_channels, g.height, g.width, 1 if g.depthwise else g.in_channels)
    weights = np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int16)
    found = g.matrix(encoded(g, streams_of(g, weights)), from_bytes)
    np.testing.assert_array_equal(found, weights.transpose(1, 2, 3, 0).reshape(-1, g.out_channels))


def encoded(g: WeightGeometryU85, cores: list[NDArray[np.int16]]) -> tuple[bytes, ...]:
    if g.fast:
        return (fast_stream(g, cores),)
    # A core without channels may have no stream.
    channels = min(g.out_channels, g.ofm_block_depth)
    return tuple(values.tobytes() if 4 * core < channels else b"" for core, values in enumerate(cores))


def from_bytes(stream: bytes) -> NDArray[np.int16]:
    return np.frombuffer(stream, np.int16)


@pytest.mark.parametrize("core", [0, 1])
def test_a_stream_that_lacks_one_weight_is_bad(core: int) -> None:
    streams = list(encoded(POINTWISE, streams_of(POINTWISE, np.ones((40, 1, 1, 70), np.int16))))
    assert POINTWISE.matrix(tuple(streams), from_bytes).all()
    streams[core] = streams[core][:-2]
    with pytest.raises(BadWeights, match="holds 3071 weights, but the operation needs 3072"):
        POINTWISE.matrix(tuple(streams), from_bytes)


def test_a_huge_kernel_with_few_weights_takes_no_time() -> None:
    huge = replace(POINTWISE, depthwise=True, height=1 << 16, width=1 << 16, out_channels=1)
    with pytest.raises(BadWeights, match="hold 100 weights, but the operation has 4294967296"):
        huge.matrix((bytes(200), b""), from_bytes)


@pytest.mark.parametrize("macs", [256, 512])
def test_a_fast_stream_that_lacks_one_weight_is_bad(macs: int) -> None:
    geometry = replace(POINTWISE, fast=True, macs=macs)
    symbols = sum(map(len, streams_of(geometry, np.ones((40, 1, 1, 70), np.int16))))
    (stream,) = encoded(geometry, streams_of(geometry, np.ones((40, 1, 1, 70), np.int16)))
    assert geometry.matrix((stream,), from_bytes).all()
    with pytest.raises(BadWeights, match="but the operation needs"):
        geometry.matrix((stream[: HEADER_BYTES + symbols - 1],), from_bytes)


def test_depthwise_weights_in_the_fast_format_are_refused() -> None:
    with pytest.raises(MalformedStream, match="fast format is not known"):
        replace(POINTWISE, depthwise=True, fast=True).matrix((bytes(64),), from_bytes)


def header(*, raw: bool = False, small: bool = False, zero: int = 0, table: tuple[int, ...] = ()) -> bytes:
    bits = raw | small << 1 | (zero & 0xFF) << 104
    for index, entry in enumerate(table):
        bits |= (abs(entry) << 1 | (entry < 0)) << 112 + 9 * index
    return bits.to_bytes(HEADER_BYTES, "little")


def test_fast_symbols_are_bytes_less_the_zero_adjustment_or_indices_of_a_table() -> None:
    raw = decode_fast(header(raw=True, zero=-3) + bytes([0, 127, 128, 255]))
    assert raw.tolist() == [3, 130, -125, 2]
    table = (-255, 255, 0, 7, *range(-12, 0))
    assert decode_fast(header(table=table) + bytes([0x10, 0xF4])).tolist() == [-255, 255, -12, -1]
    assert decode_fast(header(small=True, table=table) + bytes([0b11_10_01_00])).tolist() == [-255, 255, 0, 7]


@pytest.mark.parametrize(
    "stream", [b"", header(raw=True)[:-1], b"\5" + header()[1:], header()[:12] + b"\x80" + bytes(19)]
)
def test_a_damaged_fast_header_is_bad(stream: bytes) -> None:
    with pytest.raises(BadWeights, match="fast weight stream"):
        decode_fast(stream)


def test_microblocks_that_a_size_lacks_are_malformed() -> None:
    assert [ofm_microblock_depth(1024, number) for number in (2, 3, 4)] == [32, 32, 16]
    for macs, number in ((128, 2), (256, 0), (512, 4), (1024, 5), (2048, 4), (2048, 7)):
        with pytest.raises(MalformedStream, match=f"{macs} MACs has no micro-block {number}"):
            ofm_microblock_depth(macs, number)


@pytest.mark.parametrize("bias", [0, -1, 1, 1 << 31, -(1 << 31), (1 << 47) - 1, -(1 << 47)])
def test_scales_of_a_48_bit_accumulator_have_48_bits_of_bias(bias: int) -> None:
    record = bias.to_bytes(6, "little", signed=True) + (0xFFFE).to_bytes(2, "little") + bytes([0xC5, 0xFF])
    scales = parse_scales((bytes(10) + record + bytes(20),), 2, U85_INT48_SCALES)
    assert (scales.bias[1], scales.multiplier[1], scales.shift[1]) == (bias, 0x7FFE, 5)
    assert (scales.bias[0], scales.multiplier[0], scales.shift[0]) == (0, 0, 0)


@pytest.mark.parametrize("bias", [0, -1, 1, (1 << 31) - 1, -(1 << 31)])
def test_scales_of_a_32_bit_accumulator_have_multipliers_of_31_bits(bias: int) -> None:
    record = bias.to_bytes(4, "little", signed=True) + (0xFFFF_FFFE).to_bytes(4, "little") + bytes([0xFF, 0xFF])
    scales = parse_scales((record,), 1, U85_INT32_SCALES)
    assert (scales.bias[0], scales.multiplier[0], scales.shift[0]) == (bias, 0x7FFF_FFFE, 63)
    with pytest.raises(MalformedStream, match="too short for 2 channels"):
        parse_scales((record + bytes(9),), 2, U85_INT32_SCALES)
