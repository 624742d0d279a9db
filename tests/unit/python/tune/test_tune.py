# SPDX-License-Identifier: Apache-2.0
"""`pilotlight tune` finds a recipe for models that lose accuracy by default, or says why not."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from trap_models import write_model

from pilotlight.cli import main
from pilotlight.export.blame.record import Blame
from pilotlight.tune import candidates
from pilotlight.tune.candidates import Candidates

TOLERANCE_DB = 25.0


@dataclass(frozen=True)
class Run:
    code: int
    report: dict[str, Any]
    folder: Path

    @property
    def trials(self) -> dict[str, dict[str, Any]]:
        """The trials and their verdicts by recipe."""
        return {one["trial"]["recipe"]: {**one, **one["trial"]} for one in self.report["trials"]}

    @property
    def chosen(self) -> dict[str, Any]:
        found: dict[str, Any] = self.report["trials"][self.report["chosen"]]["trial"]
        return found


class Tuner:
    """Runs the command on a model, each model in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, name: str, *options: str) -> Run:
        out = self._folder / f"out-{name}"
        self._capsys.readouterr()
        code = main(["tune", str(write_model(name, self._folder)), "--out", str(out), "--json", *options])
        return Run(code, json.loads(self._capsys.readouterr().out), out)


@pytest.fixture
def tune(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tuner:
    return Tuner(tmp_path, capsys)


def decibels(trial: dict[str, Any]) -> float:
    sqnr = trial["quality"]["sqnr_db"]
    return float("inf") if sqnr is None else float(sqnr)


def forbidden(*_: object) -> Any:
    raise AssertionError("a recipe was tried again")


def test_boxes_beside_scores_reach_the_tolerance_and_a_second_run_tries_nothing(
    tune: Tuner, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tune("boxes_beside_scores", "--trials", "3")
    default = first.trials["int8"]
    assert decibels(default) < 10 and default["quality"]["worst"]["axis"] == 1
    assert default["quality"]["worst"]["index"] in (4, 5)
    assert first.code == 0 and first.report["complete"]
    assert first.chosen["stage"] == "exported" and decibels(first.chosen) >= TOLERANCE_DB
    recipe = first.chosen["recipe"]
    assert first.report["paste"] == {"model_file": f'quantisation="{recipe}"', "command_line": f'--quantise "{recipe}"'}

    page = (first.folder / "tune.html").read_text(encoding="utf-8")
    assert f"--quantise &#34;{recipe}&#34;" in page and "<svg" in page and "sigmoid" in page
    assert not re.search(r"https?:|src=|<link|@import|url\(", page), "the page needs a network"
    assert json.loads((first.folder / "tune.json").read_text(encoding="utf-8")) == first.report

    monkeypatch.setattr(Candidates, "screen", forbidden)
    assert tune("boxes_beside_scores", "--trials", "3").report["trials"] == first.report["trials"]


def test_what_no_recipe_can_do_is_explained_and_what_an_npu_refuses_is_a_row(
    tune: Tuner, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tune("far_apart", "--trials", "2")
    assert run.code == 14 and run.report["chosen"] is None
    assert re.fullmatch(
        r"output 'output' holds values up to [\d.e+]+ and, at index [45] of axis 1, up to [01][\d.]*, on one scale: "
        "return them as two outputs",
        run.report["reasons"][0],
    )


def test_a_recipe_that_the_npu_refuses_is_a_row_with_the_reason(tune: Tuner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Candidates, "export", forbidden)
    own = ["--quantise", "a16w8"]
    run = tune("mask", "--trials", "1", *own)
    assert run.code == 14
    refused = run.trials["a16w8"]
    assert refused["stage"] == "refused"
    assert refused["verdict"].startswith("recipe 'a16w8' cannot run on ethos-u55-128: 16-bit product of matrices")
    assert run.report["reasons"][0] == "no recipe could be built"


def test_after_ctrl_c_the_report_has_what_was_found_and_the_next_run_goes_on(
    tune: Tuner, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    screen = Candidates.screen

    def interrupted(self: Candidates, recipe: Any) -> Any:
        calls.append(str(recipe))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return screen(self, recipe)

    monkeypatch.setattr(Candidates, "screen", interrupted)
    monkeypatch.setattr(Candidates, "export", free_export)
    run = tune("boxes_beside_scores", "--trials", "4")
    assert run.code == 130 and not run.report["complete"]
    assert list(run.trials) and set(run.trials) == set(calls[:2])
    again = tune("boxes_beside_scores", "--trials", "4")
    assert again.report["complete"] and len(again.trials) == 4
    assert calls[2] in again.trials and calls.count(calls[2]) == 2
    assert all(calls.count(recipe) == 1 for recipe in calls[:2])


def free_export(self: Candidates, recipe: Any, folder: Path, progress: Any) -> Any:
    from pilotlight.tune.record import Costs, Quality

    return Quality(10.0), Costs(1, 1, 1, 0)


def test_if_the_quantiser_fails_the_export_decides(tune: Tuner, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Any:
        raise RuntimeError("upstream's quantiser")

    def no_losses(self: Candidates, recipe: Any) -> Blame:
        return Blame("net", "npu", 0, (), ())

    monkeypatch.setattr(candidates, "quantised_module", fails)
    monkeypatch.setattr(Candidates, "losses", no_losses)
    monkeypatch.setattr(Candidates, "export", free_export)
    run = tune("boxes_beside_scores", "--trials", "1")
    assert run.trials["int8"]["stage"] == "exported" and run.trials["int8"]["screened"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tolerance", "0.5%"], "boxes_beside_scores has no metric: its data set has no labels"),
        (["--tolerance", "half"], "not a number with a unit"),
        (["--minutes", "0"], "no trial would start"),
        (["--quantise", "int9"], "no precision 'int9'"),
        (["--storage", "nowhere://x"], "cannot be opened"),
    ],
)
def test_wrong_options_are_refused(tune: Tuner, options: list[str], message: str) -> None:
    run = tune("boxes_beside_scores", *options)
    assert run.code == 20 and message in run.report["message"] and run.report["hint"]


def test_a_layer_norm_with_a_large_mean_reaches_the_tolerance(tune: Tuner) -> None:
    run = tune("large_mean", "--trials", "2")
    assert decibels(run.trials["int8"]) < TOLERANCE_DB <= decibels(run.chosen)


@pytest.mark.campaign
@pytest.mark.parametrize("name", ["attention_pooling", "tcn", "mask", "log_softmax"])
def test_a_known_trap_reaches_the_tolerance_or_the_reasons_say_why(tune: Tuner, name: str) -> None:
    run = tune(name, "--trials", "24")
    if run.report["chosen"] is None:
        assert run.code == 14
        assert any(".py:" in reason or "two outputs" in reason for reason in run.report["reasons"])
    else:
        assert run.code == 0 and decibels(run.chosen) >= TOLERANCE_DB
