# SPDX-License-Identifier: Apache-2.0
"""The command table equals the one in Vela's wheel, and single commands decode."""

from __future__ import annotations

import re

import pytest
from ethosu.vela.ethos_u55_regs import ethos_u55_regs as vela

from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.isa import decode
from pilotlight.npu.stream.products import U55, U65


def test_every_command_vela_knows_has_the_same_name_and_number_here() -> None:
    ours = {(command.name, command.opcode) for product in (U55, U65) for command in product.commands}
    theirs = {
        (re.sub("^NPU_", "", item.name), item.value) for enumeration in (vela.cmd0, vela.cmd1) for item in enumeration
    }
    assert ours == theirs


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ((0x8141_0114,), {"type": 1, "precision": 0, "format": 1, "scale_mode": 1, "round_mode": 2}),
        ((0x0001_4000, 0x8000_0000), {"address": 0x1_8000_0000}),
        ((0x00FF_4004, 0xFFFF_FFF0), {"distance": -16}),
        ((0x0021_4024, 0x8000_0001), {"shift": 33, "scale": 0x8000_0001}),
        ((0x00FF_0103,), {"pad": 255}),
    ],
)
def test_fields_are_cut_out_where_the_architecture_puts_them(words: tuple[int, ...], fields: dict[str, int]) -> None:
    assert decode(words, 0, U55).fields == fields


@pytest.mark.parametrize(
    "words",
    [
        (0x0000_0004,),
        (0x0000_0400 | 0x002,),
        (0x0000_8000 | 0x002,),
        (0x0001_0002,),
        (0x0100_4000, 0),
        (0x0000_4023, 1 << 20),
        (0x0000_4000,),
        (0xC000_0105,),
    ],
    ids=[
        "opcode 4",
        "bit 10 set",
        "mode 2",
        "OP_CONV with a param",
        "address with bit 8 of the param",
        "SCALE_LENGTH above 20 bits",
        "payload missing",
        "round mode 3",
    ],
)
def test_what_the_table_does_not_define_is_malformed(words: tuple[int, ...]) -> None:
    with pytest.raises(MalformedStream, match=r"^word 0: "):
        decode(words, 0, U55)


def test_commands_of_one_product_are_unknown_to_the_other() -> None:
    parallel_mode = (0x0001_0123,)
    assert decode(parallel_mode, 0, U65).fields == {"parallel_mode": 1}
    with pytest.raises(MalformedStream, match="unknown command"):
        decode(parallel_mode, 0, U55)
