# SPDX-License-Identifier: Apache-2.0
"""The cycles of the datapath of U55 and U65. cycle_model.py describes the estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pilotlight.npu.analysis.blocks import input_block_depth, round_up, sub_kernels
from pilotlight.npu.analysis.timing import Datapath
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.feature_map import BRICK_CHANNELS
from pilotlight.npu.stream.isa import ElementwiseMode, PoolingMode
from pilotlight.npu.stream.operations import Kind, Operation

# A micro-block of output takes four cycles for each step of the kernel.
_STEP_CYCLES = 4
_IFM_MICRO_BLOCK_DEPTH = 8
# In part-kernel order, this many elements of the kernel are one step, by bytes of an input element.
_PACKED_STEPS = {1: 4, 2: 2, 4: 2}
# The latency of a read and a write in SRAM together.
_LATENCY_CYCLES = 64


@dataclass(frozen=True)
class OutputRates:
    """Cycles of the output unit per element.

    These numbers come from Vela's tables and from its estimates of single operations.
    """

    elementwise_32_bit: float
    multiply: float
    add: float
    max_pool: float
    others: float


# By MACs per cycle.
_OUTPUT_RATES = {
    32: OutputRates(3.0, 3.0, 6.0, 1.0, 2.0),
    64: OutputRates(1.5, 1.5, 3.0, 1.0, 1.0),
    128: OutputRates(1.25, 1.0, 1.5, 1.0, 1.0),
    256: OutputRates(1.125, 1.0, 1.0, 1.0, 1.0),
    512: OutputRates(0.5625, 0.5, 0.5, 0.5, 0.5),
}


def datapath(operation: Operation, configuration: Configuration) -> Datapath:
    if operation.ofm is None:
        return Datapath(0, 0, 0)
    height, width, depth = operation.ofm.shape
    ifm_bytes = operation.inputs[0].map.dtype.itemsize
    rate = _output_cycles_per_element(operation, configuration)
    if operation.kind is Kind.ELEMENTWISE:
        stored_depth = round_up(depth, BRICK_CHANNELS) if operation.ofm.map.bricks else depth
        cycles = math.ceil(rate * height * width * stored_depth)
        return Datapath(0, cycles, cycles, ifm_bytes)
    block = tuple(min(have, size) for have, size in zip(operation.block, operation.ofm.shape, strict=True))
    block_elements = block[0] * block[1] * block[2]
    blocks = height * width * depth / block_elements
    mac = _block_mac_cycles(operation, configuration, (block[0], block[1], block[2])) / configuration.cores
    output = rate * block_elements
    kernel = operation.kernel
    kernel_size = (kernel.height, kernel.width) if kernel is not None else (1, 1)
    fill = _fill_cycles(operation, kernel_size, (block[0], block[1], block[2]), configuration)
    total = max(mac, output) * blocks + min(mac, output) + fill
    return Datapath(math.ceil(mac * blocks), math.ceil(output * blocks), math.ceil(total), ifm_bytes)


def _output_cycles_per_element(operation: Operation, configuration: Configuration) -> float:
    rates = _OUTPUT_RATES[configuration.macs_per_cycle]
    if operation.kind is Kind.ELEMENTWISE and operation.inputs[0].map.dtype.itemsize == 4:
        return rates.elementwise_32_bit
    if operation.mode in (ElementwiseMode.ADD, ElementwiseMode.SUB):
        return rates.add
    if operation.mode is ElementwiseMode.MUL or operation.accumulator_bits == 40:
        return rates.multiply
    return rates.max_pool if operation.mode is PoolingMode.MAX else rates.others


def _fill_cycles(
    operation: Operation, kernel_size: tuple[int, int], block: tuple[int, int, int], configuration: Configuration
) -> float:
    """Return the cycles to read the first block of input and to write the last block of output."""
    source, target = operation.inputs[0], operation.ofm
    assert target is not None
    stride_y, stride_x = (operation.kernel.stride_y, operation.kernel.stride_x) if operation.kernel else (1, 1)
    height = min(source.shape[0], (block[0] - 1) * stride_y + kernel_size[0])
    width = min(source.shape[1], (block[1] - 1) * stride_x + kernel_size[1])
    depth = min(source.shape[2], _input_block_depth(operation, configuration))
    read = height * width * depth * source.map.dtype.itemsize
    written = block[0] * block[1] * block[2] * target.map.dtype.itemsize
    return _LATENCY_CYCLES + (read + written) / configuration.axi_bytes_per_cycle


def _input_block_depth(operation: Operation, configuration: Configuration) -> int:
    return input_block_depth(operation, configuration) if operation.crosses_depth else operation.block[2]


def _block_mac_cycles(operation: Operation, configuration: Configuration, block: tuple[int, int, int]) -> int:
    micro_height, micro_width, micro_depth = operation.microblock
    across = -(-block[0] // micro_height) * -(-block[1] // micro_width)
    deep = -(-block[2] // micro_depth)
    source = operation.inputs[0]
    in_depth = source.shape[2]
    item = source.map.dtype.itemsize
    kernel = operation.kernel
    kernel_height, kernel_width = (kernel.height, kernel.width) if kernel is not None else (1, 1)
    if operation.mode in (PoolingMode.MAX, PoolingMode.AVERAGE):
        return _STEP_CYCLES * kernel_height * kernel_width * across * deep * (2 if item == 2 else 1)
    step = max(_STEP_CYCLES * across, _STEP_CYCLES * micro_depth)
    cycles = 0
    for size, count in sub_kernels(kernel_height, kernel_width):
        if operation.kind is Kind.DEPTHWISE:
            cycles += count * step * -(-size // 4) * deep * (2 if item == 2 else 1)
        elif kernel is not None and kernel.part_kernel_first:
            # Like Vela, count the last block of input as full.
            input_blocks = -(-in_depth // _input_block_depth(operation, configuration))
            passes = input_blocks * -(
                -min(in_depth, _input_block_depth(operation, configuration)) // _IFM_MICRO_BLOCK_DEPTH
            )
            cycles += count * step * -(-size // _PACKED_STEPS[item]) * deep * passes
        else:
            cycles += count * step * size * deep * -(-in_depth // _input_block_depth(operation, configuration))
    return cycles
