# SPDX-License-Identifier: Apache-2.0
"""Measures the image of a build folder, built by `west build` or by any CMake project."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pilotlight.boards import Board, load_board
from pilotlight.build_folder import BuildFolder, LinkedImage
from pilotlight.codegen.generate import SHARED_ARENA
from pilotlight.debug_info import DebugInfo, find_debug_info
from pilotlight.elf import Image, Symbol
from pilotlight.errors import ConfigError
from pilotlight.size.model_symbols import memory_of_model, model_of_program
from pilotlight.size.parts import find_map, parts_of, region_use, sized_symbols
from pilotlight.size.program import parts_of_program
from pilotlight.size.record import Model, Sizes

_BOARD_FOLDER = re.compile(r'set\(PILOTLIGHT_BOARD_FOLDER "(?P<folder>[^"]+)"\)')


def measure(path: Path) -> Sizes:
    """Measure the image in a build folder.

    Raises ConfigError if there is no image, if the image cannot be read or has no symbols, or if
    its map is missing; BadProgram if the image embeds a malformed program.
    """
    folder = BuildFolder(path)
    linked, board = _linked_image(folder), _board_of(folder)
    image = Image.load(linked.elf, for_arm=board.cpu.core != "host")
    parts = parts_of(image, find_map(image.path), board.memory)
    models = _models(image, linked.bundles)
    names = ", ".join(model.name for model in models) or image.path.name
    return Sizes(f"{names} on {board.name}", region_use(image, board.memory), parts, models)


def _linked_image(folder: BuildFolder) -> LinkedImage:
    image = folder.linked_image()
    if not image.elf.is_file():
        raise ConfigError(
            f"{image.elf} does not exist: the last build did not get as far as linking it", hint="west build"
        )
    return image


def _board_of(folder: BuildFolder) -> Board:
    path = folder.board_facts
    try:
        found = _BOARD_FOLDER.search(path.read_text(encoding="utf-8"))
    except OSError:
        found = None
    if found is None:
        raise ConfigError(f"{path} does not say which board this is for", hint="build it again: west build")
    return load_board(found["folder"])


def _models(image: Image, bundles: Sequence[Path]) -> tuple[Model, ...]:
    symbols, models = sized_symbols(image), []
    for symbol in symbols:
        if name := model_of_program(symbol.name):
            pte = image.read(symbol.address, symbol.size_bytes)
            if pte is None:
                raise ConfigError(f"{image.path}: {symbol.name} has no content", hint="build it again: west build")
            flash, layers = parts_of_program(pte, _debug_info(bundles, pte))
            models.append(Model(name, flash, _memory_of(name, symbols), layers))
    return tuple(sorted(models, key=lambda model: model.name))


def _debug_info(bundles: Sequence[Path], pte: bytes) -> DebugInfo | None:
    infos = (find_debug_info(bundle / "model.pte", pte) for bundle in bundles)
    return next((info for info in infos if info is not None), None)


def _memory_of(name: str, symbols: tuple[Symbol, ...]) -> dict[str, int]:
    arena = next((symbol for symbol in symbols if symbol.name == SHARED_ARENA), None)
    found = {}
    for symbol in symbols:
        memory = memory_of_model(symbol.name)
        if memory is not None and memory[0] == name:
            shared = arena is not None and arena.address <= symbol.address < arena.address + arena.size_bytes
            found[f"{memory[1]} (shared arena)" if shared else memory[1]] = symbol.size_bytes
    return found
