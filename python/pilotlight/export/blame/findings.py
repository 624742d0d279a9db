# SPDX-License-Identifier: Apache-2.0
"""Compares each operator's result on each stage with the stage before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.export.blame.record import FP32, Blame, ResultBlame, StageAgreement
from pilotlight.export.blame.stages import Results, Stage
from pilotlight.export.golden.comparison import Compared
from pilotlight.export.graph.user_operators import UserOperators, number_of, short_name
from pilotlight.export.quantising.activations import is_separation


def blame(
    model: str,
    npu: str,
    stages: Sequence[Stage],
    samples: Sequence[Sequence[Any]],
    module: Any,
    compared: Sequence[Compared],
    operators: UserOperators,
    progress: Callable[[int], None],
) -> Blame:
    """Run `samples` on all stages and compare the results.

    samples: each a sequence of input tensors. module: the quantised module. compared: the results
        that the export compared, with their bounds; empty if nothing was lowered.
    progress: called after each sample with the number of samples done.
    """
    sums: dict[tuple[str, str], _Difference] = {}
    for done, sample in enumerate(samples, start=1):
        before: Results | None = None
        for stage in stages:
            results = stage.results(sample)
            for name, value in results.items():
                if before is not None and name in before:
                    sums.setdefault((stage.name, name), _Difference()).add(before[name], value)
            before = {**(before or {}), **results}
        progress(done)
    names = tuple(stage.name for stage in stages)
    return Blame(model, npu, len(samples), names, tuple(_rows(names, sums, module, compared, operators)))


class _Difference:
    def __init__(self) -> None:
        self._signal = self._noise = self._largest = 0.0
        self._differing = self._values = 0

    def add(self, expected: NDArray[np.float64], got: NDArray[np.float64]) -> None:
        difference = np.abs(expected - got)
        self._signal += float((expected**2).sum())
        self._noise += float((difference**2).sum())
        self._differing += int(np.count_nonzero(difference))
        self._values += difference.size
        self._largest = max(self._largest, float(difference.max(initial=0.0)))

    def agreement(self, stage: str, against: str) -> StageAgreement:
        ratio = None
        if self._noise:
            ratio = 10 * float(np.log10(self._signal / self._noise)) if self._signal else float("-inf")
        return StageAgreement(stage, against, ratio, self._differing / max(1, self._values), self._largest)


def _rows(
    stages: Sequence[str],
    sums: dict[tuple[str, str], _Difference],
    module: Any,
    compared: Sequence[Compared],
    operators: UserOperators,
) -> list[ResultBlame]:
    bounds = {result.counterpart.quantiser.name: result for result in compared}
    rows: list[ResultBlame] = []
    ratios: dict[str, float] = {}
    for quantiser in module.graph.nodes:
        here = [stage for stage in stages if (stage, quantiser.name) in sums]
        if not here:
            continue
        agreements = tuple(
            sums[stage, quantiser.name].agreement(stage, stages[stages.index(stage) - 1]) for stage in here
        )
        # Only the stage after FP32 shows the loss by quantising. A model that came quantised has no
        # such stage.
        first = next((found for found in agreements if found.against == FP32), None)
        ratio = float("inf") if first is None or first.sqnr_db is None else first.sqnr_db
        ratios[quantiser.name] = ratio
        inputs = [ratios[name] for name in _quantisers_before(quantiser) if name in ratios]
        source = quantiser.args[0]
        number = number_of(source)
        user = operators.get(number) if number is not None else None
        result = bounds.get(quantiser.name)
        rows.append(
            ResultBlame(
                result=quantiser.name,
                operator="input" if source.op == "placeholder" else short_name(str(source.target)),
                module=user.module if user else "",
                where=user.where if user else "",
                source=user.source if user else "",
                agreements=agreements,
                loss_db=min(inputs) - ratio if inputs and np.isfinite(min(inputs)) else 0.0,
                bound=result.bound if result else None,
                furthest=result.furthest if result else None,
            )
        )
    return rows


def _quantisers_before(quantiser: Any) -> list[str]:
    """Return the names of the quantisers whose integers the result is computed from."""
    found, pending, seen = [], [quantiser.args[0]], set()
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if "dequantize_per_tensor" in str(node.target) and is_separation(node.args[0]):
            pending.append(node.args[0].args[0])
        elif "dequantize_per_tensor" in str(node.target):
            found.append(node.args[0].name)
        elif node.op == "call_function":
            pending += node.all_input_nodes
    return found
