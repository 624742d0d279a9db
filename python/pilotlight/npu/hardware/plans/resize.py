# SPDX-License-Identifier: Apache-2.0
"""Plans resizes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.hardware.accumulators import Accumulation
from pilotlight.npu.hardware.operand_memory import OperandMemory
from pilotlight.npu.hardware.output import stage_source
from pilotlight.npu.hardware.plans.plan import Plan
from pilotlight.npu.stream.operations import Operation, ResizeAxis

# The result is in the accumulator's bits from this one on.
_RESULT_BIT = 16


def plan_resize(memory: OperandMemory, operation: Operation) -> Plan:
    assert operation.ifm is not None and operation.ofm is not None and operation.resize is not None
    height, width, _ = operation.ofm.shape
    stage = stage_source(memory, operation)
    source, resize = memory.place(operation.ifm), operation.resize
    accumulation = Accumulation(memory, operation)
    in_height, in_width, _ = operation.ifm.shape
    rows, columns = _Axis(resize.rows, height, in_height), _Axis(resize.columns, width, in_width)

    def run() -> None:
        values = source.read()
        if resize.bilinear:
            values = rows.between(columns.between(values, 1), 0)
        else:
            values = values.take(rows.nearest, axis=0).take(columns.nearest, axis=1)
        accumulation.finish(values << _RESULT_BIT, stage())

    return Plan(run, prod(operation.ofm.shape))


class _Axis:
    """The positions of the outputs on one axis. in_size: number of inputs."""

    def __init__(self, axis: ResizeAxis, out_size: int, in_size: int) -> None:
        outputs = np.arange(out_size, dtype=np.int64)
        self._whole, self._rest = np.divmod(outputs * axis.numerator + axis.offset, axis.denominator)
        self._denominator, self._last = axis.denominator, in_size - 1
        self.nearest = self._inside(np.where(2 * self._rest >= axis.denominator, self._whole + 1, self._whole))

    def between(self, values: NDArray[Any], axis: int) -> NDArray[np.int64]:
        """Interpolate along an axis. The result is multiplied by the denominator."""
        shape = tuple(-1 if index == axis else 1 for index in range(3))
        rest = self._rest.reshape(shape)
        before = values.take(self._inside(self._whole), axis=axis)
        after = values.take(self._inside(self._whole + 1), axis=axis)
        found: NDArray[np.int64] = before * (self._denominator - rest) + after * rest
        return found

    def _inside(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.clip(positions, 0, self._last)
