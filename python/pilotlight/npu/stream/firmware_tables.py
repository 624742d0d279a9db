# SPDX-License-Identifier: Apache-2.0
"""Writes the facts about NPU products for the firmware, such as command sets with legal values.

    python -m pilotlight.npu.stream.firmware_tables --out FOLDER

firmware/ethos_u/CMakeLists.txt runs this at build time. The linker takes only the products that an
image names (pilotlight.codegen.npu_products). The logic of the firmware's verifier is not
generated. Tests compare the verifier's verdict with the accesses of the simulator. This comparison
can find errors only as long as both are written independently.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from pilotlight.codegen.npu_products import product_list
from pilotlight.files import write_if_changed
from pilotlight.npu.stream.configurations import CONFIGURATIONS, Configuration
from pilotlight.npu.stream.isa import Command, Field, Generation, Product
from pilotlight.npu.stream.products import PRODUCTS
from pilotlight.npu_names import FAMILIES

# The opcodes of registers without a payload, in two banks. A table has both banks, one after the
# other.
_BANKS = ((0x100, 0x135), (0x180, 0x190))
_WORD_REGISTERS = sum(end - begin for begin, end in _BANKS)
# Registers with a payload are in groups: the upper four bits of the opcode's low byte. A group has
# at most _GROUP_SIZE registers.
_GROUPS = (0x0, 0x1, 0x2, 0x3, 0x8, 0x9)
_GROUP_SIZE = 10
_PARAM_BITS = 16

# By the version of command streams in CONFIG: that of the first generation is 0.
_VERIFIERS = {Generation.FIRST: "VerifyVersion0", Generation.SECOND: "VerifyVersion1"}

# The register set of a memory attribute set, MEM_ATTR or AXI_LIMIT, and how many there are.
_ATTRIBUTE_SETS, _ATTRIBUTE_SET_COUNT = 0x040, 4


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


def _is_ternary(field: Field) -> bool:
    return field.mask == 0b11 and field.highest == 2 and not field.gaps


def _ternary(command: Command) -> int:
    """Return the lower bit of each two-bit field whose value 3 is illegal."""
    return sum(1 << field.low_bit for field in command.fields if _is_ternary(field))


def _forbidden(command: Command) -> int:
    """Return the bits that are 0 in every legal value of their field."""
    gone = 0
    for field in command.fields:
        for bit in range(field.mask.bit_length()):
            if field.highest < 1 << bit:
                gone |= 1 << field.low_bit + bit
    return gone


def _illegal_values(product: Product) -> list[str]:
    """Return the rows of IllegalValues of a product.

    They are the values that neither the legal bits, nor ternary_bits, nor last_param exclude. Each
    row has a range of values. Raises ValueError for a field in a payload.
    """
    rows = []
    for command in product.commands:
        for field in command.fields:
            if command.is_40_bit or field.signed or _is_ternary(field):
                continue
            bits = field.mask if command.has_payload else (1 << field.highest.bit_length()) - 1
            last = field.highest if command.starts_operation else bits
            illegal = (
                [value for value in range(last + 1) if value in field.gaps or value > field.highest]
                if (field.gaps or field.highest < last)
                else []
            )
            if illegal and field.low_bit + bits.bit_length() > _PARAM_BITS:
                raise ValueError(f"{command.name}: {field.name} has illegal values, and the firmware checks no payload")
            rows += [
                f"{{{command.code:#06x}, {field.low_bit}, {field.mask:#04x}, {first}, {last_value}}}"
                for first, last_value in _runs(illegal)
            ]
    return rows


def _runs(values: Iterable[int]) -> list[tuple[int, int]]:
    """Return first and last of each run of successive numbers.

    >>> _runs([2, 3, 6])
    [(2, 3), (6, 6)]
    """
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and runs[-1][1] == value - 1:
            runs[-1] = runs[-1][0], value
        else:
            runs.append((value, value))
    return runs


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
            lines.append(f"constexpr {kind} {name}[] = {{\n    " + ",\n    ".join(rows) + "};")
        return "\n".join(lines)


def _payload_kinds(product: Product) -> list[int]:
    """Return the distinct bit sets of registers with a payload. The first is 0: no register."""
    registers = (command for command in product.commands if command.has_payload and not command.starts_operation)
    return [0, *sorted({_bits(command) for command in registers})]


def _setting(command: Command) -> tuple[int, int]:
    """Return the legal bits of a register without a payload, and its ternary fields."""
    return _bits(command) & ~_forbidden(command), _ternary(command)


def _setting_kinds(product: Product) -> list[tuple[int, int]]:
    """Return the distinct kinds of registers without a payload.

    The first is (0, 0): no register.
    """
    registers = (command for command in product.commands if not command.has_payload and not command.starts_operation)
    return [(0, 0), *sorted({_setting(command) for command in registers})]


def _is_attributes(offset: int) -> bool:
    return _ATTRIBUTE_SETS <= offset < _ATTRIBUTE_SETS + 4 * _ATTRIBUTE_SET_COUNT


def _setup(product: Product) -> list[str]:
    return [
        f"{{{write.offset:#05x}, {write.count}, {str(_is_attributes(write.offset)).lower()}, {write.value:#010x}}}"
        for write in product.setup
    ]


def _command_set(product: Product, tables: _Tables) -> str:
    setting_kinds, payload_kinds = _setting_kinds(product), _payload_kinds(product)
    settings, payloads = [0] * _WORD_REGISTERS, [0] * len(_GROUPS) * _GROUP_SIZE
    operations = {}
    for command in product.commands:
        if command.has_payload and command.starts_operation:
            continue  # A branch. The driver refuses it without a table.
        if command.starts_operation:
            operations[command.opcode] = max((field.highest for field in command.fields), default=0)
        elif command.has_payload:
            payloads[_payload_index(command)] = payload_kinds.index(_bits(command))
        else:
            settings[_word_index(command)] = setting_kinds.index(_setting(command))
    ranges = [f"{{{opcode:#05x}, {last:#06x}}}" for opcode, last in sorted(operations.items())]
    illegal = _illegal_values(product)
    legal_settings = (f"{{{bits:#06x}, {lower:#06x}}}" for bits, lower in setting_kinds)
    legal_payloads = (f"{{{bits & 0xFFFF:#06x}, {bits >> _PARAM_BITS:#010x}}}" for bits in payload_kinds)
    names = (
        tables.name("std::uint8_t", "Settings", map(str, settings)),
        tables.name("std::uint8_t", "Payloads", map(str, payloads)),
        tables.name("SettingKind", "SettingKinds", legal_settings),
        tables.name("PayloadKind", "PayloadKinds", legal_payloads),
        tables.name("OperationRange", "Operations", ranges),
        tables.name("IllegalValues", "IllegalValues", illegal) if illegal else "nullptr",
    )
    return f"{{{', '.join(names)}, {len(ranges)}, {len(illegal)}}}"


def _product(product: Product, number: int, configurations: Iterable[Configuration], tables: _Tables) -> str:
    builds = [
        f"{{{row.macs_per_cycle}, {row.cores}, {row.shram_kib}}}" for row in configurations if row.product is product
    ]
    if not builds:
        raise ValueError(f"{product.name}: no configuration")
    return _PRODUCT.format(
        name=product.name,
        number=number,
        facts=f"{number}, {product.address_bits}, {len(product.setup)}, {len(builds)}, {product.pmu_window:#06x}, "
        f"{product.own_fault:#06x}, {product.config_match:#010x}",
        setup=tables.name("RegisterSetup", "Setup", _setup(product)),
        builds=tables.name("NpuBuild", "Builds", builds),
        verifier=_VERIFIERS[product.generation],
        commands=_command_set(product, tables),
    )


def tables(products: Iterable[Product], configurations: Iterable[Configuration]) -> str:
    """Return the C++ source with one `pilotlight_npu_product` of each product.

    products: in the order of CONFIG.product. Raises ValueError if a command does not fit the
    firmware's tables, or a product has no configuration.
    """
    configurations, arrays = tuple(configurations), _Tables()
    facts = [_product(product, number, configurations, arrays) for number, product in enumerate(products)]
    return _SOURCE.format(
        families=", ".join(f'"{name}"' for name in FAMILIES),
        words=_WORD_REGISTERS,
        payloads=len(_GROUPS) * _GROUP_SIZE,
        tables=arrays.definitions(),
        products="\n".join(facts),
    )


def write_tables(folder: Path, products: Iterable[Product], configurations: Iterable[Configuration]) -> None:
    """Write npu_products.cpp, and all_products.cpp with the list of all products."""
    products = tuple(products)
    write_if_changed(folder / "npu_products.cpp", tables(products, configurations))
    write_if_changed(folder / "all_products.cpp", _ALL.format(list=product_list(range(len(products)))))


_ALL = """\
// SPDX-License-Identifier: Apache-2.0
//
// Written by python/pilotlight/npu/stream/firmware_tables.py. The linker takes this object from its
// archive only if nothing else defines the list.
{list}"""

_PRODUCT = """\
// {name}
extern const pilotlight_npu_product pilotlight_npu_product_{number};
const pilotlight_npu_product pilotlight_npu_product_{number} = {{
    {facts}, {setup}, {builds}, {verifier},
    {commands}}};
"""

_SOURCE = """\
// SPDX-License-Identifier: Apache-2.0
//
// Written by python/pilotlight/npu/stream/firmware_tables.py from products.py.
#include "npu_product.h"

namespace pilotlight::ethos_u {{

// By CONFIG.product, including products that this driver does not run.
const char* const kFamilyNames[] = {{{families}}};
const std::uint32_t kFamilyCount = sizeof(kFamilyNames) / sizeof(kFamilyNames[0]);

namespace {{

static_assert(kSettings == {words} && kGroups * kGroupSize == {payloads}, "sizes of the tables");
{tables}

}}  // namespace

extern "C" {{
{products}}}

}}  // namespace pilotlight::ethos_u
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="write the facts about NPU products for the firmware")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sources")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    write_tables(out, PRODUCTS, CONFIGURATIONS.values())


if __name__ == "__main__":
    main()
