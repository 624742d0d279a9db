# SPDX-License-Identifier: Apache-2.0
"""`pilotlight disassemble`: shows the NPU command streams of a .pte."""

from __future__ import annotations

import argparse
import json
import struct
from pathlib import Path
from typing import Any

from pilotlight.errors import BadProgram, ConfigError
from pilotlight.npu.stream.configurations import configuration_of
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.isa import ElementwiseMode, Instruction, PoolingMode, disassemble
from pilotlight.npu.stream.products import PRODUCTS
from pilotlight.pte import read_program
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import BACKEND, parse_blob

_NAMED_VALUES = {"pooling_mode": PoolingMode, "elementwise_mode": ElementwiseMode}
_SIGNED = ("zero_point", "clip_boundary")
_NAME_WIDTH = max(len(command.name) for product in PRODUCTS for command in product.commands)


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "disassemble",
        help="show the NPU command streams of a .pte",
        description="List the commands of each Ethos-U delegate: byte offset in the stream, words, name and fields.",
    )
    parser.add_argument("model", type=Path, help=".pte file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    try:
        program = read_program(args.model.read_bytes())
    except OSError as error:
        raise ConfigError(f"{args.model}: {error.strerror}") from error
    delegates = [
        (f"{method.name}[{index}]", delegate)
        for method in program.methods.values()
        for index, delegate in enumerate(method.delegates)
        if delegate.backend == BACKEND
    ]
    if not delegates:
        raise BadProgram(f"{args.model}: no Ethos-U delegate in it")
    listings: dict[str, Any] = {}
    for name, delegate in delegates:
        payload = parse_payload(parse_blob(delegate.blob, program.named_data).commands)
        npu = configuration_of(payload.config)
        words = struct.unpack(f"<{len(payload.stream) // 4}I", payload.stream)
        if not args.json:
            print(f"delegate {name}, {npu.name}, {len(words)} words")
        listing: list[dict[str, Any]] = []
        try:
            for instruction in disassemble(words, npu.product):
                if args.json:
                    entry = {"name": instruction.command.name, "fields": instruction.fields}
                    listing.append({"offset": 4 * instruction.at, **entry})
                else:
                    print(_line(instruction))
        except MalformedStream as error:
            raise BadProgram(f"delegate {name}: {error}") from error
        listings[name] = {"npu": npu.name, "commands": listing}
    if args.json:
        print(json.dumps(listings, indent=2))
    return 0


def _line(instruction: Instruction) -> str:
    first = instruction.param << 16 | instruction.command.has_payload << 14 | instruction.command.opcode
    payload = f"{instruction.payload:08x}" if instruction.command.has_payload else ""
    fields = " ".join(f"{name}={_value(name, value)}" for name, value in instruction.fields.items())
    marker = ">" if instruction.command.starts_operation else " "
    return (
        f"{4 * instruction.at:#08x}: {first:08x} {payload:8} {marker} {instruction.command.name:{_NAME_WIDTH}} {fields}"
    )


def _value(name: str, value: int) -> str:
    if name in _NAMED_VALUES:
        return str(_NAMED_VALUES[name](value).name)
    if name in ("address", "distance") and abs(value) > 9:
        return f"{value:#x}"
    if name in _SIGNED and value & 0x8000:
        # The tensor's type decides whether a zero point or a limit is signed, so both are shown.
        return f"{value:#06x}({value - 0x10000})"
    return str(value)
