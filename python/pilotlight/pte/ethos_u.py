# SPDX-License-Identifier: Apache-2.0
"""Reads an Ethos-U delegate's blob from ExecuTorch's Arm backend.

A blob is a list of blocks, little endian. Each block has a 32-byte header and its data, padded to
16 bytes. The header holds the name (padded with NUL to 16 bytes), a u32 length, a u8 flag and 11
reserved bytes. If the flag is 1, the data are the key of named data outside the blob.

The block `cmd_data` is the payload of Arm's driver (driver_payload.py).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from pilotlight.errors import BadProgram

BACKEND = "EthosUBackend"

_HEADER = struct.Struct("<16sIB11x")
_ALIGN_BYTES = 16
_TENSOR = struct.Struct("<9i")
_ELEMENT_BYTES = (1, 2, 4, 8)
_REGIONS = 8

# Region of the scratch area, where the NPU reads inputs and writes outputs.
SCRATCH_REGION = 1
# Regions of inputs and outputs if Vela was told to separate them.
INPUT_REGION, OUTPUT_REGION = 3, 4


@dataclass(frozen=True)
class IoTensor:
    """Place of an input or output. `shape` is Vela's: six dimensions, with leading ones."""

    shape: tuple[int, ...]
    element_bytes: int
    offset: int
    region: int

    @property
    def size_bytes(self) -> int:
        size = self.element_bytes
        for dimension in self.shape:
            size *= dimension
        return size


@dataclass(frozen=True)
class EthosUBlob:
    """A delegate's blob.

    commands: the driver payload. weights: region 0; region 1 is the scratch area.
    commands_at, weights_at: their offsets in the blob; None for data outside the blob.
    """

    commands: bytes
    weights: bytes
    commands_at: int | None
    weights_at: int | None
    scratch_size_bytes: int
    inputs: tuple[IoTensor, ...]
    outputs: tuple[IoTensor, ...]

    def io_bytes(self, region: int) -> int:
        """Return the size of the region of inputs or outputs, which ends with its last tensor."""
        tensors = (*self.inputs, *self.outputs)
        return max((tensor.offset + tensor.size_bytes for tensor in tensors if tensor.region == region), default=0)


def parse_blob(blob: bytes, named_data: Mapping[str, bytes] | None = None) -> EthosUBlob:
    """Parse a delegate's blob. `named_data` holds the data of blocks that are stored outside it.

    Raises BadProgram if a block is missing, repeated, cut off or inconsistent.
    """
    blocks, offsets = _blocks(blob, named_data or {})
    missing = {"cmd_data", "weight_data", "scratch_size", "inputs", "outputs"} - blocks.keys()
    if missing:
        raise BadProgram(f"Ethos-U blob: no block {sorted(missing)[0]!r}")
    if len(blocks["scratch_size"]) != 4:
        raise BadProgram(f"Ethos-U blob: scratch_size has {len(blocks['scratch_size'])} bytes instead of 4")
    scratch_size_bytes = int.from_bytes(blocks["scratch_size"], "little")
    weights = blocks["weight_data"]
    sizes = {0: len(weights), 1: scratch_size_bytes}
    return EthosUBlob(
        commands=blocks["cmd_data"],
        weights=weights,
        commands_at=offsets.get("cmd_data"),
        weights_at=offsets.get("weight_data"),
        scratch_size_bytes=scratch_size_bytes,
        inputs=_tensors("inputs", blocks["inputs"], sizes),
        outputs=_tensors("outputs", blocks["outputs"], sizes),
    )


def _blocks(blob: bytes, named_data: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, int]]:
    """Return the data of each block, and the offsets of those whose data are in the blob."""
    blocks: dict[str, bytes] = {}
    offsets: dict[str, int] = {}
    at = 0
    while True:
        if at + _HEADER.size > len(blob):
            raise BadProgram(f"Ethos-U blob: offset {at}: the block list ends without vela_end_stream")
        raw_name, size, external = _HEADER.unpack_from(blob, at)
        name = raw_name.rstrip(b"\0").decode("ascii", errors="replace")
        start = at + _HEADER.size
        padded = -(-size // _ALIGN_BYTES) * _ALIGN_BYTES
        if start + padded > len(blob):
            raise BadProgram(f"Ethos-U blob: offset {at}: block {name!r} of {size} bytes exceeds the blob")
        if (at == 0) != (name == "vela_bin_stream"):
            raise BadProgram(f"Ethos-U blob: offset {at}: expected vela_bin_stream first and once, found {name!r}")
        if name in blocks:
            raise BadProgram(f"Ethos-U blob: offset {at}: block {name!r} twice")
        data = blob[start : start + size]
        if external > 1:
            raise BadProgram(f"Ethos-U blob: offset {at + 20}: flag {external} of block {name!r} is not 0 or 1")
        if external:
            key = data.decode("ascii", errors="replace")
            if key not in named_data:
                raise BadProgram(f"Ethos-U blob: block {name!r} lies in named data {key!r}, which the program lacks")
            data = named_data[key]
        else:
            offsets[name] = start
        if name == "vela_end_stream":
            return blocks, offsets
        blocks[name] = data
        at = start + padded


def _tensors(side: str, data: bytes, region_sizes: Mapping[int, int]) -> tuple[IoTensor, ...]:
    if len(data) < 4:
        raise BadProgram(f"Ethos-U blob: block {side!r} is empty")
    count = int.from_bytes(data[:4], "little", signed=True)
    if count < 0 or 4 + count * _TENSOR.size != len(data):
        raise BadProgram(f"Ethos-U blob: block {side!r} has {len(data)} bytes, which does not fit {count} tensors")
    tensors: list[IoTensor] = []
    for index in range(count):
        *shape, element_bytes, offset, region = _TENSOR.unpack_from(data, 4 + index * _TENSOR.size)
        tensor = IoTensor(tuple(shape), element_bytes, offset, region)
        what = f"Ethos-U blob: {side}[{index}]"
        if any(dimension < 1 for dimension in shape) or element_bytes not in _ELEMENT_BYTES:
            raise BadProgram(f"{what}: impossible shape {tuple(shape)} of {element_bytes}-byte elements")
        if not 0 <= region < _REGIONS or offset < 0:
            raise BadProgram(f"{what}: region {region} offset {offset} does not exist")
        room = region_sizes.get(region)
        if room is not None and offset + tensor.size_bytes > room:
            raise BadProgram(
                f"{what}: {tensor.size_bytes} bytes at {offset} exceed the {room} bytes of region {region}"
            )
        tensors.append(tensor)
    return tuple(tensors)
