# SPDX-License-Identifier: Apache-2.0
"""The build refuses an image that cannot run its model.

An image that was patched later does not start.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from workflow import ROOT, Bench, run

from pilotlight.boards import Board, load_board
from pilotlight.elf import Image
from pilotlight.errors import NotProved
from pilotlight.proof.prove import Proof, prove

BOARD = "qemu-corstone300"
VERSION = "1.5.1"


@pytest.fixture
def elf(float_build: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(float_build / "firmware.elf", tmp_path))


def _prove(elf: Path, bundle: Path, board: Board | None = None, executorch: str = VERSION) -> Proof:
    return prove(Image.load(elf, for_arm=True), bundle, board or load_board(BOARD), executorch)


def _proof(elf: Path, bundle: Path) -> str:
    with pytest.raises(NotProved) as caught:
        _prove(elf, bundle)
    return str(caught.value)


def _patch(elf: Path, before: bytes, after: bytes) -> None:
    image = elf.read_bytes()
    assert before in image and len(before) == len(after)
    elf.write_bytes(image.replace(before, after))


def test_what_was_built_is_proved(float_build: Path) -> None:
    proof = _prove(float_build / "firmware.elf", float_build / "bundles" / "digits")
    assert proof.operators == (
        "quantized_decomposed::dequantize_per_tensor.out",
        "quantized_decomposed::quantize_per_tensor.out",
    )
    assert proof.backends == ("EthosUBackend",)
    assert proof.npu == "ethos-u55-128"


def test_an_operator_that_is_not_registered_is_named_and_the_build_fails(float_build: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(float_build, tmp_path / "build", ignore=shutil.ignore_patterns("target"))
    # CMake would refuse the moved build folder, so the test calls the last step as the build does.
    registration = folder / "firmware.elf"
    _patch(
        registration,
        b"quantized_decomposed::quantize_per_tensor.out\0",
        b"quantized_decomposed::quantize_per_tensor_x__\0",
    )
    command = [sys.executable, "-m", "pilotlight.proof.step", "--elf", folder / "firmware.elf"]
    options = ["--bundle", folder / "bundles" / "digits", "--board", BOARD, "--executorch", VERSION]
    step = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert step.returncode == 71
    assert "operator quantized_decomposed::quantize_per_tensor.out: not registered" in step.stderr
    assert "try: " in step.stderr
    assert not (folder / "firmware.elf").exists()
    assert (folder / "firmware.elf.refused").exists()


def test_an_operator_without_the_dtype_is_named(float_build: Path, elf: Path) -> None:
    with elf.open("rb") as file:
        image = ELFFile(file)
        table = next(
            symbol
            for symbol in image.get_section_by_name(".symtab").iter_symbols()
            if "operators_of_this_image" in symbol.name
        )
        section = next(
            s for s in image.iter_sections() if s["sh_addr"] <= table["st_value"] < s["sh_addr"] + s["sh_size"]
        )
        offset = section["sh_offset"] + table["st_value"] - section["sh_addr"]
    content = bytearray(elf.read_bytes())
    bits = int.from_bytes(content[offset + 4 : offset + 8], "little")
    content[offset + 4 : offset + 8] = (bits & ~(1 << 6)).to_bytes(4, "little")
    elf.write_bytes(content)
    message = _proof(elf, float_build / "bundles" / "digits")
    assert "quantized_decomposed::dequantize_per_tensor.out: not compiled for float32" in message


def test_a_missing_backend_is_named(float_build: Path, elf: Path) -> None:
    _patch(elf, b"_ZTVN10pilotlight7ethos_u13EthosUBackendE\0", b"_ZTVN10pilotlight7ethos_u13EthosUBackenXE\0")
    assert "backend EthosUBackend: not in the image" in _proof(elf, float_build / "bundles" / "digits")


def test_an_export_for_another_npu_is_refused(elf: Path, float_build: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(float_build / "bundles" / "digits", tmp_path / "bundle")
    text = (bundle / "model.json").read_text(encoding="utf-8")
    (bundle / "model.json").write_text(text.replace('"ethos-u55-128"', '"ethos-u65-512"'), encoding="utf-8")
    message = _proof(elf, bundle)
    assert "not for ethos-u65-512" in message
    assert f"{BOARD} has ethos-u55-32" in message


@pytest.mark.parametrize(
    ("visible", "said"),
    [
        (
            ("dtcm",),
            r"the program \(section \.model, 0x7000_0000 to \w+\) lies in ddr; the NPU reaches only dtcm",
        ),
        (
            ("dtcm", "itcm"),
            r"the arena \(section \.tensor_arena, \w+ to \w+\) lies in ddr; the NPU reaches only dtcm and itcm",
        ),
    ],
)
def test_memory_that_the_npu_does_not_reach_is_named(float_build: Path, visible: tuple[str, ...], said: str) -> None:
    board = load_board(BOARD)
    with pytest.raises(NotProved, match=said):
        _prove(
            float_build / "firmware.elf",
            float_build / "bundles" / "digits",
            replace(board, npu=replace(board.npu, visible=visible)),
        )


def test_another_version_of_executorch_is_refused(elf: Path, float_build: Path) -> None:
    with pytest.raises(NotProved, match=r"exported by ExecuTorch 1\.5\.1, the runtime is 9\.9\.9"):
        _prove(elf, float_build / "bundles" / "digits", executorch="9.9.9")


def test_one_byte_of_the_embedded_program_fails_the_proof_and_the_boot(digits: Bench, digits_build: Path) -> None:
    elf = digits.folder / "firmware.elf"
    with elf.open("rb") as file:
        offset = ELFFile(file).get_section_by_name(".model")["sh_offset"]
    image = bytearray(elf.read_bytes())
    image[offset + 5000] ^= 1
    elf.write_bytes(image)
    assert "the embedded .pte has SHA-256" in _proof(elf, digits.folder / "bundles" / "digits")
    assert digits.flash().code == 0
    outcome = digits.check()
    assert outcome.code not in (0, 1, 60)
    assert "SHA-256" in outcome.err and "flash" in outcome.err


def test_a_stripped_image_is_not_proved(float_build: Path, elf: Path) -> None:
    subprocess.run(["arm-none-eabi-strip", elf], check=True)
    assert "no symbols" in _proof(elf, float_build / "bundles" / "digits")


def test_a_board_with_another_npu_is_refused_by_the_build(tmp_path: Path) -> None:
    board = shutil.copytree(ROOT / "boards" / "corstone300-fvp", tmp_path / "boards" / "corstone300-fvp")
    toml = board / "board.toml"
    text = re.sub(r"(?m)^configurable = .*\n", "", toml.read_text(encoding="utf-8"))
    toml.write_text(text, encoding="utf-8")
    outcome = run("build", "-b", board, "-m", "digits", "--npu", "ethos-u55-32", "-d", tmp_path / "b")
    assert outcome.code == 71
    assert "compiled for ethos-u55-32, and" in outcome.err
    assert not (tmp_path / "b" / "firmware.elf").exists()
