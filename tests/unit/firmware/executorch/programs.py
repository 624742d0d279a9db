# SPDX-License-Identifier: Apache-2.0
"""Parts of hand-written programs for the runtime, and an assembler of .pte files.

A program is a dict in the form of schema/program.fbs, and flatc makes the FlatBuffer. flatc knows
neither the extended header nor segments, so they are added here (layout:
executorch/exir/_serialize/_program.py). good_programs.py and bad_programs.py contain the programs.
"""

from __future__ import annotations

import importlib.util
import json
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
# name -> program and its segments.
Programs = dict[str, tuple[Json, Sequence[bytes]]]

_SEGMENT_ALIGN = 128


def schema_folder() -> Path:
    spec = importlib.util.find_spec("executorch")
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "schema"


class Assembler:
    """Turns dicts into .pte bytes, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def assemble(self, programs: Programs) -> dict[str, bytes]:
        for name, (program, _) in programs.items():
            (self._folder / f"{name}.json").write_text(json.dumps(program), encoding="utf-8")
        sources = [str(self._folder / f"{name}.json") for name in programs]
        schema = schema_folder() / "program.fbs"
        command = ["/usr/bin/flatc", "--binary", "-o", str(self._folder), str(schema), *sources]
        subprocess.run(command, check=True, capture_output=True)
        result = {}
        for name, (_, segments) in programs.items():
            flatbuffer = (self._folder / f"{name}.pte").read_bytes()
            result[name] = with_segments(flatbuffer, segments) if segments else flatbuffer
        return result


def with_segments(flatbuffer: bytes, segments: Sequence[bytes]) -> bytes:
    """Insert the extended header and append segments, each at a multiple of 128 bytes."""
    header_bytes = 32
    (root,) = struct.unpack_from("<I", flatbuffer)
    program_bytes = len(flatbuffer) + header_bytes
    base = -(-program_bytes // _SEGMENT_ALIGN) * _SEGMENT_ALIGN
    body = b"".join(segment.ljust(-(-len(segment) // _SEGMENT_ALIGN) * _SEGMENT_ALIGN, b"\0") for segment in segments)
    header = struct.pack("<4sIQQQ", b"eh00", header_bytes, program_bytes, base, len(body))
    head = struct.pack("<I", root + header_bytes) + flatbuffer[4:8] + header + flatbuffer[8:]
    return head.ljust(base, b"\0") + body


def segment_table(sizes: Sequence[int]) -> list[Json]:
    table, offset = [], 0
    for size in sizes:
        table.append({"offset": offset, "size": size})
        offset += -(-size // _SEGMENT_ALIGN) * _SEGMENT_ALIGN
    return table


def tensor(sizes: Sequence[int], *, scalar_type: str = "FLOAT", at: int | None = None, **more: Any) -> Json:
    """A value; `at` is its byte offset in planned buffer 1."""
    value: Json = {
        "scalar_type": scalar_type,
        "sizes": list(sizes),
        "dim_order": list(range(len(sizes))),
        "shape_dynamism": "STATIC",
    }
    if at is not None:
        value["allocation_info"] = {"memory_id": 1, "memory_offset_low": at, "memory_offset_high": 0}
    value.update(more)
    return {"val_type": "Tensor", "val": value}


def value(kind: str, **content: Any) -> Json:
    return {"val_type": kind, "val": content}


def kernel(operator: int, *args: int) -> Json:
    return {"instr_args_type": "KernelCall", "instr_args": {"op_index": operator, "args": list(args)}}


def delegate(index: int, *args: int) -> Json:
    return {"instr_args_type": "DelegateCall", "instr_args": {"delegate_index": index, "args": list(args)}}


def move(source: int, destination: int) -> Json:
    return {"instr_args_type": "MoveCall", "instr_args": {"move_from": source, "move_to": destination}}


def jump_false(condition: int, destination: int) -> Json:
    content = {"cond_value_index": condition, "destination_instruction": destination}
    return {"instr_args_type": "JumpFalseCall", "instr_args": content}


def free(index: int) -> Json:
    return {"instr_args_type": "FreeCall", "instr_args": {"value_index": index}}


def plan(values: list[Json], inputs: list[int], outputs: list[int], *chains: list[Json], **more: Any) -> Json:
    result: Json = {
        "name": "forward",
        "container_meta_type": {"encoded_inp_str": "in", "encoded_out_str": "out"},
        "values": values,
        "inputs": inputs,
        "outputs": outputs,
        "chains": [{"inputs": [], "outputs": [], "instructions": chain} for chain in chains],
        "operators": [
            {"name": "probe::trace", "overload": "out"},
            {"name": "probe::fail", "overload": "out"},
            {"name": "probe::countdown", "overload": ""},
            {"name": "probe::missing", "overload": "out"},
        ],
        "delegates": [],
        "non_const_buffer_sizes": [0, 1024],
    }
    result.update(more)
    return result


def program(*plans: Json, **more: Any) -> Json:
    result: Json = {
        "version": 0,
        "execution_plan": list(plans),
        "constant_buffer": [],
        "backend_delegate_data": [],
        # The exporter's form of a program without constants.
        "segments": [{"offset": 0, "size": 0}],
        "constant_segment": {"segment_index": 0, "offsets": [0]},
    }
    result.update(more)
    return result


def ethos_u(index: int = 0, location: str = "INLINE", **more: Any) -> Json:
    result: Json = {
        "id": "EthosUBackend",
        "processed": {"location": location, "index": index},
        "compile_specs": [{"key": "a", "value": [1, 2, 3]}, {"key": "b", "value": []}],
    }
    result.update(more)
    return result
