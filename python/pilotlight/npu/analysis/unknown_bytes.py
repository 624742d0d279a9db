# SPDX-License-Identifier: Apache-2.0
"""Follows bytes that no command wrote, and the results that depend on them.

Chain buffers and accumulators are followed like memory (see accesses.py).

Such bytes are unknown, and so are results that a kernel computes from them. Copies may move unknown
bytes, because Vela rounds copies up to 16 bytes. A hazard is an unknown byte in an output, or in
weights, scales or a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.analysis.accesses import ACCUMULATORS, Bytes, Kernel, Offsets
from pilotlight.npu.stream.operations import Copy

# Reports a hazard: word index of the command, its name, the message.
Report = Callable[[int, str, str], None]

_READS_UNKNOWN = "reads what nothing wrote before:"


class UnknownBytes:
    """The unknown bytes of each writable region.

    regions: their sizes in bytes. passing: the sizes of memories that only pass data from a
    kernel to the next ones: chain buffers, and accumulators.
    """

    def __init__(self, regions: Mapping[int, int], report: Report, *, passing: Mapping[int, int]) -> None:
        self._sizes = sizes = {**regions, **passing}
        self._passing = passing
        self._report = report
        self._known = {region: np.zeros(size, np.bool_) for region, size in sizes.items()}
        # For each byte, the number of the first kernel that read unknown bytes for it; 0: none.
        self._spoilt_by = {region: np.zeros(size, np.int32) for region, size in sizes.items()}
        self._reads: dict[int, tuple[int, str, str]] = {}
        self._kernels = 0

    def written(self, region: int, begin: int, end: int) -> None:
        """Mark bytes that are written before the stream starts."""
        if region in self._known:
            self._known[region][begin:end] = True

    def copy(self, copy: Copy) -> None:
        if copy.index is not None:
            self._indexed_copy(copy)
            return
        source, target = (access.within(self._sizes) for access in (Bytes.of_copy(copy, end) for end in copy.ends))
        length = copy.total_bytes
        # Constants are known. A copy that leaves its region does not end: the bus faults.
        known, spoilt_by = np.ones(length, np.bool_), np.zeros(length, np.int32)
        if source is not None and source.offsets.size == length:
            known = self._known[source.region][source.offsets]
            spoilt_by = self._spoilt_by[source.region][source.offsets]
        if target is not None and target.offsets.size == length:
            self._known[target.region][target.offsets] = known
            self._spoilt_by[target.region][target.offsets] = spoilt_by

    def _indexed_copy(self, copy: Copy) -> None:
        """Follow a gather: its result is known if every row that it can select is known.

        A scatter may leave any row as it was.
        """
        assert copy.index is not None
        source, target = (access.within(self._sizes) for access in (Bytes.of_copy(copy, end) for end in copy.ends))
        if target is not None and copy.index.of_source:
            known = source is None or bool(self._known[source.region][source.offsets].all())
            self._known[target.region][target.offsets] = known

    def kernel(self, kernel: Kernel) -> None:
        self._kernels += 1
        self._forget(kernel)
        unknown, spoilt_by = self._spoilt_output(kernel)
        for stream in kernel.streams:
            inside = stream.within(self._sizes)
            if inside is not None:
                missing = inside.offsets[~self._known[inside.region][inside.offsets]]
                self._report_unknown(kernel.at, kernel.name, Bytes(inside.region, missing), _READS_UNKNOWN)
        target = kernel.writes.within(self._sizes)
        if target is not None:
            known = self._known[target.region]
            known[target.offsets] = True
            unknown = unknown[(unknown >= 0) & (unknown < len(known))]
            known[unknown], self._spoilt_by[target.region][unknown] = False, spoilt_by

    def _forget(self, kernel: Kernel) -> None:
        """Make what was passed to earlier kernels unknown.

        A kernel that reads no chain buffer starts a new chain. Accumulators are only kept for the
        next kernel.
        """
        for number in self._passing:
            if (number == ACCUMULATORS and not kernel.operation.continues) or (
                number != ACCUMULATORS and not kernel.in_chain
            ):
                self._known[number][:] = False
                self._spoilt_by[number][:] = 0

    def output(self, at: int, region: int, begin: int, end: int) -> None:
        """Report unknown bytes of an output. at: word index of OP_STOP."""
        if region not in self._known:
            return
        offsets = np.arange(begin, end)
        unknown = offsets[~self._known[region][offsets]]
        spoilt_by = self._spoilt_by[region][unknown]
        for kernel in np.unique(spoilt_by[spoilt_by > 0]):
            self._report(*self._reads[int(kernel)])
        unwritten = Bytes(region, unknown[spoilt_by == 0])
        self._report_unknown(at, "OP_STOP", unwritten, "leaves an output unwritten:")

    def _spoilt_output(self, kernel: Kernel) -> tuple[Offsets, int]:
        """Return the output bytes that depend on unknown bytes.

        The second result is the number of the first kernel that read these unknown bytes.
        """
        maps = [access for access in (item.within(self._sizes) for item in kernel.maps) if access is not None]
        maps = [Bytes(access.region, access.offsets[self._is_unknown(access)]) for access in maps]
        maps = [access for access in maps if access.offsets.size]
        if not maps:
            return np.zeros(0, np.int64), 0
        earlier = int(max(self._spoilt_by[access.region][access.offsets].max() for access in maps))
        if not earlier:
            self._reads[self._kernels] = (kernel.at, kernel.name, f"{_READS_UNKNOWN} {maps[0]}")
        return kernel.computed_from(self._is_unknown), earlier or self._kernels

    def _is_unknown(self, access: Bytes) -> NDArray[np.bool_]:
        """Tell for each byte whether it is unknown.

        Constants are known. Bytes outside a region count as known, because the bus faults there.
        """
        known = self._known.get(access.region)
        if known is None:
            return np.zeros(access.offsets.shape, np.bool_)
        inside = (access.offsets >= 0) & (access.offsets < len(known))
        found: NDArray[np.bool_] = inside & ~known[np.where(inside, access.offsets, 0)]
        return found

    def _report_unknown(self, at: int, name: str, unknown: Bytes, problem: str) -> None:
        if unknown.offsets.size:
            self._report(at, name, f"{problem} {unknown}")
