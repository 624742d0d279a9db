# SPDX-License-Identifier: Apache-2.0
"""The numbers of SPEC.md (sections 2 to 4), the payloads of requests, and a reader of payloads.

answers.py decodes the device's payloads.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any

PROTOCOL_VERSION = 4
NONCE_BYTES = 16
BODY_OVERHEAD_BYTES = 64
RESET_MAGIC = 0x54455352
ANSWER = 0x80
# Types of frames that apps other than check send unasked. Each app defines its own.
REPORTS = range(0xD0, 0xE0)


class Malformed(Exception):
    """The frame is intact, but its payload does not have the layout of SPEC.md."""


class Request(IntEnum):
    IDENTIFY = 0x01
    DESCRIBE_MODEL = 0x02
    DESCRIBE_TENSOR = 0x03
    SET_INPUT = 0x04
    RUN = 0x05
    READ_OUTPUT = 0x06
    STATISTICS = 0x07
    END = 0x08
    RESET = 0x09
    READ_FAULT = 0x0A
    DESCRIBE_TIE = 0x0B


class Unasked(IntEnum):
    """Frames that the device sends unasked, and ERROR, which may answer any request."""

    LOG = 0xC0
    BOOT = 0xC1
    NAK = 0xC2
    ERROR = 0xFF


class LogLevel(IntEnum):
    DEBUG = 0
    INFO = 1
    ERROR = 2
    FATAL = 3


class Reason(IntEnum):
    """Why the device refused a request."""

    UNKNOWN_REQUEST = 1
    BAD_PAYLOAD = 2
    NO_SESSION = 3
    OUT_OF_RANGE = 4
    NOTHING_TO_READ = 5
    INPUT_INCOMPLETE = 6
    RUN_NUMBER = 7
    NOT_OPEN = 8


class Status(IntEnum):
    """Same numbers as in firmware/base/include/pilotlight/base/status.h."""

    OK = 0
    TIMEOUT = 1
    BUSY = 2
    BAD_MODEL = 3
    UNSUPPORTED = 4
    NO_MEMORY = 5
    MISALIGNED = 6
    DEVICE_FAULT = 7
    BAD_ARGUMENT = 8
    WRONG_NPU = 9


DAMAGE_REASONS = {1: "COBS", 2: "too long", 3: "too short", 4: "CRC", 5: "flags"}

# ExecuTorch's ScalarType numbers -> NumPy's names.
DTYPE_NAMES = {0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 6: "float32", 11: "bool"}


class PayloadReader:
    """Reads fields in order. Raises Malformed if bytes are missing or left over."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def fields(self, layout: str) -> tuple[Any, ...]:
        """Return fields of this struct layout, little endian. Raises Malformed."""
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def take(self, count: int) -> bytes:
        """Return `count` bytes. Raises Malformed if there are fewer."""
        taken = self._payload[self._at : self._at + count]
        if len(taken) != count:
            raise Malformed(f"payload of {len(self._payload)} bytes ends {count - len(taken)} bytes too early")
        self._at += count
        return taken

    def rest(self) -> bytes:
        return self.take(len(self._payload) - self._at)

    def string(self) -> str:
        """Return a string that a length byte precedes. Raises Malformed."""
        (length,) = self.fields("B")
        return self.take(length).decode("utf-8", errors="backslashreplace")

    def status(self) -> Status:
        """Return a Status. Raises Malformed for an unknown number."""
        (number,) = self.fields("B")
        try:
            return Status(number)
        except ValueError:
            raise Malformed(f"unknown status {number}") from None

    def end(self) -> None:
        """Raise Malformed if bytes are left."""
        left = len(self._payload) - self._at
        if left:
            raise Malformed(f"{left} bytes left over in a payload of {len(self._payload)}")


def set_input(model: int, index: int, offset: int, data: bytes) -> bytes:
    """Return the payload of SET_INPUT: a piece of an input at `offset` bytes."""
    return struct.pack("<BBHI", model, index, 0, offset) + data


def run(model: int, number: int, deadline_ms: int, *, continues: bool) -> bytes:
    """Return the payload of RUN. number: counts from 1 in a session."""
    return struct.pack("<BBHII", model, continues, 0, number, deadline_ms)


def read_output(model: int, index: int, length: int, offset: int) -> bytes:
    """Return the payload of READ_OUTPUT: `length` bytes at `offset`."""
    return struct.pack("<BBHI", model, index, length, offset)
