# SPDX-License-Identifier: Apache-2.0
"""All sound is sent, at the device's pace.

Everything that spoils a report is an error.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_listener import BUILD_ID, DESCRIPTION_CRC, RATE_HZ, FakeListener

from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, LinkCorrupted, PilotlightError, TargetError, TargetNotRunning
from pilotlight.listen.report import ListenReport, make_report
from pilotlight.listen.sound import Word
from pilotlight.listen.stream import Recording, stream

LABELS = ("silence", "unknown", "yes")
NOT_KEYWORDS = ("silence", "unknown")


@pytest.fixture
def sound() -> np.ndarray:
    """Return 2.5 s of sound with a peak at one second. The sound is not a whole number of
    pieces."""
    samples = np.arange(40_001, dtype=np.int16) % 1000
    samples[RATE_HZ - 1] = 12_000
    return samples.astype(np.int16)


def hear(
    device: FakeListener,
    sound: np.ndarray,
    *,
    build_id: str = BUILD_ID,
    board: str = "here",
    crc: int = DESCRIPTION_CRC,
) -> Recording:
    return stream(device, build_id, board, crc, lambda about: sound, Deadline(10))


def report(recording: Recording, words: tuple[Word, ...] | None = None) -> ListenReport:
    return make_report(recording, LABELS, words, NOT_KEYWORDS, is_emulated=True)


def test_every_sample_arrives_once_and_in_order(sound: np.ndarray) -> None:
    device = FakeListener()
    hear(device, sound)
    np.testing.assert_array_equal(np.concatenate(device.received), sound)


def test_never_more_than_a_window_is_unanswered(sound: np.ndarray) -> None:
    device = FakeListener(window=3)
    hear(device, sound)
    assert device.most_unanswered == 3


def test_a_keyword_is_reported_with_its_time_and_latency(sound: np.ndarray) -> None:
    words = (Word(0.5, 0.9, "yes"), Word(2.0, 2.1, "house"), Word(2.2, 2.4, "yes"))
    made = report(hear(FakeListener(), sound), words)
    (keyword,) = made.keywords
    assert (keyword.keyword, keyword.at_s, keyword.compute_s) == ("yes", 1.0, 0.0015)
    assert keyword.audio_latency_s == pytest.approx(0.1)
    assert made.labelled is not None
    assert (made.labelled.expected, made.labelled.heard, made.labelled.false) == (2, 1, 0)
    assert made.labelled.missed == (words[2],)
    assert made.failure is None


def test_loads_are_shares_of_the_sound(sound: np.ndarray) -> None:
    load = report(hear(FakeListener(), sound)).load
    seconds = len(sound) / RATE_HZ
    assert load.cpu == pytest.approx(0.031 / seconds)
    assert load.npu == pytest.approx(0.01 / seconds)
    assert load.awake == pytest.approx(0.041 / seconds)


@pytest.mark.parametrize("lost", [0, 5, 79])
def test_a_lost_report_is_noticed_wherever_it_was(sound: np.ndarray, lost: int) -> None:
    recording = hear(FakeListener(lose_report=lost), sound)
    assert recording.lost_reports == 1
    assert isinstance(report(recording).failure, LinkCorrupted)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (FakeListener(lost_samples=12), "12 samples were lost"),
        (FakeListener(failed_inferences=2, error_log="the NPU is on fire"), "the NPU is on fire"),
    ],
)
def test_what_the_device_could_not_do_is_the_reports_failure(
    sound: np.ndarray, device: FakeListener, words: str
) -> None:
    failure = report(hear(device, sound)).failure
    assert isinstance(failure, TargetError) and words in str(failure)


@pytest.mark.parametrize(
    ("build_id", "board", "crc", "device", "error"),
    [
        ("another", "here", DESCRIPTION_CRC, FakeListener(), TargetNotRunning),
        (BUILD_ID, "there", DESCRIPTION_CRC, FakeListener(), TargetNotRunning),
        (BUILD_ID, "here", 1, FakeListener(), ConfigError),
        (BUILD_ID, "here", DESCRIPTION_CRC, FakeListener(npu_status=7), TargetError),
        (BUILD_ID, "here", DESCRIPTION_CRC, FakeListener(damage_answer=True), LinkCorrupted),
    ],
)
def test_no_stream_where_no_answer_could_be_believed(
    sound: np.ndarray, build_id: str, board: str, crc: int, device: FakeListener, error: type[PilotlightError]
) -> None:
    with pytest.raises(error):
        hear(device, sound, build_id=build_id, board=board, crc=crc)


def test_a_report_with_a_failure_says_so_in_json(sound: np.ndarray) -> None:
    made = report(hear(FakeListener(), sound))
    assert made.to_json()["failure"] is None
    assert "lost" in str(replace(made, lost_reports=3).to_json()["failure"])
