# SPDX-License-Identifier: Apache-2.0
"""Reads and checks a board.toml.

>>> board = load_board("qemu-corstone300")
>>> board.npu.config, hex(board.memory["itcm"].origin)
('ethos-u55-128', '0x10000000')
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from pilotlight.boards.board import (
    BARE_METAL_ROLES,
    HOST_CORE,
    MAILBOX_ROLE,
    MPU_GRANULE_BYTES,
    MPU_REGIONS_FOR_MEMORY,
    Board,
    Budget,
    Console,
    Cpu,
    Emulator,
    MemoryRegion,
    Npu,
    SharedMemory,
    Timer,
    Uart,
)
from pilotlight.boards.placement import check_instruction_clock, check_placement
from pilotlight.boards.toml_table import Table
from pilotlight.errors import ConfigError
from pilotlight.npu_names import NPUS
from pilotlight.paths import BOARDS, ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CORES = ("cortex-m55", "cortex-m85", HOST_CORE)
# Each folder with such a file is a chip that the firmware knows.
PLATFORMS = tuple(sorted(file.parent.name for file in (ROOT / "firmware/platform").glob("*/platform.cmake")))
# Each of these files defines one way to run a board's image.
EMULATORS = tuple(sorted(file.stem for file in (ROOT / "python/pilotlight/targets/runners").glob("[a-z]*.py")))
PORTS = ("mailbox", "bus")
_LARGEST_MPU_GRANULE_BYTES = 65_536


def board_names() -> tuple[str, ...]:
    """Return the names of the boards under boards/."""
    return tuple(sorted(path.parent.name for path in BOARDS.glob("*/board.toml")))


def load_board(name_or_path: str | Path) -> Board:
    """Read and check a board: a name under boards/, or the path of a board.toml or its folder.

    Raises ConfigError, which names file, key and value.
    """
    given = Path(name_or_path)
    if (BOARDS / given / "board.toml").is_file():
        folder = BOARDS / given
    elif given.name == "board.toml":
        folder = given.parent
    else:
        folder = given
    path = folder / "board.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(
            f"no board {str(name_or_path)!r}",
            hint=f"one of {', '.join(board_names())}, or the path of a folder with a board.toml",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not TOML: {error}\n  in {path}") from error
    return _parse(Table(path, "", raw), folder.resolve())


def _parse(top: Table, folder: Path) -> Board:
    name = top.text("name")
    if name != folder.name:
        top.fail("name", f"must be the folder's name, {folder.name!r}")
    platform = top.text("platform", PLATFORMS)
    cpu = _cpu(top.table("cpu"))
    bare_metal = cpu.bare_metal
    uarts = {key: _uart(table) for key, table in _tables(top, "uart")}
    memory = {key: _region(table) for key, table in _tables(top, "memory")}
    board = Board(
        name=name,
        folder=folder,
        platform=platform,
        cpu=cpu,
        npu=_npu(top.table("npu"), bare_metal, tuple(uarts), tuple(memory)),
        memory=MappingProxyType(memory),
        budget=_budget(top.table("budget"), bare_metal, cpu.mpu_granule_bytes),
        uart=MappingProxyType(uarts),
        console=_console(top.table("console"), tuple(uarts)) if bare_metal else None,
        timer=_timer(top.table("timer")) if bare_metal else None,
        shared_memory=_shared_memory(top.table("shared_memory")) if "shared_memory" in top else None,
        emulator=_emulator(top.table("emulator")) if "emulator" in top else None,
        never_run=top.flag("never_run") if "never_run" in top else False,
    )
    top.done()
    check_placement(top, board)
    check_instruction_clock(top, board)
    return board


def _tables(top: Table, key: str) -> Iterator[tuple[str, Table]]:
    if key not in top:
        return
    outer = top.table(key)
    for name in outer:
        if not name.isidentifier() or not name.islower():
            outer.fail(name, "must be a lower-case identifier, because linker and C use it")
        yield name, outer.table(name)


def _cpu(table: Table) -> Cpu:
    core = table.text("core", CORES)
    bare_metal = core != HOST_CORE
    cpu = Cpu(
        core=core,
        clock_hz=table.number("clock_hz", 1_000_000, 10_000_000_000),
        data_cache=table.flag("data_cache") if bare_metal else False,
        mpu_regions=table.number("mpu_regions", 0, 16) if bare_metal else 0,
        mpu_granule_bytes=table.number("mpu_granule_bytes", MPU_GRANULE_BYTES, _LARGEST_MPU_GRANULE_BYTES)
        if "mpu_granule_bytes" in table
        else MPU_GRANULE_BYTES,
        boot_address=table.number("boot_address", 0, 2**32 - 1) if bare_metal else 0,
    )
    if cpu.mpu_granule_bytes & (cpu.mpu_granule_bytes - 1):
        table.fail("mpu_granule_bytes", "must be a power of two")
    if 0 < cpu.mpu_regions <= MPU_REGIONS_FOR_MEMORY:
        table.fail("mpu_regions", f"must be 0 (no MPU) or more than {MPU_REGIONS_FOR_MEMORY}")
    table.done()
    return cpu


def _timer(table: Table) -> Timer:
    timer = Timer(
        counter_base=table.number("counter_base", 0, 2**32 - 1),
        base=table.number("base", 0, 2**32 - 1),
        clock_hz=table.number("clock_hz", 1_000_000, 1_000_000_000),
        irq=table.number("irq", 0, 479),
    )
    if timer.clock_hz % 1_000_000:
        table.fail("clock_hz", "must be whole megahertz, because microseconds are derived by division")
    table.done()
    return timer


def _uart(table: Table) -> Uart:
    uart = Uart(
        base=table.number("base", 0, 2**32 - 1),
        clock_hz=table.number("clock_hz", 1_000_000, 1_000_000_000),
        irq_receive=table.number("irq_receive", 0, 479),
    )
    table.done()
    return uart


def _console(table: Table, uarts: tuple[str, ...]) -> Console:
    console = Console(uart=table.text("uart", uarts), baud=table.number("baud", 300, 10_000_000))
    table.done()
    return console


def _npu(table: Table, bare_metal: bool, uarts: tuple[str, ...], regions: tuple[str, ...]) -> Npu:
    port = table.text("port", PORTS)
    on_bus = port == "bus"
    npu = Npu(
        config=table.text("config", NPUS),
        configurable=table.texts("configurable", NPUS) if "configurable" in table else (),
        system_config=table.text("system_config"),
        memory_mode=table.text("memory_mode"),
        port=port,
        base=table.number("base", 0, 2**32 - 1) if on_bus else None,
        irq=table.number("irq", 0, 479) if on_bus else None,
        doorbell_uart=table.text("doorbell_uart", uarts) if not on_bus and bare_metal else None,
        visible=table.texts("visible", regions),
    )
    if npu.configurable and npu.config not in npu.configurable:
        table.fail("config", "must be one of npu.configurable")
    if on_bus and not bare_metal:
        table.fail("port", "a process has no bus")
    table.done()
    return npu


def _region(table: Table) -> MemoryRegion:
    region = MemoryRegion(
        origin=table.number("origin", 0, 2**32 - 1),
        size=table.number("size", 1, 2**32),
        holds=table.texts("holds", (*BARE_METAL_ROLES, MAILBOX_ROLE)) if "holds" in table else (),
    )
    if region.origin % 32 or region.size % 32:
        table.fail("origin" if region.origin % 32 else "size", "must be a multiple of 32, a cache line")
    if region.end > 2**32:
        table.fail("size", "reaches beyond 32 bits")
    table.done()
    return region


def _shared_memory(table: Table) -> SharedMemory:
    shared = SharedMemory(origin=table.number("origin", 0, 2**32 - 1), size=table.number("size", 4096, 2**32))
    table.done()
    return shared


def _budget(table: Table, bare_metal: bool, granule: int) -> Budget:
    budget = Budget(
        stack_bytes=table.number("stack_bytes", 1024, 2**30),
        code_bytes=table.number("code_bytes", 1024, 2**30) if bare_metal else None,
    )
    if budget.stack_bytes % granule:
        table.fail(
            "stack_bytes", f"must be a multiple of {granule}", "cpu.mpu_granule_bytes says where regions may end"
        )
    table.done()
    return budget


def _emulator(table: Table) -> Emulator:
    kind = table.text("kind", EMULATORS)
    emulator = Emulator(
        kind=kind,
        executable=table.text("executable") if kind in ("qemu", "fvp") or "executable" in table else None,
        debian_package=table.text("debian_package") if "debian_package" in table else None,
        machine=table.text("machine") if kind == "qemu" else None,
        instruction_ns=table.number("instruction_ns", 1, 1024) if kind == "qemu" else 0,
        macs_parameter=table.text("macs_parameter") if kind == "fvp" else None,
        terminal=table.text("terminal") if kind == "fvp" else None,
        parameters=MappingProxyType(_parameters(table)),
    )
    if emulator.instruction_ns & (emulator.instruction_ns - 1):
        table.fail("instruction_ns", "must be a power of two, because QEMU takes its logarithm")
    table.done()
    return emulator


def _parameters(table: Table) -> dict[str, str]:
    if "parameters" not in table:
        return {}
    given = table.table("parameters")
    return {key: given.text(key) for key in given}
