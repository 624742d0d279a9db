# SPDX-License-Identifier: Apache-2.0
"""Reads a linked image's calls, and the bytes that functions push, from its disassembly."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from pilotlight.errors import BuildFailed, CompilerMissing

_HEAD = re.compile(r"^(?P<address>[0-9a-f]{8}) <(?P<name>.+)>:$")
_INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t(?P<mnemonic>[\w.]+)(?:\t(?P<operands>[^;@]*))?")
_TARGET = re.compile(r"^[0-9a-f]+ <(?P<name>[^+>]+)(?P<inside>\+0x[0-9a-f]+)?>")
_REGISTERS = re.compile(r"\{(?P<list>[^}]*)\}")


@dataclass
class LinkedFunction:
    """A function of the image.

    callees: functions that it calls or jumps to by name.
    pushed_bytes: sum over all its instructions.
    """

    name: str
    address: int
    callees: set[str] = field(default_factory=set)
    calls_through_pointer: bool = False
    pushed_bytes: int = 0
    moves_stack_pointer: bool = False


def read_functions(elf: Path) -> dict[str, LinkedFunction]:
    """Disassemble `elf`. Raises CompilerMissing or BuildFailed."""
    command = ["arm-none-eabi-objdump", "-d", "--no-show-raw-insn", str(elf)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError as error:
        raise CompilerMissing(f"{command[0]} is not on PATH", hint="apt-get install gcc-arm-none-eabi") from error
    if done.returncode:
        raise BuildFailed(f"{elf} cannot be disassembled: {done.stderr.strip()}", hint="build again")
    found: dict[str, LinkedFunction] = {}
    current: LinkedFunction | None = None
    for line in done.stdout.splitlines():
        if head := _HEAD.match(line):
            current = found.setdefault(head["name"], LinkedFunction(head["name"], int(head["address"], 16)))
        elif current is not None and (instruction := _INSTRUCTION.match(line)):
            _read_instruction(current, instruction["mnemonic"], (instruction["operands"] or "").strip())
    return found


def _read_instruction(function: LinkedFunction, mnemonic: str, operands: str) -> None:
    operation = mnemonic.removesuffix(".w").removesuffix(".n")
    if operation in ("blx", "bx") and operands in _GENERAL_REGISTERS:
        function.calls_through_pointer = True
    elif operation.startswith("b") and (target := _TARGET.match(operands)):
        # For the stack, a jump into another function is a call.
        if target["name"] != function.name:
            function.callees.add(target["name"])
        elif operation == "bl":
            function.callees.add(function.name)
    elif operation in ("push", "vpush") or (operation in ("stmdb", "vstmdb") and operands.startswith("sp!")):
        function.pushed_bytes += _register_bytes(operands)
    elif operation in ("sub", "subw") and operands.startswith("sp,"):
        amount = operands.rpartition("#")[2]
        if amount.isdigit():
            function.pushed_bytes += int(amount)
        else:
            function.moves_stack_pointer = True
    elif operation.startswith(("str", "vstr")) and (match := re.search(r"\[sp, #-(\d+)\]!", operands)):
        function.pushed_bytes += int(match[1])
    elif operation in ("mov", "msr") and re.match(r"sp, ", operands):
        # Restores a frame pointer or switches the stack; never deeper than the pushes before it.
        return


_GENERAL_REGISTERS = {*(f"r{i}" for i in range(13)), "ip", "fp", "sl", "sb"}


def _register_bytes(operands: str) -> int:
    """
    >>> [_register_bytes(operands) for operands in ("{r4, r5, lr}", "{d8-d9}", "sp!, {r4-r8, lr}")]
    [12, 16, 24]
    """
    match = _REGISTERS.search(operands)
    total = 0
    for part in match["list"].split(",") if match else ():
        first, _, last = part.strip().partition("-")
        count = int(last[1:]) - int(first[1:]) + 1 if last else 1
        total += count * (8 if first.startswith("d") else 4)
    return total
