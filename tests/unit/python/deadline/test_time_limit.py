# SPDX-License-Identifier: Apache-2.0
"""The plugin that limits each test's time: a hang fails, and no other test is affected."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pilotlight.paths import ROOT

HANGS = """
import subprocess, sys, time
import pytest

def test_that_waits_for_a_program_which_never_ends():
    subprocess.run([sys.executable, "-c", "import time; time.sleep(1000)"])

@pytest.fixture
def slow():
    time.sleep(1000)

def test_whose_fixture_hangs(slow):
    pass

@pytest.mark.time_limit(100)
def test_that_may_take_longer():
    time.sleep(1.5)
"""


def test_a_hang_fails_its_test_and_the_next_one_runs(tmp_path: Path) -> None:
    (tmp_path / "test_hangs.py").write_text(HANGS, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = time_limit(seconds): x\n", encoding="utf-8")
    paths = os.pathsep.join((str(ROOT / "tests"), str(ROOT / "python")))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "time_limit", "--time-limit=0.5", "-q", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert "1 passed" in done.stdout, done.stdout
    assert "1 failed" in done.stdout and "1 error" in done.stdout, done.stdout
    assert "longer than 0.5 s" in done.stdout
    assert "subprocess.run([sys.executable" in done.stdout, "it does not say where the test hung"
