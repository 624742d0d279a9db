# SPDX-License-Identifier: Apache-2.0
"""The log captures everything that libraries print, and the terminal gets none of it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pilotlight.export.upstream.noise import NoiseLog


def test_prints_descriptors_and_child_processes_go_to_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = NoiseLog(tmp_path / "export.log")
    with log.captured():
        print("from print")
        os.write(1, b"from descriptor 1\n")
        os.write(2, b"from descriptor 2\n")
        print("from sys.stderr", file=sys.stderr)
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    print("after")
    log.close()
    text = (tmp_path / "export.log").read_text(encoding="utf-8")
    for origin in ("print", "descriptor 1", "descriptor 2", "sys.stderr", "a child"):
        assert f"from {origin}" in text
    printed = capfd.readouterr()
    assert printed.out == "after\n"
    assert printed.err == ""


def test_descriptors_come_back_when_the_block_raises(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = NoiseLog(tmp_path / "export.log")
    with pytest.raises(ValueError, match="inside"), log.captured():
        raise ValueError("inside")
    os.write(1, b"back\n")
    assert capfd.readouterr().out == "back\n"


def test_a_line_for_the_user_reaches_the_terminal_from_inside(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = NoiseLog(tmp_path / "export.log")
    with log.captured():
        print("noise")
        with log.interrupted():
            print("progress")
            os.write(2, b"from descriptor 2\n")
        print("noise again")
        os.write(1, b"and again\n")
    with log.interrupted():
        print("outside")
    log.close()
    printed = capfd.readouterr()
    assert printed.out == "progress\noutside\n" and printed.err == "from descriptor 2\n"
    assert (tmp_path / "export.log").read_text() == "noise\nnoise again\nand again\n"


def test_a_log_handler_made_inside_outlives_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = NoiseLog(tmp_path / "export.log")
    with log.captured():
        handler = logging.StreamHandler()
    log.close()
    handler.emit(logging.LogRecord("late", logging.WARNING, "file.py", 1, "later", (), None))
    assert capfd.readouterr().err == "later\n"
