# SPDX-License-Identifier: Apache-2.0
"""Finds what a command stream leaves to luck: outputs computed from memory that nobody wrote, outputs
whose elements overlap, and waits that are missing.

The NPU runs DMA beside kernels, and the end of a kernel beside the begin of the next; the simulator runs everything
in order, so a stream with a wait too few computes the right answer here and a wrong one on silicon now and then. This
module never looks at data: it follows the stream and keeps, for each byte, which DMA and which kernel touched it last.

Vela rounds copies up to 16 bytes, so a stream may move bytes that nobody wrote. That is harmless. Such
bytes, and what kernels compute from them, are unknown. A hazard is an unknown byte in an output, or
among weights, scales or a table.

    DMA_WAIT k      at most k DMAs are outstanding afterwards; KERNEL_WAIT the same for kernels
    BLOCKDEP b      while the j-th job of a kernel starts (counted from 0), the last b - j blocks of the kernel before
                    may not be written yet; the kernel before that one is done

A kernel may overwrite what the one before reads or writes: jobs go through the pipeline in order. On the NPUs with 16
KiB of internal memory, a kernel without a table may put its accumulators where tables lie.

Inferred from Vela, not documented: the order of blocks (depth, width, height), and how many operations can be
outstanding when nothing waits for them (_DMA_QUEUE, _KERNEL_QUEUE).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.configurations import Configuration
from pilotlight.npu.faults import MalformedStream
from pilotlight.npu.isa import BY_NAME, ElementwiseMode, Instruction, PoolingMode, Product, Upscale, decode

Offsets = NDArray[np.int64]

# The table memory inside of the NPU, beside the regions 0 to 7.
_INTERNAL = 8
_BRICK = 16
_FIRST_TABLE, _TABLE_SLOT_BYTES, _WIDE_TABLE_BYTES = 16, 256, 2048
_DMA_QUEUE = {Product.U55: 1, Product.U65: 2}
_KERNEL_QUEUE = 2
_SHARED_SHRAM_KIB = 16
_READS_UNKNOWN = "reads what nothing wrote before:"
_UNARY = (ElementwiseMode.LRELU, ElementwiseMode.ABS, ElementwiseMode.CLZ)


@dataclass(frozen=True)
class Hazard:
    """at: word index of the command that may come too early."""

    at: int
    command: str
    message: str

    def __str__(self) -> str:
        return f"word {self.at}: {self.command} {self.message}"


@dataclass(frozen=True)
class Extent:
    region: int
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class _Box:
    """Part of a feature map: half-open ranges of rows, columns and channels."""

    top: int
    bottom: int
    left: int
    right: int
    first: int
    last: int


@dataclass(frozen=True)
class _Bytes:
    region: int
    offsets: Offsets


@dataclass(frozen=True)
class _Kernel:
    """A kernel as far as its memory goes.

    maps: the inputs that are data. streams: weights, scales and a table.
    computed_from: what it computes from those of its inputs' bytes for which a function says so.
    spoils: internal memory that it may write while it runs. late_writes: what its last n blocks write.
    job: what it reads at the start of job j, or None when it has fewer.
    """

    at: int
    name: str
    maps: list[_Bytes]
    streams: list[_Bytes]
    writes: _Bytes
    computed_from: Callable[[Callable[[_Bytes], NDArray[np.bool_]]], Offsets]
    spoils: _Bytes
    late_writes: Callable[[int], _Bytes]
    job: Callable[[int], list[_Bytes] | None]


def find_hazards(
    stream: bytes,
    configuration: Configuration,
    writable: Mapping[int, int],
    inputs: Iterable[Extent],
    outputs: Iterable[Extent],
) -> list[Hazard]:
    """Follow a stream up to OP_STOP.

    writable: size of each region that the stream may write; the others hold constants. inputs: what is written
    before the stream starts; outputs: what is read after it. A stream that does not decode, or leaves its regions,
    is not reported here: running it does.
    """
    words = struct.unpack_from(f"<{len(stream) // 4}I", stream)
    sizes = dict(writable) | {_INTERNAL: configuration.shram_kib * 1024}
    follower = _Follower(configuration, {region: _Region(size) for region, size in sizes.items()})
    for extent in inputs:
        if extent.region in follower.regions:
            follower.regions[extent.region].known[extent.offset : extent.offset + extent.size_bytes] = True
    at = 0
    try:
        while at < len(words):
            instruction = decode(words, at, configuration.product)
            if instruction.command.name == "OP_STOP":
                follower.stop(at, outputs)
                break
            follower.accept(instruction)
            at += instruction.size_words
    except MalformedStream:
        pass
    return sorted(follower.hazards, key=lambda hazard: hazard.at)


class _Region:
    """What each byte of a region went through. Numbers count DMAs and kernels from 1; 0 is never.

    spoilt_by: of a byte that a kernel computed from unknown ones, the number of the first such kernel.
    """

    def __init__(self, size_bytes: int) -> None:
        self.known = np.zeros(size_bytes, np.bool_)
        self.spoilt_by = np.zeros(size_bytes, np.int32)
        self.dma_wrote, self.dma_read, self.kernel_wrote, self.kernel_read = (
            np.zeros(size_bytes, np.int32) for _ in range(4)
        )


class _Queue:
    """Operations of one kind: the first `done` have certainly ended."""

    def __init__(self, length: int) -> None:
        self._length = length
        self.places: list[int] = []
        self.done = 0

    def wait(self, outstanding: int) -> None:
        self.done = max(self.done, len(self.places) - outstanding)

    def issue(self, at: int) -> int:
        """Return the number of the new operation. It starts once there is room in the queue."""
        self.places.append(at)
        self.wait(self._length)
        return len(self.places)


class _Follower:
    def __init__(self, configuration: Configuration, regions: dict[int, _Region]) -> None:
        self._configuration = configuration
        self.regions = regions
        self.hazards: list[Hazard] = []
        self._set: dict[str, Instruction] = {}
        self._dmas, self._kernels = _Queue(_DMA_QUEUE[configuration.product]), _Queue(_KERNEL_QUEUE)
        self._before: _Kernel | None = None
        self._reads_unknown: dict[int, Hazard] = {}

    def accept(self, instruction: Instruction) -> None:
        name = instruction.command.name
        if name.startswith("SET_"):
            self._set[name] = instruction
        elif name == "OP_DMA_WAIT":
            self._dmas.wait(instruction.fields["outstanding"])
        elif name == "OP_KERNEL_WAIT":
            self._kernels.wait(instruction.fields["outstanding"])
        elif name == "OP_DMA_START":
            self._dma(instruction.at)
        elif name in ("OP_CONV", "OP_DEPTHWISE", "OP_POOL", "OP_ELEMENTWISE"):
            self._kernel(_Operands(self._set, self._configuration, instruction).kernel())

    def stop(self, at: int, outputs: Iterable[Extent]) -> None:
        for extent in outputs:
            region = self.regions.get(extent.region)
            if region is not None:
                offsets = np.arange(extent.offset, extent.offset + extent.size_bytes)
                unknown = offsets[~region.known[offsets]]
                spoilt_by = region.spoilt_by[unknown]
                for kernel in np.unique(spoilt_by[spoilt_by > 0]):
                    self.hazards.append(self._reads_unknown[int(kernel)])
                unwritten = _Bytes(extent.region, unknown[spoilt_by == 0])
                self._unknown(at, "OP_STOP", unwritten, "leaves an output unwritten:")

    # -- operations -----------------------------------------------------------------------------------------------

    def _dma(self, at: int) -> None:
        number = self._dmas.issue(at)
        length = _field(self._set, "SET_DMA0_LEN", "address")
        source, target = (
            self._within(_Bytes(self._dma_region(end), _field(self._set, f"SET_DMA0_{end}", "address") + span))
            for end, span in (("SRC", np.arange(length)), ("DST", np.arange(length)))
        )
        # Constants are known. A copy that leaves its region does not end: the bus faults.
        known, spoilt_by = np.ones(length, np.bool_), np.zeros(length, np.int32)
        if source is not None:
            region = self.regions[source.region]
            if source.offsets.size == length:
                known, spoilt_by = region.known[source.offsets], region.spoilt_by[source.offsets]
            self._clash(at, "DMA", source, region.kernel_wrote, self._kernels, "reads", "writes")
            region.dma_read[source.offsets] = number
        if target is not None:
            region = self.regions[target.region]
            self._clash(at, "DMA", target, region.kernel_wrote, self._kernels, "overwrites", "writes")
            self._clash(at, "DMA", target, region.kernel_read, self._kernels, "overwrites", "reads")
            region.dma_wrote[target.offsets] = number
            if target.offsets.size == length:
                region.known[target.offsets], region.spoilt_by[target.offsets] = known, spoilt_by

    def _dma_region(self, end: str) -> int:
        word = f"SET_DMA0_{end}_REGION"
        return _INTERNAL if _field(self._set, word, "region_mode") else _field(self._set, word, "region")

    def _kernel(self, kernel: _Kernel) -> None:
        number = self._kernels.issue(kernel.at)
        unknown, spoilt_by = self._spoilt_output(kernel, number)
        for inside in filter(None, map(self._within, kernel.streams)):
            self._unknown(kernel.at, kernel.name, inside, _READS_UNKNOWN)
        for inside in filter(None, map(self._within, (*kernel.maps, *kernel.streams))):
            region = self.regions[inside.region]
            self._clash(kernel.at, kernel.name, inside, region.dma_wrote, self._dmas, "reads", "writes")
            region.kernel_read[inside.offsets] = number
        target = self._within(kernel.writes)
        if target is not None:
            region = self.regions[target.region]
            self._clash(kernel.at, kernel.name, target, region.dma_wrote, self._dmas, "overwrites", "writes")
            self._clash(kernel.at, kernel.name, target, region.dma_read, self._dmas, "overwrites", "reads")
            region.kernel_wrote[target.offsets] = number
            region.known[target.offsets] = True
            unknown = unknown[(unknown >= 0) & (unknown < len(region.known))]
            region.known[unknown], region.spoilt_by[unknown] = False, spoilt_by
            self._collisions(kernel, target, region, number)
        spoilt = self.regions[kernel.spoils.region]
        self._clash(kernel.at, kernel.name, kernel.spoils, spoilt.dma_wrote, self._dmas, "overwrites", "writes")
        spoilt.kernel_wrote[kernel.spoils.offsets] = number
        if self._before is not None and self._kernels.done < number - 1:
            self._overlap(self._before, kernel)
        self._before = kernel

    def _overlap(self, before: _Kernel, kernel: _Kernel) -> None:
        blockdep = _field(self._set, "SET_BLOCKDEP", "blockdep")
        for number in range(blockdep):
            reads = kernel.job(number)
            if reads is None:
                return
            late = before.late_writes(blockdep - number)
            for access in reads:
                if access.region == late.region:
                    common = np.intersect1d(access.offsets, late.offsets)
                    if common.size:
                        self._report(
                            kernel.at,
                            kernel.name,
                            f"has BLOCKDEP {blockdep}, so its job {number} may read {_where(late.region, common)} "
                            f"before {before.name} at word {before.at} wrote it",
                        )
                        return

    def _spoilt_output(self, kernel: _Kernel, number: int) -> tuple[Offsets, int]:
        """Return what `kernel` computes from unknown bytes, and the kernel that was the first to do so."""
        unknown = [access for access in map(self._within, kernel.maps) if access is not None]
        unknown = [_Bytes(access.region, access.offsets[self._is_unknown(access)]) for access in unknown]
        unknown = [access for access in unknown if access.offsets.size]
        if not unknown:
            return np.zeros(0, np.int64), 0
        earlier = int(max(self.regions[access.region].spoilt_by[access.offsets].max() for access in unknown))
        if not earlier:
            message = f"{_READS_UNKNOWN} {_where(unknown[0].region, unknown[0].offsets)}"
            self._reads_unknown[number] = Hazard(kernel.at, kernel.name, message)
        return kernel.computed_from(self._is_unknown), earlier or number

    def _is_unknown(self, access: _Bytes) -> NDArray[np.bool_]:
        """Tell of each byte whether it is unknown. Constants are known; outside of a region the bus faults."""
        region = self.regions.get(access.region)
        if region is None:
            return np.zeros(access.offsets.shape, np.bool_)
        inside = (access.offsets >= 0) & (access.offsets < len(region.known))
        found: NDArray[np.bool_] = inside & ~region.known[np.where(inside, access.offsets, 0)]
        return found

    # -- checks -----------------------------------------------------------------------------------------------------

    def _within(self, access: _Bytes) -> _Bytes | None:
        """Leave out constants, and what lies outside of a region: the bus faults there."""
        region = self.regions.get(access.region)
        if region is None:
            return None
        inside = (access.offsets >= 0) & (access.offsets < len(region.known))
        return access if inside.all() else _Bytes(access.region, access.offsets[inside])

    def _collisions(self, kernel: _Kernel, target: _Bytes, region: _Region, number: int) -> None:
        """A map that writes a byte for two of its elements is none that a compiler meant."""
        if target.offsets.size:
            span = region.kernel_wrote[target.offsets.min() : target.offsets.max() + 1]
            twice = target.offsets.size - np.count_nonzero(span == number)
            if twice:
                where = _where(target.region, target.offsets)
                self._report(kernel.at, kernel.name, f"writes {where}, {twice} of them for two elements of its output")

    def _unknown(self, at: int, name: str, access: _Bytes, problem: str) -> None:
        unknown = access.offsets[~self.regions[access.region].known[access.offsets]]
        if unknown.size:
            self._report(at, name, f"{problem} {_where(access.region, unknown)}")

    def _clash(
        self, at: int, name: str, access: _Bytes, last: NDArray[np.int32], queue: _Queue, does: str, other: str
    ) -> None:
        numbers = last[access.offsets]
        late = numbers > queue.done
        if late.any():
            place = queue.places[int(numbers.max()) - 1]
            kind, wait = ("DMA", "DMA_WAIT") if queue is self._dmas else ("kernel", "KERNEL_WAIT")
            where = _where(access.region, access.offsets[late])
            self._report(at, name, f"{does} {where}, which the {kind} at word {place} still {other}: no {wait} between")

    def _report(self, at: int, name: str, message: str) -> None:
        self.hazards.append(Hazard(at, name, message))


def _where(region: int, offsets: Offsets) -> str:
    place = "the table memory" if region == _INTERNAL else f"region {region}"
    return f"{offsets.size} bytes of {place} from {int(offsets.min()):#x}"


def _field(registers: Mapping[str, Instruction], name: str, field: str) -> int:
    found = registers.get(name)
    return 0 if found is None else found.fields[field]


class _Operands:
    """The memory that one kernel touches, from the registers at its start."""

    def __init__(self, registers: Mapping[str, Instruction], configuration: Configuration, start: Instruction) -> None:
        self._registers = dict(registers)
        self._configuration = configuration
        self._at, self._name = start.at, start.command.name.removeprefix("OP_")
        self._elementwise = self._name == "ELEMENTWISE"
        self._summing = self._name == "POOL" and PoolingMode(start.fields["pooling_mode"]) is PoolingMode.REDUCE_SUM
        self._unary = self._elementwise and ElementwiseMode(start.fields["elementwise_mode"]) in _UNARY
        self._weighted = self._name in ("CONV", "DEPTHWISE")
        get = self._get
        self._height = get("SET_OFM_HEIGHT_M1", "height_m1") + 1
        self._width = get("SET_OFM_WIDTH_M1", "width_m1") + 1
        self._depth = get("SET_OFM_DEPTH_M1", "depth_m1") + 1
        crosses_depth = self._name == "CONV" or self._summing
        self._in_depth = get("SET_IFM_DEPTH_M1", "depth_m1") + 1 if crosses_depth else self._depth
        self._crosses_depth = crosses_depth

    def _get(self, name: str, field: str) -> int:
        assert name in BY_NAME
        return _field(self._registers, name, field)

    def kernel(self) -> _Kernel:
        whole = _Box(0, self._height, 0, self._width, 0, self._depth)
        table = list(self._table())
        return _Kernel(
            at=self._at,
            name=self._name,
            maps=list(self._inputs(whole, 0, self._in_depth)),
            streams=[*self._streams(), *table],
            writes=self._map("OFM", whole),
            computed_from=self._computed_from,
            spoils=self._spoils(table),
            late_writes=self._late_writes,
            job=self._job,
        )

    def _computed_from(self, chosen: Callable[[_Bytes], NDArray[np.bool_]]) -> Offsets:
        """Go through the pixels of the output: only streams that read unknown bytes come here."""
        found = [np.zeros(0, np.int64)]
        for y in range(self._height):
            for x in range(self._width):
                pixel = _Box(y, y + 1, x, x + 1, 0, self._depth)
                channels = np.zeros(self._depth, np.bool_)
                for prefix, access in zip(("IFM", "IFM2"), self._inputs(pixel, 0, self._in_depth), strict=False):
                    item = 1 << self._get(f"SET_{prefix}_PRECISION", "precision")
                    broadcast = prefix == "IFM2" and self._get("SET_IFM2_BROADCAST", "broadcast_c")
                    depth = 1 if broadcast else self._in_depth
                    read = chosen(access).reshape(-1, depth, item).any(axis=(0, 2))
                    channels |= read.any() if self._crosses_depth else read
                written = self._map("OFM", pixel).offsets.reshape(self._depth, -1)
                found.append(written[channels].reshape(-1))
        return np.concatenate(found)

    # -- blocks -----------------------------------------------------------------------------------------------------

    def _block(self, index: int) -> _Box | None:
        """Block `index` of the output, from the end when negative."""
        height = self._get("SET_OFM_BLK_HEIGHT_M1", "height_m1") + 1
        width = self._get("SET_OFM_BLK_WIDTH_M1", "width_m1") + 1
        depth = self._get("SET_OFM_BLK_DEPTH_M1", "depth_m1") + 1
        rows, columns, layers = -(-self._height // height), -(-self._width // width), -(-self._depth // depth)
        index = index if index >= 0 else rows * columns * layers + index
        if not 0 <= index < rows * columns * layers:
            return None
        first, left, top = (
            index % layers * depth,
            index // layers % columns * width,
            index // (layers * columns) * height,
        )
        return _Box(
            top,
            min(top + height, self._height),
            left,
            min(left + width, self._width),
            first,
            min(first + depth, self._depth),
        )

    def _late_writes(self, count: int) -> _Bytes:
        blocks = [block for block in (self._block(-1 - index) for index in range(count)) if block is not None]
        parts = [self._map("OFM", block) for block in blocks]
        return _Bytes(parts[0].region, np.concatenate([part.offsets for part in parts]))

    def _job(self, number: int) -> list[_Bytes] | None:
        """A job is a block of the output from a slice of the input's depth."""
        if not self._crosses_depth:
            block = self._block(number)
            return None if block is None else list(self._inputs(block, block.first, block.last))
        bits = 8 << self._get("SET_IFM_PRECISION", "precision")
        slice_depth = min(self._in_depth, 16 if self._get("SET_KERNEL_STRIDE", "weight_order") else 256 // bits)
        slices = -(-self._in_depth // slice_depth)
        block = self._block(number // slices)
        if block is None:
            return None
        first = number % slices * slice_depth
        return list(self._inputs(block, first, min(first + slice_depth, self._in_depth)))

    # -- accesses ---------------------------------------------------------------------------------------------------

    def _inputs(self, block: _Box, first: int, last: int) -> Iterator[_Bytes]:
        """What a block of the output is computed from."""
        if self._elementwise or self._summing:
            rows, columns = (block.top, block.bottom), (block.left, block.right)
        else:
            rows = self._window("Y", "HEIGHT", "TOP", "BOTTOM", self._height, block.top, block.bottom)
            columns = self._window("X", "WIDTH", "LEFT", "RIGHT", self._width, block.left, block.right)
        yield self._map("IFM", _Box(*rows, *columns, first, last))
        if self._elementwise and not self._unary and not self._get("SET_IFM2_BROADCAST", "broadcast_constant"):
            rows, columns = (
                (0, 1) if self._get("SET_IFM2_BROADCAST", f"broadcast_{axis}") else span
                for axis, span in (("h", rows), ("w", columns))
            )
            first, last = (0, 1) if self._get("SET_IFM2_BROADCAST", "broadcast_c") else (first, last)
            yield self._map("IFM2", _Box(*rows, *columns, first, last))

    def _window(
        self, axis: str, extent: str, before: str, after: str, size: int, start: int, end: int
    ) -> tuple[int, int]:
        """Rows (or columns) of the stored input behind rows start..end of the output."""
        get, low = self._get, axis.lower()
        stride = 1 + get("SET_KERNEL_STRIDE", f"stride_{low}_lsb") + 2 * get("SET_KERNEL_STRIDE", f"stride_{low}_msb")
        taps = get(f"SET_KERNEL_{extent}_M1", f"{extent.lower()}_m1")
        dilation = get("SET_KERNEL_STRIDE", f"dilation_{low}") + 1
        reach = taps // dilation * dilation + 1
        pad = get(f"SET_IFM_PAD_{before}", "pad")
        in_size = (size - 1) * stride + reach - pad - get(f"SET_IFM_PAD_{after}", "pad")
        low_end, high_end = start * stride - pad, (end - 1) * stride + reach - pad
        low_end, high_end = max(0, min(low_end, in_size)), max(0, min(high_end, in_size))
        if Upscale(get("SET_IFM_UPSCALE", "mode")) is not Upscale.NONE:
            low_end, high_end = low_end // 2, -(-high_end // 2)
        return low_end, high_end

    def _map(self, prefix: str, box: _Box) -> _Bytes:
        get = self._get
        item = 1 << get(f"SET_{prefix}_PRECISION", "precision")
        step_y, step_x, step_c = (get(f"SET_{prefix}_STRIDE_{axis}", "distance") for axis in "YXC")
        height0, height1 = (get(f"SET_{prefix}_HEIGHT{side}_M1", "height_m1") + 1 for side in (0, 1))
        width0 = get(f"SET_{prefix}_WIDTH0_M1", "width_m1") + 1
        bricks = get(f"SET_{prefix}_PRECISION", "format")
        parts = []
        for tile, (rows, columns) in enumerate(
            (
                ((0, height0), (0, width0)),
                ((0, height1), (width0, None)),
                ((height0, None), (0, width0)),
                ((height1, None), (width0, None)),
            )
        ):
            y = np.arange(max(box.top, rows[0]), box.bottom if rows[1] is None else min(box.bottom, rows[1]))
            x = np.arange(max(box.left, columns[0]), box.right if columns[1] is None else min(box.right, columns[1]))
            base = get(f"SET_{prefix}_BASE{tile}", "address")
            pixels = (base + (y - rows[0])[:, None] * step_y + (x - columns[0]) * step_x).reshape(-1, 1)
            if not bricks:
                parts.append((pixels + np.arange(box.first * item, box.last * item)).reshape(-1))
                continue
            channels = np.arange(box.first, box.last)
            within = channels // _BRICK * step_c + channels % _BRICK * item
            parts.append((pixels + (within[:, None] + np.arange(item)).reshape(-1)).reshape(-1))
        return _Bytes(get(f"SET_{prefix}_REGION", "region"), np.concatenate(parts))

    def _streams(self) -> Iterator[_Bytes]:
        per_channel = not self._get("SET_OFM_PRECISION", "scale_mode")
        kinds = [kind for kind, used in (("WEIGHT", self._weighted), ("SCALE", self._weighted or per_channel)) if used]
        if self._elementwise:
            return
        dual = self._configuration.cores > 1 and self._get("SET_PARALLEL_MODE", "parallel_mode")
        for kind in kinds:
            for core in ("", "1") if dual else ("",):
                base = self._get(f"SET_{kind}{core}_BASE", "address")
                length = self._get(f"SET_{kind}{core}_LENGTH", "length")
                yield _Bytes(self._get(f"SET_{kind}_REGION", "region"), base + np.arange(length))

    def _spoils(self, table: list[_Bytes]) -> _Bytes:
        shared = self._configuration.shram_kib == _SHARED_SHRAM_KIB and not table
        size_bytes = self._configuration.shram_kib * 1024
        return _Bytes(_INTERNAL, np.arange(self._configuration.lut_offset, size_bytes if shared else 0))

    def _table(self) -> Iterator[_Bytes]:
        function = self._get("SET_ACTIVATION", "function")
        if function < _FIRST_TABLE:
            return
        item = 1 << self._get("SET_OFM_PRECISION", "precision")
        narrow = item == 1 or self._get("SET_ACTIVATION", "clip_range") in (2, 3)
        start = self._configuration.lut_offset + (function - _FIRST_TABLE) * _TABLE_SLOT_BYTES
        yield _Bytes(_INTERNAL, start + np.arange(256 * item if narrow else _WIDE_TABLE_BYTES))
