# SPDX-License-Identifier: Apache-2.0
"""The export's report on the terminal states each fact once, with its unit."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console
from sample_report import REPORT

from pilotlight.export.report.report import Agreement, ExportReport, OperatorAgreement
from pilotlight.export.report.terminal import render

WHOLE = """
net for ethos-u55-128 (Ethos_U55_High_End_Embedded, Shared_Sram)
on the NPU: none
on the CPU:
  net.py:3  x.relu()
    in act
    relu: not there
Vela's estimate  12 cycles (10 of computing), 0.000 ms at 500 MHz, 9 MACs, scratch 32 bytes
  SRAM           1 bytes used; 2 read, 3 written per inference; 4.00 GB/s at most
quantised        int8:gelu=a16w8
sizes            .pte 100, weights 16, commands 4 bytes
y                against FP32: SQNR 30.5 dB, max error 0.2 (quantised PyTorch: no error, 0.1)
                 golden differs from quantised PyTorch by rounding in 1 of 8 values, at most by 1
                 worst slice: 9.5 dB at index 0 of axis 1
x                12.50% of the values are outside the calibrated range -1 to 1, by up to 0.5 times that range
operators        2 of 3 results compared with quantised PyTorch, given the same integers: 1 equal, the others \
differ by at most 1 step
top-1            FP32 100.00 %, quantised 50.00 %, golden 50.00 % of 2 samples
                 class changes from FP32 to golden in 1 of 2: sample 1: cat -> dog (label cat)
export time      1.5 s (import 1.5)
note: a note
warning: low
WEAK, the check could hardly fail: always the same
"""


def _text(report: ExportReport) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=160).print(render(report))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_every_fact_is_there() -> None:
    assert _text(REPORT) == WHOLE.strip().splitlines()


def test_what_there_is_nothing_to_say_of_is_left_out() -> None:
    inputs = tuple(replace(given, outside=0) for given in REPORT.inputs)
    outputs = tuple(replace(y, worst_slices=(), agreement=Agreement(8, 0, 0.0)) for y in REPORT.outputs)
    said = _text(replace(REPORT, inputs=inputs, outputs=outputs, metric=None, notes=(), warnings=(), weak=()))
    left_out = ("x ", "top-1", " " * 17 + "class", "note", "warn", "WEAK")
    kept = [line for line in WHOLE.strip().splitlines() if not line.startswith(left_out)]
    differs = next(at for at, line in enumerate(kept) if "by rounding" in line)
    equals = " " * 17 + "golden equals quantised PyTorch in all 8 values"
    assert said == [*kept[:differs], equals, *kept[differs + 2 :]]


def test_a_model_that_came_quantised_has_no_recipe() -> None:
    assert "quantised        by the model itself" in _text(replace(REPORT, recipe=""))


def test_operators_that_all_agree_and_several_delegates() -> None:
    agreed = replace(REPORT, operator_agreement=OperatorAgreement(3, 2, 2, 0), delegates=REPORT.delegates * 2)
    said = _text(agreed)
    assert any(line.endswith("2 equal, none differs") for line in said)
    assert [line.split("  ")[0] for line in said if line.startswith("delegate")] == ["delegate 0", "delegate 1"]
    none = _text(replace(REPORT, operator_agreement=None))
    assert not any(line.startswith("operators") for line in none)
