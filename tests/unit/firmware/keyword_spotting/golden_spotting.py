# SPDX-License-Identifier: Apache-2.0
"""Writes sounds and scores, and the results of features.py and decision.py, as raw numbers.

All numbers are little-endian.

golden_spotting.py FOLDER     with python/models/kws in PYTHONPATH
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from decision import averages, heard, load_decision
from features import features, load_description
from speech import load_voices
from stream import say

OUTPUT_SCALE = 0.0625
FULL_SCALE = 32767


def sounds(rate_hz: int) -> list[np.ndarray]:
    """Return words by the test voices, then sounds that no training clip resembles."""
    rng = np.random.default_rng(1)
    second = np.arange(rate_hz) / rate_hz
    speech, _ = say(["yes", "stop", "silver", "left"], load_voices()[1], 7, rate_hz=rate_hz, gap_s=0.3, lead_s=0.3)
    return [
        speech,
        np.zeros(rate_hz // 2),
        rng.normal(0, 1.0, rate_hz // 2),
        rng.normal(0, 1000.0, rate_hz // 2),
        rng.choice([-FULL_SCALE - 1, FULL_SCALE], rate_hz // 2),
        np.where(np.sin(2 * np.pi * 440 * second) > 0, FULL_SCALE, -FULL_SCALE - 1),
        FULL_SCALE * np.sin(2 * np.pi * (50 * second + 3900 * second**2)),
        np.full(rate_hz // 4, -FULL_SCALE - 1),
        np.eye(1, rate_hz // 4, 700).ravel() * FULL_SCALE,
    ]


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    mfcc, labels = load_description()
    rules = load_decision()
    made = sounds(mfcc.sample_rate_hz)
    sound = np.clip(np.round(np.concatenate(made)), -32768, 32767).astype("<i2")
    np.array([(len(made[0]) - mfcc.window_samples) // mfcc.hop_samples + 1], "<u4").tofile(out / "speech_frames.bin")
    sound = sound[: len(sound) // mfcc.hop_samples * mfcc.hop_samples]
    sound.tofile(out / "sounds.bin")
    features(mfcc, sound).astype("<f4").tofile(out / "features.bin")

    # One random class leads for a while, by a random margin. So keywords come and go, some near
    # the threshold.
    rng = np.random.default_rng(2)
    rows = []
    while len(rows) < 1000:
        leader, lead = rng.integers(len(labels)), rng.uniform(0, 120)
        for _ in range(rng.integers(2, 12)):
            row = rng.normal(0, 10, len(labels))
            row[leader] += lead
            rows.append(row)
    scores = np.clip(np.round(rows), -128, 127).astype(np.int8)
    averaged = averages(rules, scores * OUTPUT_SCALE)
    ends = (np.arange(len(scores)) * rules.hop_frames + mfcc.frames + 1) * mfcc.hop_samples
    found = {word.sample: labels.index(word.keyword) for word in heard(rules, labels, averaged, ends.tolist())}
    assert len(found) > 20
    scores.tofile(out / "scores.bin")
    averaged.astype("<f4").tofile(out / "averages.bin")
    np.array([found.get(end, -1) for end in ends.tolist()], "<i4").tofile(out / "heard.bin")


if __name__ == "__main__":
    main()
