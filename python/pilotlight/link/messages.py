# SPDX-License-Identifier: Apache-2.0
"""Payloads of frames (SPEC.md, sections 2 to 4): functions encode requests, dataclasses decode
answers.

A payload whose layout differs from SPEC.md raises `Malformed`; the session turns it into an error.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

PROTOCOL_VERSION = 3
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


@dataclass(frozen=True)
class Identity:
    """Answer to IDENTIFY."""

    protocol_version: int
    max_chunk: int
    window: int
    model_count: int
    npu_status: Status
    has_fault: bool
    boot_id: int
    cpu_clock_hz: int
    log_sequence: int
    nonce: bytes
    build_id: str
    board: str
    npu_config: str
    npu_text: str

    @classmethod
    def decode(cls, payload: bytes) -> Identity:
        reader = PayloadReader(payload)
        version, max_chunk, window, models = reader.fields("HHBB")
        npu_status = reader.status()
        has_fault, boot_id, clock, log_sequence, _ = reader.fields("BIIHH")
        nonce = reader.take(NONCE_BYTES)
        build_id, board, npu_config, npu_text = (reader.string() for _ in range(4))
        reader.end()
        if not max_chunk or not window:
            raise Malformed("IDENTIFY: chunk size or window is 0")
        return cls(
            protocol_version=version,
            max_chunk=max_chunk,
            window=window,
            model_count=models,
            npu_status=npu_status,
            has_fault=bool(has_fault),
            boot_id=boot_id,
            cpu_clock_hz=clock,
            log_sequence=log_sequence,
            nonce=nonce,
            build_id=build_id,
            board=board,
            npu_config=npu_config,
            npu_text=npu_text,
        )


@dataclass(frozen=True)
class TensorDescription:
    """Answer to DESCRIBE_TENSOR."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    size_bytes: int

    @classmethod
    def decode(cls, payload: bytes, *, model: int, direction: int, index: int) -> TensorDescription:
        reader = PayloadReader(payload)
        echo = reader.fields("BBB")
        if echo != (model, direction, index):
            raise Malformed(f"DESCRIBE_TENSOR: asked for {(model, direction, index)}, answered {echo}")
        dtype, rank, scale, zero_point, size_bytes = reader.fields("BB3xfiI")
        if dtype not in DTYPE_NAMES:
            raise Malformed(f"DESCRIBE_TENSOR: unknown dtype {dtype}")
        shape = reader.fields(f"{rank}i")
        name = reader.string()
        reader.end()
        return cls(name, DTYPE_NAMES[dtype], shape, scale, zero_point, size_bytes)


@dataclass(frozen=True)
class ModelHeader:
    """Answer to DESCRIBE_MODEL."""

    name: str
    status: Status
    text: str
    npu_config: str
    pte_size_bytes: int
    pte_sha256: str
    input_count: int
    output_count: int

    @classmethod
    def decode(cls, payload: bytes, *, model: int) -> ModelHeader:
        reader = PayloadReader(payload)
        (echo,) = reader.fields("B")
        if echo != model:
            raise Malformed(f"DESCRIBE_MODEL: asked for {model}, answered {echo}")
        status = reader.status()
        inputs, outputs, size_bytes = reader.fields("BBI")
        digest = reader.take(32).hex()
        name, npu_config, text = (reader.string() for _ in range(3))
        reader.end()
        return cls(name, status, text, npu_config, size_bytes, digest, inputs, outputs)


@dataclass(frozen=True)
class ModelDescription:
    """The answers to DESCRIBE_MODEL and all DESCRIBE_TENSOR of a model."""

    header: ModelHeader
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]


@dataclass(frozen=True)
class RunDone:
    """Answer to RUN."""

    number: int
    status: Status
    text: str
    input_crc: int
    output_crc: int
    boot_id: int
    npu_status: int
    duration_us: int
    cpu_cycles: int
    npu_cycles: int
    events: tuple[tuple[int, int], ...]

    @classmethod
    def decode(cls, payload: bytes) -> RunDone:
        reader = PayloadReader(payload)
        (number,) = reader.fields("I")
        status = reader.status()
        event_count, _, input_crc, output_crc, boot_id, npu_status = reader.fields("BHIIII")
        duration_us, cpu_cycles, npu_cycles = reader.fields("QQQ")
        events = tuple(reader.fields("II") for _ in range(event_count))
        text = reader.string()
        reader.end()
        return cls(
            number=number,
            status=status,
            text=text,
            input_crc=input_crc,
            output_crc=output_crc,
            boot_id=boot_id,
            npu_status=npu_status,
            duration_us=duration_us,
            cpu_cycles=cpu_cycles,
            npu_cycles=npu_cycles,
            events=events,
        )


@dataclass(frozen=True)
class Statistics:
    """Answer to STATISTICS.

    Sizes are in bytes; console_lost_bytes and damaged_frames are counts.
    """

    method_pool_used: int
    method_pool_size: int
    temp_pool_used: int
    temp_pool_size: int
    planned_size: int
    stack_used: int
    stack_size: int
    console_lost_bytes: int
    damaged_frames: int

    @classmethod
    def decode(cls, payload: bytes) -> Statistics:
        reader = PayloadReader(payload)
        fields = reader.fields("9I")
        reader.end()
        return cls(*fields)


@dataclass(frozen=True)
class Completion:
    """Answer to END: the device's own account of the session."""

    nonce: bytes
    boot_id: int
    runs_ok: int
    runs_failed: int
    damaged_frames: int
    errors_logged: int
    console_lost_bytes: int
    log_sequence: int

    @classmethod
    def decode(cls, payload: bytes) -> Completion:
        reader = PayloadReader(payload)
        nonce = reader.take(NONCE_BYTES)
        fields = reader.fields("IIIIIIHH")
        reader.end()
        return cls(nonce, *fields[:-1])


@dataclass(frozen=True)
class FaultPiece:
    """Answer to READ_FAULT: a part of the dump. `total_bytes` is 0 if there is no dump."""

    total_bytes: int
    offset: int
    data: bytes

    @classmethod
    def decode(cls, payload: bytes) -> FaultPiece:
        reader = PayloadReader(payload)
        total, offset = reader.fields("II")
        return cls(total, offset, reader.rest())


@dataclass(frozen=True)
class Refusal:
    """ERROR: the device refused a request."""

    request: int
    reason: int
    status: Status
    text: str

    @classmethod
    def decode(cls, payload: bytes) -> Refusal:
        reader = PayloadReader(payload)
        request, reason = reader.fields("BB")
        status = reader.status()
        reader.fields("B")
        text = reader.string()
        reader.end()
        return cls(request, reason, status, text)


@dataclass(frozen=True)
class LogLine:
    level: LogLevel
    text: str

    @classmethod
    def decode(cls, payload: bytes) -> LogLine:
        reader = PayloadReader(payload)
        (level,) = reader.fields("B")
        text = reader.rest().decode("utf-8", errors="backslashreplace")
        return cls(LogLevel(min(level, LogLevel.FATAL)), text)


@dataclass(frozen=True)
class Nak:
    reason: str
    damaged_frames: int

    @classmethod
    def decode(cls, payload: bytes) -> Nak:
        reader = PayloadReader(payload)
        reason, damaged = reader.fields("B3xI")
        reader.end()
        return cls(DAMAGE_REASONS.get(reason, f"reason {reason}"), damaged)
