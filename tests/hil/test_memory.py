# SPDX-License-Identifier: Apache-2.0
"""Pools have exactly the computed size.

The board uses all of each pool, and one unit less is too little.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from rich.console import Console
from workflow import ROOT, Bench, offset_in_file

sys.path.insert(0, str(ROOT / "tests" / "bench"))

from memory import LARGE, SMALL, measure_memory

# Offsets in pilotlight_model_descriptor_t on a target with 32-bit pointers: two sizes, and the
# table of planned buffers.
METHOD_POOL, TEMP_POOL, PLANNED = 76, 92, 80
SIZE_IN_ARENA = 4


@pytest.mark.parametrize("model", [*SMALL, *(pytest.param(model, marks=pytest.mark.campaign) for model in LARGE)])
def test_measured_memory_is_the_computed_to_the_byte(model: str) -> None:
    memory = measure_memory(model, Console(quiet=True))
    assert [(pool.pool, pool.measured) for pool in memory.pools] == [
        (pool.pool, pool.computed) for pool in memory.pools
    ]


@pytest.mark.parametrize(
    ("pool", "unit", "said"),
    [
        ("method pool", 4, "method pool"),
        ("planned buffer", 16, "planned buffer 1 is too small"),
        ("temp pool", 32, "temp pool is too small for the NPU's scratch"),
    ],
)
def test_one_unit_less_is_too_little_and_the_pool_is_named(digits: Bench, pool: str, unit: int, said: str) -> None:
    _shrink(digits.folder / "firmware.elf", pool, unit)
    assert digits.flash().code == 0
    outcome = digits.check("--run-timeout", "5")
    assert outcome.code == 40
    assert said in outcome.err


def _shrink(elf: Path, pool: str, unit: int) -> None:
    """Change the digits' descriptor in an image, so that it states a smaller pool."""
    descriptor = offset_in_file(elf, "pilotlight_model_digits")
    content = bytearray(elf.read_bytes())
    if pool == "planned buffer":
        (buffers,) = struct.unpack_from("<I", content, descriptor + PLANNED)
        at = offset_in_file(elf, buffers) + SIZE_IN_ARENA
    else:
        at = descriptor + (METHOD_POOL if pool == "method pool" else TEMP_POOL)
    (size,) = struct.unpack_from("<I", content, at)
    assert 0 < size < 1 << 16, "not the size of a pool of the digits"
    struct.pack_into("<I", content, at, size - unit)
    elf.write_bytes(content)
