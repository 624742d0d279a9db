# SPDX-License-Identifier: Apache-2.0
"""The cycles of U85. cycle_model.py describes the estimate; here is what differs for U85.

Vela's estimate knows more of U85 than of U55. The first read and the last write have latencies.
Commands for blocks take a quarter of a block's time to issue. Short bursts waste bandwidth, and
each channel to memory has a limit. Inputs are read once per block. Kernels of a chain work on a
block at the same time: the output unit stores their results one after the other, while the
multipliers work on the next block.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pilotlight.npu.analysis.blocks import SUB_KERNEL, input_block_depth, round_up, sub_kernels
from pilotlight.npu.analysis.timing import Cycles, Datapath, MemoryChannel, MemorySpeed, Transfer, Work, busiest
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.feature_map import BRICK_CHANNELS, Shape
from pilotlight.npu.stream.isa import ElementwiseMode
from pilotlight.npu.stream.operations import INTERNAL, Copy, Kind, Operand, Operation, SecondInput

# A micro-block of output takes four cycles for each step of the kernel.
_STEP_CYCLES = 4
_IFM_MICRO_BLOCK_DEPTH = 8
# In part-kernel order, this many elements of the kernel are one step, by bytes of an input element.
_PACKED_STEPS = {1: 4, 2: 2, 4: 4, 8: 4}
_DEPTHWISE_STEP = 4
# Cycles between two steps that use the same accumulators. 48 bits take longer in the smallest size.
_DELAY, _LONG_DELAY, _SMALLEST_MACS = 2, 3, 128
# So many blocks can be under way when the command for the next one is issued.
_BLOCKS_UNDER_WAY = 4
_DIVISION_CYCLES = 33.0
_SCALE_BYTES = 10
# The scales of a block wait for the memory's latency once per so many bytes.
_SCALE_BURST_BYTES = 256
# The number of adjacent bytes where no burst is short.
_ALL_ADJACENT = 1 << 20
# Orders of axes in which rows or columns change places with each other.
_ACROSS = ((1, 0, 2), (1, 2, 0), (2, 1, 0))


@dataclass(frozen=True)
class _Rates:
    """Cycles of the output unit per element, and sizes for memory accesses.

    bytes_1, bytes_2, bytes_4: by size of an output element.
    binary: for a 32-bit output of two 32-bit operands.
    written_bytes: the most adjacent bytes that are written at once in NHWC.
    read_columns: inputs are read in multiples of so many columns.
    buffers: words of 16 bytes, by number of the channel.
    """

    bytes_1: float
    bytes_2: float
    bytes_4: float
    binary: float
    written_bytes: int
    read_columns: int
    buffers: tuple[int, ...]


# By MACs per cycle. The rates come from Vela's estimates of single operations.
_RATES = {
    128: _Rates(0.5, 0.5, 0.5, 1.0, 16, 2, (64, 64, 128, 128, 104, 16, 0)),
    256: _Rates(0.25, 0.25, 0.25, 0.5, 16, 2, (104, 104, 128, 128, 128, 16, 0)),
    512: _Rates(0.125, 0.125, 0.25, 0.25, 32, 2, (128, 128, 256, 256, 128, 16, 0)),
    1024: _Rates(0.0625, 0.125, 0.25, 0.25, 64, 4, (256, 256, 416, 208, 256, 16, 0)),
    2048: _Rates(0.03125, 0.0625, 0.125, 0.125, 64, 4, (256, 256, 512, 256, 256, 16, 0)),
}


@dataclass(frozen=True)
class _Blocks:
    """The blocks of a kernel, or of the kernels of a chain together.

    mac, output: cycles per block.
    count: number of blocks, not whole, because blocks at edges are smaller.
    size: elements of a block.
    reads: what the first block reads. write: what the last block writes, None if nothing.
    scales: the biases and scales of a block, None without them.
    """

    mac: int
    output: float
    count: float
    size: int
    reads: tuple[Transfer, ...]
    write: Transfer | None
    scales: Transfer | None

    @property
    def datapath_cycles(self) -> int:
        """The time without memory."""
        return math.ceil(max(self.mac, self.output) * self.count + (min(self.mac, self.output) if self.mac else 0))

    def cycles(self, ports: tuple[int, ...], speed: MemorySpeed) -> float:
        """Return the time with the first read, the last write, and commands. ports: of regions."""
        read = max((part.cycles(speed.of(ports[part.region])) for part in self.reads), default=0.0)
        written = 0.0 if self.write is None else self.write.cycles(speed.of(ports[self.write.region]))
        if not self.mac:
            return max(self.output, (max(read, written) + self.output) / _BLOCKS_UNDER_WAY) * self.count
        output = self.output
        if self.scales is not None:
            latency = speed.of(ports[self.scales.region]).read_latency
            output = max(output, self.scales.size_bytes * latency / _SCALE_BURST_BYTES)
        apart = abs(written - read) if self.count > 1 else 0.0
        command = (apart + self.mac + output) / _BLOCKS_UNDER_WAY
        mac, output = max(self.mac, command), max(output, command)
        return max(mac, output) * self.count + min(mac, output) + written + read


@dataclass(frozen=True)
class _CopyPath(Datapath):
    """A copy. It takes the time of its bytes and one latency."""

    transfers: tuple[Transfer, ...] = ()

    def memory_cycles(self, work: Work, ports: tuple[int, ...], speed: MemorySpeed) -> int:
        latency = max((part.latency(speed.of(ports[part.region])) for part in self.transfers), default=0)
        return latency + math.ceil(busiest(self.transfers, ports, speed))


@dataclass(frozen=True)
class _KernelPath(Datapath):
    """The datapath of a kernel. In a chain, it has what the kernel adds to those before it.

    blocks, transfers: those of the chain up to this kernel. own: the transfers of this kernel.
    before: the previous kernel of the chain.
    """

    blocks: _Blocks | None = None
    transfers: tuple[Transfer, ...] = ()
    own: tuple[Transfer, ...] = ()
    before: _KernelPath | None = None

    def cycles(self, work: Work, ports: tuple[int, ...], speed: MemorySpeed) -> Cycles:
        memory = self.memory_cycles(work, ports, speed)
        earlier = 0 if self.before is None else self.before.chain_cycles(ports, speed)
        total = max(1, self.chain_cycles(ports, speed) - earlier)
        hidden = 0 if self.before is None else max(0, memory - total)
        return Cycles(total, self.mac, self.output, hidden)

    def chain_cycles(self, ports: tuple[int, ...], speed: MemorySpeed) -> int:
        """Return the time of the chain up to this kernel."""
        assert self.blocks is not None
        return math.ceil(max(self.blocks.cycles(ports, speed), busiest(self.transfers, ports, speed)))

    def memory_cycles(self, work: Work, ports: tuple[int, ...], speed: MemorySpeed) -> int:
        return math.ceil(busiest(self.own, ports, speed))


def datapath(operation: Operation, configuration: Configuration, before: Datapath | None = None) -> Datapath:
    """Return the datapath of an operation. before: that of the previous kernel of its chain."""
    estimate = _Estimate(operation, configuration)
    return estimate.copy(operation.copy) if operation.copy is not None else estimate.kernel(before)


class _Estimate:
    """The estimate of one operation."""

    def __init__(self, operation: Operation, configuration: Configuration) -> None:
        self._operation = operation
        self._configuration = configuration
        self._rates = _RATES[configuration.macs_per_cycle]

    def copy(self, copy: Copy) -> Datapath:
        ends = zip(copy.ends, (MemoryChannel.COPY, MemoryChannel.OUTPUT), strict=True)
        found = [self._transfer(channel, end.piece.region, copy.total_bytes, end.piece.size) for end, channel in ends]
        return _CopyPath(0, 0, 0, transfers=_outside(found))

    def kernel(self, before: Datapath | None) -> Datapath:
        blocks = self._blocks()
        mac, output = math.ceil(blocks.mac * blocks.count), math.ceil(blocks.output * blocks.count)
        ifm_bytes = min(self._operation.inputs[0].map.dtype.itemsize, 4)
        own = _outside(self._accesses())
        if not isinstance(before, _KernelPath) or before.blocks is None:
            return _KernelPath(mac, output, blocks.datapath_cycles, ifm_bytes, 0, blocks, own, own)
        earlier = before.blocks
        output_cycles = earlier.output + self._output_cycles() * earlier.size
        together = replace(earlier, output=output_cycles, write=blocks.write)
        total = together.datapath_cycles - earlier.datapath_cycles
        return _KernelPath(mac, output, total, ifm_bytes, 0, together, (*before.transfers, *own), own, before)

    @property
    def _ofm(self) -> Operand:
        assert self._operation.ofm is not None
        return self._operation.ofm

    @property
    def _multiplies(self) -> bool:
        return self._operation.kind not in (Kind.ELEMENTWISE, Kind.RESIZE)

    def _blocks(self) -> _Blocks:
        operation, shape = self._operation, self._ofm.shape
        block = _least(shape, operation.block)
        size = math.prod(block)
        reads = _outside([self._input(operand, math.prod(self._input_block(operand))) for operand in operation.inputs])
        write = next(iter(_outside(self._output(size))), None)
        if not self._multiplies:
            # Vela takes the time of a whole block for the elements that a block could have.
            whole = math.prod(operation.block)
            count = math.prod(_rounded(self._ofm)) / whole
            return _Blocks(0, self._output_cycles() * whole, count, whole, reads, write, None)
        count = math.prod(_parts(shape, operation.microblock)) / math.prod(_parts(block, operation.microblock))
        scales = None
        if operation.scales and operation.kind is not Kind.POOL:
            size_bytes = _SCALE_BYTES * block[2]
            scales = self._transfer(MemoryChannel.SCALES, operation.scales[0].region, size_bytes, _ALL_ADJACENT)
        return _Blocks(
            self._mac_cycles(block), math.ceil(self._output_cycles() * size), count, size, reads, write, scales
        )

    def _output_cycles(self) -> float:
        """Return the cycles of the output unit for an element."""
        operation, rates, ofm = self._operation, self._rates, self._ofm
        if operation.mode is ElementwiseMode.DIV:
            return _DIVISION_CYCLES
        # Half as fast: rows and columns that change places, and reversed columns.
        changing = rates.bytes_1 * (2 if ofm.order in _ACROSS or ofm.flipped == 1 else 1)
        changes = ofm.is_reordered or operation.table is not None
        if changes and operation.kind is Kind.POOL and (operation.kernel is None or operation.kernel.pointwise):
            return changing
        wide = operation.inputs[0].map.dtype.itemsize == 4
        item = min(ofm.map.dtype.itemsize, 4)
        if operation.table is not None:
            item = 2 if operation.table.wide else 1
        rate = {1: rates.bytes_1, 2: rates.bytes_2, 4: rates.bytes_4}[item]
        if isinstance(operation.mode, ElementwiseMode) and not operation.mode.unary and wide:
            rate = rates.binary if item == 4 else 2 * rates.bytes_1
        elif ofm.is_chained and (wide or item == 4):
            rate = 2 * rates.bytes_1
        return max(rate, changing) if changes else rate

    def _mac_cycles(self, block: Shape) -> int:
        """Return the cycles of the multipliers for a block."""
        operation, source, kernel = self._operation, self._operation.inputs[0], self._operation.kernel
        item, in_depth = source.map.dtype.itemsize, source.shape[2]
        rows, columns, deep = _parts(block, operation.microblock)
        across = rows * columns
        slice_depth = min(in_depth, self._slice_depth)
        decoding = _STEP_CYCLES * operation.microblock[2] // self._configuration.cores
        passes = -(-slice_depth // _IFM_MICRO_BLOCK_DEPTH)
        convolves = operation.kind is Kind.CONVOLUTION
        packed = convolves and kernel is not None and kernel.part_kernel_first
        cycles = 0
        for size, count in sub_kernels(*((kernel.height, kernel.width) if kernel is not None else (1, 1))):
            if operation.kind is Kind.DEPTHWISE:
                steps = -(-size // _DEPTHWISE_STEP)
                time = max(decoding, _STEP_CYCLES * across * item) * steps * deep
            elif not operation.crosses_depth:
                steps, time = 1, max(_STEP_CYCLES, size) * across * deep * _STEP_CYCLES * item
            elif packed:
                steps = -(-size // _PACKED_STEPS[item])
                time = max(decoding, _STEP_CYCLES * across) * steps * deep * passes
            else:
                steps = size
                time = max(decoding, slice_depth // _IFM_MICRO_BLOCK_DEPTH * across) * steps * deep * item
            if convolves and operation.sparse_weights:
                time //= 2
            delay = self._delay(across, deep, steps) * (passes if packed else 1)
            cycles += count * (time + delay)
        return cycles * (-(-in_depth // slice_depth) if operation.crosses_depth else 1)

    def _delay(self, across: int, deep: int, steps: int) -> int:
        """Return the cycles between steps. They matter only for one micro-block in a plane."""
        if across > 1:
            return 0
        small = self._configuration.macs_per_cycle <= _SMALLEST_MACS
        delay = _LONG_DELAY if small and self._operation.accumulator_bits > 32 else _DELAY
        return delay * (steps if deep == 1 else (steps - 1) * deep)

    @property
    def _slice_depth(self) -> int:
        """The channels of a block of input."""
        operation = self._operation
        return input_block_depth(operation, self._configuration) if operation.crosses_depth else operation.block[2]

    def _input_size(self) -> tuple[int, int]:
        """Return rows and columns of a block of input."""
        height, width, _ = self._operation.block
        kernel = self._operation.kernel
        if kernel is not None:
            height = (height - 1) * kernel.stride_y + min((kernel.height - 1) * kernel.dilation_y + 1, SUB_KERNEL)
            width = (width - 1) * kernel.stride_x + min((kernel.width - 1) * kernel.dilation_x + 1, SUB_KERNEL)
        return height, width

    def _input_block(self, operand: Operand) -> Shape:
        return _least(operand.shape, (*self._input_size(), self._slice_depth))

    # -- accesses ----------------------------------------------------------------------------------

    def _accesses(self) -> Iterator[Transfer]:
        operation, shape = self._operation, self._ofm.shape
        rows, columns, layers = _parts(shape, _least(shape, operation.block))
        for operand in operation.inputs:
            elements = math.prod(_rounded(operand))
            if self._multiplies and operand is operation.ifm:
                height, width, _ = self._input_block(operand)
                kernel = operation.kernel
                kernels = 1 if kernel is None else sum(count for _, count in sub_kernels(kernel.height, kernel.width))
                elements = height * width * _rounded(operand)[2] * kernels * rows * columns
                elements *= layers if operation.crosses_depth else 1
            yield self._input(operand, elements)
        yield from self._output(math.prod(_rounded(self._ofm)))
        fast = MemoryChannel.FAST_WEIGHTS if operation.fast_weights else MemoryChannel.WEIGHTS
        for channel, streams in ((fast, operation.weights), (MemoryChannel.SCALES, operation.scales)):
            for stream in streams:
                yield self._transfer(channel, stream.region, stream.size * rows * columns, _ALL_ADJACENT)

    def _input(self, operand: Operand, elements: int) -> Transfer:
        """Return the transfer of some elements of an input."""
        operation, item = self._operation, operand.map.dtype.itemsize
        streams = not self._multiplies or (operand is operation.ifm2 and operation.second is SecondInput.WEIGHTS)
        width = round_up(self._input_size()[1], self._rates.read_columns)
        run = BRICK_CHANNELS * width if operand.map.bricks else self._slice_depth
        if not operand.map.bricks and operand.shape[2] * item == self._slice_depth:
            run *= width
        channel = MemoryChannel.STREAM if streams else MemoryChannel.INPUT
        return self._transfer(channel, operand.map.region, elements * item, run * item)

    def _output(self, elements: int) -> Iterator[Transfer]:
        """Yield the transfer of some elements of the output, nothing if accumulators are kept."""
        if self._operation.keeps:
            return
        ofm, item = self._ofm, self._ofm.map.dtype.itemsize
        _, width, depth = self._operation.block
        if ofm.map.bricks:
            run = BRICK_CHANNELS * width * item
        elif depth <= BRICK_CHANNELS and ofm.shape[2] * item == depth:
            run = depth * width * item
        else:
            run = min(self._rates.written_bytes, depth * item)
        yield self._transfer(MemoryChannel.OUTPUT, ofm.map.region, elements * item, run)

    def _transfer(self, channel: MemoryChannel, region: int, size_bytes: int, run_bytes: int) -> Transfer:
        return Transfer(channel, region, size_bytes, run_bytes, self._rates.buffers[channel.value])


def _outside(transfers: Iterable[Transfer]) -> tuple[Transfer, ...]:
    """Leave out internal memory and chain buffers."""
    return tuple(transfer for transfer in transfers if transfer.region < INTERNAL)


def _rounded(operand: Operand) -> Shape:
    """Return the shape with the channels that bricks add. Chain buffers consist of bricks, too."""
    height, width, depth = operand.shape
    return height, width, round_up(depth, BRICK_CHANNELS) if operand.map.bricks or operand.is_chained else depth


def _least(first: Shape, second: Shape) -> Shape:
    return min(first[0], second[0]), min(first[1], second[1]), min(first[2], second[2])


def _parts(shape: Shape, part: Shape) -> Shape:
    """Return how many parts cover a shape on each axis."""
    return -(-shape[0] // part[0]), -(-shape[1] // part[1]), -(-shape[2] // part[2])
