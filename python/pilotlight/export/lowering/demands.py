# SPDX-License-Identifier: Apache-2.0
"""Errors about operators on the CPU: not allowed there, without a kernel, or without the dtype."""

from __future__ import annotations

from collections.abc import Mapping

from pilotlight.errors import UnsupportedOperator
from pilotlight.export.graph.source_lines import within
from pilotlight.export.graph.user_operators import short_name
from pilotlight.export.report.report import OperatorReport
from pilotlight.kernels.kernel_list import FOLDER, Kernel, missing_dtypes, missing_kernels, without_overload

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


def demand_kernels(
    calls: Mapping[str, tuple[str, ...]], kernels: Mapping[str, Kernel], on_cpu: tuple[OperatorReport, ...]
) -> None:
    """Raise UnsupportedOperator if an operator of the program has no kernel, or lacks a dtype.

    calls: the operators of the .pte ("aten::add.out"), with the dtypes of the tensors in all calls.
    """
    if missing := missing_kernels(calls, kernels):
        raise unsupported(missing, on_cpu)
    if lacking := missing_dtypes(calls, kernels):
        sentences = (
            f"{name} on {', '.join(dtypes)}; its kernel takes {', '.join(kernels[name].dtypes)}:"
            f"{_listed(_calls_of([name], on_cpu), _LISTED_OPERATORS)}"
            for name, dtypes in lacking.items()
        )
        raise UnsupportedOperator(
            "\n".join(f"the program calls {sentence}" for sentence in sentences),
            hint="cast the tensors at these lines to a dtype that the kernel takes, "
            f"or extend the kernel in {FOLDER} and its dtypes in kernels.yaml",
        )


def unsupported(missing: list[str], on_cpu: tuple[OperatorReport, ...]) -> UnsupportedOperator:
    """Return an error with the missing operators ("aten::topk.values") and their source lines."""
    return UnsupportedOperator(
        f"neither the NPU nor the firmware's kernels have {', '.join(missing)}:"
        f"{_listed(_calls_of(missing, on_cpu), _LISTED_OPERATORS)}",
        hint="replace the operator at these lines by one that the NPU takes, or add a kernel to firmware/kernels",
    )


def _calls_of(names: list[str], on_cpu: tuple[OperatorReport, ...]) -> tuple[OperatorReport, ...]:
    """Return the report's operators with these names in the .pte ("aten::topk.values").

    The report has another overload, "aten.topk.default". If the report has none of the names, all
    its operators are returned.
    """
    stems = tuple(f"{without_overload(name)}." for name in names)
    return tuple(operator for operator in on_cpu if operator.name.startswith(stems)) or on_cpu


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
