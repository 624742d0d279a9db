# SPDX-License-Identifier: Apache-2.0
"""The README's commands on each Debian release that it names, and the reader on the next one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fuzz"))

import executorch
import regressions
from debian import CHECKOUT, DebianSystem, why_not_here

SCRIPT = Path(__file__).with_name("debian.py")
pytestmark = [pytest.mark.campaign, pytest.mark.skipif(bool(why_not_here()), reason=why_not_here() or "-")]


@pytest.mark.time_limit(5400)
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_the_readmes_commands_work_on_a_new_system(suite: str) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), suite], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "PASS: all 360 samples bit-identical" in done.stdout
    assert re.search(r"^=+ .*\d+ passed", done.stdout, re.MULTILINE), done.stdout[-6000:]


@pytest.mark.time_limit(1800)
def test_the_pte_reader_gives_the_same_verdicts_with_the_flatbuffers_of_debian_testing() -> None:
    wheel = Path(executorch.__path__[0])
    system = DebianSystem(
        "testing",
        ("g++", "cmake", "ninja-build", "libflatbuffers-dev", "flatbuffers-compiler"),
        shown={wheel: "/opt/executorch"},
    )
    system.create()
    system.clone()
    expected = regressions.write(system.root / "corpus")
    build = f"cmake -G Ninja -S {CHECKOUT}/tests/fuzz -B /build -DPILOTLIGHT_EXECUTORCH_DIR=/opt/executorch"
    assert system.run(f"flatc --version && {build} && ninja -C /build loader_replay") == 0
    assert system.run("/build/loader_replay --print /corpus/*.pte >/verdicts") == 0
    said = (system.root / "verdicts").read_text(encoding="utf-8")
    assert regressions.differences(expected, regressions.verdicts(said), narrow=False) == {}
    system.remove()
