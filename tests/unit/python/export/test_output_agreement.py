# SPDX-License-Identifier: Apache-2.0
"""Golden outputs and buffers equal the results of the operators before them, by element."""

from __future__ import annotations

import pytest
import torch

from pilotlight.bundle import TensorInfo
from pilotlight.export.golden.golden import Followed
from pilotlight.export.golden.output_agreement import OutputDeviates, demand_outputs
from pilotlight.export.lowering.tensor_io import Boundary, Quantisation

SCALE, ZERO_POINT = 0.25, 3
GRID: Quantisation = (SCALE, ZERO_POINT, -128, 127, torch.int8)
INTEGERS = torch.arange(-8, 8, dtype=torch.int8).reshape(4, 4)
REAL = (INTEGERS.float() - ZERO_POINT) * SCALE


def boundary(dtype: str, grid: Quantisation | None) -> Boundary:
    return Boundary((), (TensorInfo("y", dtype, (4, 4), 0.0, 0, (0, 1)),), (), (grid,))


def with_one(tensor: torch.Tensor, value: float) -> torch.Tensor:
    changed = tensor.clone()
    changed[2, 1] = value
    return changed


def test_equal_outputs_and_buffers_are_accepted() -> None:
    demand_outputs(Followed([INTEGERS], {"state": REAL}, []), [REAL], {"state": REAL}, boundary("int8", GRID), 0)
    demand_outputs(Followed([REAL], {}, []), [REAL], {}, boundary("float32", None), 0)


@pytest.mark.parametrize(("steps", "accepted"), [(1, False), (2, True)])
def test_an_integer_may_be_off_by_so_many_steps(steps: int, accepted: bool) -> None:
    golden = Followed([with_one(INTEGERS, int(INTEGERS[2, 1]) + 2)], {}, [])
    if accepted:
        demand_outputs(golden, [REAL], {}, boundary("int8", GRID), steps)
        return
    with pytest.raises(OutputDeviates) as raised:
        demand_outputs(golden, [REAL], {}, boundary("int8", GRID), steps)
    assert "1 of 16 values" in raised.value.finding
    assert "at [2, 1] the NPU would give 3, PyTorch 1 in output 'y'" in raised.value.finding


@pytest.mark.parametrize("what", ["output 'y'", "buffer 'state'"])
def test_floats_in_another_order_are_found(what: str) -> None:
    turned = REAL.T.contiguous()
    output, state = (turned, REAL) if what.startswith("output") else (REAL, turned)
    with pytest.raises(OutputDeviates, match="12 of 16 values") as raised:
        demand_outputs(Followed([output], {"state": state}, []), [REAL], {"state": REAL}, boundary("float32", None), 1)
    assert raised.value.finding.endswith(f"in {what}")


def test_a_float_may_be_off_by_a_step_of_its_largest_value() -> None:
    largest = float(REAL.abs().max())
    for part, accepted in ((0.9, True), (1.1, False)):
        golden = Followed([with_one(REAL, float(REAL[2, 1]) + part * largest / 127)], {}, [])
        if accepted:
            demand_outputs(golden, [REAL], {}, boundary("float32", None), 1)
        else:
            with pytest.raises(OutputDeviates, match="1 of 16"):
                demand_outputs(golden, [REAL], {}, boundary("float32", None), 1)


def test_choices_are_not_compared() -> None:
    chosen = torch.zeros(4, 4, dtype=torch.int64)
    demand_outputs(Followed([chosen], {}, []), [chosen + 5], {}, boundary("int64", None), 1)
