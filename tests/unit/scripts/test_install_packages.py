# SPDX-License-Identifier: Apache-2.0
"""Set-up prints a line per step. On a terminal, set-up also shows its progress."""

from __future__ import annotations

import doctest
import io
import subprocess
import sys
from pathlib import Path

import pytest

from pilotlight.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import install_packages
import lock
from install_packages import Progress, Screen

CPU = """\
Looking in links: /wheels
Collecting antlr4-python3-runtime==4.9.3
  Downloading antlr4-python3-runtime-4.9.3.tar.gz (117 kB)
Progress 0 of 117034
Progress 117034 of 117034
Collecting torch==2.13.0
  Downloading torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl (183.0 MB)
Progress 0 of 191794682
Progress 191794682 of 191794682
  Building wheel for antlr4-python3-runtime (pyproject.toml): started
  Building wheel for antlr4-python3-runtime (pyproject.toml): finished with status 'done'
Installing collected packages: antlr4-python3-runtime, torch
Successfully installed antlr4-python3-runtime-4.9.3 torch-2.13.0+cpu
"""
CUDA = """\
Collecting torch==2.13.0
  Downloading torch-2.13.0-cp313-cp313-manylinux_2_28_x86_64.whl (526.6 MB)
Collecting nvidia-cudnn-cu13==9.20.0.48
Collecting cuda-toolkit==13.0.3.0
"""


FAKE_PYTHON = """\
if sys.argv[1] == "--version":
    print("Python of the test")
else:
    sys.version_info = ({version})
    exec(sys.argv[2])
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def hear(text: str, out: io.StringIO) -> Progress:
    progress = Progress(Screen(out))
    for line in text.splitlines():
        progress.hear(line)
    return progress


def test_without_a_terminal_each_step_is_one_line() -> None:
    out = io.StringIO()
    progress = hear(CPU, out)
    assert out.getvalue().splitlines() == [
        "   downloading torch 2.13.0+cpu (183.0 MB)",
        "   building antlr4-python3-runtime",
        "   installing 2 packages",
    ]
    assert progress.downloaded_bytes == 117034 + 191794682


def test_a_terminal_shows_how_far_a_download_is() -> None:
    out = Terminal()
    hear("  Downloading torch-2.13.0+cpu-cp311-any.whl (183.0 MB)\nProgress 60000000 of 191794682\n", out)
    assert out.getvalue().splitlines()[-1].startswith("   torch 2.13.0+cpu: 60 of 192 MB")


def test_a_terminal_shows_how_many_packages_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    out, installed = Terminal(), iter((7, 8))
    monkeypatch.setattr(install_packages, "_installed_packages", lambda: next(installed))
    hear("Installing collected packages: antlr4-python3-runtime, torch\n", out).tick()
    assert out.getvalue().splitlines()[-1] == "   1 of 2 packages"


def test_a_step_does_not_stand_behind_the_rest_of_a_longer_line() -> None:
    out = Terminal()
    screen = Screen(out)
    screen.progress("x" * 30)
    screen.step("short")
    assert out.getvalue().endswith("\r" + " " * 33 + "\r   short\n")


def test_cuda_is_told_once_and_only_when_pip_takes_it() -> None:
    with_cuda, without = io.StringIO(), io.StringIO()
    hear(CUDA, with_cuda)
    hear(CPU, without)
    assert with_cuda.getvalue().count(install_packages.CUDA_FOUND) == 1
    assert install_packages.CUDA_FOUND not in without.getvalue()


def test_both_sizes_and_the_way_to_the_small_one_are_told_before_anything_is_downloaded() -> None:
    for word in ("2.2 GB", "5.9 GB", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        assert word in install_packages.ANNOUNCEMENT


def test_what_pip_said_last_is_shown_when_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    script = "print('WARNING: slow'); print('ERROR: no such package'); raise SystemExit(1)"
    with pytest.raises(SystemExit) as caught:
        install_packages._follow([sys.executable, "-c", script], Progress(Screen(io.StringIO())))
    assert caught.value.code == 30
    assert capsys.readouterr().err == "ERROR: no such package\n"


@pytest.mark.parametrize("script", ["setup.sh", "test.sh"])
def test_an_unknown_option_is_refused_before_anything_is_installed(script: str) -> None:
    done = subprocess.run([str(ROOT / "scripts" / script), "--tset"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--tset is not an option" in done.stderr and f"scripts/{script} --" in done.stderr


@pytest.mark.parametrize("version", ["3, 9, 2", "3, 14, 0"])
def test_a_python_that_the_packages_do_not_support_is_refused(tmp_path: Path, version: str) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\nimport sys\n{FAKE_PYTHON.format(version=version)}", encoding="utf-8")
    python.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": str(python)}
    setup = [str(ROOT / "scripts" / "setup.sh")]
    done = subprocess.run(setup, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 30, done.stderr
    assert "is Python of the test, and the packages are pinned for Python 3.10 to 3.13" in done.stderr


@pytest.mark.parametrize("module", [install_packages, lock])
def test_the_examples_in_the_scripts_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
