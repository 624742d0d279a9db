# SPDX-License-Identifier: Apache-2.0
"""Writes minutes of sound instead of clips: keywords by held-out voices in steady noise.

    python python/models/kws/stream.py --out words.wav --labels words.txt yes no left right

A track of labels comes with it. The track has a line for each word: start and end in seconds, and
the word, with tabs between, as audio editors write it. Needs espeak-ng and SciPy.
"""

from __future__ import annotations

import argparse
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from features import load_description
from numpy.typing import NDArray
from speech import Voices, load_voices, speak

SPEECH_DBFS = -22.0
SNR_DB = 24.0


@dataclass(frozen=True)
class Word:
    """A word in the sound. start, end: in samples; the end is exclusive."""

    start: int
    end: int
    label: str


def say(
    words: Sequence[str], voices: Voices, seed: int, *, rate_hz: int, gap_s: float = 1.2, lead_s: float = 1.5
) -> tuple[NDArray[np.int16], list[Word]]:
    """Return int16 sound with the words, `gap_s` seconds apart, and the words' places.

    The noise continues from the first sample to the last, because a cut between clips would be
    audible as a click.
    """
    rng = np.random.default_rng(seed)
    at, placed, sounds = round(lead_s * rate_hz), [], []
    for word in words:
        sound = speak(word, voices.names[rng.integers(len(voices.names))], rng)
        placed.append(Word(at, at + len(sound), word))
        sounds.append(sound)
        at += len(sound) + round(gap_s * rate_hz)
    mixed = _pink(at, rng) * 10 ** (-SNR_DB / 20)
    for word, sound in zip(placed, sounds, strict=True):
        mixed[word.start : word.end] += sound
    scaled = mixed * 10 ** (SPEECH_DBFS / 20) * 32768
    return np.clip(np.round(scaled), -32768, 32767).astype(np.int16), placed


def _pink(samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    sound = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), samples)
    return sound / np.sqrt(np.mean(np.square(sound)))


def write_wav(path: Path, sound: NDArray[np.int16], rate_hz: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(sound.astype("<i2").tobytes())


def write_labels(path: Path, words: Sequence[Word], rate_hz: int) -> None:
    lines = [f"{word.start / rate_hz:.4f}\t{word.end / rate_hz:.4f}\t{word.label}\n" for word in words]
    path.write_text("".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+")
    parser.add_argument("--out", type=Path, required=True, metavar="WAV")
    parser.add_argument("--labels", type=Path, metavar="FILE")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    mfcc, _ = load_description()
    sound, placed = say(arguments.words, load_voices()[1], arguments.seed, rate_hz=mfcc.sample_rate_hz)
    write_wav(arguments.out, sound, mfcc.sample_rate_hz)
    if arguments.labels:
        write_labels(arguments.labels, placed, mfcc.sample_rate_hz)


if __name__ == "__main__":
    main()
