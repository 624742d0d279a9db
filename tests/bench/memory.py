# SPDX-License-Identifier: Apache-2.0
"""The memory that a model was computed to need, and the memory it used on the emulated board."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from images import BENCH, BOARD
from rich.console import Console

from pilotlight.build_folder.settings import Settings
from pilotlight.builder.image import build_image
from pilotlight.check import run_check
from pilotlight.codegen import Arenas
from pilotlight.targets import power_off, power_up

_MODELS = Path(__file__).resolve().parent / "memory_models"
SMALL = ("digits", "all_on_cpu")
LARGE = ("kws", "mobilenet_v1", "mobilenet", "vision_transformer")


@dataclass(frozen=True)
class PoolUse:
    """Bytes of one pool: the computed number, and the number that one inference used."""

    pool: str
    computed: int
    measured: int


@dataclass(frozen=True)
class ModelMemory:
    """The memory of one model.

    arena: bytes of planned buffers and temp pool together.
    in_place: whether these two are the same memory, so that inputs and outputs are in place.
    """

    model: str
    pools: tuple[PoolUse, ...]
    arena: int
    in_place: bool


def measure_memory(model: str, console: Console) -> ModelMemory:
    """Build the model, run one sample, and compare.

    Raises the errors of build_image(), power_up() and run_check().
    """
    file = _MODELS / f"{model}.py"
    folder = BENCH / "memory" / model
    settings = Settings(BOARD, (str(file) if file.is_file() else model,))
    build_image(folder, settings, pristine="auto", console=console)
    power_up(folder)
    try:
        report = run_check(folder, samples=1)
    finally:
        power_off(folder)
    (build,) = json.loads((folder / "build_info.json").read_text(encoding="utf-8"))["models"]
    computed = Arenas.from_json(build["memory"])
    used = report.models[0].memory
    assert used is not None, "every check asks for it"
    return ModelMemory(
        model,
        (
            PoolUse("method pool", computed.method_pool, used.method_pool_used),
            PoolUse("planned buffers", sum(computed.planned), used.planned_size),
            PoolUse("temp pool", computed.temp_pool, used.temp_pool_used),
        ),
        computed.npu_visible,
        computed.in_place,
    )
