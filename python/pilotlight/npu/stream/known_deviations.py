# SPDX-License-Identifier: Apache-2.0
"""Operations whose result on silicon or on Arm's model is not what the graph says.

A simulator that computed what the graph says would let such a program pass. So the simulator stops
with a fault. SPEC_U85.md, section 9, has the sources. Nothing here was verified on silicon.
"""

from __future__ import annotations

from pilotlight.npu.stream.isa import PoolingMode
from pilotlight.npu.stream.operations import Operation

_WIDE_ACCUMULATOR = 48
# From this multiplier on, the product with a wide accumulator is said to be zero.
_LEAST_LOST_MULTIPLIER = 1 << 15


def deviation_of(operation: Operation) -> str | None:
    """Return what is known to go wrong with an operation, None if nothing is."""
    if operation.copy is not None and operation.copy.index is not None and not operation.copy.index.of_source:
        return "scatter: Arm's model is reported to write wrong rows (known deviation, not verified on silicon)"
    if (
        operation.mode is PoolingMode.REDUCE_SUM
        and operation.accumulator_bits == _WIDE_ACCUMULATOR
        and operation.ifm is not None
        and operation.ifm.map.dtype.itemsize == 2
        and operation.scale is not None
        and operation.scale.multiplier >= _LEAST_LOST_MULTIPLIER
    ):
        return (
            f"REDUCE_SUM of 16-bit elements with a 48-bit accumulator and the multiplier {operation.scale.multiplier}: "
            "the result is reported to be zero from 32768 on (known deviation, not verified on silicon)"
        )
    return None
