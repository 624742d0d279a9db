# SPDX-License-Identifier: Apache-2.0
"""An inference as a trace in the format of Chrome and Perfetto: one slice per NPU operation.

The time axis is the estimated cycle count, one cycle shown as one microsecond.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pilotlight.npu.simulation import Statistics


def trace_events(statistics: Statistics) -> dict[str, Any]:
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": statistics.configuration}},
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "operations (estimated cycles)"}},
    ]
    start = 0
    for executed in statistics.executed:
        work = executed.work
        events.append(
            {
                "name": executed.name,
                "ph": "X",
                "pid": 1,
                "tid": 1,
                "ts": start,
                "dur": executed.cycles.total,
                "args": {
                    "word": executed.at,
                    "macs": work.macs,
                    "elements": work.elements,
                    "read_bytes": {f"region {region}": size for region, size in work.read_bytes.items()},
                    "written_bytes": {f"region {region}": size for region, size in work.written_bytes.items()},
                },
            }
        )
        start += executed.cycles.total
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def write_trace(statistics: Statistics, path: Path) -> None:
    path.write_text(json.dumps(trace_events(statistics)) + "\n", encoding="utf-8")
