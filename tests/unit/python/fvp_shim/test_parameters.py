# SPDX-License-Identifier: Apache-2.0
"""The FVP's command line, as upstream's harness writes it and as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotlight.errors import ConfigError
from pilotlight.fvp_shim.parameters import Data, parse_arguments
from pilotlight.fvp_shim.run import data_options, semihosting_option

U55 = "FVP_Corstone_SSE-300_Ethos-U55"
U65 = "FVP_Corstone_SSE-300_Ethos-U65"
U85 = "FVP_Corstone_SSE-320"


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


def test_the_command_line_of_upstreams_harness_for_the_u85_is_understood_in_full(image: Path, tmp_path: Path) -> None:
    # The exact command of run_corstone in executorch/backends/arm/test/runner_utils.py.
    parameters = [
        "mps4_board.subsystem.ethosu.num_macs=128",
        "mps4_board.visualisation.disable-visualisation=1",
        "vis_hdlcd.disable_visualisation=1",
        "mps4_board.telnetterminal0.start_telnet=0",
        "mps4_board.uart0.out_file='-'",
        "mps4_board.uart0.unbuffered_output=1",
        "mps4_board.uart0.shutdown_on_eot=1",
        "mps4_board.subsystem.cpu0.semihosting-enable=1",
        "mps4_board.subsystem.cpu0.semihosting-stack_base=0",
        "mps4_board.subsystem.cpu0.semihosting-heap_limit=0",
        f"mps4_board.subsystem.cpu0.semihosting-cwd={tmp_path}",
        "mps4_board.subsystem.ethosu.extra_args='--fast'",
        "mps4_board.subsystem.cpu0.semihosting-cmd_line='executor_runner -m program.pte -o out -i i0.bin'",
    ]
    line = [word for parameter in parameters for word in ("-C", parameter)]
    line += ["-a", str(image), "--timelimit", "120"]

    read = parse_arguments(U85, line)

    assert read.npu == "ethos-u85-128"
    assert read.folder == tmp_path
    assert read.command_line == ("executor_runner", "-m", "program.pte", "-o", "out", "-i", "i0.bin")
    assert read.console is None and read.ends_at_eot and read.pmu_trace is None
    assert read.ignored == ()


def test_the_command_line_of_upstreams_run_script_is_understood_in_full(image: Path, tmp_path: Path) -> None:
    # The command of executorch/backends/arm/scripts/run_fvp.sh with --trace_file and --data.
    (tmp_path / "a.pte").touch()
    parameters = [
        "mps4_board.subsystem.ethosu.num_macs=256",
        "mps4_board.visualisation.disable-visualisation=1",
        "vis_hdlcd.disable_visualisation=1",
        "mps4_board.telnetterminal0.start_telnet=0",
        "mps4_board.uart0.out_file=-",
        "mps4_board.uart0.shutdown_on_eot=1",
        f"mps4_board.subsystem.ethosu.extra_args=--pmu-trace {tmp_path}/trace.json",
    ]
    line = [word for parameter in parameters for word in ("-C", parameter)]
    line += ["-a", str(image), "--data", f"{tmp_path}/a.pte@0x70000000", "--timelimit", "600"]

    read = parse_arguments(U85, line)

    assert read.npu == "ethos-u85-256"
    assert read.pmu_trace == tmp_path / "trace.json"
    assert read.data == (Data(tmp_path / "a.pte", 0x7000_0000),)
    assert data_options(read) == ["-device", f"loader,file={tmp_path}/a.pte,addr=0x70000000,force-raw=on"]
    assert read.ignored == ()


@pytest.mark.parametrize(
    ("executable", "parameter", "npu"),
    [
        ("FVP_Corstone_SSE-310", "ethosu.num_macs=256", "ethos-u55-256"),
        ("FVP_Corstone_SSE-310_Ethos-U65", "ethosu.num_macs=512", "ethos-u65-512"),
        ("FVP_Corstone_SSE-315", "mps4_board.subsystem.ethosu.num_macs=512", "ethos-u65-512"),
        *(
            (U85, f"mps4_board.subsystem.ethosu.num_macs={macs}", f"ethos-u85-{macs}")
            for macs in (128, 256, 512, 1024, 2048)
        ),
    ],
)
def test_each_board_has_its_own_npu_and_names(image: Path, executable: str, parameter: str, npu: str) -> None:
    assert parse_arguments(executable, ["-C", parameter, "-a", str(image)]).npu == npu


@pytest.mark.parametrize(
    ("executable", "parameter"),
    [(U85, "ethosu.num_macs=128"), ("FVP_Corstone_SSE-310", "mps4_board.subsystem.ethosu.num_macs=128")],
)
def test_the_size_under_another_boards_name_is_refused(image: Path, executable: str, parameter: str) -> None:
    with pytest.raises(ConfigError, match="has no such parameter"):
        parse_arguments(executable, ["-C", parameter, "-a", str(image)])


def test_parameters_of_the_vector_table_and_the_mpu_have_no_effect(image: Path) -> None:
    # As Zephyr and the ML evaluation kit pass them.
    cases = {
        "FVP_Corstone_SSE-310": ["mps3_board.sse300.iotss3_systemcontrol.INITSVTOR_RST=0", "cpu0.MPU_S=16"],
        U85: [
            "mps4_board.subsystem.iotss3_systemcontrol.INITSVTOR_RST=0x12000000",
            "mps4_board.subsystem.cpu0.MPU_S=16",
            "mps4_board.subsystem.cpu0.INITSVTOR=0x90000000",
        ],
    }
    for executable, parameters in cases.items():
        line = [word for parameter in parameters for word in ("-C", parameter)]
        assert parse_arguments(executable, [*line, "-a", str(image)]).ignored == ()
    line = ["-C", "mps3_board.visualisation.disable-visualisation=1", "-a", str(image)]
    assert parse_arguments(U85, line).ignored == ("mps3_board.visualisation.disable-visualisation",)


@pytest.mark.parametrize("extra", ["--fast --pmu-trace t.json", "--pmu-trace=t.json --fast", "--pmu-trace 't.json'"])
def test_the_trace_file_is_relative_to_the_callers_folder(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    line = ["-C", "cpu0.semihosting-cwd=work", "-C", f"ethosu.extra_args={extra}", "-a", str(image)]
    assert parse_arguments(U55, line).pmu_trace == tmp_path / "t.json"


def test_an_unknown_extra_argument_is_told(image: Path) -> None:
    line = ["-C", "ethosu.extra_args=--fast --verbose", "-a", str(image)]
    assert parse_arguments(U55, line).ignored == ("ethosu.extra_args --verbose",)


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
        (["-C", "ethosu.extra_args=--pmu-trace", "-a", "a"], "expected one argument"),
        (["-C", "ethosu.extra_args='--pmu-trace \"a'", "-a", "a"], "No closing quotation"),
        (["-C", "ethosu.extra_args=--pmu-trace /nowhere/t", "-a", "a"], "no folder /nowhere"),
        (["-a", "/dev/null", "--data", "a.pte"], "a.pte: not FILE@ADDRESS"),
        (["-a", "/dev/null", "--data", "a.pte@DDR"], "a.pte@DDR: not FILE@ADDRESS"),
        (["-a", "/dev/null", "--data", "/nowhere/a@0x0"], "/nowhere/a@0x0: no such file"),
    ],
)
def test_what_is_wrong_is_named(line: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_arguments(U55, line)


def test_comma_in_an_argument_survives_the_emulators_option_syntax() -> None:
    assert semihosting_option(("run", "-i", "a,b")) == "enable=on,target=native,arg=run,arg=-i,arg=a,,b"
