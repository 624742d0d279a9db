# SPDX-License-Identifier: Apache-2.0
"""Errors about operators on the CPU: not allowed there, or without a kernel."""

from __future__ import annotations

from pilotlight.errors import UnsupportedOperator
from pilotlight.export.graph.source_lines import within
from pilotlight.export.graph.user_operators import short_name
from pilotlight.export.report.report import OperatorReport

_LISTED_OPERATORS = 12


def demand_full_delegation(on_cpu: tuple[OperatorReport, ...]) -> None:
    """Raise UnsupportedOperator, with all lines, if there is any operator on the CPU."""
    if on_cpu:
        # A conversion disappears together with the operator that needs it.
        on_cpu = tuple(op for op in on_cpu if not op.name.startswith("quantized_decomposed.")) or on_cpu
        number = f"{len(on_cpu)} operator" + "s" * (len(on_cpu) != 1)
        raise UnsupportedOperator(
            f"full delegation is required, but the CPU would run {number}:{_listed(on_cpu, len(on_cpu))}",
            hint="change the model at these lines, or export without --require-full-delegation",
        )


def unsupported(missing: list[str], on_cpu: tuple[OperatorReport, ...]) -> UnsupportedOperator:
    """Return an error with the missing operators ("aten::topk.values") and their source lines."""
    stems = {name.replace("::", ".").split(".out")[0].rsplit(".", 1)[0] + "." for name in missing}
    stems |= {name.replace("::", ".").split(".out")[0] + "." for name in missing}
    culprits = tuple(operator for operator in on_cpu if any(operator.name.startswith(stem) for stem in stems))
    return UnsupportedOperator(
        f"neither the NPU nor the firmware's kernels have {', '.join(missing)}:"
        f"{_listed(culprits or on_cpu, _LISTED_OPERATORS)}",
        hint="replace the operator at these lines by one that the NPU takes, or add a kernel to firmware/kernels",
    )


def _inside(operator: OperatorReport) -> str:
    inside = within(operator.module, operator.inner_where, operator.inner_source)
    return f"\n    {inside}" if inside else ""


def _listed(operators: tuple[OperatorReport, ...], most: int) -> str:
    lines = dict.fromkeys(
        f"\n  {short_name(operator.name)} at {operator.where or 'an unknown line'}"
        + (f": {operator.source}" if operator.source else "")
        + _inside(operator)
        + (f"\n    {operator.reason}" if operator.reason else "")
        for operator in operators
    )
    rest = len(lines) - most
    return "".join(list(lines)[:most]) + (f"\n  and {rest} more" if rest > 0 else "")
