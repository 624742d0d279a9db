# SPDX-License-Identifier: Apache-2.0
"""A new product needs only rows of tables: a `Product` in products.py, and a `Configuration` in
configurations.py.

The product of this test differs from U65 in three fields and two facts.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from driver_verdict import Judge, StreamRequest
from operator_cases import make_case
from vela_compiler import compile_tosa

from pilotlight.codegen.npu_products import product_list
from pilotlight.npu.hardware.engine import Engine
from pilotlight.npu.stream.configurations import CONFIGURATIONS, configuration
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.firmware_tables import tables
from pilotlight.npu.stream.isa import RegisterSetup, decode, disassemble
from pilotlight.npu.stream.memory import MappedMemory
from pilotlight.npu.stream.operation_decoder import operations_of
from pilotlight.npu.stream.products import PRODUCTS, U65
from pilotlight.paths import ROOT
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import parse_blob

U75 = U65.derived(
    "U75",
    [
        ("OP_DMA_WAIT", 0x011, "outstanding 0:1"),
        ("SET_OFM_BLK_HEIGHT_M1", 0x116, "height_m1 0:6"),
        ("SET_IFM_PAD_TOP", 0x100, "pad 0:6, corner 8:9=0..2"),
    ],
    address_bits=48,
    setup=(RegisterSetup(0x040, 4, 0x1F7F_0000),),
)
U65_256 = configuration("ethos-u65-256")
U75_256 = replace(U65_256, name="ethos-u75-256", product=U75, config_word=len(PRODUCTS) << 28 | 0x3008)
STOP = 0xFFFF_0000


def words(*commands: tuple[str, int]) -> tuple[int, ...]:
    code = {command.name: command.code for command in U75.commands}
    return (*(param << 16 | code[name] for name, param in commands), STOP)


CHANGED = {
    "a bit more": words(("SET_OFM_BLK_HEIGHT_M1", 0x7F)),
    "a value more": words(("OP_DMA_WAIT", 3)),
    "another field": words(("SET_IFM_PAD_TOP", 0x0201)),
}


@pytest.mark.parametrize("stream", CHANGED.values(), ids=CHANGED)
def test_its_own_fields_are_read_and_the_other_product_keeps_its_own(stream: tuple[int, ...]) -> None:
    assert list(decode(stream, 0, U75).fields.values())[-1] in (0x7F, 3, 2)
    assert [str(command) for command in disassemble(stream, U75)][-1].startswith("OP_STOP")
    with pytest.raises(MalformedStream):
        decode(stream, 0, U65)


def test_a_value_that_it_does_not_have_is_malformed() -> None:
    with pytest.raises(MalformedStream, match="reserved bits"):
        decode(words(("SET_IFM_PAD_TOP", 0x0400)), 0, U75)
    with pytest.raises(MalformedStream, match="corner is 3"):
        decode(words(("SET_IFM_PAD_TOP", 0x0300)), 0, U75)


def test_operations_and_results_are_those_of_the_product_that_it_comes_from() -> None:
    case = make_case("conv2d", 7)
    blob = parse_blob(compile_tosa(case.tosa, U65_256.name, *case.options))
    stream = parse_payload(blob.commands).stream
    assert operations_of(stream, U75_256) == operations_of(stream, U65_256) != ()
    answers = []
    for npu in (U65_256, U75_256):
        memory, scratch = MappedMemory(), np.zeros(blob.scratch_size_bytes, np.uint8)
        memory.add(1 << 32, np.frombuffer(blob.weights, np.uint8), writable=False, name="weights")
        memory.add(2 << 32, scratch, writable=True, name="scratch")
        memory.add(3 << 32, np.zeros(4 << 20, np.uint8), writable=True, name="fast scratch")
        for place in blob.inputs:
            scratch[place.offset : place.offset + place.size_bytes] = np.arange(place.size_bytes) % 251
        Engine(npu, memory).run(stream, tuple((region + 1) << 32 for region in range(8)))
        answers.append(scratch.copy())
    assert np.array_equal(*answers)
    assert answers[0].any()


def test_the_driver_has_its_facts_and_names_no_product() -> None:
    source = tables((*PRODUCTS, U75), (*CONFIGURATIONS.values(), U75_256))
    _, facts = source.split("// U75\n")
    setup = re.search(
        r"{ 3, 48, 1, 1, 0x0000, 0x0080, 0xf00000ff, (\w+), \w+, VerifyVersion0,", " ".join(facts.split())
    )
    assert setup is not None, facts
    assert f"RegisterSetup {setup[1]}[] = {{\n    {{0x040, 4, true, 0x1f7f0000}}}};" in source
    assert "&pilotlight_npu_product_3" in product_list([3])
    driver = ROOT / "firmware" / "ethos_u"
    for file in (*driver.glob("*.cpp"), *driver.rglob("*.h")):
        code = re.sub(r"//.*|/\*.*?\*/", "", file.read_text(encoding="utf-8"))
        assert not re.search(r"U[5678]5", code, re.IGNORECASE), file


def test_the_firmware_takes_its_streams_and_refuses_them_for_the_other(tmp_path: Path) -> None:
    judge = Judge(tmp_path, products=(*PRODUCTS, U75), configurations=(*CONFIGURATIONS.values(), U75_256))
    streams = [np.array(stream, "<u4").tobytes() for stream in CHANGED.values()]
    mine = judge.judge(StreamRequest(U75_256, {1: 64}, stream) for stream in streams)
    assert [verdict.accepted for verdict in mine] == [True, True, True]
    others = judge.judge(StreamRequest(U65_256, {1: 64}, stream) for stream in streams)
    assert [verdict.accepted for verdict in others] == [False, False, False]
    assert all("reserved bit or value" in verdict.text for verdict in others)
