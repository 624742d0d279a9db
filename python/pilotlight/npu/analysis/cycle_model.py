# SPDX-License-Identifier: Apache-2.0
"""Estimates the cycles of operations. The estimate follows Vela's, block by block.

Hardware computes the output in blocks. For each block, the multipliers fill accumulators. Then the
output unit scales and stores these, while the multipliers work on the next block. So the time of an
operation is the slower unit's time for all blocks plus the faster unit's time for one block. Memory
accesses run in parallel with both units: an operation takes at least the time of its bytes on the
busiest port. A copy runs in parallel with the previous operation, and costs only the part of its
time that exceeds this operation. Unlike Vela, this model does not know bursts and inputs that are
read more than once. SPEC.md compares both estimates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pilotlight.npu.stream.command_state import CommandState, steps_of
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.isa import ElementwiseMode, PoolingMode
from pilotlight.npu.stream.operation_decoder import operations_of
from pilotlight.npu.stream.operations import Kind, Operation

# A micro-block of output takes four cycles for each step of the kernel.
_STEP_CYCLES = 4
# Larger kernels are split into parts of this size; in elements of each axis.
_SUB_KERNEL = 8
_IFM_MICRO_BLOCK_DEPTH = 8
# In part-kernel order, this many elements of the kernel are one step, by bytes of an input element.
_PACKED_STEPS = {1: 4, 2: 2, 4: 2}
_BRICK_CHANNELS = 16
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


@dataclass(frozen=True)
class Work:
    """The work of an operation. read_bytes, written_bytes: by region index."""

    macs: int
    elements: int
    read_bytes: Mapping[int, int]
    written_bytes: Mapping[int, int]


@dataclass(frozen=True)
class Cycles:
    """The estimated cycles of an operation.

    total: the delay of the next operation, at least 1.
    mac, output: cycles in which the multipliers and the output unit are busy.
    hidden: cycles in which a copy runs beside the previous operation; not in `total`.
    """

    total: int
    mac: int
    output: int
    hidden: int = 0


NO_CYCLES = Cycles(0, 0, 0)


@dataclass(frozen=True)
class MemorySpeed:
    """Bytes per NPU cycle of the two AXI ports. The first serves SRAM, the second flash or DRAM."""

    first: float
    second: float

    def of(self, port: int) -> float:
        return self.second if port else self.first


# The ports of the system configurations in Vela's vela.ini: bus width times the memory's share of
# the core clock, times the number of ports that U85 uses for it.
MEMORY_SPEEDS = {
    "Ethos_U55_Deep_Embedded": MemorySpeed(8.0, 0.5),
    "Ethos_U55_High_End_Embedded": MemorySpeed(8.0, 1.0),
    "Ethos_U65_Embedded": MemorySpeed(16.0, 1.0),
    "Ethos_U65_Mid_End": MemorySpeed(16.0, 7.5),
    "Ethos_U65_High_End": MemorySpeed(16.0, 3.75),
    "Ethos_U65_Client_Server": MemorySpeed(16.0, 12.0),
    "Ethos_U85_SYS_Flash_Low": MemorySpeed(32.0, 1.0),
    "Ethos_U85_SYS_Flash_High": MemorySpeed(32.0, 1.0),
    "Ethos_U85_SYS_DRAM_Low": MemorySpeed(32.0, 7.5),
    "Ethos_U85_SYS_DRAM_Mid": MemorySpeed(32.0, 12.0),
    "Ethos_U85_SYS_DRAM_High": MemorySpeed(64.0, 24.0),
}


@dataclass(frozen=True)
class Datapath:
    """Cycles of the multipliers, of the output unit, and of both together.

    ifm_bytes: size of an input element.
    beside: cycles of the operation that a copy runs beside.
    """

    mac: int
    output: int
    total: int
    ifm_bytes: int = 1
    beside: int = 0


def estimate(datapath: Datapath, work: Work, ports: tuple[int, ...], speed: MemorySpeed) -> Cycles:
    """Estimate an operation. ports: the AXI port of each region."""
    moved = [0, 0]
    for sizes in (work.read_bytes, work.written_bytes):
        for region, size_bytes in sizes.items():
            moved[ports[region]] += size_bytes
    memory = max(math.ceil(size / speed.of(port)) for port, size in enumerate(moved))
    hidden = min(memory, datapath.beside)
    return Cycles(max(datapath.total, memory - hidden, 1), datapath.mac, datapath.output, hidden)


@lru_cache(maxsize=64)
def datapaths_of(stream: bytes, configuration: Configuration) -> Mapping[int, Datapath]:
    """Return the datapath cycles of each operation in a stream, by word index."""
    operations = {operation.at: operation for operation in operations_of(stream, configuration)}
    paths: dict[int, Datapath] = {}
    under_way: Datapath | None = None
    for step in steps_of(stream, configuration.product, CommandState()):
        operation = operations.get(step.position // 4)
        if operation is None:
            if step.name == "OP_KERNEL_WAIT" and step.fields["outstanding"] == 0:
                under_way = None
        elif operation.kind is Kind.COPY and under_way is not None:
            paths[operation.at] = Datapath(0, 0, 0, beside=under_way.total)
            under_way = None
        else:
            paths[operation.at] = datapath(operation, configuration)
            under_way = None if operation.kind is Kind.COPY else paths[operation.at]
    return paths


def datapath(operation: Operation, configuration: Configuration) -> Datapath:
    if operation.ofm is None:
        return Datapath(0, 0, 0)
    height, width, depth = operation.ofm.shape
    ifm_bytes = operation.inputs[0].map.dtype.itemsize
    rate = _output_cycles_per_element(operation, configuration)
    if operation.kind is Kind.ELEMENTWISE:
        stored_depth = _round_up(depth, _BRICK_CHANNELS) if operation.ofm.map.bricks else depth
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
    depth = min(source.shape[2], _input_block_depth(operation))
    read = height * width * depth * source.map.dtype.itemsize
    written = block[0] * block[1] * block[2] * target.map.dtype.itemsize
    return _LATENCY_CYCLES + (read + written) / configuration.axi_bytes_per_cycle


def _input_block_depth(operation: Operation) -> int:
    if operation.kind is Kind.DEPTHWISE or operation.mode in (PoolingMode.MAX, PoolingMode.AVERAGE):
        return operation.block[2]
    part_kernel_first = operation.kernel is not None and operation.kernel.part_kernel_first
    return 16 if part_kernel_first or operation.inputs[0].map.dtype.itemsize > 1 else 32


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
    for size, count in _sub_kernels(kernel_height, kernel_width):
        if operation.kind is Kind.DEPTHWISE:
            cycles += count * step * -(-size // 4) * deep * (2 if item == 2 else 1)
        elif kernel is not None and kernel.part_kernel_first:
            # Like Vela, count the last block of input as full.
            input_blocks = -(-in_depth // _input_block_depth(operation))
            passes = input_blocks * -(-min(in_depth, _input_block_depth(operation)) // _IFM_MICRO_BLOCK_DEPTH)
            cycles += count * step * -(-size // _PACKED_STEPS[item]) * deep * passes
        else:
            cycles += count * step * size * deep * -(-in_depth // _input_block_depth(operation))
    return cycles


def _sub_kernels(height: int, width: int) -> list[tuple[int, int]]:
    """Return (elements, number) of the parts of a kernel: whole ones, and those at its edges."""
    return [
        (rows * columns, down * across)
        for rows, down in _pieces(height)
        for columns, across in _pieces(width)
        if down and across
    ]


def _pieces(size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    whole, rest = divmod(size, _SUB_KERNEL)
    return (_SUB_KERNEL, whole), (rest, 1 if rest else 0)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step
