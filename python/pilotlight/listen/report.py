# SPDX-License-Identifier: Apache-2.0
"""The report: keywords, their times, and the load on CPU and NPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pilotlight.errors import LinkCorrupted, PilotlightError, TargetError
from pilotlight.listen.messages import AppStatistics
from pilotlight.listen.sound import Word
from pilotlight.listen.stream import Recording

# A decision later than this after a word's end is not about that word: the window has passed it.
BELATED_S = 1.0


@dataclass(frozen=True)
class HeardKeyword:
    """A keyword that the device heard. at_s: end of the window that it was heard in.

    word_end_s, audio_latency_s: None without a label track, or if nobody said the word. The total
        latency is audio_latency_s + compute_s.
    """

    keyword: str
    score: float
    at_s: float
    compute_s: float
    word_end_s: float | None = None
    audio_latency_s: float | None = None


@dataclass(frozen=True)
class Labelled:
    """The keywords compared with a label track."""

    expected: int
    heard: int
    missed: tuple[Word, ...]
    false: int


@dataclass(frozen=True)
class Load:
    """Shares of the sound's duration.

    cpu: the core computes. npu: the NPU computes; its cycles are counted at the board's clock.
    awake: their sum, the duty cycle.
    """

    cpu: float
    npu: float
    awake: float


@dataclass(frozen=True)
class ListenReport:
    """The result of a stream. sound_s: sound time; device_s, asleep_s: device time."""

    board: str
    npu: str
    is_emulated: bool
    build_id: str
    sound_s: float
    device_s: float
    asleep_s: float
    keywords: tuple[HeardKeyword, ...]
    labelled: Labelled | None
    load: Load
    us_per_frame: float
    us_per_inference: float
    npu_cycles_per_inference: float
    statistics: AppStatistics
    lost_reports: int
    errors: tuple[str, ...]

    @property
    def failure(self) -> PilotlightError | None:
        """The reason why the report is not reliable, or None."""
        if self.lost_reports or self.statistics.damaged_frames or self.statistics.console_lost_bytes:
            return LinkCorrupted(
                f"{self.lost_reports} reports, {self.statistics.console_lost_bytes} bytes were lost and "
                f"{self.statistics.damaged_frames} frames damaged on the way",
                hint="check the cable and the baud rate",
            )
        if self.statistics.failed_inferences:
            text = self.errors[0] if self.errors else "no reason was logged"
            return TargetError(f"{self.statistics.failed_inferences} inferences failed: {text}", hint="west check")
        if self.statistics.lost_samples:
            return TargetError(
                f"{self.statistics.lost_samples} samples were lost: the device does not keep up with the sound",
                hint="a larger ring, or fewer inferences ([decision] hop_frames in features.toml)",
            )
        return None

    def to_json(self) -> dict[str, Any]:
        failure = self.failure
        return {**asdict(self), "failure": str(failure) if failure else None}


def make_report(
    recording: Recording,
    labels: Sequence[str],
    words: Sequence[Word] | None,
    not_keywords: Sequence[str],
    *,
    is_emulated: bool,
) -> ListenReport:
    """Return the report. labels: the model's classes. words: the label track, if there is one."""
    costs = recording.statistics
    assert costs is not None, "the stream was finished"
    rate = recording.description.sample_rate_hz
    sound_s = costs.samples / rate
    heard = [
        HeardKeyword(labels[word.index], word.score, word.end / rate, word.compute_us / 1e6)
        for word in recording.keywords
    ]
    labelled = None
    if words is not None:
        said = [word for word in words if word.label in labels and word.label not in not_keywords]
        heard, labelled = match(heard, said)
    cpu_us = costs.features_us + costs.network_us + costs.decision_us
    npu_us = costs.npu_cycles / recording.description.clock_hz * 1e6
    sound_us = max(sound_s, 1 / rate) * 1e6
    return ListenReport(
        board=recording.identity.board,
        npu=recording.identity.npu_config,
        is_emulated=is_emulated,
        build_id=recording.identity.build_id,
        sound_s=sound_s,
        device_s=costs.elapsed_us / 1e6,
        asleep_s=costs.asleep_us / 1e6,
        keywords=tuple(heard),
        labelled=labelled,
        load=Load(cpu_us / sound_us, npu_us / sound_us, (cpu_us + npu_us) / sound_us),
        us_per_frame=costs.features_us / max(costs.feature_frames, 1),
        us_per_inference=(costs.network_us + costs.npu_us) / max(costs.inferences, 1),
        npu_cycles_per_inference=costs.npu_cycles / max(costs.inferences, 1),
        statistics=costs,
        lost_reports=recording.lost_reports,
        errors=recording.errors,
    )


def match(heard: Sequence[HeardKeyword], said: Sequence[Word]) -> tuple[list[HeardKeyword], Labelled]:
    """Match each keyword with the first word of its label that fits in time and has no match
    yet."""
    left = list(said)
    matched: list[HeardKeyword] = []
    false = 0
    for one in heard:
        word = next(
            (w for w in left if w.label == one.keyword and w.start_s < one.at_s <= w.end_s + BELATED_S),
            None,
        )
        if word is None:
            false += 1
            matched.append(one)
            continue
        left.remove(word)
        matched.append(HeardKeyword(one.keyword, one.score, one.at_s, one.compute_s, word.end_s, one.at_s - word.end_s))
    return matched, Labelled(len(said), len(said) - len(left), tuple(left), false)
