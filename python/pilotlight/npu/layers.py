# SPDX-License-Identifier: Apache-2.0
"""The commands of an inference as a table, with their estimated cycles and the user's operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotlight.debug_info import CompiledOperator
from pilotlight.npu.hardware.engine import Executed
from pilotlight.npu.stream.operations import Operand, Operation, SecondInput, memory_name


@dataclass(frozen=True)
class Layer:
    """An executed command.

    number: counts from 1 through the whole inference.
    delegate: index of the delegate in the program.
    operation: the description in the command stream.
    executed: the work and its estimated cycles.
    operator: the user's operator, None without debug information.
    """

    number: int
    delegate: int
    operation: Operation
    executed: Executed
    operator: CompiledOperator | None

    @property
    def read_bytes(self) -> int:
        return sum(self.executed.work.read_bytes.values())

    @property
    def written_bytes(self) -> int:
        return sum(self.executed.work.written_bytes.values())


def layer_records(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Return layers as JSON values. `share` is the share of the estimated cycles."""
    total = sum(layer.executed.cycles.total for layer in layers) or 1
    return [_record(layer, total) for layer in layers]


def _record(layer: Layer, total: int) -> dict[str, Any]:
    operation, work, cycles = layer.operation, layer.executed.work, layer.executed.cycles
    record: dict[str, Any] = {
        "number": layer.number,
        "delegate": layer.delegate,
        "command": layer.executed.name,
        "stream_offset": operation.offset,
        "inputs": [_operand_record(operation, item) for item in operation.inputs],
        "output": None if operation.ofm is None else _operand_record(operation, operation.ofm),
        "macs": work.macs,
        "estimated_cycles": cycles.total,
        "hidden_cycles": cycles.hidden,
        "share": round(cycles.total / total, 6),
        "read_bytes": _by_region(work.read_bytes),
        "written_bytes": _by_region(work.written_bytes),
    }
    operator = layer.operator
    if operator is not None:
        record["operator"] = {
            "tosa": operator.operator,
            "tensor": operator.tensor,
            "module": operator.module,
            "where": operator.where,
            "source": operator.source,
            "inner_where": operator.inner_where,
            "inner_source": operator.inner_source,
            "vela_cycles": operator.vela_cycles,
        }
    return record


def _operand_record(operation: Operation, operand: Operand) -> dict[str, Any]:
    """Return an operand as JSON values.

    place: a region, or what keeps the map inside the NPU. role: of a second input that is no
    operand. axes: the order of the stored axes, with a minus before one that is reversed; only if
    it differs from height, width, channels.
    """
    record: dict[str, Any] = {"shape": list(operand.shape), "dtype": operand.dtype, "place": _place(operation, operand)}
    if operand is operation.ifm2 and operation.second is not SecondInput.OPERAND:
        record["role"] = operation.second.value
    if operand.is_reordered:
        record["axes"] = _axes(operand)
    return record


def _place(operation: Operation, operand: Operand) -> str:
    return "accumulators" if operand is operation.ofm and operation.keeps else memory_name(operand.map.region)


def _axes(operand: Operand) -> str:
    """Return the stored axes of a map, such as "WHC", or "H-WC" if columns are reversed."""
    return "".join("-" * (place == operand.flipped) + "HWC"[axis] for place, axis in enumerate(operand.order))


def _shown_inputs(operation: Operation) -> str:
    """Return the inputs of an operation for the table."""
    if operation.copy is not None:
        return f"{operation.copy.total_bytes} bytes"
    words = {SecondInput.OPERAND: "", SecondInput.WEIGHTS: "weights ", SecondInput.ACCUMULATORS: "sums "}
    first, *others = (_shown(operation, operand) for operand in operation.inputs)
    return " + ".join([first, *(words[operation.second] + other for other in others)])


def _shown(operation: Operation, operand: Operand) -> str:
    """Return an operand for the table, with what differs from a map in memory."""
    place = _place(operation, operand)
    notes = [] if place.startswith("region") else [f"in {place}"]
    if operand.is_reordered:
        notes.append(f"as {_axes(operand)}")
    return " ".join([str(operand), *notes])


def _by_region(sizes: Mapping[int, int]) -> dict[str, int]:
    return {f"region {region}": size for region, size in sorted(sizes.items())}


def layer_table(layers: Sequence[Layer]) -> str:
    """Return layers as a table for a terminal. Cycles are estimates."""
    total = sum(layer.executed.cycles.total for layer in layers) or 1
    regions = sorted({region for layer in layers for region in _moved(layer)})
    known = any(layer.operator is not None for layer in layers)
    several = len({layer.delegate for layer in layers}) > 1
    head = ["#", "command", "in", "out", "MACs", "est. cycles", "share", *(f"r{region} bytes" for region in regions)]
    rows = [[*head, "operator", "module", "source line"] if known else head]
    for layer in layers:
        operation, cycles = layer.operation, layer.executed.cycles.total
        moved = _moved(layer)
        row = [
            str(layer.number),
            layer.executed.name,
            _shown_inputs(operation),
            "" if operation.ofm is None else _shown(operation, operation.ofm),
            f"{layer.executed.work.macs:,}",
            f"{cycles:,}",
            f"{cycles / total:.1%}",
            *(f"{moved.get(region, 0):,}" for region in regions),
        ]
        if known:
            operator = layer.operator
            row += ["", "", ""] if operator is None else _origin(operator)
        rows.append(row)
    rows.append(_sum(layers, regions, len(rows[0])))
    left = {1, 2, 3, *range(7 + len(regions), len(rows[0]))}
    if several:
        column = ["delegate", *(str(layer.delegate) for layer in layers), ""]
        rows = [[row[0], cell, *row[1:]] for row, cell in zip(rows, column, strict=True)]
        left = {number + 1 for number in left}
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = (
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _sum(layers: Sequence[Layer], regions: Sequence[int], columns: int) -> list[str]:
    moved = [sum(_moved(layer).get(region, 0) for layer in layers) for region in regions]
    macs = sum(layer.executed.work.macs for layer in layers)
    cycles = sum(layer.executed.cycles.total for layer in layers)
    row = ["", "total", "", "", f"{macs:,}", f"{cycles:,}", "100.0%", *(f"{size:,}" for size in moved)]
    return row + [""] * (columns - len(row))


def _moved(layer: Layer) -> dict[int, int]:
    work = layer.executed.work
    regions = {*work.read_bytes, *work.written_bytes}
    return {region: work.read_bytes.get(region, 0) + work.written_bytes.get(region, 0) for region in regions}


def _origin(operator: CompiledOperator) -> list[str]:
    return [operator.operator, operator.module, _short(operator.inner_where or operator.where)]


def _short(where: str) -> str:
    """Return the last folder, file and line of a place.

    >>> _short("/home/me/nets/digits/model.py:38")
    'digits/model.py:38'
    """
    return "/".join(Path(where).parts[-2:]) if where else ""
