# SPDX-License-Identifier: Apache-2.0
"""Builds one image: from settings to firmware.elf and build_info.json."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console

from pilotlight import build_info
from pilotlight.boards import Board, load_board
from pilotlight.build_info import BuildInfo, BuiltModel
from pilotlight.builder.build_id import SYMBOL
from pilotlight.builder.bundles import BUNDLES, bundle_folders
from pilotlight.builder.compile import compile_firmware, configure, require_tools, unread_variables
from pilotlight.builder.exports import export_if_needed
from pilotlight.builder.settings import (
    Settings,
    export_options,
    load_settings,
    make_pristine,
    needs_pristine,
    save_settings,
)
from pilotlight.builder.validate import validate
from pilotlight.bundle import expectations_sha256, load_model_info
from pilotlight.elf import Image
from pilotlight.errors import ConfigError
from pilotlight.export.report.report import REPORT_NAME, ExportReport, load_report
from pilotlight.export.report.terminal import render, render_findings
from pilotlight.export_options import ExportOptions
from pilotlight.paths import ROOT
from pilotlight.progress import telling
from pilotlight.size.parts import region_use
from pilotlight.size.record import RegionUse


@dataclass(frozen=True)
class BuildSummary:
    """The image, its build id, and the use of the board's memory regions."""

    elf: Path
    build_id: str
    regions: tuple[RegionUse, ...]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "elf": str(self.elf)}


def build_image(
    folder: Path,
    settings: Settings,
    *,
    pristine: str,
    console: Console,
    definitions: Mapping[str, str] = MappingProxyType({}),
) -> BuildSummary:
    """Export, configure, compile, link; write build_info.json last.

    pristine: "auto", "always" or "never", see `make_pristine`.
    definitions: CMake variables besides those that the settings determine.

    Raises ConfigError, ToolMissing, ModelError, DoesNotFit or BuildFailed.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - as CMake writes it: symbolic links are kept
    board = load_board(settings.board)
    require_tools(None if board.cpu.core == "host" else "arm-none-eabi-g++")
    validate(settings, board)
    before = None if pristine == "always" else load_settings(folder)
    if pristine == "always":
        make_pristine(folder)

    # Export here, because CMake would not show progress. With -s, CMake exports.
    for model, bundle in zip(settings.model, bundle_folders(folder, settings.model), strict=True):
        _export(model, export_options(settings, board), bundle, console)
    # From here on, the earlier image is invalid.
    if pristine == "auto" and needs_pristine(before, settings):
        make_pristine(folder, kept=() if settings.source_dir else (BUNDLES,))
    save_settings(folder, settings)
    (folder / build_info.NAME).unlink(missing_ok=True)
    exports_before = _export_times(folder)
    _compile(folder, settings, board, definitions, console)
    if settings.source_dir:
        # CMake ran the export, and its output is in the log.
        for bundle in _built_image(folder)[1]:
            ran = _export_time(bundle) != exports_before.get(bundle, 0)
            _print_export(bundle, load_report(bundle) if ran else None, console)
    return _finish(folder, settings, board)


def _export(model: str, options: ExportOptions, bundle: Path, console: Console) -> None:
    with telling(console, f"exporting {model} for {options.npu}") as tell:
        report = export_if_needed(model, options, bundle, lambda step: tell(f"exporting {model}: {step.strip()}"))
    _print_export(bundle, report, console)


def _print_export(bundle: Path, report: ExportReport | None, console: Console) -> None:
    """Print the report of an export that just ran, or else the findings stored in the bundle."""
    if report is not None:
        console.print(render(report))
        return
    info = load_model_info(bundle)
    console.print(f"[green]up to date[/green] export of {info.name} for {info.target}", highlight=False)
    if info.warnings or info.weak:
        console.print(render_findings(info.warnings, info.weak))


def _export_time(bundle: Path) -> int:
    """Return the modification time of the bundle's report in nanoseconds; 0 if there is none."""
    try:
        return (bundle / REPORT_NAME).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _export_times(folder: Path) -> dict[Path, int]:
    return {path.parent: _export_time(path.parent) for path in (folder / BUNDLES).glob(f"*/{REPORT_NAME}")}


def _compile(folder: Path, settings: Settings, board: Board, definitions: Mapping[str, str], console: Console) -> None:
    log = folder / "build.log"
    variables = {
        "BOARD": settings.board,
        "MODEL": ";".join(settings.model),
        "NPU": settings.npu,
        "SYSTEM_CONFIG": settings.system_config,
        "MEMORY_MODE": settings.memory_mode,
        "FLOAT_IO": "ON" if settings.float_io else "OFF",
        "REQUIRE_FULL_DELEGATION": "ON" if settings.require_full_delegation else "OFF",
        "SHARED_ARENA": "ON" if settings.shared_arena else "OFF",
        "PILOTLIGHT_PYTHON": sys.executable,
    }
    if settings.runtime:
        variables["PILOTLIGHT_RUNTIME"] = settings.runtime
    source, target = ROOT, "firmware"
    if settings.source_dir:
        source, target = Path(settings.source_dir), "all"
        variables["Pilotlight_DIR"] = str(ROOT / "cmake")
        if board.cpu.core != "host":
            variables["CMAKE_TOOLCHAIN_FILE"] = str(ROOT / "cmake" / "toolchain" / "arm-none-eabi.cmake")
    with telling(console, f"configuring for {board.name}") as tell:
        configure(source, folder, {**variables, **definitions}, log)
        for option in ignored_options(settings, log):
            console.print(
                f"[yellow]ignored[/yellow] {option}: the project does not pass it to pilotlight_add_model()",
                highlight=False,
            )
        compile_firmware(
            folder, target, board.memory, log, lambda done, total, what: tell(f"compiling {done} of {total}")
        )


# CMake variables that options of `west build` determine.
OPTIONS_OF_VARIABLES = {
    "BOARD": "--board",
    "MODEL": "--model",
    "NPU": "--npu",
    "SYSTEM_CONFIG": "--system-config",
    "MEMORY_MODE": "--memory-mode",
    "FLOAT_IO": "--float-io",
    "REQUIRE_FULL_DELEGATION": "--require-full-delegation",
    "SHARED_ARENA": "--shared-arena",
    "PILOTLIGHT_RUNTIME": "--runtime",
}
# Variables that a project may leave unread although the user set the option.
_FORWARDED = ("NPU", "SYSTEM_CONFIG", "MEMORY_MODE", "FLOAT_IO", "REQUIRE_FULL_DELEGATION", "SHARED_ARENA")


def ignored_options(settings: Settings, log: Path) -> list[str]:
    """Return the options of this build that the project does not read, from CMake's log."""
    unread = unread_variables(log)
    return [OPTIONS_OF_VARIABLES[name] for name in _FORWARDED if name in unread and getattr(settings, name.lower())]


def _finish(folder: Path, settings: Settings, board: Board) -> BuildSummary:
    elf, bundles = _built_image(folder)
    image = Image.load(elf, for_arm=board.cpu.core != "host")
    infos = [load_model_info(bundle) for bundle in bundles]
    build_id = (folder / "generated" / "build_id.txt").read_text(encoding="ascii").strip()
    memory = json.loads((folder / "generated" / "memory.json").read_text(encoding="utf-8"))
    BuildInfo(
        board=settings.board,
        board_name=board.name,
        model=" and ".join(info.name for info in infos),
        build_id=build_id,
        # An app without the symbol can answer neither `check` nor `fault`.
        tells_build_id=image.symbol(SYMBOL) is not None,
        npu=infos[0].target,
        elf=str(elf.relative_to(folder)),
        models=tuple(
            BuiltModel(info.name, str(bundle.relative_to(folder)), expectations_sha256(bundle), memory[info.name])
            for info, bundle in zip(infos, bundles, strict=True)
        ),
    ).save(folder)
    return BuildSummary(elf, build_id, region_use(image, board.memory))


def _built_image(folder: Path) -> tuple[Path, list[Path]]:
    """Return the ELF file of pilotlight_add_model(), and the bundles of its models."""
    try:
        elf, *bundles = (folder / "image.txt").read_text(encoding="utf-8").split("\n")
    except FileNotFoundError as error:
        raise ConfigError(
            "the project links no model, so there is no image to flash",
            hint="call pilotlight_add_model() in its top CMakeLists.txt",
        ) from error
    return Path(elf), [Path(bundle) for bundle in bundles if bundle]
