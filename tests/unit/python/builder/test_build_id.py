# SPDX-License-Identifier: Apache-2.0
"""The build id changes with every byte of the image, and with nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pilotlight.builder.build_id import DIGITS, write_build_id

ZEROS = "0" * DIGITS
ASSEMBLY = f"""\
    .section .rodata.pilotlight_build_id, "a"
    .global pilotlight_build_id
pilotlight_build_id:
    .asciz "{ZEROS}"
    .section .note.GNU-stack, "", %progbits
"""
APP = """\
extern const char pilotlight_build_id[17];
int puts(const char*);
static int squares(int n) { int sum = 0; for (int i = 0; i < n; ++i) sum += i * i; return sum; }
int main(int argc, char** argv) { puts(pilotlight_build_id); return squares(argc) == VALUE; }
"""
SILENT = "int main(void) { return VALUE; }\n"


def link(folder: Path, source: str = APP, value: int = 1, *flags: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "app.c").write_text(source.replace("VALUE", str(value)))
    (folder / "id.S").write_text(ASSEMBLY)
    # A reproducible host image that does not contain the place where it was made.
    fixed = ["-static", "-Wl,--build-id=none", "-Wl,--gc-sections", "-o", "image"]
    subprocess.run(["cc", *fixed, *flags, "app.c", "id.S"], cwd=folder, check=True)
    return folder / "image"


def test_the_image_tells_the_id_and_runs_as_before(tmp_path: Path) -> None:
    image = link(tmp_path / "one")
    mode = image.stat().st_mode
    identity = write_build_id(image)
    assert len(identity) == DIGITS and identity != ZEROS and int(identity, 16) >= 0
    assert subprocess.run([image], capture_output=True, text=True, check=False).stdout == identity + "\n"
    assert image.stat().st_mode == mode
    content = image.read_bytes()
    assert write_build_id(image) == identity and image.read_bytes() == content, "writing it again changes nothing"


def test_equal_images_have_equal_ids_wherever_they_lie(tmp_path: Path) -> None:
    assert write_build_id(link(tmp_path / "one")) == write_build_id(link(tmp_path / "two" / "three"))


def test_all_that_changes_the_image_changes_the_id(tmp_path: Path) -> None:
    images = {
        "plain": link(tmp_path / "plain"),
        "a value": link(tmp_path / "value", APP, 2),
        "a compile flag": link(tmp_path / "flag", APP, 1, "-O2"),
        "a linker flag": link(tmp_path / "linker", APP, 1, "-Wl,-Ttext-segment=0x600000"),
        "another app": link(tmp_path / "silent", SILENT),
        "another app's value": link(tmp_path / "silent2", SILENT, 2),
    }
    assert len({write_build_id(image) for image in images.values()}) == len(images)


def test_what_is_not_loaded_does_not_change_the_id(tmp_path: Path) -> None:
    plain = link(tmp_path / "plain")
    with_debug = link(tmp_path / "debug", APP, 1, "-g")
    assert plain.read_bytes() != with_debug.read_bytes()
    assert write_build_id(plain) == write_build_id(with_debug)


def test_one_flipped_bit_of_the_image_is_another_id(tmp_path: Path) -> None:
    image = link(tmp_path / "one")
    before = write_build_id(image)
    content = bytearray(image.read_bytes())
    content[content.index(before.encode()) + DIGITS + 1] ^= 1
    image.write_bytes(content)
    assert write_build_id(image) != before
