# SPDX-License-Identifier: Apache-2.0
"""Each kind of mistake has one message, which says what to do, and an exit code of its own."""

import os
import re
import shutil
from pathlib import Path

import pytest
from workflow import ROOT, Bench, run


@pytest.fixture
def bare_path(tmp_path: Path) -> dict[str, str]:
    """A PATH with the virtual environment's tools and none of Debian's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("cmake", "ninja", "python"):
        (folder / tool).symlink_to(Path(shutil.which(tool) or "").resolve())
    return {"PATH": str(folder)}


def test_emulator_missing(digits: Bench, bare_path: dict[str, str]) -> None:
    outcome = run("flash", "-d", digits.folder, env=bare_path)
    assert outcome.code == 32
    assert "qemu-system-arm" in outcome.err and "apt-get install" in outcome.err


def test_compiler_missing(bare_path: dict[str, str], tmp_path: Path) -> None:
    outcome = run("build", "-b", "qemu-corstone300", "-m", "digits", "-d", tmp_path / "b", env=bare_path)
    assert outcome.code == 31
    assert "arm-none-eabi-g++" in outcome.err and "apt-get install" in outcome.err


def test_model_file_that_raises(tmp_path: Path) -> None:
    model = tmp_path / "broken.py"
    model.write_text("import torch\n\nweights = open('/nowhere/weights.npz')\n")
    outcome = run("build", "-b", "qemu-corstone300", "-m", model, "-d", tmp_path / "b")
    assert outcome.code == 10
    assert "broken.py" in outcome.err and "3" in outcome.err and "/nowhere/weights.npz" in outcome.err


def test_operator_that_nothing_supports(tmp_path: Path) -> None:
    model = tmp_path / "sorting.py"
    model.write_text(
        "import torch\n"
        "from pilotlight.model_spec import ModelSpec\n\n\n"
        "class Sorting(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.sort(x * 2.0)[0]\n\n\n"
        "def spec() -> ModelSpec:\n"
        "    x = torch.randn(1, 16)\n"
        "    return ModelSpec('sorting', Sorting().eval(), (x,), [(x,)])\n"
    )
    outcome = run("build", "-b", "qemu-corstone300", "-m", model, "-d", tmp_path / "b")
    assert outcome.code == 11
    assert "sort" in outcome.err and "sorting.py:7" in outcome.err


def test_model_too_big_for_the_board(digits_build: Path, tmp_path: Path) -> None:
    board = tmp_path / "boards" / "qemu-corstone300"
    shutil.copytree(ROOT / "boards" / board.name, board)
    toml = board / "board.toml"
    text = toml.read_text(encoding="utf-8")
    assert "size = 0x0fff_0000" in text
    toml.write_text(text.replace("size = 0x0fff_0000", "size = 0x0000_2000"), encoding="utf-8")
    folder = tmp_path / "b"
    folder.mkdir()
    shutil.copytree(digits_build / "bundles", folder / "bundles")
    outcome = run("build", "-b", board, "-m", "digits", "-d", folder)
    assert outcome.code == 13
    assert "memory.ddr" in outcome.err and "bytes too small" in outcome.err and "try:" in outcome.err
    contributors = re.findall(r"^ +([\d,]+)  (digits: .*)$", outcome.err, re.MULTILINE)
    sizes = [int(size.replace(",", "")) for size, _ in contributors]
    assert sizes == sorted(sizes, reverse=True)
    assert {"digits: weights of delegate 0", "digits: NPU scratch of delegate 0"} <= {what for _, what in contributors}


def test_image_for_another_npu(digits: Bench) -> None:
    assert digits.flash("--npu", "ethos-u55-256").code == 0
    outcome = digits.check()
    assert outcome.code == 21
    assert "ethos-u55-128" in outcome.err and "ethos-u55-256" in outcome.err


def test_nothing_is_powered_up(digits: Bench) -> None:
    outcome = digits.check()
    assert outcome.code == 43
    assert "west flash" in outcome.err


def test_unknown_board_lists_the_boards(tmp_path: Path) -> None:
    outcome = run("build", "-b", "corstone301", "-m", "digits", "-d", tmp_path / "b")
    assert outcome.code == 20
    assert "qemu-corstone300" in outcome.err


def test_unknown_model_lists_the_models(tmp_path: Path) -> None:
    outcome = run("build", "-b", "qemu-corstone300", "-m", "digts", "-d", tmp_path / "b")
    assert outcome.code in (10, 20)
    assert "digits" in outcome.err


def test_first_build_without_a_board_says_what_to_give(tmp_path: Path) -> None:
    outcome = run("build", "-d", tmp_path / "b")
    assert outcome.code == 20
    assert "-b BOARD" in outcome.err and "-m MODEL" in outcome.err


def test_the_commands_of_west_are_the_same(digits_build: Path) -> None:
    west = Path(os.environ.get("VIRTUAL_ENV", ROOT / ".venv")) / "bin" / "west"
    import subprocess

    result = subprocess.run([west, "check", "-h"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert "--samples" in result.stdout
