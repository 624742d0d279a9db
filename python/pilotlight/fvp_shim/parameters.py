# SPDX-License-Identifier: Apache-2.0
"""Parses the FVP's command line.

>>> line = ["-C", "cpu0.semihosting-cmd_line='run -m a.pte'", "-a", "/dev/null"]
>>> parse_arguments("FVP_Corstone_SSE-300_Ethos-U55", line).command_line
('run', '-m', 'a.pte')
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pilotlight.errors import ConfigError
from pilotlight.npu_names import FAMILIES, Family


@dataclass(frozen=True)
class Model:
    """One of the FVP's executables.

    default_macs: size of the NPU if the caller names none.
    board: first part of the names of the board's parameters.
    subsystem: what precedes the names of the parameters of CPU and NPU.
    """

    family: Family
    default_macs: int
    board: str = "mps3_board"
    subsystem: str = ""

    def has_no_effect(self, name: str) -> bool:
        """Whether the FVP knows this parameter, and it changes nothing here.

        There is no window, no telnet and no cycle model, and the image has a stack and a vector
        table of its own.
        """
        board, subsystem = re.escape(self.board), re.escape(self.subsystem)
        known = (
            rf"{board}\.(visualisation|telnetterminal\d|uart\d)\..+",
            r"vis_hdlcd\..+",
            rf"{board}\.(\w+\.)?iotss3_systemcontrol\.INITSVTOR_RST",
            rf"{subsystem}cpu0\.semihosting-(enable|stack_base|stack_limit|heap_base|heap_limit|prefix|ARM_SVC|Thumb_SVC)",
            rf"{subsystem}cpu0\.(INITSVTOR|MPU_S|MPU_NS|CFGPACBTI)",
        )
        return any(re.fullmatch(pattern, name) for pattern in known)


_MPS4 = ("mps4_board", "mps4_board.subsystem.")
# The sizes without num_macs of SSE-310, 315 and 320 are guesses: no public text names them.
MODELS = {
    "FVP_Corstone_SSE-300_Ethos-U55": Model(FAMILIES["ethos-u55"], 128),
    "FVP_Corstone_SSE-300_Ethos-U65": Model(FAMILIES["ethos-u65"], 256),
    "FVP_Corstone_SSE-310": Model(FAMILIES["ethos-u55"], 128),
    "FVP_Corstone_SSE-310_Ethos-U65": Model(FAMILIES["ethos-u65"], 256),
    "FVP_Corstone_SSE-315": Model(FAMILIES["ethos-u65"], 256, *_MPS4),
    "FVP_Corstone_SSE-320": Model(FAMILIES["ethos-u85"], 256, *_MPS4),
}

# The end of a transmission: what an image prints to end the run (uart0.shutdown_on_eot).
EOT = b"\4"


@dataclass(frozen=True)
class Data:
    """A file that is loaded into memory before the run (--data)."""

    file: Path
    address: int


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
    ends_at_eot: bool
    """Whether the image ends the run by printing EOT."""
    data: tuple[Data, ...]
    pmu_trace: Path | None
    """File for the trace of the NPU's commands."""
    ignored: tuple[str, ...]
    """Parameters that we do not know; the real FVP may."""


def parse_arguments(executable: str, arguments: Sequence[str]) -> Parameters:
    """Parse the command line of an executable in MODELS.

    Raises ConfigError, which names the option.
    """
    model = MODELS[executable]
    options = _parser(executable).parse_args(arguments)
    values = dict(_split(text) for text in options.parameter)
    cpu, npu = f"{model.subsystem}cpu0.semihosting-", f"{model.subsystem}ethosu."

    macs = _macs(executable, model, values)
    extra = _extra_arguments(values.pop(f"{npu}extra_args", ""))
    if not options.application:
        raise ConfigError("no image to run", hint="-a IMAGE.elf")
    folder = Path(values.pop(f"{cpu}cwd", "")).absolute()
    if not folder.is_dir():
        raise ConfigError(f"-C {cpu}cwd={folder}: no such folder")
    # The FVP accepts "cpu0=image.elf" too.
    image = Path(options.application.removeprefix("cpu0=")).absolute()
    if not image.exists():
        raise ConfigError(f"-a {image}: no such file")
    console = values.pop(f"{model.board}.uart0.out_file", "-")
    return Parameters(
        npu=model.family.npu(macs),
        image=image,
        folder=folder,
        command_line=tuple(values.pop(f"{cpu}cmd_line", "").split()),
        time_limit_s=options.timelimit,
        console=None if console in ("-", "") else Path(console).absolute(),
        ends_at_eot=values.pop(f"{model.board}.uart0.shutdown_on_eot", "0") not in ("0", "false"),
        data=tuple(_data(text) for text in options.data),
        pmu_trace=extra.pmu_trace,
        ignored=(*(name for name in values if not model.has_no_effect(name)), *extra.unknown),
    )


def _macs(executable: str, model: Model, values: dict[str, str]) -> int:
    """Take the size of the NPU out of `values`."""
    name = f"{model.subsystem}ethosu.num_macs"
    # With another board's name, the FVP would run with another NPU than the caller believes.
    for other in values:
        if other != name and other.endswith("ethosu.num_macs"):
            raise ConfigError(f"-C {other}: {executable} has no such parameter", hint=f"-C {name}=...")
    text = values.pop(name, str(model.default_macs))
    if not text.isdecimal() or int(text) not in model.family.macs:
        allowed = ", ".join(map(str, model.family.macs))
        raise ConfigError(f"-C {name}={text}: {executable} has {allowed}")
    return int(text)


@dataclass(frozen=True)
class _ExtraArguments:
    """Options of the NPU model, which the FVP takes as one parameter."""

    pmu_trace: Path | None
    unknown: tuple[str, ...]


def _extra_arguments(text: str) -> _ExtraArguments:
    """Parse ethosu.extra_args. `--fast` turns off timing, of which there is none here."""
    parser = argparse.ArgumentParser(prog="ethosu.extra_args", allow_abbrev=False, add_help=False, exit_on_error=False)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--pmu-trace", type=Path)
    try:
        known, unknown = parser.parse_known_args(shlex.split(text))
    except (argparse.ArgumentError, ValueError) as error:
        raise ConfigError(f"-C ethosu.extra_args={text}: {error}") from error
    trace = None if known.pmu_trace is None else known.pmu_trace.absolute()
    if trace is not None and not trace.parent.is_dir():
        raise ConfigError(f"-C ethosu.extra_args={text}: no folder {trace.parent}")
    return _ExtraArguments(trace, tuple(f"ethosu.extra_args {word}" for word in unknown))


def _data(text: str) -> Data:
    """Parse `FILE@ADDRESS`. The FVP accepts "cpu0=FILE@ADDRESS" too."""
    name, found, place = text.removeprefix("cpu0=").rpartition("@")
    try:
        address = int(place, 0)
    except ValueError:
        found, address = "", 0
    if not found:
        raise ConfigError(f"--data {text}: not FILE@ADDRESS")
    file = Path(name).absolute()
    if not file.is_file():
        raise ConfigError(f"--data {text}: no such file")
    return Data(file, address)


def _parser(executable: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=executable, allow_abbrev=False, description="Pilotlight's stand-in for it.")
    parser.add_argument("-C", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("-a", "--application", metavar="IMAGE", help="ELF file")
    parser.add_argument("-T", "--timelimit", type=_seconds, metavar="SECONDS", help="wall clock; 0: none")
    parser.add_argument("--data", action="append", default=[], metavar="FILE@ADDRESS", help="load a file into memory")
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
