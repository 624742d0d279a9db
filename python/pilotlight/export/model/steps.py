# SPDX-License-Identifier: Apache-2.0
"""Runs the steps of an export: progress, log, time, and readable errors."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pilotlight.errors import ModelError, PilotlightError
from pilotlight.export.graph.source_lines import raised_at, raised_inside, within
from pilotlight.export.upstream import reasons
from pilotlight.export.upstream.noise import NoiseLog

_REASON_LENGTH = 200
_PROGRESS_INTERVAL_S = 5.0


class Steps:
    """The steps of one export. seconds: name -> time in seconds, in the order of their start."""

    def __init__(self, log: NoiseLog, progress: Callable[[str], None]) -> None:
        self._log = log
        self._progress = progress
        self._told = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, *, wrap: bool = True) -> Iterator[None]:
        """Measure the block's time and redirect its output to the log.

        wrap: turn an exception that is not ours into a ModelError.
        """
        if name not in self.seconds:
            self._log.write(f"===== {name} =====")
        start = time.monotonic()
        try:
            with self._log.captured():
                yield
        except PilotlightError:
            raise
        except (Exception, SystemExit) as error:
            if not wrap:
                raise
            self._log.write(traceback.format_exc())
            raise worded(name, error) from error
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start

    def tell(self, line: str) -> None:
        """Show one line of progress to the user, also inside a step."""
        self._told = time.monotonic()
        with self._log.interrupted():
            self._progress(line)

    def tell_sometimes(self, line: str) -> None:
        """Show one line of progress, unless the line before is less than five seconds old."""
        if time.monotonic() - self._told >= _PROGRESS_INTERVAL_S:
            self.tell(line)

    def log_exception(self) -> None:
        """Write the exception that is being handled to the log."""
        self._log.write(traceback.format_exc())


def worded(step: str, error: BaseException) -> ModelError:
    """Return a ModelError for an exception of upstream's, with the user's line if it is known."""
    text = reasons.shortened(str(error), _REASON_LENGTH) or "(no message)"
    place = raised_at(error)
    where = f"{place.where}: " if place else ""
    source = f"\n    {place.text}" if place and place.text else ""
    inside = raised_inside(error)
    if inside:
        source += f"\n    {within('', inside.where, inside.text)}"
    if "DataDependent" in type(error).__name__:
        return ModelError(
            f"{where}forward branches on the value of a tensor; a compiled program cannot{source}",
            hint="choose with torch.where, or between two functions with torch.cond; the log has PyTorch's message",
        )
    return ModelError(
        f"{where}{step} failed: {type(error).__name__}: {text}{source}", hint="the log has the whole message"
    )


def counted(number: int, noun: str) -> str:
    """Return "1 sample", "2 samples"."""
    return f"{number} {noun}" + "s" * (number != 1)
