# SPDX-License-Identifier: Apache-2.0
"""Builds one image: from settings to firmware.elf and build_info.json."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rich.console import Console

from pilotlight.boards import Board, load_board
from pilotlight.build_folder import BuildFolder, BuildInfo, BuiltModel, Settings
from pilotlight.builder.build_id import SYMBOL
from pilotlight.builder.bundles import bundle_folders
from pilotlight.builder.compile import compile_firmware, configure, require_tools
from pilotlight.builder.exports import export_if_needed
from pilotlight.builder.pristine import make_pristine, needs_pristine
from pilotlight.builder.validate import validate
from pilotlight.bundle import expectations_sha256, load_model_info
from pilotlight.elf import Image
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
    path: Path,
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
    folder = BuildFolder(Path(os.path.abspath(path)))  # noqa: PTH100 - as CMake writes it: symbolic links are kept
    board = load_board(settings.board)
    require_tools(None if board.cpu.core == "host" else "arm-none-eabi-g++")
    validate(settings, board)
    before = None if pristine == "always" else folder.settings()
    if pristine == "always":
        make_pristine(folder.path)

    # Export here, because CMake would not show progress. With -s, CMake exports.
    for model, bundle in zip(settings.model, bundle_folders(folder.bundles, settings.model), strict=True):
        _export(model, settings.options.for_export(board), bundle, console)
    # From here on, the earlier image is invalid.
    if pristine == "auto" and needs_pristine(before, settings):
        make_pristine(folder.path, kept=() if settings.source_dir else (folder.bundles.name,))
    folder.save_settings(settings)
    folder.build_info.unlink(missing_ok=True)
    exports_before = _export_times(folder)
    _compile(folder, settings, board, definitions, console)
    if settings.source_dir:
        # CMake ran the export, and its output is in the log.
        for bundle in folder.linked_image().bundles:
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
    console.print(f"[green]up to date[/green] export of {info.name} for {info.npu}", highlight=False)
    if info.warnings or info.weak:
        console.print(render_findings(info.warnings, info.weak))


def _export_time(bundle: Path) -> int:
    """Return the modification time of the bundle's report in nanoseconds; 0 if there is none."""
    try:
        return (bundle / REPORT_NAME).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _export_times(folder: BuildFolder) -> dict[Path, int]:
    return {path.parent: _export_time(path.parent) for path in folder.bundles.glob(f"*/{REPORT_NAME}")}


def _compile(
    folder: BuildFolder, settings: Settings, board: Board, definitions: Mapping[str, str], console: Console
) -> None:
    settings.options.save(folder.options)
    variables = {
        "BOARD": settings.board,
        "MODEL": ";".join(settings.model),
        "PILOTLIGHT_OPTIONS": str(folder.options),
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
        configure(source, folder, {**variables, **definitions})
        compile_firmware(
            folder.path,
            target,
            board.memory,
            folder.log,
            lambda done, total, what: tell(f"compiling {done} of {total}"),
        )


def _finish(folder: BuildFolder, settings: Settings, board: Board) -> BuildSummary:
    linked = folder.linked_image()
    image = Image.load(linked.elf, for_arm=board.cpu.core != "host")
    infos = [load_model_info(bundle) for bundle in linked.bundles]
    build_id, memory = folder.build_id(), folder.memory_of_models()
    BuildInfo(
        board=settings.board,
        board_name=board.name,
        model=" and ".join(info.name for info in infos),
        build_id=build_id,
        # An app without the symbol can answer neither `check` nor `fault`.
        tells_build_id=image.symbol(SYMBOL) is not None,
        npu=infos[0].npu,
        elf=str(linked.elf.relative_to(folder.path)),
        models=tuple(
            BuiltModel(info.name, str(bundle.relative_to(folder.path)), expectations_sha256(bundle), memory[info.name])
            for info, bundle in zip(infos, linked.bundles, strict=True)
        ),
    ).save(folder.path)
    return BuildSummary(linked.elf, build_id, region_use(image, board.memory))
