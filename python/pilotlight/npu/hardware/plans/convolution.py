# SPDX-License-Identifier: Apache-2.0
"""Plans convolutions with weights from streams."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic import convolution
from pilotlight.npu.arithmetic.output_stage import OutputStage
from pilotlight.npu.arithmetic.scratch import Scratch
from pilotlight.npu.arithmetic.weight_matrix import Weights
from pilotlight.npu.arithmetic.weight_order import WeightGeometry
from pilotlight.npu.arithmetic.weight_order_u85 import WeightGeometryU85
from pilotlight.npu.arithmetic.weights import Geometry, parse_scales
from pilotlight.npu.hardware.accumulators import Accumulation
from pilotlight.npu.hardware.operand_memory import OperandMemory, contents
from pilotlight.npu.hardware.output import output_stage, scale_format
from pilotlight.npu.hardware.plans.plan import Plan, check_work
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import Channel
from pilotlight.npu.stream.feature_map import SMALL_BYTES
from pilotlight.npu.stream.isa import Generation
from pilotlight.npu.stream.kernel import Kernel
from pilotlight.npu.stream.operations import Kind, Operation


@dataclass(frozen=True)
class _Constants:
    """The bytes of a convolution's streams, and the values derived from them.

    stage: its bias corrects the input's zero point, unless accumulators start or end elsewhere.
    """

    scale_bytes: tuple[bytes, ...]
    weight_bytes: tuple[bytes, ...]
    weights: Weights
    accumulator: type[np.float32] | type[np.float64]
    stage: OutputStage


def plan_convolution(memory: OperandMemory, operation: Operation) -> Plan:
    machine, kernel = memory.machine, operation.kernel
    assert kernel is not None and operation.ifm is not None and operation.ofm is not None
    height, width, depth = operation.ofm.shape
    in_depth = operation.ifm.shape[2]
    depthwise = operation.kind is Kind.DEPTHWISE
    macs = prod(operation.ofm.shape) * kernel.height * kernel.width * (1 if depthwise else in_depth)
    check_work(macs)
    source, read = memory.upscaled_input(operation)
    scale_streams = memory.streams(operation.scales, Channel.SCALE, operation.active_cores)
    weight_streams = memory.streams(operation.weights, Channel.WEIGHTS, operation.active_cores)
    geometry, records = _geometry(operation, kernel, machine.configuration), scale_format(memory, operation)
    zero_point = source.where.zero_point
    bounds = np.iinfo(source.where.dtype)
    # Padding holds the zero point.
    largest = max(-int(bounds.min), int(bounds.max), abs(zero_point))

    def constants(scale_bytes: tuple[bytes, ...], weight_bytes: tuple[bytes, ...]) -> _Constants:
        scales = parse_scales(scale_bytes, depth, records)
        weights = machine.weights.weights(weight_bytes, geometry)
        # sum(w * (x - zero_point)) = sum(w * x) - zero_point * sum(w)
        bias = scales.bias - zero_point * weights.sums if accumulation.is_plain else scales.bias
        factor = operation.scale
        multiplier, shift = (scales.multiplier, scales.shift) if factor is None else (factor.multiplier, factor.shift)
        stage = output_stage(memory, operation, multiplier, shift, bias)
        return _Constants(scale_bytes, weight_bytes, weights, convolution.accumulator_dtype(weights, largest), stage)

    accumulation = Accumulation(memory, operation)
    held = constants(contents(scale_streams), contents(weight_streams))
    convolve = convolution.convolve_depthwise if depthwise else convolution.convolve
    padded_shape = kernel.padded_shape(*operation.upscaled_size, in_depth)

    # A small input keeps its array, whose padding is then written once.
    kept: tuple[NDArray[Any], NDArray[Any]] | None = None

    def padded_input() -> NDArray[Any]:
        nonlocal held, kept
        present = contents(scale_streams), contents(weight_streams)
        if present != (held.scale_bytes, held.weight_bytes):
            held = constants(*present)
        dtype = held.accumulator
        if kept is not None and kept[0].dtype == dtype:
            values, inside = kept
        else:
            small = prod(padded_shape) <= SMALL_BYTES // 8
            values = (
                np.empty(padded_shape, dtype) if small else machine.cores.scratch.array("padded", padded_shape, dtype)
            )
            inside = kernel.fill_padding(values, zero_point)
            kept = (values, inside) if small else None
        inside[...] = read()
        return values

    target = accumulation.target

    def run() -> None:
        assert target is not None
        values = padded_input()
        stage, weights, out = held.stage, held.weights, target.output()

        def compute(top: int, bottom: int, scratch: Scratch) -> None:
            whole = bottom - top == height  # An array that stays the same is found faster than a slice.
            part = values if whole else values[kernel.padded_rows(top, bottom)]
            sums = convolve(part, weights, kernel, bottom - top, width, scratch)
            stage.apply(sums, out=out if whole else out[top:bottom])

        machine.cores.divide(height, macs, compute)
        target.put(out)

    def accumulate() -> None:
        values = padded_input()
        sums = convolve(values, held.weights, kernel, height, width, machine.cores.scratch)
        accumulation.finish(sums - zero_point * held.weights.sums, held.stage)

    return Plan(run if accumulation.is_plain else accumulate, prod(operation.ofm.shape), macs)


def _geometry(operation: Operation, kernel: Kernel, configuration: Configuration) -> Geometry:
    assert operation.ifm is not None and operation.ofm is not None
    common: dict[str, Any] = {
        "depthwise": operation.kind is Kind.DEPTHWISE,
        "out_channels": operation.ofm.shape[2],
        "in_channels": operation.ifm.shape[2],
        "height": kernel.height,
        "width": kernel.width,
        "dilation_y": kernel.dilation_y,
        "dilation_x": kernel.dilation_x,
        "part_kernel_first": kernel.part_kernel_first,
        "ifm_bits": 8 * operation.ifm.map.dtype.itemsize,
        "ofm_block_depth": operation.block[2],
        "ofm_microblock_depth": operation.microblock[2],
    }
    if configuration.product.generation is Generation.FIRST:
        return WeightGeometry(**common)
    return WeightGeometryU85(
        **common,
        stride_y=kernel.stride_y,
        stride_x=kernel.stride_x,
        sparse=operation.sparse_weights,
        fast=operation.fast_weights,
        macs=configuration.macs_per_cycle,
    )
