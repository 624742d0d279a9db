# SPDX-License-Identifier: Apache-2.0
"""`pilotlight fvp-shim install DIR`: install executables with the names of Arm's FVP."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError
from pilotlight.fvp_shim.parameters import MODELS
from pilotlight.paths import ROOT

_MARK = "# Installed by `pilotlight fvp-shim install`."

# -I: the caller's folder and environment do not affect imports.
_SCRIPT = """\
#!{python} -I
# SPDX-License-Identifier: Apache-2.0
{mark}
import sys

sys.path.insert(0, {source!r})

from pilotlight.fvp_shim.main import main

sys.exit(main({name!r}, sys.argv[1:]))
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "fvp-shim",
        help="stand in for Arm's FVP",
        description="Put executables named like Arm's FVP into a folder: they run an image on QEMU with the "
        "NPU simulator. Put that folder on PATH. The image must be the executor runner of this project "
        "(APP=executor_runner), because QEMU has no NPU on its bus.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    install = actions.add_parser("install", help="write the executables")
    install.add_argument("folder", type=Path, metavar="DIR")
    install.set_defaults(handler=_run)
    return parser


def install_executables(folder: Path) -> list[Path]:
    """Write the executables and return their paths.

    Raises ConfigError instead of replacing a file that is not ours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in MODELS]
    for path in paths:
        if path.exists() and _MARK.encode() not in path.read_bytes()[:4096]:
            raise ConfigError(
                f"{path} was not installed by Pilotlight; perhaps it is Arm's FVP", hint="choose another folder"
            )
    for path in paths:
        text = _SCRIPT.format(python=sys.executable, mark=_MARK, source=str(ROOT / "python"), name=path.name)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    return paths


def _run(args: argparse.Namespace) -> int:
    for path in install_executables(args.folder):
        print(path)
    return 0
