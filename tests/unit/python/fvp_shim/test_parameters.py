# SPDX-License-Identifier: Apache-2.0
"""The FVP's command line, as upstream's harness writes it and as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight.errors import ConfigError
from pilotlight.fvp_shim.parameters import parse_arguments
from pilotlight.fvp_shim.run import semihosting_option

U55 = "FVP_Corstone_SSE-300_Ethos-U55"
U65 = "FVP_Corstone_SSE-300_Ethos-U65"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "runner.elf"
    path.touch()
    return path


def test_the_command_line_of_upstreams_harness_is_understood_in_full(image: Path, tmp_path: Path) -> None:
    # The exact command of run_corstone in executorch/backends/arm/test/runner_utils.py.
    line = ["-C", "ethosu.num_macs=256"]
    line += [
        "-C",
        "mps3_board.visualisation.disable-visualisation=1",
        "-C",
        "mps3_board.telnetterminal0.start_telnet=0",
    ]
    line += ["-C", "mps3_board.uart0.out_file='-'", "-C", "cpu0.semihosting-enable=1"]
    line += ["-C", "cpu0.semihosting-stack_base=0", "-C", "cpu0.semihosting-heap_limit=0"]
    line += ["-C", f"cpu0.semihosting-cwd={tmp_path}", "-C", "ethosu.extra_args='--fast'"]
    line += ["-C", "cpu0.semihosting-cmd_line='executor_runner -m program.pte -o out -i i0.bin'"]
    line += ["-a", str(image), "--timelimit", "120"]

    read = parse_arguments(U65, line)

    assert read.npu == "ethos-u65-256"
    assert read.image == image
    assert read.folder == tmp_path
    assert read.command_line == ("executor_runner", "-m", "program.pte", "-o", "out", "-i", "i0.bin")
    assert read.time_limit_s == 120
    assert read.console is None
    assert read.ignored == ()


def test_npu_is_the_fvps_default_unless_told(image: Path) -> None:
    assert parse_arguments(U55, ["-a", str(image)]).npu == "ethos-u55-128"


@pytest.mark.parametrize(
    ("executable", "macs"),
    [*((U55, macs) for macs in (32, 64, 128, 256)), *((U65, macs) for macs in (256, 512))],
)
def test_every_size_of_the_npu_is_there(image: Path, executable: str, macs: int) -> None:
    read = parse_arguments(executable, ["-C", f"ethosu.num_macs={macs}", "-a", str(image)])
    assert read.npu == f"ethos-{'u65' if executable == U65 else 'u55'}-{macs}"


@pytest.mark.parametrize("macs", ["512", "0", "many", ""])
def test_number_of_macs_that_the_npu_does_not_come_with_is_refused(image: Path, macs: str) -> None:
    with pytest.raises(ConfigError, match="has 32, 64, 128, 256"):
        parse_arguments(U55, ["-C", f"ethosu.num_macs={macs}", "-a", str(image)])


def test_image_may_name_its_core(image: Path) -> None:
    assert parse_arguments(U55, ["-a", f"cpu0={image}"]).image == image


def test_console_goes_to_the_file_named(image: Path, tmp_path: Path) -> None:
    line = ["-C", f"mps3_board.uart0.out_file={tmp_path / 'uart.txt'}", "-a", str(image)]
    assert parse_arguments(U55, line).console == tmp_path / "uart.txt"


def test_no_time_limit_is_none(image: Path) -> None:
    assert parse_arguments(U55, ["-a", str(image)]).time_limit_s is None
    assert parse_arguments(U55, ["-a", str(image), "--timelimit", "0"]).time_limit_s is None


def test_parameter_that_means_nothing_here_is_told(image: Path) -> None:
    line = ["-C", "mps3_board.hostbridge.userNetworking=1", "-a", str(image)]
    assert parse_arguments(U55, line).ignored == ("mps3_board.hostbridge.userNetworking",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "no image to run"),
        (["-a", "/nowhere/a.elf"], "/nowhere/a.elf: no such file"),
        (["-C", "ethosu.num_macs"], "not NAME=VALUE"),
        (["-C", "cpu0.semihosting-cwd=/nowhere", "-a", "a"], "/nowhere: no such folder"),
    ],
)
def test_what_is_wrong_is_named(line: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_arguments(U55, line)


def test_comma_in_an_argument_survives_the_emulators_option_syntax() -> None:
    assert semihosting_option(("run", "-i", "a,b")) == "enable=on,target=native,arg=run,arg=-i,arg=a,,b"
