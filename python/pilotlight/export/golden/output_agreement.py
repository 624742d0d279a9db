# SPDX-License-Identifier: Apache-2.0
"""Compares golden outputs with quantised PyTorch, element by element.

The comparison of operators accepts any order of elements that upstream may have used. At the
outputs the order is the user's. There the golden outputs must equal the outputs of PyTorch that
continued with the NPU's values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.export.golden.golden import Followed, quantised_values
from pilotlight.export.lowering.tensor_io import Boundary

# A step of int8 is at most 1/127 of the largest value of a tensor.
_STEP_OF_LARGEST = 1 / 127


class OutputDeviates(Exception):
    """An output or a changed buffer differs from the result of the operators before it.

    finding: the difference, in words.
    """

    def __init__(self, what: str, finding: str) -> None:
        super().__init__(f"{what}: {finding}")
        self.finding = f"{finding} in {what}"


@dataclass(frozen=True)
class _Pair:
    """Two values to compare. on_grid: whether they are integers of a quantiser."""

    what: str
    golden: NDArray[Any]
    expected: NDArray[Any]
    on_grid: bool


def demand_outputs(
    golden: Followed, expected: Sequence[Any], buffers: dict[str, Any], boundary: Boundary, steps: int
) -> None:
    """Raise OutputDeviates if any element is too far off.

    expected, buffers: outputs and buffers of the quantised module that continued with the NPU's
        values.
    steps: the permitted difference, in steps of the output's scale; for a float, in steps of 1/127
        of its largest value.
    """
    for pair in _pairs(golden, expected, buffers, boundary):
        distance = np.abs(pair.golden.astype(np.float64) - pair.expected)
        step = 1.0 if pair.on_grid else _STEP_OF_LARGEST * float(np.abs(pair.expected).max(initial=0))
        beyond = distance > steps * step
        if np.any(beyond):
            at = tuple(map(int, np.unravel_index(int(distance.argmax()), distance.shape)))
            raise OutputDeviates(
                pair.what,
                f"{np.count_nonzero(beyond):,} of {beyond.size:,} values are not those of its operators, or lie "
                f"elsewhere; at {list(at)} the NPU would give {pair.golden[at]:g}, PyTorch {pair.expected[at]:g}",
            )


def _pairs(golden: Followed, expected: Sequence[Any], buffers: dict[str, Any], boundary: Boundary) -> Iterator[_Pair]:
    grids = boundary.output_quantisation
    for info, grid, ours, theirs in zip(
        boundary.outputs, grids, golden.outputs, quantised_values(expected, grids), strict=True
    ):
        # Other integers and Booleans are choices between values, which rounding may change.
        if grid is not None or ours.is_floating_point():
            yield _Pair(f"output {info.name!r}", ours.numpy(), theirs.numpy(), grid is not None)
    for name, value in golden.state.items():
        if name in boundary.state:
            (theirs,) = quantised_values([buffers[name]], [boundary.state[name]])
            yield _Pair(f"buffer {name!r}", value.numpy(), theirs.numpy(), True)
        elif value.is_floating_point() and name in buffers:
            yield _Pair(f"buffer {name!r}", value.numpy(), buffers[name].numpy(), False)
