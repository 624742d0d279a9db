# SPDX-License-Identifier: Apache-2.0
"""The files that the build derives from a board: memory.ld, board.cmake and board_config.h."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from pathlib import Path

from pilotlight.boards.board import MAILBOX_ROLE, MPU_REGIONS_FOR_MEMORY, Board
from pilotlight.files import write_if_changed

# Bytes of the registers of a timer or UART, and pages of this size for an NPU: two for the
# Ethos-U85, one for U55 and U65.
_DEVICE_BYTES = 4096
_NPU_DEVICES = 2


def device_windows(board: Board) -> tuple[tuple[int, int], ...]:
    """Return base and size of the windows that hold the registers that the firmware uses.

    Adjacent pages form one window. While the MPU has too few regions, the nearest windows are
    joined.

    >>> from pilotlight.boards.read import load_board
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
    most = max(1, board.cpu.mpu_regions - MPU_REGIONS_FOR_MEMORY - (board.npu.port == "mailbox"))
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
        write_if_changed(path, text)
