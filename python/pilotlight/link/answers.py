# SPDX-License-Identifier: Apache-2.0
"""The payloads of frames that the device sends (SPEC.md, sections 2 to 4), as dataclasses.

A payload whose layout differs from SPEC.md raises `Malformed`; the session turns it into an error.
"""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.link.messages import (
    DAMAGE_REASONS,
    DTYPE_NAMES,
    NONCE_BYTES,
    LogLevel,
    Malformed,
    PayloadReader,
    Status,
)


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
    tie_count: int

    @classmethod
    def decode(cls, payload: bytes, *, model: int) -> ModelHeader:
        reader = PayloadReader(payload)
        (echo,) = reader.fields("B")
        if echo != model:
            raise Malformed(f"DESCRIBE_MODEL: asked for {model}, answered {echo}")
        status = reader.status()
        inputs, outputs, ties, size_bytes = reader.fields("BBB3xI")
        digest = reader.take(32).hex()
        name, npu_config, text = (reader.string() for _ in range(3))
        reader.end()
        return cls(name, status, text, npu_config, size_bytes, digest, inputs, outputs, ties)


@dataclass(frozen=True)
class TieDescription:
    """Answer to DESCRIBE_TIE. axis: None if the output replaces the whole input."""

    output: int
    input: int
    axis: int | None
    slots: int
    block_bytes: int
    block_count: int

    @classmethod
    def decode(cls, payload: bytes, *, model: int, index: int) -> TieDescription:
        reader = PayloadReader(payload)
        echo = reader.fields("BB")
        if echo != (model, index):
            raise Malformed(f"DESCRIBE_TIE: asked for {(model, index)}, answered {echo}")
        output, target, axis, slots, block_bytes, block_count = reader.fields("BBb3xIII")
        reader.end()
        return cls(output, target, None if axis < 0 else axis, slots, block_bytes, block_count)


@dataclass(frozen=True)
class ModelDescription:
    """The answers to DESCRIBE_MODEL and all DESCRIBE_TENSOR and DESCRIBE_TIE of a model."""

    header: ModelHeader
    inputs: tuple[TensorDescription, ...]
    outputs: tuple[TensorDescription, ...]
    ties: tuple[TieDescription, ...] = ()


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
