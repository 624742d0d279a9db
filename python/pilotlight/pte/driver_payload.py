# SPDX-License-Identifier: Apache-2.0
"""Reads the payload of Arm's driver: the command stream and what it was compiled for.

There are two formats. COP1 is a list of words, the driver's actions. COP2 has a header, and one
entry with metadata and the stream:

    header     "COP2", u16 major version, u16 minor version, u64 bytes that follow
    entry      u32 type (1: command stream), u32 bytes that follow, u32 bytes of the metadata
    metadata   "VEUM", u16 major version, u16 minor version, u32 bytes that follow, u32 CONFIG,
               u32 ID, u32 features, u64 bytes of the fast scratch area; 0xFF up to a multiple of 16
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pilotlight.errors import BadProgram

_COP1, _COP2 = b"COP1", b"COP2"
_OPTIMIZER_CONFIG, _COMMAND_STREAM, _NOP = 1, 2, 5
_HEADER, _ENTRY = struct.Struct("<4sHHQ"), struct.Struct("<III")
_METADATA = struct.Struct("<4sHHIIIIQ")
_METADATA_MAGIC, _METADATA_BODY = b"VEUM", 20
_VERSION = 1
_STREAM_TYPE = 1


@dataclass(frozen=True)
class Payload:
    """A driver payload.

    config, id: the CONFIG and ID register values of the NPU that the stream was compiled for.
    stream_at: offset of the stream in the payload, in bytes.
    """

    config: int
    id: int
    stream: bytes
    stream_at: int


def parse_payload(commands: bytes) -> Payload:
    """Parse a payload of either format.

    Raises BadProgram unless the payload has one stream and its configuration.
    """
    if len(commands) % 4 != 0 or len(commands) < 4:
        raise BadProgram(f"driver payload: {len(commands)} bytes is not a whole number of words")
    magic = commands[:4]
    if magic == _COP1:
        return _actions(commands)
    if magic == _COP2:
        return _entries(commands)
    raise BadProgram(f"driver payload: starts with {magic.hex()} instead of COP1 or COP2")


def _actions(commands: bytes) -> Payload:
    words = struct.unpack(f"<{len(commands) // 4}I", commands)
    config: tuple[int, int] | None = None
    stream: bytes | None = None
    stream_at = 0
    at = 1
    while at < len(words):
        word = words[at]
        action = word & 0xFF
        if action == _OPTIMIZER_CONFIG:
            if at + 3 > len(words):
                raise BadProgram(f"driver payload: word {at}: the optimizer configuration is cut off")
            config = words[at + 1], words[at + 2]
            at += 3
        elif action == _COMMAND_STREAM:
            length = (word >> 8 & 0xFF) << 16 | word >> 16
            if at + 1 + length > len(words) or stream is not None:
                raise BadProgram(f"driver payload: word {at}: a stream of {length} words does not fit")
            stream_at = 4 * (at + 1)
            stream = commands[stream_at : stream_at + 4 * length]
            at += 1 + length
        elif action == _NOP:
            at += 1
        else:
            raise BadProgram(f"driver payload: word {at}: unknown action {word:#010x}")
    if config is None or stream is None:
        raise BadProgram(f"driver payload: no {'configuration' if config is None else 'command stream'}")
    return Payload(*config, stream, stream_at)


def _entries(commands: bytes) -> Payload:
    stream_at = _HEADER.size + _ENTRY.size
    if len(commands) < stream_at + _METADATA.size:
        raise BadProgram(f"driver payload: COP2 of {len(commands)} bytes has no entry")
    _, major, _, following = _HEADER.unpack_from(commands)
    kind, entry_bytes, metadata_bytes = _ENTRY.unpack_from(commands, _HEADER.size)
    if major != _VERSION or kind != _STREAM_TYPE:
        raise BadProgram(f"driver payload: COP2 version {major} with an entry of type {kind} is not known")
    if following != len(commands) - _HEADER.size or entry_bytes != following - 2 * 4:
        raise BadProgram(f"driver payload: COP2 of {len(commands)} bytes tells {following} and {entry_bytes} bytes")
    magic, metadata_major, _, body, config, number, _, _ = _METADATA.unpack_from(commands, stream_at)
    if magic != _METADATA_MAGIC or metadata_major != _VERSION or body < _METADATA_BODY:
        raise BadProgram(f"driver payload: metadata {magic.hex()} version {metadata_major} are not known")
    if metadata_bytes < _METADATA.size or metadata_bytes % 4 or stream_at + metadata_bytes > len(commands):
        raise BadProgram(f"driver payload: {metadata_bytes} bytes of metadata do not fit")
    stream_at += metadata_bytes
    return Payload(config, number, commands[stream_at:], stream_at)
