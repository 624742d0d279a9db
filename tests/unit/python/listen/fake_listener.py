# SPDX-License-Identifier: Apache-2.0
"""A keyword app in this process (firmware/apps/keyword_spotting/SPEC.md), with faults as fields.

The fake app hears "yes" at the first sample above 10000 in each piece of sound, and reports it with
the answer to that piece.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

from pilotlight.link.frames import Frame, FrameReader, encode_frame

RATE_HZ = 16_000
MAX_SAMPLES = 512
DESCRIPTION_CRC = 0x1234ABCD
BUILD_ID = "0123456789abcdef"
CLASSES = 3


def _string(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


@dataclass
class FakeListener:
    name: str = "fake"
    window: int = 4
    lose_report: int = -1  # This report never arrives.
    npu_status: int = 0
    lost_samples: int = 0
    failed_inferences: int = 0
    error_log: str = ""
    damage_answer: bool = False  # The first answer to a piece of sound has a wrong CRC.
    most_unanswered: int = 0
    received: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = FrameReader(2048)
        self._outbox = bytearray()
        self._reports = self._next = self._keywords = self._logs = 0
        self._written = 0

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        self._written = 0
        taken, self._outbox = bytes(self._outbox[:max_bytes]), self._outbox[max_bytes:]
        return taken

    def write(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            assert isinstance(frame, Frame)
            self._serve(frame)

    def close(self) -> None:
        pass

    def _serve(self, frame: Frame) -> None:
        if frame.type == 0x01:
            head = struct.pack("<HHBBBBIIHH", 4, 1024, self.window, 1, self.npu_status, 0, 7, 32_000_000, 0, 0)
            texts = (BUILD_ID, "here", "ethos-u55-128", "dead" if self.npu_status else "")
            self._answer(frame, head + frame.payload + b"".join(map(_string, texts)))
        elif frame.type == 0x20:
            self._answer(
                frame, struct.pack("<IIIIHH", DESCRIPTION_CRC, RATE_HZ, 32_000_000, 4096, MAX_SAMPLES, CLASSES)
            )
        elif frame.type == 0x21:
            self._reports = self._next = self._keywords = 0
            self._answer(frame, b"")
        elif frame.type == 0x22:
            self._audio(frame)
        elif frame.type in (0x23, 0x24):
            if frame.type == 0x23:
                assert struct.unpack("<I", frame.payload) == (self._next,)
            self._answer(frame, self._statistics())
        else:
            raise AssertionError(frame)

    def _audio(self, frame: Frame) -> None:
        self._written += 1
        self.most_unanswered = max(self.most_unanswered, self._written)
        (first,) = struct.unpack_from("<I", frame.payload)
        samples = np.frombuffer(frame.payload[4:], "<i2")
        assert first == self._next and 0 < len(samples) <= MAX_SAMPLES
        self.received.append(samples)
        self._next += len(samples)
        loud = np.flatnonzero(samples > 10_000)
        if len(loud):
            self._keywords += 1
            self._report(0xD2, struct.pack("<QIfI", first + int(loud[0]) + 1, 2, 0.75, 1500))
        self._report(0xD1, struct.pack("<Q", self._next) + bytes(CLASSES) + bytes(4 * CLASSES))
        if self.error_log and not self._logs:
            self._send(0xC0, self._logs, b"\2" + self.error_log.encode())
            self._logs += 1
        self._answer(frame, struct.pack("<I", self._next))

    def _report(self, kind: int, payload: bytes) -> None:
        if self._reports != self.lose_report:
            self._send(kind, self._reports, payload)
        self._reports += 1

    def _statistics(self) -> bytes:
        counts = (self._next, self.lost_samples, 600, 40, 8, self.failed_inferences, self._keywords)
        times = (10_000, 20_000, 900_000, 1_000, 320_000, 2_000_000, 1_500_000)
        return struct.pack("<QIIIIIIQQQQQQQIIIIHH", *counts, *times, 2000, 32_768, 0, 0, self._reports, 0)

    def _answer(self, frame: Frame, payload: bytes) -> None:
        encoded = encode_frame(Frame(frame.type | 0x80, frame.sequence, payload))
        if self.damage_answer and frame.type == 0x22:
            encoded = encoded[:3] + bytes([encoded[3] ^ 0x10]) + encoded[4:]
        self._outbox += encoded

    def _send(self, kind: int, sequence: int, payload: bytes) -> None:
        self._outbox += encode_frame(Frame(kind, sequence, payload))
