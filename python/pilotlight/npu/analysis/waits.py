# SPDX-License-Identifier: Apache-2.0
"""Follows which copies and kernels may run at the same time, and which bytes they access.

    DMA_WAIT k      at most k copies are outstanding afterwards; KERNEL_WAIT the same for kernels
    BLOCKDEP b      while job j of a kernel starts (counted from 0), the last b - j blocks of the
                    previous kernel may not be written yet; earlier kernels are done

Copies may run at the same time as other copies. A kernel may overwrite bytes that the previous
kernel reads or writes, because jobs go through the pipeline in order. On NPUs with 16 KiB of
internal memory, a kernel without a table may put its accumulators where tables are.

On U85, kernels that pass feature maps through chain buffers run in parallel, block by block. They
count as one kernel, and BLOCKDEP refers to the kernel before the chain.

The order of blocks (depth, width, height), the chains' count and the number of operations that can
be outstanding without a wait (`Product.dma_queue`, `Product.kernel_queue`) are inferred from Vela.
No public document states them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.analysis.accesses import Bytes, Kernel
from pilotlight.npu.analysis.unknown_bytes import Report
from pilotlight.npu.stream.isa import Product
from pilotlight.npu.stream.operations import Copy


class _Region:
    """For each byte of a region, the last copy and the last kernel that read and wrote it.

    Copies and kernels are counted from 1; 0 means none.
    """

    def __init__(self, size_bytes: int) -> None:
        self.dma_wrote, self.dma_read, self.kernel_wrote, self.kernel_read = (
            np.zeros(size_bytes, np.int32) for _ in range(4)
        )


class _Queue:
    """Operations of one kind, in the order of the stream. The first `done` have certainly ended."""

    def __init__(self, length: int, kind: str, wait: str) -> None:
        self.kind, self.wait_name = kind, wait
        self._length = length
        self.places: list[int] = []
        self.done = 0

    def wait(self, outstanding: int) -> None:
        self.done = max(self.done, len(self.places) - outstanding)

    def issue(self, at: int) -> int:
        """Return the number of the new operation. The operation starts when the queue has room."""
        self.places.append(at)
        self.wait(self._length)
        return len(self.places)


class Waits:
    """The rules about waits. sizes: bytes of each writable region."""

    def __init__(self, product: Product, sizes: Mapping[int, int], report: Report) -> None:
        self._sizes = sizes
        self._report = report
        self._regions = {region: _Region(size) for region, size in sizes.items()}
        self._dmas = _Queue(product.dma_queue, "DMA", "DMA_WAIT")
        self._kernels = _Queue(product.kernel_queue, "kernel", "KERNEL_WAIT")
        self._number = 0
        # The last kernel so far, and the last one before the present chain.
        self._last: Kernel | None = None
        self._before: Kernel | None = None

    def dma_wait(self, outstanding: int) -> None:
        self._dmas.wait(outstanding)

    def kernel_wait(self, outstanding: int) -> None:
        self._kernels.wait(outstanding)

    def copy(self, at: int, copy: Copy) -> None:
        number = self._dmas.issue(at)
        *reads, target = (access.within(self._sizes) for access in Bytes.all_of_copy(copy))
        for source in reads:
            if source is None:
                continue
            region = self._regions[source.region]
            self._clash(at, "DMA", source, region.kernel_wrote, self._kernels, "reads", "writes")
            self._clash(at, "DMA", source, region.dma_wrote, self._dmas, "reads", "writes")
        if target is not None:
            region = self._regions[target.region]
            self._clash(at, "DMA", target, region.kernel_wrote, self._kernels, "overwrites", "writes")
            self._clash(at, "DMA", target, region.kernel_read, self._kernels, "overwrites", "reads")
            self._clash(at, "DMA", target, region.dma_wrote, self._dmas, "overwrites", "writes")
            self._clash(at, "DMA", target, region.dma_read, self._dmas, "overwrites", "reads")
            region.dma_wrote[target.offsets] = number
        for source in reads:
            if source is not None:
                self._regions[source.region].dma_read[source.offsets] = number

    def kernel(self, kernel: Kernel) -> None:
        at, name, dmas = kernel.at, kernel.name, self._dmas
        if not kernel.in_chain:
            self._before, self._last = self._last, None
            self._number = self._kernels.issue(at)
        number = self._number
        for access in (*kernel.maps, *kernel.streams):
            inside = access.within(self._sizes)
            if inside is not None:
                region = self._regions[inside.region]
                self._clash(at, name, inside, region.dma_wrote, dmas, "reads", "writes")
                region.kernel_read[inside.offsets] = number
        target = kernel.writes.within(self._sizes)
        if target is not None:
            region = self._regions[target.region]
            self._clash(at, name, target, region.dma_wrote, dmas, "overwrites", "writes")
            self._clash(at, name, target, region.dma_read, dmas, "overwrites", "reads")
            region.kernel_wrote[target.offsets] = number
            self._collisions(kernel, target, region.kernel_wrote, number)
        spoilt = self._regions[kernel.spoils.region]
        self._clash(at, name, kernel.spoils, spoilt.dma_wrote, dmas, "overwrites", "writes")
        spoilt.kernel_wrote[kernel.spoils.offsets] = number
        if self._before is not None and self._kernels.done < number - 1:
            self._overlap(self._before, kernel)
        self._last = kernel

    def _overlap(self, before: Kernel, kernel: Kernel) -> None:
        """Report a job that may read bytes before the previous kernel wrote them."""
        blockdep = kernel.operation.blockdep
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
                            f"has BLOCKDEP {blockdep}, so its job {number} may read {Bytes(late.region, common)} "
                            f"before {before.name} at word {before.at} wrote it",
                        )
                        return

    def _collisions(self, kernel: Kernel, target: Bytes, wrote: NDArray[np.int32], number: int) -> None:
        """Report an output map with two elements in one byte, which no compiler intends.

        wrote: for each byte of the region, the last kernel that wrote it. number: that of `kernel`.
        """
        if not target.offsets.size:
            return
        span = wrote[target.offsets.min() : target.offsets.max() + 1]
        twice = target.offsets.size - np.count_nonzero(span == number)
        if twice:
            self._report(kernel.at, kernel.name, f"writes {target}, {twice} of them for two elements of its output")

    def _clash(
        self, at: int, name: str, access: Bytes, last: NDArray[np.int32], queue: _Queue, does: str, other: str
    ) -> None:
        """Report bytes that an operation of `queue` may still be reading or writing.

        last: for each byte of the region, the number of the last such operation.
        """
        numbers = last[access.offsets]
        late = numbers > queue.done
        if late.any():
            place = queue.places[int(numbers.max()) - 1]
            where = Bytes(access.region, access.offsets[late])
            self._report(
                at,
                name,
                f"{does} {where}, which the {queue.kind} at word {place} still {other}: no {queue.wait_name} between",
            )
