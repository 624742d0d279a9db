# SPDX-License-Identifier: Apache-2.0
"""Draws the sound and the keywords heard in it, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pilotlight.listen.report import ListenReport
from pilotlight.listen.sound import Word
from pilotlight.listen.stream import Recording

_STYLE = {"font.family": "DejaVu Sans", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
_SOUND, _SAID, _HEARD, _FALSE, _THRESHOLD = "#57606a", "#ddf4ff", "#1a7f37", "#cf222e", "#8c959f"
_MAX_COLUMNS = 2000


def draw(
    sound: NDArray[np.int16],
    recording: Recording,
    report: ListenReport,
    labels: Sequence[str],
    words: Sequence[Word] | None,
    threshold: float,
) -> bytes:
    """Draw the waveform with words and keywords above, and the averaged probabilities below."""
    rate = recording.description.sample_rate_hz
    with matplotlib.rc_context(_STYLE):
        width = float(np.clip(0.7 * report.sound_s, 7, 24))
        figure = Figure(figsize=(width, 4.2), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])

        # Draw the extremes of each column; otherwise peaks would be lost.
        columns = np.array_split(sound.astype(np.float64) / 32768, min(_MAX_COLUMNS, len(sound)))
        at_s = np.linspace(0, len(sound) / rate, len(columns))
        above.fill_between(at_s, [c.min() for c in columns], [c.max() for c in columns], color=_SOUND, linewidth=0.4)
        limit = max(1e-3, float(np.abs(sound).max()) / 32768)
        above.set_ylim(-1.15 * limit, 1.75 * limit)
        for word in words or ():
            above.axvspan(word.start_s, word.end_s, color=_SAID, zorder=0)
            above.text((word.start_s + word.end_s) / 2, 1.55 * limit, word.label, ha="center", color=_SOUND)
        for one in report.keywords:
            colour = _FALSE if words is not None and one.word_end_s is None else _HEARD
            above.axvline(one.at_s, ymax=0.82, color=colour, linewidth=1)
            above.text(one.at_s, 1.25 * limit, f"{one.keyword} {one.score:.2f}", ha="left", color=colour)
        above.set_ylabel("sound")

        ends = [inference.end / rate for inference in recording.inferences]
        heard = {one.keyword for one in report.keywords}
        for index, label in enumerate(labels):
            if label in heard:
                below.plot(ends, [inference.averages[index] for inference in recording.inferences], linewidth=1)
        below.axhline(threshold, color=_THRESHOLD, linewidth=0.8, linestyle=":")
        below.set_ylim(0, 1.02)
        below.set_ylabel("average")
        below.set_xlabel("s of sound")
        below.set_xlim(0, len(sound) / rate)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=144)
        return buffer.getvalue()
