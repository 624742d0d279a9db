# SPDX-License-Identifier: Apache-2.0
"""Sound files and label tracks are read, or refused with a reason.

Each keyword is matched with the word that it can belong to.
"""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from pilotlight.errors import ConfigError
from pilotlight.listen.report import HeardKeyword, match
from pilotlight.listen.run import load_description
from pilotlight.listen.sound import Word, read_labels, read_wav
from pilotlight.paths import MODELS


def write_wav(path: Path, *, channels: int = 1, bytes_each: int = 2, rate: int = 16_000, frames: int = 100) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(bytes_each)
        file.setframerate(rate)
        file.writeframes(bytes(range(100)) * (frames * channels * bytes_each // 100))
    return path


def test_a_wav_is_read_as_it_is(tmp_path: Path) -> None:
    sound = read_wav(write_wav(tmp_path / "a.wav"), 16_000)
    assert sound.dtype == "int16" and len(sound) == 100 and sound[0] == 0x0100


@pytest.mark.parametrize(
    "wrong", [{"channels": 2}, {"bytes_each": 1}, {"rate": 44_100}, {"frames": 0}], ids=lambda wrong: next(iter(wrong))
)
def test_a_wav_of_another_kind_is_refused_not_converted(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"a\.wav"):
        read_wav(write_wav(tmp_path / "a.wav", **wrong), 16_000)


def test_what_is_no_wav_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"not sound")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_wav(tmp_path / "a.wav", 16_000)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_wav(tmp_path / "nowhere.wav", 16_000)


def test_a_label_track_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0.5\t0.9\tyes\n\n1.25\t1.25\tleft\n", encoding="utf-8")
    assert read_labels(tmp_path / "a.txt") == (Word(0.5, 0.9, "yes"), Word(1.25, 1.25, "left"))


@pytest.mark.parametrize("line", ["0.5 0.9 yes", "a\tb\tyes", "0.9\t0.5\tyes", "0.5\t0.9"])
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"0\t1\tup\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 2"):
        read_labels(tmp_path / "a.txt")


def heard(keyword: str, at_s: float) -> HeardKeyword:
    return HeardKeyword(keyword, 0.9, at_s, 0.001)


def test_each_word_is_heard_once() -> None:
    matched, labelled = match([heard("up", 1.5), heard("up", 1.9)], [Word(1.0, 1.4, "up")])
    assert [one.word_end_s for one in matched] == [1.4, None]
    assert (labelled.heard, labelled.false, labelled.missed) == (1, 1, ())


@pytest.mark.parametrize(("keyword", "at_s"), [("down", 1.5), ("up", 0.9), ("up", 2.5)])
def test_another_word_too_early_or_too_late_is_false(keyword: str, at_s: float) -> None:
    _, labelled = match([heard(keyword, at_s)], [Word(1.0, 1.4, "up")])
    assert (labelled.heard, labelled.false, len(labelled.missed)) == (0, 1, 1)


def test_the_hosts_labels_are_those_of_the_description(tmp_path: Path) -> None:
    description = load_description(MODELS / "kws" / "features.toml")
    assert len(description.labels) == 12 and set(description.not_keywords) < set(description.labels)
    with pytest.raises(ConfigError, match=r"features\.toml"):
        load_description(tmp_path / "features.toml")
