# SPDX-License-Identifier: Apache-2.0
"""The command on a build folder with the small image, and on folders that are not build folders."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from small_image import Linked

from pilotlight.cli import main
from pilotlight.paths import BOARDS
from pilotlight.size.record import load_sizes


@pytest.fixture
def folder(linked: Linked, tmp_path: Path) -> Path:
    """A build folder as CMake leaves it.

    The image's addresses are those of the board's ITCM and DTCM.
    """
    for suffix in (".elf", ".map"):
        shutil.copy(linked.elf.with_suffix(suffix), tmp_path)
    (tmp_path / "image.txt").write_text(f"{tmp_path / 'app.elf'}\n", encoding="utf-8")
    facts = tmp_path / "board" / "board.cmake"
    facts.parent.mkdir()
    facts.write_text(f'set(PILOTLIGHT_BOARD_FOLDER "{BOARDS / "qemu-corstone300"}")\n', encoding="utf-8")
    return tmp_path


def test_the_tables_name_regions_components_and_their_bytes(
    folder: Path, linked: Linked, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["size", "-d", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert re.search(rf"^itcm +{linked.memory_usage['code']:,} +524,288 ", printed, re.MULTILINE)
    assert re.search(rf"^dtcm +{linked.memory_usage['data']:,} +524,288 ", printed, re.MULTILINE)
    for component in ("app", "runtime core", "stack", "padding"):
        assert re.search(rf"^{component} ", printed, re.MULTILINE), component


def test_json_can_be_saved_and_compared_with(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "-d", str(folder), "--json"]) == 0
    printed = capsys.readouterr().out
    saved = folder / "sizes.json"
    saved.write_text(printed, encoding="utf-8")
    report = json.loads(printed)
    assert report["flash_bytes"] + report["ram_bytes"] == sum(part.size_bytes for part in load_sizes(saved).parts)
    assert main(["size", "-d", str(folder), "--diff", str(saved)]) == 0
    assert "nothing changed" in capsys.readouterr().out


def test_growth_beyond_what_is_allowed_has_an_exit_code_of_its_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["size", "-d", str(folder), "--json"])
    before = json.loads(capsys.readouterr().out)
    before["parts"] = [part for part in before["parts"] if part["symbol"] != "main"]
    saved = folder / "before.json"
    saved.write_text(json.dumps(before), encoding="utf-8")
    compare = ["size", "-d", str(folder), "--diff", str(saved)]
    assert main(compare) == 0
    assert re.search(r"^app +\+\d+ *$", capsys.readouterr().out, re.MULTILINE)
    assert main([*compare, "--fail-above", "8"]) == 72
    assert "--fail-above allows 8" in capsys.readouterr().err
    assert main([*compare, "--fail-above", "8", "--json"]) == 72
    assert json.loads(capsys.readouterr().out)["grew_too_much"] is True
    assert main([*compare, "--fail-above", "1000"]) == 0


def test_the_picture_needs_nothing_from_outside_and_draws_every_component(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder / "size.html"
    assert main(["size", "-d", str(folder), "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|\bsrc=|@import|url\(", text)
    pictures = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]
    titles = [title.text or "" for picture in pictures for title in picture.iter("title")]
    for component in ("app", "runtime core", "stack"):
        assert any(title.startswith(component) for title in titles), component
    assert any(re.search(r"main\n\d+ bytes", title) for title in titles)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "no such build folder"),
        (lambda folder: (folder / "image.txt").unlink(), "its image has no model"),
        (lambda folder: (folder / "app.elf").unlink(), "did not get as far as linking it"),
        (lambda folder: (folder / "app.map").unlink(), "the linker's map is missing"),
        (lambda folder: shutil.rmtree(folder / "board"), "does not say which board this is for"),
    ],
)
def test_what_is_missing_is_named(folder: Path, harm: object, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(harm)
    harm(folder)
    assert main(["size", "-d", str(folder)]) == 20
    error = capsys.readouterr().err
    assert message in error and "\n  try: " in error


def test_a_reference_that_is_nothing_says_what_it_could_be(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare = ["size", "-d", str(folder), "--diff"]
    assert main([*compare, "v9.9"]) == 20
    assert "was not built by `west build`" in capsys.readouterr().err
    (folder / "settings.json").write_text('{"board": "qemu-corstone300", "model": ["digits"]}', encoding="utf-8")
    assert main([*compare, "no-such-revision"]) == 20
    assert "neither a build folder, nor a file, nor a revision" in capsys.readouterr().err
    assert main([*compare, str(folder / "app.map")]) == 20
    assert "not what `size --json` prints" in capsys.readouterr().err
    assert main(["size", "-d", str(folder), "--fail-above", "1"]) == 20
    assert "--fail-above needs --diff" in capsys.readouterr().err
