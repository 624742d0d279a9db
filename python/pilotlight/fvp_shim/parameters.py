# SPDX-License-Identifier: Apache-2.0
"""Parses the FVP's command line.

>>> line = ["-C", "cpu0.semihosting-cmd_line='run -m a.pte'", "-a", "/dev/null"]
>>> parse_arguments("FVP_Corstone_SSE-300_Ethos-U55", line).command_line
('run', '-m', 'a.pte')
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pilotlight.errors import ConfigError
from pilotlight.npu_names import FAMILIES, Family


@dataclass(frozen=True)
class Model:
    """One of the FVP's executables. `family` is None if we do not simulate its NPU."""

    family: Family | None
    default_macs: int = 0


MODELS = {
    "FVP_Corstone_SSE-300_Ethos-U55": Model(FAMILIES["ethos-u55"], 128),
    "FVP_Corstone_SSE-300_Ethos-U65": Model(FAMILIES["ethos-u65"], 256),
    "FVP_Corstone_SSE-320": Model(None),
}

# Parameters without effect here: there is no window, no telnet and no cycle model, and the image
# has a stack of its own.
_WITHOUT_EFFECT = re.compile(
    r"mps3_board\.(visualisation|telnetterminal\d|uart\d)\..+"
    r"|cpu0\.semihosting-(enable|stack_base|stack_limit|heap_base|heap_limit|prefix|ARM_SVC|Thumb_SVC)"
    r"|ethosu\.extra_args"
)


@dataclass(frozen=True)
class Parameters:
    """The parsed command line."""

    npu: str
    """Arm's name, such as ethos-u55-128."""
    image: Path
    folder: Path
    """Working folder of semihosting."""
    command_line: tuple[str, ...]
    time_limit_s: float | None
    """None: no limit."""
    console: Path | None
    """File for the output of UART 0; None means standard output."""
    ignored: tuple[str, ...]
    """Parameters that we do not know; the real FVP may."""


def parse_arguments(executable: str, arguments: Sequence[str]) -> Parameters:
    """Parse the command line of an executable in MODELS whose NPU is simulated.

    Raises ConfigError, which names the option.
    """
    model = MODELS[executable]
    assert model.family is not None
    options = _parser(executable).parse_args(arguments)
    values = dict(_split(text) for text in options.parameter)

    macs_text = values.pop("ethosu.num_macs", str(model.default_macs))
    if not macs_text.isdecimal() or int(macs_text) not in model.family.macs:
        allowed = ", ".join(map(str, model.family.macs))
        raise ConfigError(f"-C ethosu.num_macs={macs_text}: {executable} has {allowed}")
    if not options.application:
        raise ConfigError("no image to run", hint="-a IMAGE.elf")
    folder = Path(values.pop("cpu0.semihosting-cwd", "")).absolute()
    if not folder.is_dir():
        raise ConfigError(f"-C cpu0.semihosting-cwd={folder}: no such folder")
    # The FVP accepts "cpu0=image.elf" too.
    image = Path(options.application.removeprefix("cpu0=")).absolute()
    if not image.exists():
        raise ConfigError(f"-a {image}: no such file")
    console = values.pop("mps3_board.uart0.out_file", "-")
    return Parameters(
        npu=model.family.npu(int(macs_text)),
        image=image,
        folder=folder,
        command_line=tuple(values.pop("cpu0.semihosting-cmd_line", "").split()),
        time_limit_s=options.timelimit,
        console=None if console in ("-", "") else Path(console).absolute(),
        ignored=tuple(name for name in values if not _WITHOUT_EFFECT.fullmatch(name)),
    )


def _parser(executable: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=executable, allow_abbrev=False, description="Pilotlight's stand-in for it.")
    parser.add_argument("-C", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("-a", "--application", metavar="IMAGE", help="ELF file")
    parser.add_argument("-T", "--timelimit", type=_seconds, metavar="SECONDS", help="wall clock; 0: none")
    # Accepted without effect: --stat prints statistics at the end of a real FVP, -q hides its
    # banner.
    parser.add_argument("--stat", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("-q", "--quiet", action="store_true", help=argparse.SUPPRESS)
    return parser


def _seconds(text: str) -> float | None:
    seconds = float(text)
    if not 0 <= seconds < 1e9:
        raise ValueError(text)
    return seconds or None


def _split(text: str) -> tuple[str, str]:
    """Split "name=value" and remove quotes around the value.

    Scripts that start the FVP without a shell pass such quotes on.
    """
    name, found, value = text.partition("=")
    if not found:
        raise ConfigError(f"-C {text}: not NAME=VALUE")
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name, value
