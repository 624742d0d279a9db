# SPDX-License-Identifier: Apache-2.0
"""Measures what a build folder holds, whoever built it: `west build`, or a CMake project with our function in it."""

from __future__ import annotations

import re
from pathlib import Path

from pilotlight.boards import Board, load_board
from pilotlight.debug_info import DebugInfo, find_debug_info
from pilotlight.errors import ConfigError
from pilotlight.size.image import Image, find_map, parts_of, region_use
from pilotlight.size.model_symbols import memory_of_model, model_of_program
from pilotlight.size.program import parts_of_program
from pilotlight.size.record import Model, Sizes

_BOARD_FOLDER = re.compile(r'set\(PILOTLIGHT_BOARD_FOLDER "(?P<folder>[^"]+)"\)')


def measure(folder: Path) -> Sizes:
    """Measure the image in a build folder.

    Raises ConfigError when there is none, when it was stripped, or when its map is missing, and BadProgram when it
    embeds a program that cannot be read.
    """
    image, board = Image.load(_built_image(folder)), _board_of(folder)
    parts = parts_of(image, find_map(image.path), board.memory)
    models = _models(image, folder)
    names = ", ".join(model.name for model in models) or image.path.name
    return Sizes(f"{names} on {board.name}", region_use(image, board.memory), parts, models)


def _built_image(folder: Path) -> Path:
    """Return the ELF that pilotlight_add_model() was called for. Raises ConfigError when nothing was built."""
    hint = f"west build -d {folder} -b BOARD -m MODEL; -d names another build folder"
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such build folder", hint=hint)
    try:
        image = Path((folder / "image.txt").read_text(encoding="utf-8").partition("\n")[0])
    except FileNotFoundError as error:
        raise ConfigError(f"{folder} holds no image with a model in it", hint=hint) from error
    if not image.is_file():
        raise ConfigError(f"{image} does not exist: the last build did not get as far as linking it", hint="west build")
    return image


def _board_of(folder: Path) -> Board:
    path = folder / "board" / "board.cmake"
    try:
        found = _BOARD_FOLDER.search(path.read_text(encoding="utf-8"))
    except OSError:
        found = None
    if found is None:
        raise ConfigError(f"{path} does not say which board this is for", hint="build it again: west build")
    return load_board(found["folder"])


def _models(image: Image, folder: Path) -> tuple[Model, ...]:
    # The bundle lies where pilotlight_add_model() was called: in a folder of the project's, as deep as that is.
    debug_files = [path for depth in range(1, 4) for path in folder.glob(f"{'*/' * depth}debug.json")]
    models = []
    for symbol in image.symbols:
        if name := model_of_program(symbol.name):
            pte = image.content(symbol)
            flash, layers = parts_of_program(pte, _debug_info(debug_files, pte))
            models.append(Model(name, flash, _memory_of(name, image), layers))
    return tuple(sorted(models, key=lambda model: model.name))


def _debug_info(debug_files: list[Path], pte: bytes) -> DebugInfo | None:
    infos = (find_debug_info(path.with_name("model.pte"), pte) for path in debug_files)
    return next((info for info in infos if info is not None), None)


def _memory_of(name: str, image: Image) -> dict[str, int]:
    found = ((memory_of_model(symbol.name), symbol.size) for symbol in image.symbols)
    return {memory[1]: size for memory, size in found if memory is not None and memory[0] == name}
