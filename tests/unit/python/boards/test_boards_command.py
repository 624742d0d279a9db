# SPDX-License-Identifier: Apache-2.0
"""`pilotlight boards` lists what `west build -b` accepts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pilotlight import boards
from pilotlight.boards.command import describe
from pilotlight.cli import main


def test_each_board_has_a_line_with_its_own_npu_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert tuple(line.split()[0] for line in lines) == boards.board_names()
    (line,) = [line for line in lines if line.startswith("corstone300-fvp ")]
    assert line.split("  ")[-1].strip() == (
        "cortex-m55, ethos-u55-128, ethos-u55-32, ethos-u55-64, ethos-u55-256; fvp, never run"
    )
    never_run = {line.split()[0] for line in lines if line.endswith(", never run")}
    assert never_run == {"corstone300-fvp", "corstone320-fvp"}


def test_the_folders_in_the_json_are_boards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert tuple(boards.load_board(board["folder"]).name for board in report) == boards.board_names()


def test_a_board_without_an_emulator_has_none() -> None:
    board = replace(boards.load_board("corstone300-fvp"), emulator=None)
    assert describe(board)["emulator"] is None
