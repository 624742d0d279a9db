# SPDX-License-Identifier: Apache-2.0
"""U85's commands and fields are those of Vela's own disassembly of the streams that it compiles."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from enum import Enum
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ethosu.vela import vela
from operator_cases import FAMILIES, make_case
from vela_compiler import captured_output

from pilotlight.npu.stream.configurations import configuration_of
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.isa import ElementwiseMode, Instruction, PoolingMode, decode, disassemble
from pilotlight.npu.stream.products import U85
from pilotlight.pte.driver_payload import parse_payload

_LINE = re.compile(r"0x(?P<at>[0-9a-f]{6}):.* - NPU_(?P<name>\w+) +\d+(?P<fields>(?:, \w+ = [\w-]+)*)")
MODES: dict[str, type[Enum]] = {"pooling_mode": PoolingMode, "elementwise_mode": ElementwiseMode}
SIZES = (128, 256, 512, 1024, 2048)
DRAWS = 1


def _shown(macs: int, family: str, number: int) -> tuple[list[Instruction], list[tuple[int, str, list[str]]]] | None:
    """Return our and Vela's disassembly of a case; None if Vela does not compile it for U85."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.tosa")
        path.write_bytes(make_case(family, number).tosa)
        arguments = [f"--accelerator-config=ethos-u85-{macs}", "--output-format=raw", f"--output-dir={folder}"]
        with captured_output() as captured:
            try:
                vela.main([*arguments, "--verbose-register-command-stream", str(path)])
            except (Exception, SystemExit):
                return None
        result = Path(folder, "graph_vela.npz")
        if not result.exists():
            return None
        with np.load(result, allow_pickle=False) as arrays:
            payload = parse_payload(arrays["cmd_data"].tobytes())
    assert configuration_of(payload.config).name == f"ethos-u85-{macs}"
    words = np.frombuffer(payload.stream, "<u4").tolist()
    theirs = [
        (int(match["at"], 16), match["name"], [part.split(" = ")[1] for part in match["fields"].split(", ")[1:]])
        for match in map(_LINE.match, captured.text.splitlines())
        if match
    ]
    return list(disassemble(words, U85)), theirs


@cache
def _all_shown() -> list[tuple[list[Instruction], list[tuple[int, str, list[str]]]]]:
    found = [
        _shown(SIZES[(index + number) % len(SIZES)], family, number)
        for index, family in enumerate(FAMILIES)
        for number in range(DRAWS)
    ]
    return [one for one in found if one is not None]


def test_names_places_and_fields_are_velas() -> None:
    shown = _all_shown()
    assert len(shown) > len(FAMILIES) - 5
    meanings: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for ours, theirs in shown:
        assert [(4 * one.at, one.command.name) for one in ours] == [(at, name) for at, name, _ in theirs]
        for one, (_, name, texts) in zip(ours, theirs, strict=True):
            assert len(one.fields) == len(texts), name
            for (field, value), text in zip(one.fields.items(), texts, strict=True):
                if field == "scalar":  # Vela shows a negative one as one less than its word.
                    assert int(text) == (value if value >= 0 else (value - 1) & 0xFFFF_FFFF)
                elif re.fullmatch(r"-?\d+|0x[0-9a-f]+", text):
                    assert value == int(text, 0), (name, field, text)
                else:
                    meanings[name, field, text].add(value)
    # A name of Vela's stands for one of our values.
    assert all(len(values) == 1 for values in meanings.values())
    for (_, field, text), (value,) in meanings.items():
        if field in MODES:
            assert text.endswith(f"_{MODES[field](value).name}")


# Interrupts and branches, which Vela does not emit, and copies in two dimensions or by index.
NEVER_MET = {
    *("OP_BRANCH", "OP_IRQ", "OP_PMU_MASK", "SET_DMA0_SIZE1", "SET_DMA0_IDX", "SET_DMA0_IDX_MAX"),
    *("SET_DMA0_IDX_REGION", "SET_DMA0_IDX_SKIP1", "SET_DMA0_SRC_STRIDE0", "SET_DMA0_SRC_STRIDE1"),
    *("SET_DMA0_DST_STRIDE0", "SET_DMA0_DST_STRIDE1"),
}


def test_every_command_of_the_table_is_met_or_named_here() -> None:
    met = {one.command.name for ours, _ in _all_shown() for one in ours}
    never = {command.name for command in U85.commands} - met
    assert never == NEVER_MET


@pytest.mark.parametrize(
    "words",
    [(0x000C_0006,), (0x0014_0006,), (0x002B_0006,), (0x0009_0108,), (0x2000_0114,), (0x0000_010D,), (0x0006_0125,)],
    ids=["mode 12", "mode 20", "mode 43", "broadcast 9", "transposition 4", "IB_END", "function 6"],
)
def test_what_u85_does_not_define_is_malformed(words: tuple[int, ...]) -> None:
    with pytest.raises(MalformedStream, match=r"^word 0: "):
        decode(words, 0, U85)
