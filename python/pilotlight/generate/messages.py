# SPDX-License-Identifier: Apache-2.0
"""Payloads of the generate app's own frames (firmware/apps/generate/SPEC.md)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from pilotlight.generate.sampler import Sampler
from pilotlight.link.messages import Malformed, PayloadReader

NO_TOKEN = 0xFFFF


class AppRequest(IntEnum):
    DESCRIBE_TEXT = 0x20
    SAMPLER = 0x21
    GENERATE = 0x22


class Report(IntEnum):
    STEP = 0xD0


class End(IntEnum):
    """Why a GENERATE ended."""

    COUNT = 0
    STOP_TOKEN = 1
    CONTEXT_FULL = 2
    FAILED = 3


def sampler(settings: Sampler) -> bytes:
    """Return the payload of SAMPLER."""
    weights = settings.weights
    return struct.pack(f"<QHH{len(weights)}I", settings.seed, settings.top_k, len(weights), *weights)


def history_crc(tokens: Sequence[int]) -> int:
    """Return the checksum over the tokens of a text."""
    return zlib.crc32(struct.pack(f"<{len(tokens)}H", *tokens))


def generate(history: Sequence[int], count: int, stop: int | None, tokens: Sequence[int]) -> bytes:
    """Return the payload of GENERATE: append `tokens` to `history`, then sample `count` tokens."""
    head = struct.pack("<IIHH", len(history), history_crc(history), count, NO_TOKEN if stop is None else stop)
    return head + struct.pack(f"<{len(tokens)}H", *tokens)


@dataclass(frozen=True)
class TextDescription:
    """Answer to DESCRIBE_TEXT. crc: of the text model's tables."""

    crc: int
    vocabulary: int
    context: int
    clock_hz: int
    max_tokens: int

    @classmethod
    def decode(cls, payload: bytes) -> TextDescription:
        reader = PayloadReader(payload)
        *fields, _ = reader.fields("IIIIHH")
        reader.end()
        return cls(*fields)


@dataclass(frozen=True)
class Step:
    """One run of the model. sampled: None inside the prompt. text: of the sampled token."""

    position: int
    token: int
    sampled: int | None
    npu_cycles: int
    cpu_cycles: int
    duration_us: int
    text: bytes

    @classmethod
    def decode(cls, payload: bytes) -> Step:
        reader = PayloadReader(payload)
        position, token, sampled, npu_cycles, cpu_cycles, duration_us = reader.fields("IHHQQQ")
        return cls(
            position,
            token,
            None if sampled == NO_TOKEN else sampled,
            npu_cycles,
            cpu_cycles,
            duration_us,
            reader.rest(),
        )


@dataclass(frozen=True)
class Generated:
    """Answer to GENERATE. position: tokens of the text on the device."""

    position: int
    history_crc: int
    sampled: int
    end: End
    stack_used_bytes: int
    stack_size_bytes: int
    console_lost_bytes: int
    next_report: int
    failure: str

    @classmethod
    def decode(cls, payload: bytes) -> Generated:
        reader = PayloadReader(payload)
        position, crc, sampled, end, _, stack_used, stack_size, lost, next_report, _ = reader.fields("IIHBBIIIHH")
        failure = reader.string()
        reader.end()
        if end not in list(End):
            raise Malformed(f"GENERATE: unknown end {end}")
        return cls(position, crc, sampled, End(end), stack_used, stack_size, lost, next_report, failure)
