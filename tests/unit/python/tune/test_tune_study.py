# SPDX-License-Identifier: Apache-2.0
"""Processes share a study: each recipe is tried once, and one that was cut off is tried again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pilotlight.errors import ConfigError
from pilotlight.recipe import Recipe
from pilotlight.tune.record import SCREENED, Quality, Trial
from pilotlight.tune.space import Guess, Space
from pilotlight.tune.study import SharedStudy

SPACE = Space(
    {
        "precision": ("int8", "a16w8", "a8w4"),
        "observer": ("histogram", "minmax"),
        "linear": ("", "int8", "a16w8"),
        "norms": ("", "int8", "a16w8"),
    },
    {},
    ("norms",),
)
SMALL = Space(
    {"precision": ("int8", "a16w8", "a8w4"), "observer": ("histogram",), "norms": SPACE.axes["norms"]}, {}, ("norms",)
)
ALL_SMALL = 2 + 2 + 3  # A setting equal to the precision says nothing.

# A process that tries recipes without a model. It waits for the others before its first trial.
WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
from test_tune_study import SPACE, finished, study_in
study = study_in({storage!r})
study.offer(SPACE.guesses({own}))
Path({storage!r} + f".{{sys.argv[1]}}").touch()
while not all(Path({storage!r} + f".{{other}}").exists() for other in "ab"):
    time.sleep(0.01)
while (claim := study.claim(SPACE, {limit})) is not None:
    finished(study, claim)
    print(claim.number, claim.recipe, flush=True)
"""


def study_in(storage: str | Path) -> SharedStudy:
    return SharedStudy(str(storage), "study")


def finished(study: SharedStudy, claim: object) -> None:
    recipe = str(claim.recipe)  # type: ignore[attr-defined]
    quality = Quality(float(len(recipe)))
    study.finish(claim, Trial(claim.number, recipe, SCREENED, quality, quality), len(recipe))  # type: ignore[arg-type, attr-defined]


def test_a_search_tries_guesses_first_and_then_all_other_recipes_once(tmp_path: Path) -> None:
    study = study_in(tmp_path / "journal")
    guesses = [str(guess.recipe) for guess in SMALL.guesses(Recipe())]
    study.offer(SMALL.guesses(Recipe()))
    tried = []
    while (claim := study.claim(SMALL, 1000)) is not None:
        tried.append(str(claim.recipe))
        finished(study, claim)
    assert guesses[:3] == ["int8", "a16w8", "int8+a16-norms"]
    assert tried[: len(guesses)] == guesses
    assert len(tried) == len(set(tried)) == ALL_SMALL
    assert [trial.recipe for trial in study.results()] == tried


def test_one_process_finds_the_same_each_time(tmp_path: Path) -> None:
    tried = []
    for name in ("first", "second"):
        study = study_in(tmp_path / name)
        study.offer([Guess(Recipe(), SPACE.point(Recipe()))])
        for _ in range(12):
            claim = study.claim(SPACE, 1000)
            assert claim is not None
            tried.append(str(claim.recipe))
            finished(study, claim)
    assert tried[:12] == tried[12:]


def test_a_second_run_repeats_nothing_and_goes_on(tmp_path: Path) -> None:
    for limit in (4, 9):
        study = study_in(tmp_path / "journal")
        study.offer(SPACE.guesses(Recipe()))
        while (claim := study.claim(SPACE, limit)) is not None:
            finished(study, claim)
        recipes = [trial.recipe for trial in study.results()]
        assert len(recipes) == len(set(recipes)) == limit


def test_two_processes_share_the_trials_without_a_recipe_tried_twice(tmp_path: Path) -> None:
    limit, storage = 16, str(tmp_path / "journal")
    code = WORKER.format(
        folder=str(Path(__file__).parent),
        storage=storage,
        own="__import__('pilotlight.recipe').recipe.Recipe()",
        limit=limit,
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    lines = [process.communicate()[0].splitlines() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    recipes = [line.split()[1] for several in lines for line in several]
    assert len(recipes) == len(set(recipes)) == limit
    assert all(lines), "one process did all the work"
    assert {trial.recipe for trial in study_in(storage).results()} == set(recipes)


def test_the_recipe_of_a_killed_process_is_tried_again(tmp_path: Path) -> None:
    storage = str(tmp_path / "journal")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_tune_study import SPACE, study_in\n"
        f"print(study_in({storage!r}).claim(SPACE, 9).recipe, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    cut = process.stdout.readline().strip()
    study = study_in(storage)
    study.offer(SPACE.guesses(Recipe()))
    assert study.offer_cut_again() == 0, "the process still lives"
    assert study.taken() == 1
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert study.offer_cut_again() == 1
    assert study_in(storage).offer_cut_again() == 0, "offered twice"
    claim = study.claim(SPACE, 9)
    assert claim is not None and str(claim.recipe) == cut


def test_a_recipe_that_is_given_back_is_tried_again(tmp_path: Path) -> None:
    study = study_in(tmp_path / "journal")
    own = Recipe(percentile=99.0, observer="percentile")
    study.offer([Guess(own, SPACE.point(own))])
    claim = study.claim(SPACE, 9)
    assert claim is not None and claim.recipe == own
    study.give_back(claim)
    again = study.claim(SPACE, 9)
    assert again is not None and again.recipe == own
    assert study.results() == []


@pytest.mark.parametrize("text", ["nowhere://x", "sqlite:////nonexistent/folder/x.db"])
def test_a_storage_that_cannot_be_opened_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--storage .*: cannot be opened") as error:
        SharedStudy(text, "study")
    assert "sqlite:///tune.db" in error.value.hint


def test_a_database_keeps_a_study_as_well(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'tune.db'}"
    study = SharedStudy(storage, "study")
    claim = study.claim(SPACE, 9)
    assert claim is not None
    finished(study, claim)
    assert [trial.recipe for trial in SharedStudy(storage, "study").results()] == [str(claim.recipe)]
