# SPDX-License-Identifier: Apache-2.0
"""Writes the command sets for the firmware: the registers with their bits and legal values.

    python -m pilotlight.npu.stream.firmware_tables --out FOLDER

firmware/ethos_u/CMakeLists.txt runs this at build time. The logic of the firmware's verifier is not
generated. Tests compare the verifier's verdict with the accesses of the simulator. This comparison
can find errors only as long as both are written independently.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from pilotlight.files import write_if_changed
from pilotlight.npu.stream.configurations import CONFIGURATIONS, Configuration
from pilotlight.npu.stream.isa import Command, Product
from pilotlight.npu.stream.products import PRODUCTS
from pilotlight.npu_names import FAMILIES

# The opcodes of registers without a payload, in two banks. A table has both banks, one after the
# other.
_BANKS = ((0x100, 0x134), (0x180, 0x190))
_WORD_REGISTERS = sum(end - begin for begin, end in _BANKS)
# Registers with a payload are in groups: the upper four bits of the opcode's low byte. A group has
# at most _GROUP_SIZE registers.
_GROUPS = (0x0, 0x1, 0x2, 0x3, 0x8, 0x9)
_GROUP_SIZE = 7
_PARAM_BITS = 16


def _word_index(command: Command) -> int:
    before = 0
    for begin, end in _BANKS:
        if begin <= command.opcode < end:
            return before + command.opcode - begin
        before += end - begin
    raise ValueError(f"{command.name}: opcode {command.opcode:#x} is outside the firmware's register banks")


def _payload_index(command: Command) -> int:
    group, place = command.opcode >> 4, command.opcode & 0xF
    if group not in _GROUPS or place >= _GROUP_SIZE:
        raise ValueError(f"{command.name}: opcode {command.opcode:#x} is outside the firmware's register groups")
    return _GROUPS.index(group) * _GROUP_SIZE + place


def _bits(command: Command) -> int:
    if command.is_40_bit:
        return 0xFF | 0xFFFF_FFFF << _PARAM_BITS
    return sum(field.mask << field.low_bit for field in command.fields)


def _ternary(command: Command) -> int:
    """Return the lower bit of each two-bit field whose value 3 is illegal."""
    lower = 0
    for field in command.fields:
        if field.highest == field.mask or command.is_40_bit:
            continue
        if field.mask == 0b11 and field.highest == 2:
            lower |= 1 << field.low_bit
    return lower


def _forbidden(command: Command) -> int:
    """Return the bits that are 0 in every legal value of their field."""
    gone = 0
    for field in command.fields:
        for bit in range(field.mask.bit_length()):
            if field.highest < 1 << bit:
                gone |= 1 << field.low_bit + bit
    return gone


class _Tables:
    """C++ arrays. Equal arrays of several products are written once."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, tuple[str, ...]], str] = {}

    def name(self, kind: str, stem: str, items: Iterable[str]) -> str:
        content = (kind, tuple(items))
        return self._names.setdefault(content, f"k{stem}{len(self._names)}")

    def definitions(self) -> str:
        lines = []
        for (kind, items), name in self._names.items():
            rows = [", ".join(items[at : at + 8]) for at in range(0, len(items), 8)]
            lines.append(f"inline constexpr {kind} {name}[] = {{\n    " + ",\n    ".join(rows) + "};")
        return "\n".join(lines)


def _payload_kinds(products: Iterable[Product]) -> list[int]:
    """Return the distinct bit sets of registers with a payload. The first is 0: no register."""
    found = {_bits(command) for product in products for command in product.commands if command.has_payload}
    return [0, *sorted(found)]


def _setting(command: Command) -> tuple[int, int]:
    """Return the legal bits of a register without a payload, and its ternary fields."""
    return _bits(command) & ~_forbidden(command), _ternary(command)


def _setting_kinds(products: Iterable[Product]) -> list[tuple[int, int]]:
    """Return the distinct kinds of registers without a payload.

    The first is (0, 0): no register.
    """
    found = {
        _setting(command)
        for product in products
        for command in product.commands
        if not command.has_payload and not command.starts_operation
    }
    return [(0, 0), *sorted(found)]


def header(products: Iterable[Product], configurations: Iterable[Configuration]) -> str:
    """Return the C++ header. products: in the order of CONFIG.product."""
    products = tuple(products)
    builds = ",\n    ".join(
        f"{{{products.index(row.product)}, {row.cores}, {row.macs_per_cycle}, {row.shram_kib}}}"
        for row in configurations
    )
    tables, setting_kinds, payload_kinds = _Tables(), _setting_kinds(products), _payload_kinds(products)
    sets = []
    for product in products:
        settings, payloads = [0] * _WORD_REGISTERS, [0] * len(_GROUPS) * _GROUP_SIZE
        operations = {}
        for command in product.commands:
            if command.starts_operation:
                operations[command.opcode] = max((field.highest for field in command.fields), default=0)
            elif command.has_payload:
                payloads[_payload_index(command)] = payload_kinds.index(_bits(command))
            else:
                settings[_word_index(command)] = setting_kinds.index(_setting(command))
        ranges = [f"{{{opcode:#05x}, {last:#06x}}}" for opcode, last in sorted(operations.items())]
        names = (
            tables.name("std::uint8_t", "Settings", map(str, settings)),
            tables.name("std::uint8_t", "Payloads", map(str, payloads)),
            tables.name("OperationRange", "Operations", ranges),
        )
        sets.append(f"    {{{', '.join(names)}, {len(ranges)}}},  // {product.name}")
    return _HEADER.format(
        words=_WORD_REGISTERS,
        payloads=len(_GROUPS) * _GROUP_SIZE,
        tables=tables.definitions(),
        setting_kinds=",\n    ".join(f"{{{bits:#06x}, {lower:#06x}}}" for bits, lower in setting_kinds),
        payload_kinds=",\n    ".join(
            f"{{{bits & 0xFFFF:#06x}, {bits >> _PARAM_BITS:#010x}}}" for bits in payload_kinds
        ),
        sets="\n".join(sets),
        set_count=len(sets),
        facts="\n".join(
            f"    {{{product.address_bits}, {product.axi_reads}, {product.axi_writes}}},  // {product.name}"
            for product in products
        ),
        families=", ".join(f'"{name}"' for name in FAMILIES),
        builds=builds,
    )


_HEADER = """\
// SPDX-License-Identifier: Apache-2.0
//
// Written by python/pilotlight/npu/stream/firmware_tables.py from products.py.
#pragma once

#include <cstdint>

namespace pilotlight::ethos_u {{

// The bits of a register without a payload. ternary_bits: the lower bit of each field that has two
// bits and whose value 3 is illegal.
struct SettingKind {{
  std::uint16_t bits;
  std::uint16_t ternary_bits;
}};

// A command other than NPU_SET, and the highest value of its parameter.
struct OperationRange {{
  std::uint16_t opcode;
  std::uint16_t last_param;
}};

// The bits of a register with a payload.
struct PayloadKind {{
  std::uint16_t param_bits;
  std::uint32_t payload_bits;
}};

struct CommandSet {{
  const std::uint8_t* setting_kinds;  // [{words}], by register index; 0: no such register.
  const std::uint8_t* payload_kinds;  // [{payloads}], by group and place; 0: no such register.
  const OperationRange* operations;
  std::uint8_t operation_count;
}};

{tables}
inline constexpr SettingKind kSettingKinds[] = {{
    {setting_kinds}}};
inline constexpr PayloadKind kPayloadKinds[] = {{
    {payload_kinds}}};

// By CONFIG.product.
inline constexpr CommandSet kCommandSets[] = {{
{sets}
}};
inline constexpr std::uint32_t kCommandSetCount = {set_count};

// address_bits: width of an address. axi_reads, axi_writes: the most outstanding transactions.
struct ProductFacts {{
  std::uint8_t address_bits;
  std::uint8_t axi_reads;
  std::uint8_t axi_writes;
}};

// By CONFIG.product: the products that this driver runs.
inline constexpr ProductFacts kProducts[] = {{
{facts}
}};

// Arm's names by CONFIG.product, including products that this driver does not run.
inline constexpr const char* kFamilyNames[] = {{{families}}};

// Facts that follow from product and MACs. internal_kib: internal memory of one core.
struct NpuBuild {{
  std::uint8_t product;
  std::uint8_t cores;
  std::uint16_t macs;
  std::int32_t internal_kib;
}};
inline constexpr NpuBuild kNpuBuilds[] = {{
    {builds}}};

}}  // namespace pilotlight::ethos_u
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="write command_tables.h for the firmware")
    parser.add_argument("--out", type=Path, required=True, help="folder for the header")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    write_if_changed(out / "command_tables.h", header(PRODUCTS, CONFIGURATIONS.values()))


if __name__ == "__main__":
    main()
