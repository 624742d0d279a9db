# SPDX-License-Identifier: Apache-2.0
"""Reads and checks board.toml, and generates the files that the build derives from it.

boards/<name>/board.toml is the only place where a fact about a board is written. `load_board` reads
it. `python -m pilotlight.boards generate <board> --out <folder>` writes memory.ld, board.cmake and
pilotlight/board_config.h.

>>> board = load_board("qemu-corstone300")
>>> board.npu.config, hex(board.memory["itcm"].origin)
('ethos-u55-128', '0x10000000')
"""

from __future__ import annotations

import difflib
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from pilotlight.errors import ConfigError, PilotlightError
from pilotlight.npu_names import NPUS
from pilotlight.paths import BOARDS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CORES = ("cortex-m55", "host")
PLATFORMS = ("corstone300", "host")
EMULATORS = ("qemu", "fvp", "process")
PORTS = ("mailbox", "bus")
# board: a real board's clock. instructions: the emulator counts instructions; while the CPU waits
# for a simulated NPU, host time passes. host: the firmware is a process and uses host time.
# emulator: the emulator's own time model.
CLOCKS = ("board", "instructions", "host", "emulator")

# Section groups of firmware/platform/link/image.ld, and the role of the mailbox page.
BARE_METAL_ROLES = ("vectors", "code", "data", "stack", "model", "tensor_arena")
HOST_ROLES = ("model", "tensor_arena")
MAILBOX_ROLE = "npu_mailbox"

# Keys whose values are shown in hexadecimal.
_ADDRESSES = ("origin", "size", "base", "counter_base", "boot_address")
# Bytes of the registers of a timer or UART, and pages of this size for an NPU: two for the
# Ethos-U85, one for U55 and U65.
_DEVICE_BYTES = 4096
_NPU_DEVICES = 2
# Regions in firmware/platform/corstone300/mpu.cpp: code, constants, model, RAM, arena, stack, and
# one for the app.
_MPU_REGIONS_FOR_MEMORY = 7
# Armv8-M ARM, "Protected Memory System Architecture, PMSAv8".
_MPU_GRANULE_BYTES = 32
_LARGEST_MPU_GRANULE_BYTES = 65_536


@dataclass(frozen=True)
class Cpu:
    core: str
    clock_hz: int
    data_cache: bool = False
    mpu_regions: int = 0
    """Number of regions of the memory protection unit; 0 if there is none."""
    mpu_granule_bytes: int = _MPU_GRANULE_BYTES
    """Regions start and end at multiples of this: the architecture's granule or a larger one."""
    boot_address: int = 0
    """Address where the vector table must be."""


@dataclass(frozen=True)
class Timer:
    """A 64-bit counter with a comparator: Arm's system counter and SYSTIMER."""

    counter_base: int
    base: int
    clock_hz: int
    irq: int


@dataclass(frozen=True)
class Uart:
    base: int
    clock_hz: int
    irq_receive: int


@dataclass(frozen=True)
class Console:
    uart: str
    baud: int


@dataclass(frozen=True)
class Npu:
    """The board's NPU.

    config: the NPU that the board has. configurable: NPUs that its emulator can have instead.
    port: "bus": registers at `base`, interrupt `irq`. "mailbox": registers in the memory region
        that holds npu_mailbox, doorbell on `doorbell_uart` (none on the host).
    visible: names of the memory regions that the NPU can reach, at the same addresses as the CPU.
    """

    config: str
    port: str
    visible: tuple[str, ...]
    system_config: str
    memory_mode: str
    configurable: tuple[str, ...] = ()
    base: int | None = None
    irq: int | None = None
    doorbell_uart: str | None = None


@dataclass(frozen=True)
class MemoryRegion:
    origin: int
    size: int
    holds: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        return self.origin + self.size


@dataclass(frozen=True)
class SharedMemory:
    """The file through which the NPU simulator sees an emulated board's memory."""

    origin: int
    size: int


@dataclass(frozen=True)
class Budget:
    stack_bytes: int
    code_bytes: int | None = None
    """Limit of .vectors + .text + .rodata; the link fails above it."""


@dataclass(frozen=True)
class Emulator:
    kind: str
    executable: str | None = None
    debian_package: str | None = None
    machine: str | None = None
    instruction_ns: int = 0
    """Board time of one instruction in ns; 0 if the emulator does not count instructions."""
    macs_parameter: str | None = None
    """Of an FVP: the parameter that sets the number of the NPU's multipliers."""
    terminal: str | None = None
    """Of an FVP: the terminal of the console, as the FVP names it."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of an FVP: further parameters."""


@dataclass(frozen=True)
class Board:
    """The facts of a board.toml, checked. Fields are None if the board lacks the part."""

    name: str
    folder: Path
    platform: str
    cpu: Cpu
    npu: Npu
    memory: Mapping[str, MemoryRegion]
    budget: Budget
    uart: Mapping[str, Uart]
    console: Console | None
    timer: Timer | None
    shared_memory: SharedMemory | None
    emulator: Emulator | None

    @property
    def clock(self) -> str:
        """What this board's times and CPU cycles count: one of CLOCKS."""
        if self.emulator is None:
            return "board"
        if self.emulator.instruction_ns:
            return "instructions"
        return "host" if self.emulator.kind == "process" else "emulator"

    def region_of(self, role: str) -> tuple[str, MemoryRegion]:
        """Return name and region that hold section group `role`. Raises KeyError if none does."""
        for name, region in self.memory.items():
            if role in region.holds:
                return name, region
        raise KeyError(role)


def _as_written(key: str, value: Any) -> str:
    """Return a value as in board.toml: addresses and sizes in hexadecimal."""
    return f"{value:#_x}" if key in _ADDRESSES and type(value) is int else repr(value)


class _Table:
    """One table of a TOML file, with typed reads. done() refuses keys that were not read."""

    def __init__(self, path: Path, where: str, raw: Mapping[str, Any]) -> None:
        self.path, self._where, self._raw, self._read = path, where, raw, set[str]()

    def fail(self, key: str, problem: str, hint: str = "") -> NoReturn:
        name = f"{self._where}.{key}" if self._where else key
        value = self._raw.get(key, {})
        shown = "" if isinstance(value, dict) else f" = {_as_written(key, value)}"
        raise ConfigError(f"{name}{shown}: {problem}\n  in {self.path}", hint=hint)

    def __contains__(self, key: str) -> bool:
        return key in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def _get(self, key: str, kind: type, kind_name: str) -> Any:
        self._read.add(key)
        if key not in self._raw:
            near = difflib.get_close_matches(key, self._raw.keys() - self._read, n=1)
            self.fail(key, f"missing; it must be {kind_name}", hint=f"{key} instead of {near[0]}" if near else "")
        value = self._raw[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.fail(key, f"must be {kind_name}")
        return value

    def text(self, key: str, allowed: tuple[str, ...] = ()) -> str:
        value = self._get(key, str, "a string")
        if allowed and value not in allowed:
            self.fail(key, f"must be one of {', '.join(allowed)}")
        return str(value)

    def number(self, key: str, low: int = 0, high: int = 2**40) -> int:
        value = self._get(key, int, "a whole number")
        if not low <= value <= high:
            self.fail(key, f"must lie in {_as_written(key, low)}..{_as_written(key, high)}")
        return int(value)

    def flag(self, key: str) -> bool:
        return bool(self._get(key, bool, "true or false"))

    def texts(self, key: str, allowed: tuple[str, ...] = ()) -> tuple[str, ...]:
        values = self._get(key, list, "a list of strings")
        for value in values:
            if not isinstance(value, str):
                self.fail(key, "must be a list of strings")
            if allowed and value not in allowed:
                self.fail(key, f"{value!r} must be one of {', '.join(allowed)}")
        if len(set(values)) != len(values):
            self.fail(key, "names something twice")
        return tuple(values)

    def table(self, key: str) -> _Table:
        raw = self._get(key, dict, "a table")
        return _Table(self.path, f"{self._where}.{key}" if self._where else key, raw)

    def done(self) -> None:
        for key in self._raw:
            if key not in self._read:
                near = difflib.get_close_matches(key, self._read, n=1)
                known = ", ".join(sorted(self._read))
                self.fail(
                    key, "unknown key", hint=f"{near[0]} instead of {key}" if near else f"keys known here: {known}"
                )


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
    return _parse(_Table(path, "", raw), folder.resolve())


def _parse(top: _Table, folder: Path) -> Board:
    name = top.text("name")
    if name != folder.name:
        top.fail("name", f"must be the folder's name, {folder.name!r}")
    platform = top.text("platform", PLATFORMS)
    bare_metal = platform != "host"
    uarts = {key: _uart(table) for key, table in _tables(top, "uart")}
    memory = {key: _region(table) for key, table in _tables(top, "memory")}
    cpu = _cpu(top.table("cpu"), bare_metal)
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
    )
    top.done()
    _check_placement(top, board)
    _check_instruction_clock(top, board)
    return board


def _tables(top: _Table, key: str) -> Iterator[tuple[str, _Table]]:
    if key not in top:
        return
    outer = top.table(key)
    for name in outer:
        if not name.isidentifier() or not name.islower():
            outer.fail(name, "must be a lower-case identifier, because linker and C use it")
        yield name, outer.table(name)


def _cpu(table: _Table, bare_metal: bool) -> Cpu:
    cpu = Cpu(
        core=table.text("core", CORES),
        clock_hz=table.number("clock_hz", 1_000_000, 10_000_000_000),
        data_cache=table.flag("data_cache") if bare_metal else False,
        mpu_regions=table.number("mpu_regions", 0, 16) if bare_metal else 0,
        mpu_granule_bytes=table.number("mpu_granule_bytes", _MPU_GRANULE_BYTES, _LARGEST_MPU_GRANULE_BYTES)
        if "mpu_granule_bytes" in table
        else _MPU_GRANULE_BYTES,
        boot_address=table.number("boot_address", 0, 2**32 - 1) if bare_metal else 0,
    )
    if cpu.mpu_granule_bytes & (cpu.mpu_granule_bytes - 1):
        table.fail("mpu_granule_bytes", "must be a power of two")
    if 0 < cpu.mpu_regions <= _MPU_REGIONS_FOR_MEMORY:
        table.fail("mpu_regions", f"must be 0 (no MPU) or more than {_MPU_REGIONS_FOR_MEMORY}")
    if (cpu.core == "host") == bare_metal:
        table.fail("core", "does not go with this platform")
    table.done()
    return cpu


def _timer(table: _Table) -> Timer:
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


def _uart(table: _Table) -> Uart:
    uart = Uart(
        base=table.number("base", 0, 2**32 - 1),
        clock_hz=table.number("clock_hz", 1_000_000, 1_000_000_000),
        irq_receive=table.number("irq_receive", 0, 479),
    )
    table.done()
    return uart


def _console(table: _Table, uarts: tuple[str, ...]) -> Console:
    console = Console(uart=table.text("uart", uarts), baud=table.number("baud", 300, 10_000_000))
    table.done()
    return console


def _npu(table: _Table, bare_metal: bool, uarts: tuple[str, ...], regions: tuple[str, ...]) -> Npu:
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


def _region(table: _Table) -> MemoryRegion:
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


def _shared_memory(table: _Table) -> SharedMemory:
    shared = SharedMemory(origin=table.number("origin", 0, 2**32 - 1), size=table.number("size", 4096, 2**32))
    table.done()
    return shared


def _budget(table: _Table, bare_metal: bool, granule: int) -> Budget:
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


def _emulator(table: _Table) -> Emulator:
    kind = table.text("kind", EMULATORS)
    emulator = Emulator(
        kind=kind,
        executable=table.text("executable") if kind != "process" else None,
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


def _parameters(table: _Table) -> dict[str, str]:
    if "parameters" not in table:
        return {}
    given = table.table("parameters")
    return {key: given.text(key) for key in given}


def _check_instruction_clock(top: _Table, board: Board) -> None:
    """An instruction must take more than two timer ticks.

    firmware/platform/corstone300/clock.cpp counts instructions by the ticks of the timer.
    """
    if board.timer is None or board.emulator is None or not board.emulator.instruction_ns:
        return
    if board.emulator.instruction_ns * board.timer.clock_hz <= 2_000_000_000:
        top.fail("emulator", "instruction_ns must be more than two ticks of the timer, or instructions go uncounted")


def _check_placement(top: _Table, board: Board) -> None:
    """Check that each section group has exactly one region, which its users can reach."""
    wanted = BARE_METAL_ROLES if board.platform != "host" else HOST_ROLES
    if board.npu.port == "mailbox":
        wanted = (*wanted, MAILBOX_ROLE)
        if board.shared_memory is None:
            top.fail("shared_memory", "missing; the mailbox lies in it")
    held = [role for region in board.memory.values() for role in region.holds]
    for role in wanted:
        if held.count(role) != 1:
            top.fail("memory", f"{role!r} is held by {held.count(role)} regions; it must be exactly one")
    for role in held:
        if role not in wanted:
            top.fail("memory", f"{role!r} has no meaning on this board")
    regions = sorted(board.memory.items(), key=lambda item: item[1].origin)
    for (left, a), (right, b) in pairwise(regions):
        if a.end > b.origin:
            top.fail(
                "memory",
                f"{left!r} and {right!r} overlap: {a.end:#_x} is the end of one, {b.origin:#_x} the other's start",
            )
    for role in ("model", "tensor_arena"):
        name, _ = board.region_of(role)
        if name not in board.npu.visible:
            top.fail("npu", f"{role!r} lies in {name!r}, which npu.visible does not name")
    if "vectors" in wanted and board.region_of("vectors")[1].origin != board.cpu.boot_address:
        top.fail("cpu", f"the region that holds 'vectors' must start at boot_address ({board.cpu.boot_address:#_x})")
    if board.shared_memory is not None:
        shared = board.shared_memory
        for name in (*board.npu.visible, board.region_of(MAILBOX_ROLE)[0]):
            region = board.memory[name]
            if region.origin < shared.origin or region.end > shared.origin + shared.size:
                top.fail("shared_memory", f"does not contain memory.{name}")


def device_windows(board: Board) -> tuple[tuple[int, int], ...]:
    """Return base and size of the windows that hold the registers that the firmware uses.

    Adjacent pages form one window. While the MPU has too few regions, the nearest windows are
    joined.

    >>> [(hex(base), hex(size)) for base, size in device_windows(load_board("qemu-corstone300"))]
    [('0x58000000', '0x1000'), ('0x58100000', '0x1000'), ('0x59303000', '0x2000')]
    """
    pages: set[int] = set()
    if board.timer is not None:
        pages |= {board.timer.counter_base // _DEVICE_BYTES, board.timer.base // _DEVICE_BYTES}
    used_uarts = {board.console.uart if board.console else None, board.npu.doorbell_uart}
    pages |= {uart.base // _DEVICE_BYTES for name, uart in board.uart.items() if name in used_uarts}
    if board.npu.base is not None:
        pages |= {board.npu.base // _DEVICE_BYTES + page for page in range(_NPU_DEVICES)}
    windows = [(page * _DEVICE_BYTES, (page + 1) * _DEVICE_BYTES) for page in sorted(pages)]
    most = max(1, board.cpu.mpu_regions - _MPU_REGIONS_FOR_MEMORY - (board.npu.port == "mailbox"))
    while len(windows) > 1:
        gap, at = min((right[0] - left[1], at) for at, (left, right) in enumerate(pairwise(windows)))
        if gap > 0 and len(windows) <= most:
            break
        windows[at : at + 2] = [(windows[at][0], windows[at + 1][1])]
    return tuple((start, end - start) for start, end in windows)


def memory_script(board: Board) -> str:
    """Return memory.ld: the MEMORY command, an alias per section group, and the budgets."""
    lines = [f"/* Generated from {board.name}/board.toml. */", "MEMORY", "{"]
    # The linker places nothing in the mailbox page.
    linked = {name: region for name, region in board.memory.items() if region.holds != (MAILBOX_ROLE,)}
    for name, region in linked.items():
        lines.append(f"  {name} (rwx) : ORIGIN = {region.origin:#010x}, LENGTH = {region.size:#010x}")
    lines.append("}")
    for name, region in linked.items():
        # REGION_ALIAS refuses an alias with the name of a region.
        lines += [f'REGION_ALIAS("{role}", {name})' for role in region.holds if role != name]
    lines += [f"__budget_{field.name} = {getattr(board.budget, field.name) or 0};" for field in fields(board.budget)]
    lines.append(f"__mpu_granule = {board.cpu.mpu_granule_bytes};")
    return "\n".join(lines) + "\n"


def config_header(board: Board) -> str:
    """Return pilotlight/board_config.h: the facts that C++ needs, as macros."""
    facts: list[tuple[str, object]] = [
        ("NAME", f'"{board.name}"'),
        ("CPU_CLOCK_HZ", f"{board.cpu.clock_hz}u"),
        ("CPU_DATA_CACHE", int(board.cpu.data_cache)),
        ("CPU_MPU_REGIONS", board.cpu.mpu_regions),
        ("DEVICE_WINDOWS", ", ".join(f"{{{base:#x}u, {size:#x}u}}" for base, size in device_windows(board))),
        ("STACK_BYTES", f"{board.budget.stack_bytes}u"),
    ]
    for name, region in board.memory.items():
        facts.append((f"MEMORY_{name.upper()}_ORIGIN", f"{region.origin:#x}u"))
        facts.append((f"MEMORY_{name.upper()}_SIZE", f"{region.size:#x}u"))
    if board.timer is not None:
        facts.append(("TIMER_COUNTER_BASE", f"{board.timer.counter_base:#x}u"))
        facts.append(("TIMER_BASE", f"{board.timer.base:#x}u"))
        facts.append(("TIMER_CLOCK_MHZ", f"{board.timer.clock_hz // 1_000_000}u"))
        facts.append(("TIMER_IRQ", board.timer.irq))
        facts.append(("INSTRUCTION_NS", f"{board.emulator.instruction_ns if board.emulator else 0}u"))
    if board.console is not None:
        uart = board.uart[board.console.uart]
        facts.append(("CONSOLE_BASE", f"{uart.base:#x}u"))
        facts.append(("CONSOLE_IRQ", uart.irq_receive))
        facts.append(("CONSOLE_DIVIDER", f"{max(16, uart.clock_hz // board.console.baud)}u"))
    facts.append(("NPU_CONFIG", f'"{board.npu.config}"'))
    windows = ", ".join(f"{{{board.memory[n].origin:#x}u, {board.memory[n].size:#x}u}}" for n in board.npu.visible)
    facts.append(("NPU_WINDOWS", windows))
    if board.npu.port == "bus":
        facts.append(("NPU_BASE", f"{board.npu.base:#x}u"))
        facts.append(("NPU_IRQ", board.npu.irq))
    else:
        page = board.region_of(MAILBOX_ROLE)[1]
        facts.append(("NPU_MAILBOX_ORIGIN", f"{page.origin:#x}u"))
        facts.append(("NPU_MAILBOX_SIZE", f"{page.size:#x}u"))
    if board.npu.doorbell_uart is not None:
        doorbell = board.uart[board.npu.doorbell_uart]
        facts.append(("DOORBELL_BASE", f"{doorbell.base:#x}u"))
        facts.append(("DOORBELL_IRQ", doorbell.irq_receive))
    if board.shared_memory is not None:
        facts.append(("SHARED_ORIGIN", f"{board.shared_memory.origin:#x}u"))
        facts.append(("SHARED_SIZE", f"{board.shared_memory.size:#x}u"))
    body = "\n".join(f"#define PILOTLIGHT_BOARD_{name} {value}" for name, value in facts)
    return (
        "// SPDX-License-Identifier: Apache-2.0\n"
        f"// Generated from {board.name}/board.toml by pilotlight.boards.\n"
        f"#pragma once\n\n{body}\n"
    )


def cmake_facts(board: Board) -> str:
    """Return board.cmake: the facts that CMake needs, as variables."""
    facts = {
        "NAME": board.name,
        "FOLDER": board.folder.as_posix(),
        "PLATFORM": board.platform,
        "CORE": board.cpu.core,
        "NPU_CONFIG": board.npu.config,
        "NPU_PORT": board.npu.port,
        "SYSTEM_CONFIG": board.npu.system_config,
        "MEMORY_MODE": board.npu.memory_mode,
    }
    lines = [f"# Generated from {board.name}/board.toml."]
    lines += [f'set(PILOTLIGHT_BOARD_{key} "{value}")' for key, value in facts.items()]
    return "\n".join(lines) + "\n"


def generate(board: Board, out: Path) -> None:
    """Write the three files. A file that is up to date is not touched, to avoid rebuilds."""
    outputs = {
        out / "memory.ld": memory_script(board),
        out / "board.cmake": cmake_facts(board),
        out / "pilotlight" / "board_config.h": config_header(board),
    }
    for path, text in outputs.items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """`python -m pilotlight.boards`: cmake/board.cmake calls this at configure time."""
    parser = ArgumentParser(prog="python -m pilotlight.boards")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("generate", help="write the files the build derives from board.toml")
    command.add_argument("board", help="a name under boards/, or the path of a board's folder")
    command.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    try:
        generate(load_board(args.board), args.out)
    except PilotlightError as error:
        print(error.report(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
