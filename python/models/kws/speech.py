# SPDX-License-Identifier: Apache-2.0
"""Makes the keyword network's data: words spoken by espeak-ng, in noise.

All data follow from a seed and from speech.toml, which separates the speakers and unknown words of
training and test.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly

from pilotlight.errors import ToolMissing

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Sound = NDArray[np.float32]

DESCRIPTION = Path(__file__).with_suffix(".toml")
CLIP_SAMPLES = 16_000

_NOISES = ("white", "pink", "babble")
_SPEED_WPM = (130, 230)
_PITCH_PERCENT = (25, 75)
_SPEECH_DBFS = (-36.0, -14.0)
_SNR_DB = (3.0, 30.0)
_SILENCE_DBFS = (-90.0, -26.0)
_BABBLE_TALKERS = 6


@dataclass(frozen=True)
class Voices:
    """The voices of one side of the split, and its words for "unknown"."""

    names: tuple[str, ...]
    unknown_words: tuple[str, ...]


def load_voices(path: Path = DESCRIPTION) -> tuple[Voices, Voices]:
    """Return the voices of the training, then those of the test."""
    described = tomllib.loads(path.read_text(encoding="utf-8"))
    training, test = (
        Voices(
            names=tuple(f"{accent}+{variant}" for accent in side["accents"] for variant in side["variants"]),
            unknown_words=tuple(side["unknown_words"]),
        )
        for side in (described["training"], described["test"])
    )
    return training, test


def speak(word: str, voice: str, rng: np.random.Generator) -> Sound:
    """Return `word` at 16 kHz with RMS 1, at a random speed and pitch, without silence around it.

    Raises ToolMissing without espeak-ng.
    """
    if not shutil.which("espeak-ng"):
        raise ToolMissing("espeak-ng is not on PATH", hint="apt-get install espeak-ng")
    speed, pitch = rng.integers(*_SPEED_WPM), rng.integers(*_PITCH_PERCENT)
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", word]
    wav = subprocess.run(command, check=True, capture_output=True, timeout=20).stdout
    # espeak-ng writes to a pipe, so the length fields of the header are placeholders. The samples
    # are all bytes after `data` and its length.
    samples = np.frombuffer(wav[wav.index(b"data") + 8 :], dtype="<i2").astype(np.float32)
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    # From 22 050 Hz.
    sound = resample_poly(samples[loud[0] : loud[-1] + 1], 320, 441).astype(np.float32)
    return _unit(sound[:CLIP_SAMPLES])


def noise(kind: str, babble: list[Sound], rng: np.random.Generator) -> Sound:
    """Return one clip of noise with RMS 1. Babble is several words at the same time."""
    if kind == "white":
        return _unit(rng.standard_normal(CLIP_SAMPLES))
    if kind == "pink":
        spectrum = np.fft.rfft(rng.standard_normal(CLIP_SAMPLES))
        return _unit(np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum))))))
    mixed = np.zeros(CLIP_SAMPLES)
    # Words last about half a clip, so each talker needs two.
    for _ in range(2 * _BABBLE_TALKERS):
        word = babble[rng.integers(len(babble))]
        mixed[: len(word)] += word
        mixed = np.roll(mixed, rng.integers(CLIP_SAMPLES))
    return _unit(mixed)


def clip_of(
    word: Sound | None, babble: list[Sound], rng: np.random.Generator, *, stretch: bool = False
) -> NDArray[np.int16]:
    """Return one second of sound: the word at a random place and level in noise, or only noise.

    stretch: also play the word up to 15 % faster or slower. The change of speed also changes pitch
    and formants, so the data has more voices than espeak-ng has variants.
    """
    clip = noise(_NOISES[rng.integers(len(_NOISES))], babble, rng)
    if word is None:
        clip *= _from_db(rng.uniform(*_SILENCE_DBFS))
    else:
        if stretch:
            word = resample_poly(word, 20, rng.integers(17, 24))[:CLIP_SAMPLES]
        clip *= _from_db(-rng.uniform(*_SNR_DB))
        start = rng.integers(CLIP_SAMPLES - len(word) + 1)
        clip[start : start + len(word)] += word
        clip *= _from_db(rng.uniform(*_SPEECH_DBFS))
    # The spectral tilt of a microphone.
    clip = lfilter([1.0, -rng.uniform(-0.3, 0.6)], [1.0], clip)
    return np.clip(np.round(clip * 32768), -32768, 32767).astype(np.int16)


def _unit(sound: NDArray[np.floating]) -> Sound:
    return (sound / math.sqrt(float(np.mean(np.square(sound))))).astype(np.float32)


def _from_db(decibels: float) -> float:
    return 10.0 ** (decibels / 20.0)
