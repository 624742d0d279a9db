# SPDX-License-Identifier: Apache-2.0
"""Encodes and decodes frames (SPEC.md, section 1).

    00 | COBS( type u8 | flags u8 | sequence u16 | payload | CRC-32 ) | 00

>>> reader = FrameReader(max_body_bytes=64)
>>> damaged, frame = reader.feed(b"noise" + encode_frame(Frame(0x01, 7, b"hello")))
>>> damaged
DamagedFrame(reason='COBS code runs past the end', received_bytes=5)
>>> frame
Frame(type=1, sequence=7, payload=b'hello')
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from cobs import cobs

HEADER = struct.Struct("<BBH")
CRC = struct.Struct("<I")
DELIMITER = b"\0"


@dataclass(frozen=True)
class Frame:
    type: int
    sequence: int
    payload: bytes


@dataclass(frozen=True)
class DamagedFrame:
    reason: str
    received_bytes: int


def encode_frame(frame: Frame) -> bytes:
    """Return the bytes to send, delimiters included."""
    body = HEADER.pack(frame.type, 0, frame.sequence) + frame.payload
    encoded: bytes = cobs.encode(body + CRC.pack(zlib.crc32(body)))
    return DELIMITER + encoded + DELIMITER


class FrameReader:
    """Splits arriving bytes into frames. After any garbage, the reader recovers at the next
    delimiter."""

    def __init__(self, max_body_bytes: int) -> None:
        # COBS adds one byte for each 254, and at least one.
        self._max_encoded_bytes = max_body_bytes + max_body_bytes // 254 + 1
        self._pending = bytearray()
        self._pending_bytes = 0

    @property
    def half_frame_bytes(self) -> int:
        """Bytes of an unfinished frame that have arrived."""
        return self._pending_bytes

    def feed(self, data: bytes) -> list[Frame | DamagedFrame]:
        """Return the frames that `data` completes."""
        completed: list[Frame | DamagedFrame] = []
        pieces = data.split(DELIMITER)
        for number, piece in enumerate(pieces):
            self._pending_bytes += len(piece)
            if len(self._pending) <= self._max_encoded_bytes:  # Too long: dropped.
                self._pending += piece
            is_last = number == len(pieces) - 1
            if not is_last and self._pending:
                completed.append(self._finish())
        return completed

    def _finish(self) -> Frame | DamagedFrame:
        encoded, received = bytes(self._pending), self._pending_bytes
        self._pending.clear()
        self._pending_bytes = 0
        if received > self._max_encoded_bytes:
            return DamagedFrame("too long", received)
        try:
            body: bytes = cobs.decode(encoded)
        except cobs.DecodeError:
            return DamagedFrame("COBS code runs past the end", received)
        if len(body) < HEADER.size + CRC.size:
            return DamagedFrame("too short", received)
        checked, crc = body[: -CRC.size], CRC.unpack(body[-CRC.size :])[0]
        if zlib.crc32(checked) != crc:
            return DamagedFrame("CRC differs", received)
        kind, flags, sequence = HEADER.unpack_from(checked)
        if flags != 0:
            return DamagedFrame("flags are not 0", received)
        return Frame(kind, sequence, checked[HEADER.size :])
