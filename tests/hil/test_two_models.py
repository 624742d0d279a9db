# SPDX-License-Identifier: Apache-2.0
"""Two models in one image and one arena run in turns, and every answer is bit-identical."""

from __future__ import annotations

import shutil
from pathlib import Path

from elftools.elf.elffile import ELFFile
from workflow import RESIDUAL, Bench, build, offset_in_file, run

from pilotlight.boards import load_board

# Offset of the address in pilotlight_model_descriptor_t on a target with 32-bit pointers.
METHOD_POOL = 72

TWO = ("-b", "qemu-corstone300", "-m", "digits", "-m", str(RESIDUAL))


def _symbols(elf: Path) -> dict[str, tuple[int, int]]:
    """Return address and size of each symbol."""
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: (symbol["st_value"], symbol["st_size"]) for symbol in table.iter_symbols()}


def test_two_models_take_turns_in_one_arena_and_stay_bit_identical() -> None:
    folder = build("digits-and-residual", *TWO, "--shared-arena")
    symbols = _symbols(folder / "firmware.elf")
    arena, size = symbols["pilotlight_shared_arena"]
    places = {name: address for name, (address, _) in symbols.items() if name.endswith(("_planned_1", "_temp_pool"))}
    assert {name.split("_")[2] for name in places} == {"digits", "residual"}
    assert all(arena <= address < arena + size for address in places.values())
    assert places["pilotlight_model_digits_planned_1"] == places["pilotlight_model_residual_planned_1"]
    granule = load_board("qemu-corstone300").cpu.mpu_granule_bytes
    section = symbols["__arena_end"][0] - symbols["__arena_start"][0]
    assert section == -(-size // granule) * granule, "nothing else is in the section"

    bench = Bench(folder)
    try:
        assert bench.flash().code == 0
        outcome = bench.check("--json", "--html", folder / "check.html")
    finally:
        run("poweroff", "-d", folder)
    assert outcome.code == 0, outcome.out + outcome.err
    report = outcome.json
    assert report["verdict"] == "pass"
    assert [model["model"] for model in report["models"]] == ["digits", "residual"]
    page = (folder / "check.html").read_text(encoding="utf-8")
    for model, samples in zip(report["models"], (360, 16), strict=True):
        assert model["verdict"] == "pass"
        assert model["identical_samples"] == model["samples"] == samples
        assert page.count(f"PASS: all {samples} samples bit-identical") == 2, "the model's, and in the verdict"


def test_a_model_that_writes_into_the_other_is_noticed(tmp_path: Path) -> None:
    built = build("digits-and-residual", *TWO, "--shared-arena")
    folder = tmp_path / "build"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("target", "*.o", "*.a", "*.obj"))
    symbols = _symbols(folder / "firmware.elf")
    arena, _ = symbols["pilotlight_shared_arena"]
    pool, _ = symbols["pilotlight_model_digits_method_pool"]
    content = bytearray((folder / "firmware.elf").read_bytes())
    at = offset_in_file(folder / "firmware.elf", "pilotlight_model_digits") + METHOD_POOL
    assert content[at : at + 4] == pool.to_bytes(4, "little")
    content[at : at + 4] = (arena + 64).to_bytes(4, "little")
    (folder / "firmware.elf").write_bytes(content)
    bench = Bench(folder)
    try:
        assert bench.flash().code == 0
        outcome = bench.check("--samples", "10", "--run-timeout", "5")
    finally:
        run("poweroff", "-d", folder)
    assert outcome.code != 0
