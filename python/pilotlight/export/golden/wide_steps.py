# SPDX-License-Identifier: Apache-2.0
"""How far a 16-bit result of the NPU may be from quantised PyTorch, for each element.

In 8 bits every result is within one step, because only its rounding differs (`bounds.py`). A step
of 16 bits is 256 times smaller, so three more differences reach it:

- An operator of one value (exp, gelu) is a table of 513 entries, between which the NPU draws
  straight lines. The distance of these lines from the function is computed here.
- The accumulator of a layer or of a product of matrices is multiplied by a number of 16 bits, which
  is off by at most 2^-15 of itself. So the result is off by at most one step more.
- Sums, products and reductions take the accumulators before them without rounding. So each of their
  inputs may be off by half a step of its own scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pilotlight.export.quantising.activations import DEQUANTISE

_SEGMENT = 128
_LOWEST, _HIGHEST = -32768, 32767
_ACCUMULATING = ("conv", "linear", "matmul", "bmm", "mm", "einsum")
# The last rounding, and the multiplier of 16 bits after an accumulator.
_ROUNDED, _SCALED = 1, 2

Allowed = NDArray[np.int64]


def allowed_steps(
    quantiser: Any, island: tuple[Any, ...], values: Mapping[Any, Any], is_table: bool, run: Callable[..., Any]
) -> Allowed:
    """Return the permitted difference of each element, in steps of the quantiser's scale.

    quantiser: a 16-bit quantiser. island: the operators before it, back to integers.
    values: what each node before the quantiser has computed for this sample.
    is_table: whether the NPU computes the island with one table.
    run: computes one node from a function that gives the values of its inputs.
    """
    inputs = [node for operator in island for node in operator.all_input_nodes if _is_dequantised(node)]
    inputs = [node for node in dict.fromkeys(inputs) if node.args[0] in values]
    if is_table and len(island) == 1 and len(inputs) == 1:
        return _table(quantiser, island[0], inputs[0], values, run)
    names = " ".join(str(node.target) for node in island)
    if any(f"aten.{kind}" in names for kind in _ACCUMULATING):
        return np.full(values[quantiser].shape, _SCALED, np.int64)
    exact = _computed(island, values, run)
    slack = sum((_moved(island, node, exact, values, run) for node in inputs), torch.zeros_like(exact))
    steps = np.ceil(slack.double().numpy() / float(quantiser.args[1]) - 1e-6)
    allowed: Allowed = _ROUNDED + np.minimum(np.nan_to_num(steps, nan=0.0, posinf=1e9), 1e9).astype(np.int64)
    return allowed


def _table(quantiser: Any, operator: Any, source: Any, values: Mapping[Any, Any], run: Callable[..., Any]) -> Allowed:
    """Return one step, and the distance of the table's lines from the function at each input."""
    _, scale, zero_point, lowest, highest, _ = source.args
    _, result_scale, result_zero_point, least, most, _ = quantiser.args

    def steps_at(codes: NDArray[np.int64]) -> NDArray[np.float64]:
        real = torch.from_numpy((codes.astype(np.float64) - zero_point) * scale).float()
        result = run(operator, lambda node: real if node is source else values[node]).double().numpy()
        finite = np.nan_to_num(result, posinf=1e30, neginf=-1e30)
        found: NDArray[np.float64] = np.clip(finite / result_scale + result_zero_point, least, most)
        return found

    ends = steps_at(np.arange(_LOWEST, _HIGHEST + 2, _SEGMENT, dtype=np.int64)).round()
    codes = np.arange(_LOWEST, _HIGHEST + 1, dtype=np.int64)
    exact = steps_at(np.clip(codes, lowest, highest))
    lines = np.interp(codes, np.arange(_LOWEST, _HIGHEST + 2, _SEGMENT), ends)
    distance = np.ceil(np.abs(lines - exact)).astype(np.int64)
    allowed: Allowed = _ROUNDED + distance[values[source.args[0]].numpy().astype(np.int64) - _LOWEST]
    return allowed


def _computed(island: tuple[Any, ...], values: Mapping[Any, Any], run: Callable[..., Any]) -> Any:
    """Return the island's result. values: its inputs; those of its own operators are not used."""
    found: dict[Any, Any] = {}
    for node in island:
        found[node] = run(node, lambda source: found[source] if source in found else values[source])
    return found[island[-1]]


def _moved(island: tuple[Any, ...], source: Any, exact: Any, values: Mapping[Any, Any], run: Callable[..., Any]) -> Any:
    """Return how far the result moves if an input is half a step larger, or smaller."""
    half = 0.5 * float(source.args[1])
    found = torch.zeros_like(exact)
    for offset in (half, -half):
        shifted = {**values, source: values[source] + offset}
        found = torch.maximum(found, (_computed(island, shifted, run) - exact).abs())
    return found


def _is_dequantised(node: Any) -> bool:
    return bool(node.op == "call_function" and node.target is DEQUANTISE)
