# SPDX-License-Identifier: Apache-2.0
"""Vela runs in a process of its own. A crash there becomes an error here, and the files are
kept."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from executorch.backends.arm import arm_vela

from pilotlight.export.upstream.vela_process import VelaCrashed, vela_in_its_own_process


def crash(arguments: Sequence[str]) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def give_up(arguments: Sequence[str]) -> None:
    raise SystemExit(f"no such option: {arguments[0]}")


def fill(arguments: Sequence[str]) -> None:
    with Path("/dev/full").open("w") as full:
        full.write("no room")


def write(arguments: Sequence[str]) -> None:
    Path(arguments[0]).write_text(str(os.getpid()), encoding="utf-8")


def test_a_crash_is_an_error_that_names_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_vela.vela, "main", crash)
    with vela_in_its_own_process(), pytest.raises(VelaCrashed, match="SIGSEGV"):
        arm_vela.vela.main([])


def test_what_vela_says_when_it_gives_up_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_vela.vela, "main", give_up)
    with vela_in_its_own_process(), pytest.raises(RuntimeError, match="no such option: --fast"):
        arm_vela.vela.main(["--fast"])


def test_a_full_disk_is_told_apart_from_what_vela_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_vela.vela, "main", fill)
    with vela_in_its_own_process(), pytest.raises(OSError, match="No space left"):
        arm_vela.vela.main([])


def test_files_are_written_by_another_process_and_the_function_is_put_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(arm_vela.vela, "main", write)
    with vela_in_its_own_process():
        arm_vela.vela.main([str(tmp_path / "file")])
    assert int((tmp_path / "file").read_text(encoding="utf-8")) != os.getpid()
    assert arm_vela.vela.main is write
