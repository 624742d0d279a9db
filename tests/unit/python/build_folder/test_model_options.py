# SPDX-License-Identifier: Apache-2.0
"""The options of a call of pilotlight_add_model() and of `west build` together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pilotlight.boards import load_board
from pilotlight.build_folder.model_options import ModelOptions, read_options
from pilotlight.errors import ConfigError


def test_the_options_of_west_build_replace_those_of_the_call(tmp_path: Path) -> None:
    call, west = tmp_path / "call.json", tmp_path / "west.json"
    ModelOptions(npu="ethos-u55-64", memory_mode="Sram_Only", float_io=True).save(call)
    ModelOptions(npu="ethos-u55-256", shared_arena=True).save(west)
    together = ModelOptions("ethos-u55-256", memory_mode="Sram_Only", float_io=True, shared_arena=True)
    assert read_options([call, west]) == together
    assert read_options([]) == ModelOptions()


def test_an_unchanged_file_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    ModelOptions(float_io=True).save(path)
    before = path.stat().st_mtime_ns
    ModelOptions(float_io=True).save(path)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "not a JSON object"),
        ('{"npu": 3}', "npu = 3 is not a build option"),
        ('{"colour": "red"}', "colour = 'red' is not a build option"),
        ('{"float_io": 1}', "float_io = 1 is not a build option"),
    ],
)
def test_a_damaged_file_is_named_with_its_problem(tmp_path: Path, text: str | None, problem: str) -> None:
    path = tmp_path / "options.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem) as error:
        read_options([path])
    assert str(path) in str(error.value)


def test_the_boards_settings_for_vela_apply_to_npus_of_the_same_family() -> None:
    original = load_board("qemu-corstone300")
    board = replace(original, npu=replace(original.npu, memory_mode="Sram_Only"))
    modes = {
        npu: ModelOptions(npu=npu).for_export(board).board_memory_mode
        for npu in ("", "ethos-u55-128", "ethos-u55-256", "ethos-u65-256")
    }
    assert modes == {"": "Sram_Only", "ethos-u55-128": "Sram_Only", "ethos-u55-256": "Sram_Only", "ethos-u65-256": None}
    assert ModelOptions().for_export(board).npu == board.npu.config
