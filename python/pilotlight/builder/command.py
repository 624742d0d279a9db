# SPDX-License-Identifier: Apache-2.0
"""`west build` / `pilotlight build`: export a model and build the firmware for a board."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.build_folder import BuildFolder, ModelOptions, Settings
from pilotlight.errors import ConfigError
from pilotlight.export.command import add_recipe_option
from pilotlight.paths import named_model

if TYPE_CHECKING:
    from rich.console import Console

    from pilotlight.builder.image import BuildSummary

# CMake variables that a user may set after `--`, and the options of `west build` that replace them.
_OPTIONS_OF_VARIABLES = {
    "BOARD": "--board",
    "MODEL": "--model",
    "PILOTLIGHT_RUNTIME": "--runtime",
    **{field.name.upper(): f"--{field.name.replace('_', '-')}" for field in fields(ModelOptions)},
}


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "build",
        help="export a model and build the firmware for a board",
        description="Export a model and build the firmware for a board. "
        "Options are remembered in the build folder: a bare `west build` repeats the last one.",
    )
    parser.add_argument("-b", "--board", help="folder under boards/")
    parser.add_argument(
        "-m",
        "--model",
        action="append",
        help="name under python/models, or path of a model file (.py) or an exported program (.pt2); "
        "give several to put all of them into one image",
    )
    parser.add_argument(
        "-s", "--source-dir", help="build this CMake project, which calls pilotlight_add_model(), not our check app"
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument(
        "-p",
        "--pristine",
        choices=["auto", "always", "never"],
        nargs="?",
        const="always",
        default="auto",
        help="empty the build folder first; auto: when board or runtime differ from last time",
    )
    parser.add_argument(
        "-t", "--target", help="run this target of the build system in a folder that was built, for instance help"
    )
    _add_settings(parser)
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument(
        "cmake_options",
        nargs="*",
        metavar="-- -DNAME=VALUE",
        help="variables of the CMake project; CMake remembers them until the build folder is emptied",
    )
    parser.set_defaults(handler=_run)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the options that export and image depend on, besides board, model and project."""
    parser.add_argument("--npu", help="NPU to compile for, as Arm names it: ethos-u55-128 (default: the board's)")
    parser.add_argument("--system-config", help="Vela system configuration (default: the board's)")
    parser.add_argument("--memory-mode", help="Vela memory mode (default: the board's)")
    parser.add_argument("--runtime", choices=["ours", "package"], help="ExecuTorch runtime (default: ours on Cortex-M)")
    add_recipe_option(parser)
    parser.add_argument(
        "--float-io",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="float32 inputs and outputs on the device",
    )
    parser.add_argument(
        "--require-full-delegation",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="fail when an operator stays on the CPU",
    )
    parser.add_argument(
        "--shared-arena",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="let the models share one memory for their buffers, as large as the largest model needs",
    )


def _settings(args: argparse.Namespace) -> Settings:
    """Return the remembered settings, with the options of this call in their place."""
    asked = {
        key: value for key, value in vars(args).items() if key in Settings.__dataclass_fields__ and value is not None
    }
    before = _remembered(args, complete="board" in asked and ("model" in asked or "source_dir" in asked))
    _refuse_models_of_a_project(args, asked, before)
    # The build runs in another folder, so paths must be absolute.
    for key in ("board", "source_dir"):
        if "/" in asked.get(key, "") or (key == "source_dir" and key in asked):
            asked[key] = str(Path(asked[key]).resolve())
    if "model" in asked:
        asked["model"] = tuple(_located(model) for model in asked["model"])
    if "source_dir" in asked or (before is not None and before.source_dir):
        asked["model"] = ()
    if before is not None:
        return Settings(**{**before.__dict__, **asked})
    needed = ("board",) if "source_dir" in asked else ("board", "model")
    missing = [f"-{key[0]} {key.upper()}" for key in needed if key not in asked]
    if missing:
        raise ConfigError(
            f"{args.build_dir} was not built before, so {' and '.join(missing)} must be given",
            hint="west build -b qemu-corstone300 -m digits",
        )
    return Settings(**asked)


def _remembered(args: argparse.Namespace, complete: bool) -> Settings | None:
    """Return the folder's settings. complete: this call names everything, so the remembered
    settings are optional."""
    try:
        return BuildFolder(args.build_dir).settings()
    except ConfigError:
        if args.pristine == "always" and complete:
            return None
        raise


def _refuse_models_of_a_project(args: argparse.Namespace, asked: dict[str, Any], before: Settings | None) -> None:
    if "model" not in asked:
        return
    if "source_dir" in asked:
        raise ConfigError(
            "-m and -s exclude each other: the project names its own models",
            hint="-s alone; the models are named in the project's call of pilotlight_add_model()",
        )
    if before is not None and before.source_dir:
        raise ConfigError(
            f"{args.build_dir} builds the project {before.source_dir}, which names its own models",
            hint="change its call of pilotlight_add_model(), or name another build folder with -d",
        )


def _definitions(options: Sequence[str]) -> dict[str, str]:
    """Parse "-DNAME=VALUE" and "-DNAME:TYPE=VALUE". Raises ConfigError for anything else."""
    found = {}
    for option in options:
        match = re.fullmatch(r"-D(?P<name>[\w.-]+)(:\w+)?=(?P<value>.*)", option, re.S)
        if match is None:
            raise ConfigError(
                f"{option!r} is neither an option nor -DNAME=VALUE for CMake",
                hint="west build -b qemu-corstone300 -m digits -- -DNAME=VALUE",
            )
        if own := _OPTIONS_OF_VARIABLES.get(match["name"]):
            raise ConfigError(f"{option}: this variable follows from {own}", hint=f"{own}, and no {match['name']}")
        found[match["name"]] = match["value"]
    return found


def _located(model: str) -> str:
    """Return a model's absolute path, or its name if it is known by name."""
    if named_model(model) is not None or not (Path(model).exists() or "/" in model):
        return model
    return str(Path(model).resolve())


def _run(args: argparse.Namespace) -> int:
    # Loaded here, so that help and errors in the options come at once.
    from rich.console import Console

    from pilotlight.builder.compile import run_target
    from pilotlight.builder.image import build_image

    console = Console(stderr=args.json)
    if args.target:
        run_target(args.build_dir, args.target)
        return 0
    summary = build_image(
        args.build_dir,
        _settings(args),
        pristine=args.pristine,
        console=console,
        definitions=_definitions(args.cmake_options),
    )
    if args.json:
        print(json.dumps(summary.as_json(), indent=2))
    else:
        _print_summary(console, summary)
    return 0


def _print_summary(console: Console, summary: BuildSummary) -> None:
    from pilotlight.size.terminal import render_regions

    render_regions(console, summary.regions)
    console.print(f"[green]built[/green] {summary.elf}  build id {summary.build_id}", highlight=False, soft_wrap=True)
