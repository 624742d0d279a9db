# SPDX-License-Identifier: Apache-2.0
"""Reads sound files and label tracks."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotlight.errors import ConfigError


@dataclass(frozen=True)
class Word:
    """A line of a label track; times in seconds."""

    start_s: float
    end_s: float
    label: str


def read_wav(path: Path, rate_hz: int) -> NDArray[np.int16]:
    """Return the samples of a mono 16-bit WAV at `rate_hz`, [samples].

    Raises ConfigError for any other format; nothing is converted.
    """
    try:
        with wave.open(str(path), "rb") as file:
            found = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise ConfigError(f"{path}: cannot be read as a WAV file ({error})") from error
    if found != (1, 16, rate_hz):
        channels = "channel" if found[0] == 1 else "channels"
        raise ConfigError(
            f"{path}: {found[0]} {channels}, {found[1]} bits, {found[2]:,} Hz; the model needs mono, 16 bits, "
            f"{rate_hz:,} Hz",
            hint=f"ffmpeg -i {path} -ac 1 -ar {rate_hz} -sample_fmt s16 converted.wav",
        )
    if not data:
        raise ConfigError(f"{path}: the file contains no samples")
    return np.frombuffer(data, "<i2").astype(np.int16)


def read_labels(path: Path) -> tuple[Word, ...]:
    """Read a label track: a line per word with start and end in seconds and the word,
    tab-separated.

    Raises ConfigError, which names the line.
    """
    words = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            start, end, label = line.split("\t")
            word = Word(float(start), float(end), label.strip())
        except ValueError:
            word = None
        if word is None or not 0 <= word.start_s <= word.end_s:
            raise ConfigError(
                f"{path}, line {number}: expected start, end and word, separated by tabs, not {line!r}",
                hint="audio editors export a label track in this form",
            )
        words.append(word)
    return tuple(words)
