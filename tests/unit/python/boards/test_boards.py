# SPDX-License-Identifier: Apache-2.0
"""board.toml: the accepted values, the refused values with their messages, and the generated
files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pilotlight import boards
from pilotlight.boards.__main__ import main
from pilotlight.boards.board import Uart
from pilotlight.boards.build_files import device_windows, generate
from pilotlight.errors import ConfigError
from pilotlight.paths import BOARDS


def changed_board(folder: Path, board: str, *changes: tuple[str, str]) -> Path:
    """Return a copy of a board in which pieces of board.toml are replaced."""
    home = folder / board
    home.mkdir()
    text = (BOARDS / board / "board.toml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (home / "board.toml").write_text(text, encoding="utf-8")
    return home


@pytest.mark.parametrize("name", boards.board_names())
def test_every_board_of_the_project_is_accepted(name: str) -> None:
    board = boards.load_board(name)
    assert board.name == name
    assert board.npu.config in board.npu.configurable


def test_the_facts_of_the_emulated_board_are_those_found_by_trial() -> None:
    board = boards.load_board("qemu-corstone300")
    # Seen on QEMU 7.2: the source [trial] in boards/qemu-corstone300/board.toml.
    assert board.memory["itcm"] == boards.MemoryRegion(0x1000_0000, 0x8_0000, ("vectors", "code"))
    assert board.memory["dtcm"].origin == 0x3000_0000
    assert board.uart["uart0"].base == 0x5930_3000
    assert board.uart["uart1"].base == 0x5930_4000
    assert board.shared_memory is not None
    assert board.memory["ddr"].origin - board.shared_memory.origin == 256 * 2**20


def test_the_fvp_differs_from_the_emulated_board_only_where_it_must() -> None:
    qemu, fvp = boards.load_board("qemu-corstone300"), boards.load_board("corstone300-fvp")
    assert qemu.platform == fvp.platform
    assert qemu.console == fvp.console
    assert qemu.budget == fvp.budget
    assert (fvp.npu.base, fvp.npu.irq) == (0x5810_2000, 56)


def test_the_corstone_320_has_its_npu_console_and_clock_where_other_ports_have_them() -> None:
    # Zephyr, boards/arm/mps4 (mps4_corstone320_fvp.dts, board.cmake), and Trusted Firmware-M,
    # platform/ext/target/arm/mps4 (platform_base_address.h, platform_irq.h).
    board = boards.load_board("corstone320-fvp")
    assert (board.cpu.core, board.npu.base, board.npu.irq) == ("cortex-m85", 0x5000_4000, 16)
    assert board.console and board.uart[board.console.uart] == Uart(0x5820_3000, 25_000_000, 33)
    assert board.timer and (board.timer.base, board.timer.counter_base, board.timer.irq) == (
        0x5800_0000,
        0x5810_0000,
        3,
    )
    assert board.emulator is not None
    reset_vectors = board.emulator.parameters["mps4_board.subsystem.iotss3_systemcontrol.INITSVTOR_RST"]
    assert int(reset_vectors, 0) == board.cpu.boot_address == board.region_of("vectors")[1].origin
    memories = {"sram": (0x1200_0000, 2), "isram": (0x3100_0000, 4), "ddr": (0x7000_0000, 256)}
    for name, region in board.memory.items():
        origin, size_mib = memories[name.partition("_")[0]]
        assert origin <= region.origin and region.end <= origin + size_mib * 2**20, name


def test_the_registers_of_the_u85_take_two_pages_of_their_own() -> None:
    windows = device_windows(boards.load_board("corstone320-fvp"))
    assert windows == ((0x5000_4000, 0x2000), (0x5800_0000, 0x1000), (0x5810_0000, 0x1000), (0x5820_3000, 0x1000))


def test_an_unknown_board_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no board 'qemu-corstone301'") as caught:
        boards.load_board("qemu-corstone301")
    assert ", ".join(boards.board_names()) in caught.value.hint


# Each change, and the text that the message must contain.
REFUSED = [
    (
        ("clock_hz = 32_000_000             # [AN547]", "clock_hz = '32 MHz' #"),
        "cpu.clock_hz = '32 MHz': must be a",
    ),
    (("[budget]\n", "[budget]\nheap_bytes = 1\n"), "budget.heap_bytes = 1: unknown key"),
    (
        ('platform = "corstone300"', 'platform = "corstone310"'),
        "platform = 'corstone310': must be one of",
    ),
    (('name = "qemu-corstone300"', 'name = "other"'), "name = 'other': must be the folder's name"),
    (('config = "ethos-u55-128"', 'config = "ethos-u55-512"'), "npu.config = 'ethos-u55-512': must be one of"),
    (('config = "ethos-u55-128"', 'config = "ethos-u65-256"'), "must be one of npu.configurable"),
    (('uart = "uart0"', 'uart = "uart9"'), "console.uart = 'uart9': must be one of uart0, uart1"),
    (("irq = 3\n", "irq = 1000\n"), "timer.irq = 1000: must lie in 0..479"),
    (('holds = ["data", "stack"]', 'holds = ["data"]'), "'stack' is held by 0 regions; it must be exactly one"),
    (('holds = ["data", "stack"]', 'holds = ["data", "stack", "code"]'), "'code' is held by 2 regions"),
    (("origin = 0x3000_0000", "origin = 0x1004_0000"), "'itcm' and 'dtcm' overlap"),
    (('visible = ["ddr"] ', 'visible = ["dtcm"] '), "'model' lies in 'ddr', which npu.visible does not name"),
    (("boot_address = 0x1000_0000", "boot_address = 0x0000_0000"), "must start at boot_address (0x0)"),
    (("size = 0x8000_0000", "size = 0x1000_0000"), "does not contain memory.ddr"),
    (("stack_bytes = 32_768", "stack_bytes = 32_769"), "budget.stack_bytes = 32769: must be a multiple of 1024"),
    (("stack_bytes = 32_768", "stack_bytes = 32_736"), "budget.stack_bytes = 32736: must be a multiple of 1024"),
    (("mpu_granule_bytes = 1024", "mpu_granule_bytes = 1000"), "cpu.mpu_granule_bytes = 1000: must be a power of two"),
    (("mpu_granule_bytes = 1024", "mpu_granule_bytes = 16"), "cpu.mpu_granule_bytes = 16: must lie in 32..65536"),
    (("[console]\n", "[console]\nuart = \n"), "not TOML"),
    (("[memory.itcm]", '[memory."i-tcm"]'), "memory.i-tcm"),
    (("base = 0x5930_3000\n", ""), "uart.uart0.base: missing"),
    (("instruction_ns = 64 ", "instruction_ns = 65 "), "emulator.instruction_ns = 65: must be a power of two"),
    (("instruction_ns = 64 ", "instruction_ns = 32 "), "must be more than two ticks of the timer"),
    (("instruction_ns = 64 ", "#"), "emulator.instruction_ns: missing"),
    (("origin = 0x3000_0000", "origin = 0x3000_0001"), "memory.dtcm.origin = 0x3000_0001: must be a multiple of 32"),
    (("base = 0x5930_3000", "base = 0x1_5930_3000"), "must lie in 0x0..0xffff_ffff"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_wrong_board_is_refused_with_file_key_and_value(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    home = changed_board(tmp_path, "qemu-corstone300", change)
    with pytest.raises(ConfigError) as caught:
        boards.load_board(home)
    problem, _, place = str(caught.value).rpartition("\n  in ")
    assert place == str(home / "board.toml")
    assert message in problem


# A board, a line of its board.toml, and the lowest and the highest value that the line may have.
LIMITS = [
    ("corstone300-fvp", "irq = 56", 0, 479),
    ("qemu-corstone300", "irq = 3", 0, 479),
    ("corstone300-fvp", "irq_receive = 33", 0, 479),
    ("corstone300-fvp", "baud = 115_200", 300, 10_000_000),
    ("corstone300-fvp", "mpu_regions = 8", 0, 16),
    ("corstone300-fvp", "clock_hz = 25_000_000             # [FVP]\ndata", 1_000_000, 10_000_000_000),
]


@pytest.mark.parametrize(("board", "line", "lowest", "highest"), LIMITS, ids=[line for _, line, *_ in LIMITS])
def test_a_number_may_be_at_its_limits_and_not_beyond(
    tmp_path: Path, board: str, line: str, lowest: int, highest: int
) -> None:
    key, _, rest = line.partition(" = ")
    behind = rest.lstrip("0123456789_")
    for value in (lowest - 1, lowest, highest, highest + 1):
        (tmp_path / str(value)).mkdir()
    for value in (lowest, highest):
        boards.load_board(changed_board(tmp_path / str(value), board, (line, f"{key} = {value}{behind}")))
    for value in (lowest - 1, highest + 1):
        home = changed_board(tmp_path / str(value), board, (line, f"{key} = {value}{behind}"))
        with pytest.raises(ConfigError, match=rf"{key} = {value}: must (lie in|be)"):
            boards.load_board(home)


@pytest.mark.parametrize(
    ("right", "wrong"), [("stack_bytes", "stack_byte"), ("irq_receive", "irq_recieve"), ("data_cache", "dcache")]
)
def test_a_key_that_is_nearly_right_is_answered_with_the_right_one(tmp_path: Path, right: str, wrong: str) -> None:
    home = changed_board(tmp_path, "qemu-corstone300", (f"{right} =", f"{wrong} ="))
    with pytest.raises(ConfigError, match=f"{right}: missing") as caught:
        boards.load_board(home)
    assert caught.value.hint == f"{right} instead of {wrong}"


def test_a_key_beside_the_right_one_is_answered_with_that(tmp_path: Path) -> None:
    home = changed_board(tmp_path, "qemu-corstone300", ("[budget]\n", "[budget]\nstack_byte = 1\n"))
    with pytest.raises(ConfigError, match="unknown key") as caught:
        boards.load_board(home)
    assert caught.value.hint == "stack_bytes instead of stack_byte"


def test_generating_again_touches_nothing(tmp_path: Path) -> None:
    board = boards.load_board("qemu-corstone300")
    generate(board, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert len(before) == 3
    generate(board, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize("name", boards.board_names())
def test_the_generated_header_compiles(tmp_path: Path, name: str) -> None:
    generate(boards.load_board(name), tmp_path)
    header = tmp_path / "pilotlight" / "board_config.h"
    command = ["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", "-"]
    uses = f'#include "{header}"\nstruct W {{ unsigned a, b; }} w[] = {{PILOTLIGHT_BOARD_NPU_WINDOWS}};\n'
    subprocess.run(command, input=uses, text=True, check=True)


def test_the_command_prints_one_message_and_exits_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "nowhere", "--out", "unused"]) == ConfigError.exit_code
    assert capsys.readouterr().err.startswith("no board 'nowhere'\n  try: one of ")


def test_a_missing_compiler_is_named_with_its_packages(tmp_path: Path) -> None:
    probe = BOARDS.parent / "tests" / "emulator" / "firmware"
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("cmake", "ninja", "python3"):
        found = shutil.which(tool)
        assert found is not None
        (tools / tool).write_text(f'#!/bin/sh\nexec "{found}" "$@"\n', encoding="utf-8")
        (tools / tool).chmod(0o755)
    configure = ["-S", str(probe), "-B", str(tmp_path / "build"), "-G", "Ninja", "-DBOARD=qemu-corstone300"]
    done = subprocess.run(
        [str(tools / "cmake"), *configure, "-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "arm-none-eabi-g++ is not on PATH" in done.stderr
    assert "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi" in done.stderr.replace("\n", " ")
