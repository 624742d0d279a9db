# SPDX-License-Identifier: Apache-2.0
"""A study that several processes and machines share: who tries which recipe, and what came of it.

Optuna keeps the trials. Two rules are ours, and both hold without a lock of our own, because
Optuna's storage numbers the trials and shows all of them to all processes:

- A recipe belongs to the trial with the lowest number that has not failed. A process that has taken
  a recipe of a lower trial gives its own up.
- A trial whose process has ended is failed, and its recipe is offered again.
"""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from pilotlight.errors import ConfigError
from pilotlight.recipe import Recipe
from pilotlight.tune.record import Trial
from pilotlight.tune.space import Guess, Space

_RECIPE, _WORKER, _RESULT = "recipe", "worker", "result"
# Of queued trials: whether the space has the recipe, and whether it was cut off before.
_KNOWN, _AGAIN = "point_is_known", "again"
_TAKEN = (TrialState.WAITING, TrialState.RUNNING, TrialState.COMPLETE)
# A process names its recipe at once after it has got a trial.
_NAMED_WITHIN_S = 20.0
# Nobody can see whether a process on another machine has ended.
_FOREIGN_TRIAL_ENDS_S = 3600.0
# Proposals in a row that somebody has tried already: after some, recipes are drawn by chance, and
# after more, the space counts as exhausted.
_REPEATS_BEFORE_CHANCE, _REPEATS_BEFORE_END = 6, 60


@dataclass(frozen=True)
class Claim:
    """A recipe that this process tries."""

    trial: Any
    recipe: Recipe

    @property
    def number(self) -> int:
        return int(self.trial.number)


class SharedStudy:
    """storage: see `open_storage`. name: the same for everyone who searches the same.

    Raises ConfigError if the storage cannot be opened.
    """

    def __init__(self, storage: str, name: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", module="optuna")
        self._storage = open_storage(storage)
        self._study = optuna.create_study(
            storage=self._storage, study_name=name, load_if_exists=True, direction="minimize"
        )

    def offer(self, guesses: Iterable[Guess]) -> None:
        """Queue the recipes that nobody has tried, is trying or has queued."""
        taken = {trial.user_attrs.get(_RECIPE) for trial in self._trials(*_TAKEN)}
        for guess in guesses:
            if str(guess.recipe) not in taken:
                known = {_RECIPE: str(guess.recipe), _KNOWN: guess.point is not None}
                self._study.enqueue_trial(dict(guess.point or {}), user_attrs=known)

    def offer_cut_again(self) -> int:
        """Queue the recipes of trials whose process has ended. Return their number."""
        cut = [trial for trial in self._trials(TrialState.RUNNING) if _has_ended(trial)]
        return sum(self._give_up(trial) for trial in cut)

    def claim(self, space: Space, limit: int) -> Claim | None:
        """Take the next recipe; None if `limit` recipes are taken or no other recipe is left."""
        for repeats in range(_REPEATS_BEFORE_END):
            if self.taken() >= limit:
                return None
            self._study.sampler = self._sampler(by_chance=repeats >= _REPEATS_BEFORE_CHANCE)
            trial = self._cut_before() or self._study.ask()
            trial.set_user_attr(
                _WORKER, {"host": socket.gethostname(), "pid": os.getpid(), "start": _start(os.getpid())}
            )
            recipe = self._recipe(trial, space)
            before = self._before(trial.number)
            if any(other.user_attrs.get(_RECIPE) == str(recipe) for other in before):
                self._study.tell(trial, state=TrialState.FAIL)
                continue
            if sum(other.state != TrialState.WAITING for other in before) >= limit:
                self._study.tell(trial, state=TrialState.FAIL)
                return None
            return Claim(trial, recipe)
        return None

    def finish(self, claim: Claim, result: Trial, value: float) -> None:
        claim.trial.set_user_attr(_RESULT, asdict(result))
        self._study.tell(claim.trial, value)

    def give_back(self, claim: Claim) -> None:
        """Offer the recipe again: it was not tried to the end."""
        self._give_up(self._study.trials[claim.number])

    def taken(self) -> int:
        """The number of recipes that were tried or are being tried."""
        return len(self._trials(TrialState.RUNNING, TrialState.COMPLETE))

    def results(self) -> list[Trial]:
        return [Trial.from_json(trial.user_attrs[_RESULT]) for trial in self._trials(TrialState.COMPLETE)]

    def _cut_before(self) -> Any | None:
        """Take a trial that repeats one which was cut off, None if there is none.

        Optuna itself takes the queued trials in the order of their numbers.
        """
        study = self._storage.get_study_id_from_name(self._study.study_name)
        for trial in self._trials(TrialState.WAITING):
            if trial.user_attrs.get(_AGAIN):
                identity = self._storage.get_trial_id_from_study_id_trial_number(study, trial.number)
                with suppress(UpdateFinishedTrialError):
                    if self._storage.set_trial_state_values(identity, TrialState.RUNNING):
                        return optuna.trial.Trial(self._study, identity)
        return None

    def _recipe(self, trial: Any, space: Space) -> Recipe:
        queued = trial.user_attrs.get(_RECIPE)
        if queued is None or trial.user_attrs.get(_KNOWN):
            point = {name: trial.suggest_categorical(name, choices) for name, choices in space.axes.items()}
        if queued is not None:
            return Recipe.parse(queued)
        recipe = space.recipe(point)
        trial.set_user_attr(_RECIPE, str(recipe))
        return recipe

    def _before(self, number: int) -> list[FrozenTrial]:
        """Return the trials with lower numbers that have not failed, when each has its recipe."""
        end = time.monotonic() + _NAMED_WITHIN_S
        while True:
            before = [trial for trial in self._trials(*_TAKEN) if trial.number < number]
            unnamed = [trial for trial in before if _RECIPE not in trial.user_attrs and not _has_ended(trial)]
            if not unnamed or time.monotonic() > end:
                return before
            time.sleep(0.05)

    def _give_up(self, trial: FrozenTrial) -> bool:
        """Fail a trial and queue its recipe. False if another process has done it."""
        try:
            self._study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, RuntimeError):
            return False
        recipe = trial.user_attrs.get(_RECIPE)
        if recipe is None:
            return False
        known = {_RECIPE: recipe, _KNOWN: bool(trial.params), _AGAIN: True}
        self._study.enqueue_trial(trial.params, user_attrs=known)
        return True

    def _sampler(self, *, by_chance: bool) -> Any:
        """Return a sampler whose proposals follow from the trials so far.

        So one process alone finds the same each time, and two processes do not propose the same.
        """
        seed = len(self._study.get_trials(deepcopy=False))
        if by_chance:
            return RandomSampler(seed=seed)
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states)


def open_storage(text: str) -> BaseStorage:
    """Return the storage that `text` names: a database's URL, or the path of a journal file.

    Raises ConfigError if it cannot be opened.
    """
    try:
        if "://" in text:
            return RDBStorage(text)
        Path(text).parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(text))
    except Exception as error:  # SQLAlchemy and each database's driver have exceptions of their own.
        raise ConfigError(
            f"--storage {text}: cannot be opened ({type(error).__name__}: {error})",
            hint="the path of a file, or a URL such as sqlite:///tune.db",
        ) from error


def _has_ended(trial: FrozenTrial) -> bool:
    """Whether the process that runs a trial no longer exists."""
    if trial.state != TrialState.RUNNING:
        return False
    worker = trial.user_attrs.get(_WORKER)
    if worker is None or worker["host"] != socket.gethostname():
        started = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
        return time.time() - started > (_NAMED_WITHIN_S if worker is None else _FOREIGN_TRIAL_ENDS_S)
    return _start(int(worker["pid"])) != str(worker["start"])


def _start(pid: int) -> str:
    """Return when a process of this machine started, "" if it does not exist.

    A number of a process may be used again.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""
