# SPDX-License-Identifier: Apache-2.0
"""The output of `pilotlight simulate`, as JSON and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.layers import layer_records, layer_table
from pilotlight.npu.simulation import SimulationResult, Simulator, Statistics


@dataclass(frozen=True)
class Simulated:
    """The inferences of one call of the command.

    last: the result of the last inference.
    outputs: the program's outputs; those of a sequence have one more axis, the first.
    seconds: of all inferences together.
    """

    simulator: Simulator
    last: SimulationResult
    outputs: Sequence[NDArray[Any]]
    inferences: int
    seconds: float

    @property
    def statistics(self) -> Statistics:
        return self.last.statistics


def as_json(simulated: Simulated, hazards: Sequence[str] | None, *, layers: bool) -> dict[str, Any]:
    """Return the report for --json. hazards: None if they were not checked."""
    simulator, statistics = simulated.simulator, simulated.statistics
    report: dict[str, Any] = {
        "npu": statistics.configuration,
        "operations": statistics.operations,
        "macs": statistics.macs,
        "estimated_cycles": statistics.cycles,
        "read_bytes": statistics.read_bytes,
        "written_bytes": statistics.written_bytes,
        "delegates": len(simulator.method.delegates),
        "cpu_kernels": simulator.cpu_kernels,
        "cpu_calls": dict(simulated.last.cpu_calls),
        "inferences": simulated.inferences,
        "state_bytes": simulator.state_bytes,
        "simulated_in_s": round(simulated.seconds, 4),
        "outputs": [{"dtype": array.dtype.name, "shape": list(array.shape)} for array in simulated.outputs],
    }
    if layers:
        report["layers"] = layer_records(statistics.layers)
    if hazards is not None:
        report["hazards"] = list(hazards)
    return report


def as_text(
    simulated: Simulated, hazards: Sequence[str], *, layers: bool, sequence: bool, files: Sequence[Path]
) -> str:
    """Return the report for the terminal.

    layers: with the table of commands. sequence: the inferences passed on their state.
    files: the files that outputs were written to; other outputs are shown.
    """
    simulator, statistics = simulated.simulator, simulated.statistics
    lines = [
        f"{statistics.configuration}: {statistics.operations} operations, {statistics.macs:,} MACs, "
        f"about {statistics.cycles:,} cycles; simulated in {simulated.seconds:.2f} s"
    ]
    if simulated.last.cpu_calls:
        lines.append(_about_cpu(simulator.cpu_kernels, simulated.last.cpu_calls))
    if simulator.state_bytes:
        begin = "began with its initial values"
        carried = f", carried over {simulated.inferences} inferences" if sequence else ""
        lines.append(f"state: {simulator.state_bytes:,} bytes, {begin}{carried}")
    if layers:
        lines.append(layer_table(statistics.layers))
        if simulator.debug is None:
            lines.append("no debug.json of this program beside it: operators and source lines are not known")
    for position, array in enumerate(simulated.outputs):
        where = f" -> {files[position]}" if position < len(files) else ""
        lines.append(f"output {position}: {array.dtype.name}{list(array.shape)}{where}")
        if not where:
            lines.append(np.array2string(array, threshold=64))
    return "\n".join([*lines, *hazards])


def _about_cpu(kernels: str, calls: Mapping[str, int]) -> str:
    """Describe the CPU operators, and how exact their results are."""
    named = ", ".join(f"{count} {name.partition('::')[2]}" for name, count in calls.items())
    by = f", by {kernels}" if kernels else ""
    text = f"CPU: {sum(calls.values())} operators{by}: {named}"
    if kernels.startswith("PyTorch"):
        text += "\n  as the golden outputs are computed; the firmware's kernels may round floating point differently"
    return text
