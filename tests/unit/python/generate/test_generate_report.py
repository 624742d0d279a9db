# SPDX-License-Identifier: Apache-2.0
"""The cost of a token: means of what the device counted, and Vela's estimate of all delegates."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pilotlight.errors import ConfigError
from pilotlight.export.report.report import DelegateReport, ExportReport, MemoryTraffic, Sizes
from pilotlight.generate.messages import Step
from pilotlight.generate.report import Estimate, GenerateReport, TokenTraffic, load_estimate, token_cost
from pilotlight.generate.terminal import render

TRAFFIC = (TokenTraffic("SRAM", 3000, 1000), TokenTraffic("DRAM", 90, 10), TokenTraffic("off-chip flash", 70, 0))
ESTIMATE = Estimate(500, 400e6, TRAFFIC)


def _delegate(macs: int, *memories: MemoryTraffic) -> DelegateReport:
    return DelegateReport(1, 1, 1, 1, macs, 400e6, 1, 1, memories)


def _memory(name: str, read: int, written: int) -> MemoryTraffic:
    return MemoryTraffic(name, 1, read, written, 1, 1.0)


def _step(npu_cycles: int, cpu_cycles: int) -> Step:
    return Step(0, 1, None, npu_cycles, cpu_cycles, 5, b"")


def test_the_estimate_is_the_sum_of_all_delegates(tmp_path: Path) -> None:
    delegates = (
        _delegate(300, _memory("SRAM", 1000, 400), _memory("DRAM", 90, 10)),
        _delegate(200, _memory("SRAM", 2000, 600), _memory("off-chip flash", 70, 0)),
    )
    sizes = Sizes(1, 1, 1)
    ExportReport("net", "net.py", "npu", "s", "m", (), delegates, 1, (), None, sizes, {}).save(tmp_path)
    assert load_estimate(tmp_path) == ESTIMATE
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"report\.json"):
        load_estimate(tmp_path)


def test_speed_follows_from_mean_cycles_and_clock() -> None:
    cost = token_cost([_step(1000, 10), _step(3000, 30)], ESTIMATE, 640)
    assert (cost.npu_cycles, cost.cpu_cycles, cost.tokens_per_second) == (2000, 20, 200_000)
    assert token_cost([_step(0, 10)], ESTIMATE, 640).tokens_per_second == 0.0


@pytest.mark.parametrize("is_emulated", [True, False])
def test_the_report_shows_each_memory_and_says_what_the_cpu_counts(is_emulated: bool) -> None:
    cost = token_cost([_step(2000, 20)], ESTIMATE, 640)
    report = GenerateReport(
        "board", "npu", is_emulated, "ab", 2, (1, 2), "cd", "stop token", 3, 16, cost, 100, 200, verified=True
    )
    out = io.StringIO()
    render(Console(file=out, width=100), report)
    for words in (
        "2 after a prompt of 2: stop token, equal to the reference loop",
        "3 of 16 tokens",
        "200,000.0 tokens/s by NPU cycles at 400 MHz",
        f"500 MACs, 20 CPU {'instructions' if is_emulated else 'cycles'}",
        "SRAM            3,000 bytes read, 1,000 written",
        "DRAM            90 bytes read, 10 written",
        "off-chip flash  70 bytes read, 0 written",
        "640 bytes copied by the CPU",
        "100 of 200 bytes",
    ):
        assert words in " ".join(out.getvalue().split()) or words in out.getvalue(), out.getvalue()
    without = replace(report, verified=None)
    assert json.loads(json.dumps(without.to_json()))["verified"] is None
    out.truncate(0)
    render(Console(file=out, width=100), without)
    assert "equal to the reference" not in out.getvalue()


def test_the_command_starts_without_pytorch() -> None:
    code = "import sys, pilotlight.generate.run as run; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
