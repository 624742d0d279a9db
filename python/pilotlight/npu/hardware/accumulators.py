# SPDX-License-Identifier: Apache-2.0
"""Accumulators that do not start at zero, or that are kept for the next operation.

Hardware does this block by block. Here, an operation keeps the accumulators of its whole output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.output_stage import OutputStage
from pilotlight.npu.hardware.operand_memory import OperandMemory
from pilotlight.npu.hardware.output import store
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.feature_map import OutputMap, Shape
from pilotlight.npu.stream.operations import Operation, SecondInput


def _zero() -> NDArray[Any] | None:
    return None


class Accumulation:
    """The start and the end of one operation's accumulators."""

    def __init__(self, memory: OperandMemory, operation: Operation) -> None:
        assert operation.ofm is not None
        self._kept, self._shape = memory.machine.kept, operation.ofm.shape
        self._keeps = operation.keeps
        self._start: Callable[[], NDArray[Any] | None] = _zero
        self.is_plain = not (operation.keeps or operation.continues)
        if operation.second is SecondInput.ACCUMULATORS:
            assert operation.ifm2 is not None
            self._start, self.is_plain = memory.place(operation.ifm2).read, False
        elif operation.continues:
            self._start = self._continued
        self.target: OutputMap | None = None if operation.keeps else memory.target(operation)

    def finish(self, sums: NDArray[Any], stage: OutputStage) -> None:
        """Add the accumulators' start to `sums`, and keep the result or write the output.

        sums: height x width x channels, exact. Kept accumulators have no bias.
        """
        start = self._start()
        if start is not None:
            sums = sums + start
        if not self._keeps:
            assert self.target is not None
            store(self.target, stage, np.broadcast_to(sums, self._shape))
            self._kept.values = None
            return
        self._kept.values = np.array(sums)

    def _continued(self) -> NDArray[Any]:
        values = self._kept.values
        if values is None:
            raise MalformedStream("the accumulators continue, but the previous operation kept none")
        if values.shape != self._shape:
            raise MalformedStream(f"the kept accumulators are {_text(values.shape)}, not {_text(self._shape)}")
        return values


def _text(shape: tuple[int, ...] | Shape) -> str:
    return "x".join(map(str, shape))
