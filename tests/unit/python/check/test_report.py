# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import json
import re
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pilotlight.check import command, pictures, run, terminal
from pilotlight.check.compare import Mismatched
from pilotlight.check.html import write_html
from pilotlight.check.record import CheckReport, Measured
from pilotlight.cli import run_command
from pilotlight.errors import LinkCorrupted
from pilotlight.metrics.changes import ChangedSample, Changes

Reports = Callable[..., CheckReport]
WRONG = Mismatched(2, 0, 1, 2, (0, 1), -3.0, 4.0, 7.0)


def text_of(report: CheckReport) -> str:
    out = io.StringIO()
    terminal.render(Console(file=out, width=120, color_system=None), report)
    return out.getvalue()


def test_the_verdict_is_the_last_line(report: Reports) -> None:
    assert text_of(report()).splitlines()[-1].startswith("PASS: all 4 samples bit-identical")


def test_device_accuracy_stands_beside_fp32_with_the_difference(report: Reports) -> None:
    text = text_of(report())
    assert re.search(r"device +75\.00 % +\(3 of 4\) +-25\.00 points", text)
    assert re.search(r"FP32 PyTorch +100\.00 % +\(4 of 4\) +\+0\.00 points", text)


def test_cycles_of_a_simulated_npu_are_called_an_estimate(report: Reports, tmp_path: Path) -> None:
    simulated = report(npu_is_simulated=True)
    write_html(simulated, tmp_path / "check.html")
    assert "NPU cycles, simulator's estimate" in text_of(simulated)
    assert "simulator&#39;s estimate" in (tmp_path / "check.html").read_text()
    assert "estimate" not in text_of(report(npu_is_simulated=False))


@pytest.mark.parametrize(
    ("clock", "said", "unsaid"),
    [
        ("instructions", ("CPU instructions", "partly host time"), ("CPU cycles", "device clock")),
        ("host", ("inference, host time", "CPU, host time"), ("CPU cycles", "device clock")),
        ("emulator", ("CPU cycles, emulator's estimate", "emulator's clock"), ("device clock",)),
        ("board", ("CPU cycles", "device clock"), ("estimate", "inference, host time")),
    ],
)
def test_times_are_called_what_they_are(
    report: Reports, tmp_path: Path, clock: str, said: tuple[str, ...], unsaid: tuple[str, ...]
) -> None:
    made = report(clock=clock)
    write_html(made, tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text().replace("&#39;", "'")
    for text in (text_of(made), page):
        assert all(phrase in text for phrase in said)
        assert not any(phrase in text for phrase in unsaid)
    assert made.to_json()["clock"] == clock


def test_fewer_samples_than_the_data_set_do_not_read_as_a_pass(report: Reports) -> None:
    text = text_of(report(verdict="partial", data_set_samples=10))
    assert "PARTIAL: 4 of 10 samples" in text
    assert "PASS" not in text


def test_a_mismatch_says_where(report: Reports) -> None:
    text = text_of(report(verdict="mismatch", mismatches=(WRONG,), mismatched_samples=1, identical_samples=3))
    assert "sample 2, output 0: 1 of 2 elements differ; the first is at [0, 1]: expected -3, got 4" in text
    assert "MISMATCH: 1 of 4 samples differ" in text


def test_objections_outweigh_equal_outputs(report: Reports) -> None:
    text = text_of(report(verdict="error", objections=(LinkCorrupted("bytes [lost]"),)))
    assert text.splitlines()[-1] == "NOT PROVED: bytes [lost]"


def test_what_a_careful_reader_wants_to_know_is_noted(report: Reports) -> None:
    text = text_of(report(retries_used=2, earlier_fault="HardFault at 0x10"))
    assert "2 damaged frames were sent again" in text and "HardFault at 0x10" in text


def test_the_html_report_stands_alone(report: Reports, tmp_path: Path) -> None:
    write_html(report(log=("info: <hello>",)), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert "PASS: all 4 samples" in page and "&lt;hello&gt;" in page
    assert "http" not in page, "it must not fetch anything"


def test_a_report_without_observations_still_has_its_verdict(report: Reports, tmp_path: Path) -> None:
    bare = report(observations=None, accuracy=None, rounding=None, latency=None, memory=None, verdict="error")
    write_html(bare, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "NOT PROVED" in page and "<img" not in page


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 1, 8, 8), (4, 8, 8)),
        ((4, 8, 8), (4, 8, 8)),
        ((4, 49, 10), (4, 49, 10)),
        ((4, 3, 8, 9), (4, 8, 9, 3)),
        ((4, 8, 9, 3), (4, 8, 9, 3)),
        ((4, 16), None),
        ((4, 5, 8, 8), None),
    ],
)
def test_images_are_recognised_by_their_shape(shape: tuple[int, ...], expected: tuple[int, ...] | None) -> None:
    images = pictures.as_images(np.arange(np.prod(shape)).reshape(shape) - 100.0)
    assert (images.shape if images is not None else None) == expected
    assert images is None or (images.min(), images.max()) == (0.0, 1.0)


def test_models_that_do_not_classify_have_no_confusion_matrix(report: Reports) -> None:
    seen = report().models[0].observations
    assert seen is not None
    assert pictures.confusion(replace(seen, data=replace(seen.data, labels=None))) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"verdict": "partial"}, 0),
        ({"verdict": "mismatch", "mismatches": (WRONG,), "mismatched_samples": 1}, 60),
        ({"verdict": "weak", "weak": ("the output is the same",)}, 61),
        ({"verdict": "error", "objections": (LinkCorrupted("damaged"),)}, 51),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_ends_as_the_report_says(
    report: Reports,
    changes: dict[str, object],
    code: int,
    as_json: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(run, "run_check", lambda *_, **__: report(**changes))
    parser = command.add_parser(ArgumentParser().add_subparsers())
    page = tmp_path / "r.html"
    arguments = parser.parse_args(["--html", str(page), *(["--json"] if as_json else [])])
    assert run_command(arguments) == code
    assert page.is_file()
    output = capsys.readouterr().out
    if as_json:
        assert json.loads(output)["exit_code"] == code
    else:
        assert "check  fake on qemu-corstone300" in output


def test_a_pass_within_a_tolerance_says_how_much_is_bit_identical(report: Reports, tmp_path: Path) -> None:
    tolerated = report(
        identical_samples=1, tolerated_samples=3, values=40, differing_values=3, max_tolerated_difference=1.0
    )
    write_html(tolerated, tmp_path / "check.html")
    text = " ".join(text_of(tolerated).split())
    for said in (text, (tmp_path / "check.html").read_text()):
        assert "PASS: all 4 samples within the export&#39;s tolerance".replace("&#39;", "'") in said.replace(
            "&#39;", "'"
        )
        assert "37 of 40 values bit-identical, the others at most 1 off" in said


def test_a_weak_check_is_no_pass_and_says_why_everywhere(report: Reports, tmp_path: Path) -> None:
    weak = report(verdict="weak", weak=("y is the same in all <4> outputs",), warnings=("y: SQNR 3.0 dB",))
    write_html(weak, tmp_path / "check.html")
    text, page = text_of(weak), (tmp_path / "check.html").read_text(encoding="utf-8")
    for said in (text, page):
        assert "WEAK: 4 samples bit-identical, but the check, or part of it, could not have failed" in said
        assert "PASS" not in said and "y: SQNR 3.0 dB" in said
    assert "y is the same in all <4> outputs" in text and "y is the same in all &lt;4&gt; outputs" in page
    assert weak.to_json()["models"][0]["weak"] == ("y is the same in all <4> outputs",)


def test_warnings_of_the_export_stand_in_a_pass(report: Reports, tmp_path: Path) -> None:
    warned = report(warnings=("y: SQNR 3.0 dB",))
    write_html(warned, tmp_path / "check.html")
    assert "y: SQNR 3.0 dB" in text_of(warned) and "y: SQNR 3.0 dB" in (tmp_path / "check.html").read_text()
    assert text_of(warned).splitlines()[-1].startswith("PASS")


CHANGED = Changes("word error rate", 4, 1, (ChangedSample(2, "0", "0.5", "<one> two"),))
MEASURED = Measured("word error rate", False, 0.1, 0.12, 0.13, 0.14, CHANGED)


def test_the_metric_of_every_stage_stands_beside_the_samples_that_changed(report: Reports, tmp_path: Path) -> None:
    made = report(accuracy=None, metric=MEASURED)
    write_html(made, tmp_path / "check.html")
    text, page = text_of(made), (tmp_path / "check.html").read_text()
    assert re.search(r"word error rate +device +14\.00 % +\+4\.00 points", text)
    assert "word error rate changes from FP32 to the device in 1 of 4: sample 2: 0 -> 0.5 (label <one> two)" in text
    assert "lower is better" in page and "<td>14.00 %</td><td>+4.00 points</td>" in page
    assert "<td>0</td><td>0.5</td><td>&lt;one&gt; two</td>" in page
    (model,) = made.to_json()["models"]
    assert model["metric"]["device"] == 0.14 and model["metric"]["changes"]["worst"][0]["sample"] == 2


def test_a_metric_that_was_not_computed_says_why(report: Reports, tmp_path: Path) -> None:
    made = report(metric=Measured("mine", True, problem="net.py is not there"))
    write_html(made, tmp_path / "check.html")
    assert "not computed: net.py is not there" in text_of(made)
    assert "Not computed: net.py is not there" in (tmp_path / "check.html").read_text()
