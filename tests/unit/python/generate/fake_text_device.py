# SPDX-License-Identifier: Apache-2.0
"""A generate app in this process (firmware/apps/generate/SPEC.md), with faults as fields.

After a text, the fake "samples" the sum of its tokens, modulo the vocabulary.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from pilotlight.link.frames import Frame, FrameReader, encode_frame

BUILD_ID = "0123456789abcdef"
VOCABULARY = (b"a", b"b", b"\xc3", b"\xa9", b"e")
CONTEXT = 12
MAX_TOKENS = 4


def _string(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


@dataclass
class FakeTextDevice:
    crc: int
    name: str = "fake"
    npu_status: int = 0
    lose_report: int = -1  # This report never arrives.
    other_text: bool = False  # Tokens arrive with the text of another token.
    failing_step: int = -1  # The step at this position fails.
    forgets: bool = False  # The device loses its cache after each request.
    lost_bytes: int = 0
    error_log: str = ""
    stale_reports: int = 0  # Reports of an interrupted host that arrive before the first answer.
    other_token: bool = False  # The device appends another token than it reports.
    samplers: list[bytes] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = FrameReader(2048)
        self._outbox = bytearray()
        self._reports = 0
        self.text: list[int] = []

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        taken, self._outbox = bytes(self._outbox[:max_bytes]), self._outbox[max_bytes:]
        return taken

    def write(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            assert isinstance(frame, Frame)
            self._serve(frame)

    def close(self) -> None:
        pass

    def _serve(self, frame: Frame) -> None:
        self.requests.append(frame.type)
        if frame.type == 0x01:
            for number in range(self.stale_reports):
                self._send(0xD0, 40 + number, struct.pack("<IHHQQQ", 9, 1, 1, 1, 1, 1) + VOCABULARY[1])
            head = struct.pack("<HHBBBBIIHH", 4, 1040, 1, 1, self.npu_status, 0, 7, 32_000_000, 0, 0)
            texts = (BUILD_ID, "here", "ethos-u55-128", "dead" if self.npu_status else "")
            self._answer(frame, head + frame.payload + b"".join(map(_string, texts)))
        elif frame.type == 0x20:
            self._answer(frame, struct.pack("<IIIIHH", self.crc, len(VOCABULARY), CONTEXT, 32_000_000, MAX_TOKENS, 0))
        elif frame.type == 0x21:
            self.samplers.append(frame.payload)
            self._answer(frame, b"")
        elif frame.type == 0x22:
            self._generate(frame)
        else:
            raise AssertionError(frame)

    def _generate(self, frame: Frame) -> None:
        position, crc, count, stop = struct.unpack_from("<IIHH", frame.payload)
        tokens = struct.unpack(f"<{(len(frame.payload) - 12) // 2}H", frame.payload[12:])
        assert 1 <= len(tokens) <= MAX_TOKENS
        if position == 0:
            self.text = []
        if (position, crc) != (len(self.text), self._crc()):
            return self._refuse(frame, 7, "stale cache: start a new text")
        if self.error_log:
            self._send(0xC0, 0, b"\2" + self.error_log.encode())
        waiting, sampled, end, text = list(tokens), 0, 0, ""
        while waiting:
            token = waiting.pop(0)
            if len(self.text) == self.failing_step:
                end, text = 3, "the NPU is on strike"
                break
            self.text.append(token)
            following = 0xFFFF
            if not waiting and sampled < count:
                following = sum(self.text) % len(VOCABULARY)
                sampled += 1
                if following == stop:
                    end = 1
                elif len(self.text) == CONTEXT and sampled < count:
                    end = 2
                elif sampled < count:
                    waiting.append(following)
            self._step(token, following)
        if self.other_token:
            self.text[-1] ^= 1
        numbers = (len(self.text), self._crc(), sampled, end, 0, 2000, 32_768, self.lost_bytes, self._reports, 0)
        self._answer(frame, struct.pack("<IIHBBIIIHH", *numbers) + _string(text))
        if self.forgets:
            self.text = []

    def _step(self, token: int, sampled: int) -> None:
        text = b"" if sampled == 0xFFFF else VOCABULARY[(sampled + self.other_text) % len(VOCABULARY)]
        numbers = (len(self.text) - 1, token, sampled, 1000 + len(self.text), 300, 50)
        if self._reports != self.lose_report:
            self._send(0xD0, self._reports, struct.pack("<IHHQQQ", *numbers) + text)
        self._reports += 1

    def _crc(self) -> int:
        return zlib.crc32(b"".join(token.to_bytes(2, "little") for token in self.text))

    def _refuse(self, frame: Frame, reason: int, text: str) -> None:
        self._send(0xFF, frame.sequence, bytes([frame.type, reason, 0, 0]) + _string(text))

    def _answer(self, frame: Frame, payload: bytes) -> None:
        self._send(frame.type | 0x80, frame.sequence, payload)

    def _send(self, kind: int, sequence: int, payload: bytes) -> None:
        self._outbox += encode_frame(Frame(kind, sequence, payload))
