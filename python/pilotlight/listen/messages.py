# SPDX-License-Identifier: Apache-2.0
"""Payloads of the keyword app's own frames (firmware/apps/keyword_spotting/SPEC.md)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pilotlight.link.messages import PayloadReader


class AppRequest(IntEnum):
    DESCRIBE_AUDIO = 0x20
    START = 0x21
    AUDIO = 0x22
    FINISH = 0x23
    STATISTICS = 0x24


class Report(IntEnum):
    FEATURES = 0xD0
    INFERENCE = 0xD1
    KEYWORD = 0xD2


REPORT_FEATURES = 1
REPORT_INFERENCES = 2


def start(reports: int) -> bytes:
    """Return the payload of START. reports: REPORT_FEATURES and REPORT_INFERENCES, combined."""
    return struct.pack("<I", reports)


def audio(first: int, samples: NDArray[np.int16]) -> bytes:
    """Return the payload of AUDIO. first: number of the first sample since START."""
    return struct.pack("<I", first) + samples.astype("<i2").tobytes()


def finish(samples: int) -> bytes:
    """Return the payload of FINISH. samples: the number of all samples."""
    return struct.pack("<I", samples)


@dataclass(frozen=True)
class AudioDescription:
    """Answer to DESCRIBE_AUDIO. description_crc: CRC-32 of features.toml."""

    description_crc: int
    sample_rate_hz: int
    clock_hz: int
    ring_samples: int
    max_samples: int
    classes: int

    @classmethod
    def decode(cls, payload: bytes) -> AudioDescription:
        reader = PayloadReader(payload)
        fields = reader.fields("IIIIHH")
        reader.end()
        return cls(*fields)


@dataclass(frozen=True)
class AppStatistics:
    """Counts and times since START; times are by the device's clock."""

    samples: int
    lost_samples: int
    most_ring_samples: int
    feature_frames: int
    inferences: int
    failed_inferences: int
    keywords: int
    features_us: int
    network_us: int
    npu_us: int
    decision_us: int
    npu_cycles: int
    elapsed_us: int
    asleep_us: int
    stack_used_bytes: int
    stack_size_bytes: int
    console_lost_bytes: int
    damaged_frames: int
    next_report: int

    @classmethod
    def decode(cls, payload: bytes) -> AppStatistics:
        reader = PayloadReader(payload)
        *fields, _ = reader.fields("QIIIIIIQQQQQQQIIIIHH")
        reader.end()
        return cls(*fields)


@dataclass(frozen=True)
class Features:
    """Features of one frame. values: as computed. stored: quantised, the network's input."""

    frame: int
    values: NDArray[np.float32]
    stored: NDArray[np.int8]

    @classmethod
    def decode(cls, payload: bytes) -> Features:
        reader = PayloadReader(payload)
        (frame,) = reader.fields("I")
        count = (len(payload) - 4) // 5
        values, stored = reader.take(4 * count), reader.take(count)
        reader.end()
        return cls(frame, np.frombuffer(values, "<f4"), np.frombuffer(stored, np.int8))


@dataclass(frozen=True)
class Inference:
    """One inference on the window that ends before sample `end`.

    scores: the network's output. averages: the averaged probabilities.
    """

    end: int
    scores: NDArray[np.int8]
    averages: NDArray[np.float32]

    @classmethod
    def decode(cls, payload: bytes) -> Inference:
        reader = PayloadReader(payload)
        (end,) = reader.fields("Q")
        count = (len(payload) - 8) // 5
        scores, averages = reader.take(count), reader.take(4 * count)
        reader.end()
        return cls(end, np.frombuffer(scores, np.int8), np.frombuffer(averages, "<f4"))


@dataclass(frozen=True)
class Keyword:
    """A decision. compute_us: time from the arrival of its window's last sample."""

    end: int
    index: int
    score: float
    compute_us: int

    @classmethod
    def decode(cls, payload: bytes) -> Keyword:
        reader = PayloadReader(payload)
        fields = reader.fields("QIfI")
        reader.end()
        return cls(*fields)
