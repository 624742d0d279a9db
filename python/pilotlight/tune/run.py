# SPDX-License-Identifier: Apache-2.0
"""Runs `pilotlight tune`, from the model file to the report."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pilotlight.errors import ConfigError, PilotlightError
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.model.model_file import find_model_file
from pilotlight.export.model.model_modules import importable
from pilotlight.export.model.steps import Steps
from pilotlight.export.preload import import_upstream, one_thread
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.export_options import ExportOptions
from pilotlight.recipe import Recipe, as_recipe
from pilotlight.tune.explain import reasons
from pilotlight.tune.goal import Goal
from pilotlight.tune.record import EXPORTED, Judged, Trial, TuneReport

if TYPE_CHECKING:
    from pilotlight.export.blame.record import Blame
    from pilotlight.tune.candidates import Candidates
    from pilotlight.tune.space import Space
    from pilotlight.tune.study import SharedStudy


@dataclass(frozen=True)
class TuneOptions:
    """goal: what the recipe must reach. trials: how many recipes all processes try together, with
    those of earlier runs. minutes: after which no trial starts; None: no limit. jobs: processes.
    storage: where the study is, see `study.open_storage`.
    """

    goal: Goal
    trials: int
    minutes: float | None
    jobs: int
    storage: str


@dataclass(frozen=True)
class _Prepared:
    candidates: Candidates
    space: Space
    study: SharedStudy


def tune_model(model: str, options: ExportOptions, asked: TuneOptions, tell: Callable[[str], None]) -> TuneReport:
    """Search a recipe for `model` on `options.npu`.

    options.quantisation: the first recipe to try; None takes the model's own.
    tell: called with one line per step.

    After Ctrl-C the report has what was found before. Raises the errors of an export, and
    ConfigError for a storage that cannot be opened or a tolerance that the model has no metric for.
    """
    file = find_model_file(model)
    resolve(options.npu, options.system_config, options.memory_mode)
    as_recipe(options.quantisation)  # A wrong text is refused before PyTorch is imported.
    with _prepared(file, options, asked, tell) as prepared:
        study, candidates = prepared.study, prepared.candidates
        study.offer_cut_again()
        study.offer(prepared.space.guesses(candidates.own_recipe))
        done = len(study.results())
        tell(f"trying recipes: {done} of {asked.trials} are done" if done else f"trying {asked.trials} recipes")
        complete = interrupted = False
        try:
            complete = _searched(file, options, asked, prepared, tell)
        except KeyboardInterrupt:
            interrupted = True
            tell("interrupted: the report has what was found")
        tell("looking for the layers that lose most")
        report = _report(file, options, asked, prepared)
        return replace(report, complete=complete, interrupted=interrupted)


@contextmanager
def _prepared(
    file: Path, options: ExportOptions, asked: TuneOptions, tell: Callable[[str], None]
) -> Iterator[_Prepared]:
    with tempfile.TemporaryDirectory(prefix="pilotlight-tune-") as folder:
        log = NoiseLog(Path(folder) / "tune.log")
        steps = Steps(log, tell)
        try:
            steps.tell(f"loading {file}")
            with steps.step("import"):
                import_upstream()
            from pilotlight.tune.candidates import Candidates
            from pilotlight.tune.places import space_of
            from pilotlight.tune.study import SharedStudy

            with one_thread(), importable(file.parent):
                candidates = Candidates(file, options, steps)
                if asked.goal.tolerance.needs_metric and not candidates.has_metric:
                    raise ConfigError(
                        f"--tolerance {asked.goal.tolerance}: {candidates.name} has no metric: its data set has no "
                        "labels",
                        hint="--tolerance 25dB, or labels in the data set",
                    )
                study = SharedStudy(asked.storage, _study_name(candidates, options, asked.goal))
                space = space_of(candidates, candidates.losses(Recipe()), options.npu)
                yield _Prepared(candidates, space, study)
        finally:
            log.close()


def _study_name(candidates: Candidates, options: ExportOptions, goal: Goal) -> str:
    """Return a name that changes if a trial would find something else, or be judged otherwise."""
    asked = f"{goal.tolerance} {goal.budget or 'any cost'} least {goal.minimise}"
    return f"{candidates.name} {candidates.fingerprint} {options.npu} {asked}"


def _searched(
    file: Path, options: ExportOptions, asked: TuneOptions, prepared: _Prepared, tell: Callable[[str], None]
) -> bool:
    """Search with all processes. Return whether all trials were done."""
    from pilotlight.tune.search import search

    until = None if asked.minutes is None else time.monotonic() + 60 * asked.minutes
    # A forked copy of a process with PyTorch's threads may hang.
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_other, args=(file, options, asked, until), daemon=True) for _ in range(asked.jobs - 1)
    ]
    for other in others:
        other.start()
    try:
        study, goal = prepared.study, asked.goal
        complete = search(study, prepared.space, prepared.candidates, goal, asked.trials, until, asked.jobs, tell)
        for other in others:
            other.join()
        # A process that ended too early has left its recipe.
        if complete and study.offer_cut_again():
            complete = search(study, prepared.space, prepared.candidates, goal, asked.trials, until, 1, tell)
        return complete
    finally:
        # Ctrl-C reaches all processes of a terminal; each gives its recipe back.
        for other in others:
            other.join(10)
            other.terminate()


def _other(file: Path, options: ExportOptions, asked: TuneOptions, until: float | None) -> None:
    """A further process of a search."""
    from pilotlight.tune.search import search

    def quiet(line: str) -> None:
        pass

    try:
        with _prepared(file, options, asked, quiet) as prepared:
            arguments = (
                prepared.study,
                prepared.space,
                prepared.candidates,
                asked.goal,
                asked.trials,
                until,
                asked.jobs,
            )
            search(*arguments, quiet)
    except KeyboardInterrupt:
        return


def _report(file: Path, options: ExportOptions, asked: TuneOptions, prepared: _Prepared) -> TuneReport:
    candidates, goal = prepared.candidates, asked.goal
    trials = prepared.study.results()
    judged = goal.judge(trials)
    chosen, best = goal.chosen(judged), _best(judged, goal)
    answer = chosen if chosen is not None else best
    own = str(candidates.own_recipe)
    labels = {own: "the model's own recipe"}
    if answer is not None:
        labels.setdefault(judged[answer].trial.recipe, "the chosen recipe" if chosen is not None else "the best recipe")
    blamed = [
        (label, recipe, losses)
        for recipe, label in labels.items()
        if (losses := _losses(candidates, recipe)) is not None
    ]
    of_answer = next(
        (losses for _, recipe, losses in blamed if answer is not None and recipe == judged[answer].trial.recipe), None
    )
    why = () if chosen is not None else reasons(judged, None if best is None else judged[best], of_answer, goal)
    return TuneReport(
        model=candidates.name,
        source=str(file),
        npu=options.npu,
        tolerance=str(goal.tolerance),
        budget=str(goal.budget),
        minimise=goal.minimise,
        trials=tuple(judged),
        chosen=chosen,
        best=best,
        reasons=why,
        notes=tuple(_notes(candidates, trials)),
        blamed=tuple(blamed),
        complete=False,
    )


def _best(judged: Sequence[Judged], goal: Goal) -> int | None:
    """Return the index of the most accurate trial; of two, the one that was exported."""
    found = [
        (goal.tolerance.shortfall(one.trial.quality), one.trial.costs is None, index)
        for index, one in enumerate(judged)
        if one.trial.quality is not None
    ]
    return min(found)[2] if found else None


def _losses(candidates: Candidates, recipe: str) -> Blame | None:
    try:
        return candidates.losses(Recipe.parse(recipe))
    except PilotlightError:  # A recipe that the NPU cannot run has none.
        return None


def _notes(candidates: Candidates, trials: Sequence[Trial]) -> Iterator[str]:
    if not candidates.has_data_set:
        yield "no data set: recipes are judged on the example inputs alone"
    exported = [trial for trial in trials if trial.stage == EXPORTED]
    spared = [trial for trial in trials if trial.quality is not None and trial.stage != EXPORTED]
    if exported and spared:
        mean = sum(trial.export_seconds for trial in exported) / len(exported)
        cheap = sum(trial.screen_seconds for trial in trials) / len(trials)
        yield (
            f"{len(spared)} of {len(trials)} recipes were judged in quantised PyTorch alone, in {cheap:.1f} s each; "
            f"an export takes {mean:.1f} s more"
        )
    if any(trial.costs is not None and trial.costs.on_cpu for trial in trials):
        yield "cycles are those of the NPU: operators on the CPU come on top"
