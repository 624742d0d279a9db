# SPDX-License-Identifier: Apache-2.0
"""Writes an inference as a trace in the format of Chrome and Perfetto.

The trace has one slice per NPU command, and counters of the memory traffic. The time axis is the
estimated cycle count. One cycle is one microsecond in the trace.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pilotlight.npu.layers import Layer, layer_records
from pilotlight.npu.simulation import Statistics

_PROCESS = 1
_COMMANDS, _OPERATORS = 1, 2


def trace_events(statistics: Statistics) -> dict[str, Any]:
    events: list[dict[str, Any]] = [
        _name("process_name", None, f"{statistics.configuration} (1 us = 1 estimated cycle)"),
        _name("thread_name", _COMMANDS, "commands"),
    ]
    operators = _Operators()
    regions = sorted(
        {
            region
            for layer in statistics.layers
            for sizes in (layer.executed.work.read_bytes, layer.executed.work.written_bytes)
            for region in sizes
        }
    )
    start = 0
    for layer, record in zip(statistics.layers, layer_records(statistics.layers), strict=True):
        cycles = layer.executed.cycles.total
        events.append(_slice(_COMMANDS, layer.executed.name, start, cycles, record))
        events.append(_bandwidth(layer, regions, start))
        operators.add(layer, start, cycles)
        start += cycles
    events.append(
        {"name": "bytes per cycle", "ph": "C", "pid": _PROCESS, "ts": start, "args": {_region(r): 0 for r in regions}}
    )
    if operators.slices:
        events += [_name("thread_name", _OPERATORS, "operators of the model"), *operators.slices]
    return {"traceEvents": events, "displayTimeUnit": "ms"}


class _Operators:
    """Slices of the user's operators. A slice spans adjacent commands of one operator."""

    def __init__(self) -> None:
        self.slices: list[dict[str, Any]] = []
        self._last: object = None

    def add(self, layer: Layer, start: int, cycles: int) -> None:
        operator = layer.operator
        if operator is None:
            self._last = None
        elif operator is self._last:
            self.slices[-1]["dur"] += cycles
        else:
            self._last = operator
            name = " ".join(filter(None, (operator.operator, operator.module)))
            args = {"tensor": operator.tensor, "where": operator.where, "source": operator.source}
            self.slices.append(_slice(_OPERATORS, name, start, cycles, args))


def _name(kind: str, thread: int | None, name: str) -> dict[str, Any]:
    event: dict[str, Any] = {"name": kind, "ph": "M", "pid": _PROCESS, "args": {"name": name}}
    return event if thread is None else {**event, "tid": thread}


def _slice(thread: int, name: str, start: int, cycles: int, args: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "ph": "X", "pid": _PROCESS, "tid": thread, "ts": start, "dur": cycles, "args": args}


def _bandwidth(layer: Layer, regions: list[int], start: int) -> dict[str, Any]:
    work = layer.executed.work
    cycles = layer.executed.cycles.total + layer.executed.cycles.hidden
    rates = {
        _region(region): round((work.read_bytes.get(region, 0) + work.written_bytes.get(region, 0)) / cycles, 3)
        for region in regions
    }
    return {"name": "bytes per cycle", "ph": "C", "pid": _PROCESS, "ts": start, "args": rates}


def _region(region: int) -> str:
    """Return a region's name with its use in ExecuTorch's delegates."""
    return {0: "region 0 (constants)", 1: "region 1 (scratch)", 2: "region 2 (fast scratch)"}.get(
        region, f"region {region}"
    )


def write_trace(statistics: Statistics, path: Path) -> None:
    path.write_text(json.dumps(trace_events(statistics)) + "\n", encoding="utf-8")
