# SPDX-License-Identifier: Apache-2.0
"""The weights and scales that Vela put into a program for U85, and those of the graph.

`layers_of` reads the registers of each convolution itself, without the simulator's decoder of
operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from operator_cases import Maker
from tosa_graph import Tensor

from pilotlight.npu.arithmetic.weight_codec import shared_codec
from pilotlight.npu.arithmetic.weight_order_u85 import WeightGeometryU85
from pilotlight.npu.arithmetic.weights import U85_INT32_SCALES, U85_INT48_SCALES, ScaleRecords, parse_scales
from pilotlight.npu.stream.command_state import CommandState, steps_of
from pilotlight.npu.stream.isa import Instruction
from pilotlight.npu.stream.products import U85
from pilotlight.npu.stream.u85 import ofm_microblock_depth
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import parse_blob

# Vela's archive loses the zeros at the end of the weights.
_LOST_ZEROS = 4096


@dataclass(frozen=True)
class Known:
    """A convolution of the graph. weights: [height, width, in, out]; in is 1 if depthwise."""

    depthwise: bool
    weights: NDArray[np.int64]
    bias: NDArray[np.int64]
    sums: Tensor


@dataclass(frozen=True)
class Decoded:
    """A convolution of the program, or a part of one.

    scaled: whether the scales are in use, one per channel.
    """

    geometry: WeightGeometryU85
    scaled: bool
    weights: NDArray[np.int64]
    scales: ScaleRecords


class Recorder(Maker):
    """A graph that keeps the constants of its convolutions.

    factors_of: the scale of each channel by the name of the tensor that is scaled.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__(generator)
        self.known: list[Known] = []
        self.factors_of: dict[str, NDArray[np.float64]] = {}

    def conv2d(self, x: Tensor, weights: NDArray[np.int8], bias: NDArray[Any], **settings: Any) -> Tensor:
        return self._keep(weights.transpose(1, 2, 3, 0), bias, super().conv2d(x, weights, bias, **settings))

    def transpose_conv2d(self, x: Tensor, weights: NDArray[np.int8], bias: NDArray[Any], **settings: Any) -> Tensor:
        # A convolution of the spread input with the kernel turned by 180 degrees.
        turned = weights[:, ::-1, ::-1].transpose(1, 2, 3, 0)
        return self._keep(turned, bias, super().transpose_conv2d(x, weights, bias, **settings))

    def depthwise_conv2d(self, x: Tensor, weights: NDArray[np.int8], bias: NDArray[Any], **settings: Any) -> Tensor:
        sums = super().depthwise_conv2d(x, weights, bias, **settings)
        return self._keep(weights.reshape(*weights.shape[:2], 1, -1), bias, sums, depthwise=True)

    def _keep(self, weights: NDArray[np.int8], bias: NDArray[Any], sums: Tensor, *, depthwise: bool = False) -> Tensor:
        self.known.append(Known(depthwise, weights.astype(np.int64), np.asarray(bias, np.int64), sums))
        return sums

    def rescale(
        self, x: Tensor, dtype: str, multipliers: Sequence[int], shifts: Sequence[int], **settings: Any
    ) -> Tensor:
        factors = np.ldexp(np.asarray(multipliers, np.float64), -np.asarray(shifts))
        self.factors_of[x.name] = np.broadcast_to(factors, x.shape[-1:])
        return super().rescale(x, dtype, multipliers, shifts, **settings)


def layers_of(blob: bytes, macs: int) -> Iterator[Decoded]:
    """Yield the convolutions with weights of a delegate's blob."""
    parsed = parse_blob(blob)
    memory = {0: bytearray(parsed.weights + bytes(_LOST_ZEROS))}
    memory |= {region: bytearray(parsed.scratch_size_bytes + (1 << 20)) for region in (1, 2)}
    for step in steps_of(parse_payload(parsed.commands).stream, U85, CommandState()):
        assert isinstance(step.command, Instruction), step.command
        if step.name == "OP_DMA_START":
            _copy(step.state, memory)
        elif step.name == "OP_DEPTHWISE" or (step.name == "OP_CONV" and not step.fields["weights_ifm2"]):
            yield _decoded(step.state, memory, macs, depthwise=step.name == "OP_DEPTHWISE")


def _copy(state: CommandState, memory: dict[int, bytearray]) -> None:
    """Copy weights from the read-only region to scratch memory."""
    source, target = state.fields("SET_DMA0_SRC_REGION"), state.fields("SET_DMA0_DST_REGION")
    if target["region_mode"] or source["region"] != 0:
        return
    assert not source["stride_mode"] and not source["idx_mode"] and not target["idx_mode"]
    data = _range(memory, 0, state.get("SET_DMA0_SRC", "address"), state.get("SET_DMA0_LEN", "address"))
    at = state.get("SET_DMA0_DST", "address")
    memory[target["region"]][at : at + len(data)] = data


def _range(memory: dict[int, bytearray], region: int, at: int, size: int) -> bytes:
    data = bytes(memory[region][at : at + size])
    assert len(data) == size
    return data


def _decoded(state: CommandState, memory: dict[int, bytearray], macs: int, *, depthwise: bool) -> Decoded:
    def size(name: str, field: str) -> int:
        return state.get(name, field) + 1

    stride, form, accumulator = (
        state.fields(name) for name in ("SET_KERNEL_STRIDE", "SET_WEIGHT_FORMAT", "SET_ACC_FORMAT")
    )
    dilation_y, dilation_x = 1 + stride["dilation_y"], 1 + stride["dilation_x"]
    depth = size("SET_OFM_DEPTH_M1", "depth_m1")
    geometry = WeightGeometryU85(
        depthwise=depthwise,
        out_channels=depth,
        in_channels=1 if depthwise else size("SET_IFM_DEPTH_M1", "depth_m1"),
        height=state.get("SET_KERNEL_HEIGHT_M1", "height_m1") // dilation_y + 1,
        width=state.get("SET_KERNEL_WIDTH_M1", "width_m1") // dilation_x + 1,
        stride_y=1 + stride["stride_y_lsb"] + 2 * stride["stride_y_msb"],
        stride_x=1 + stride["stride_x_lsb"] + 2 * stride["stride_x_msb"],
        dilation_y=dilation_y,
        dilation_x=dilation_x,
        part_kernel_first=bool(stride["weight_order"]),
        ifm_bits=8 << state.get("SET_IFM_PRECISION", "precision"),
        sparse=bool(form["weight_sparsity"]),
        fast=bool(form["weight_format"]),
        ofm_block_depth=size("SET_OFM_BLK_DEPTH_M1", "depth_m1"),
        ofm_microblock_depth=ofm_microblock_depth(macs, accumulator["microblock"]),
        macs=macs,
    )
    region = state.get("SET_WEIGHT_REGION", "region")
    streams = tuple(
        _range(memory, region, state.get(f"SET_{name}_BASE", "address"), state.get(f"SET_{name}_LENGTH", "length"))
        for name in ("WEIGHT", "WEIGHT1", "WEIGHT2", "WEIGHT3")[: geometry.streams]
    )
    matrix = geometry.matrix(streams, shared_codec().decode).astype(np.int64)
    scale_stream = _range(
        memory,
        state.get("SET_SCALE_REGION", "region"),
        state.get("SET_SCALE_BASE", "address"),
        state.get("SET_SCALE_LENGTH", "length"),
    )
    scales = parse_scales((scale_stream,), depth, U85_INT48_SCALES if accumulator["acc_format"] else U85_INT32_SCALES)
    scaled = state.get("SET_OFM_PRECISION", "scale_mode") == 0
    return Decoded(geometry, scaled, matrix.reshape(geometry.height, geometry.width, -1, depth), scales)


Part = tuple[slice, slice, slice, slice]
# The largest stride of a graph's operators: Vela splits kernels by phases of the stride.
_MOST_PHASES = 6


def part_of(decoded: Decoded, known: Known) -> Part | None:
    """Return the part of `known` that `decoded` has as [height, width, in, out]; None if none.

    Vela splits layers by output channels, kernels by phases of strides that the hardware lacks, and
    depthwise layers by the multiplier of their channels. One of the parts has the bias.
    """
    height, width, inputs, outputs = decoded.weights.shape
    full_height, full_width, full_inputs, full_outputs = known.weights.shape
    if inputs != full_inputs or (decoded.geometry.depthwise and not known.depthwise):
        return None
    corner = decoded.weights[0, 0]
    for out in _slices(outputs, full_outputs):
        bias = known.bias[out]
        if not np.array_equal(decoded.scales.bias, bias) and decoded.scales.bias.any():
            continue
        for top, left in np.argwhere((known.weights[..., out] == corner).all(axis=(2, 3))):
            for rows in _slices(height, full_height, int(top)):
                for columns in _slices(width, full_width, int(left)):
                    if np.array_equal(known.weights[rows, columns, :, out], decoded.weights):
                        return rows, columns, slice(None), out
    return None


def _slices(count: int, size: int, first: int | None = None) -> Iterator[slice]:
    """Yield the slices of `count` elements at equal distances in an axis of `size` elements."""
    for step in range(1, _MOST_PHASES + 1 if count > 1 else 2):
        starts = range(size) if first is None else (first,)
        for start in starts:
            end = start + (count - 1) * step + 1
            if end <= size:
                yield slice(start, end, step)
