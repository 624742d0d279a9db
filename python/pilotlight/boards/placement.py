# SPDX-License-Identifier: Apache-2.0
"""Checks of a board as a whole: memory regions, their users, and the clock of instructions."""

from __future__ import annotations

from itertools import pairwise

from pilotlight.boards.board import BARE_METAL_ROLES, HOST_ROLES, MAILBOX_ROLE, Board
from pilotlight.boards.toml_table import Table


def check_instruction_clock(top: Table, board: Board) -> None:
    """An instruction must take more than two timer ticks.

    firmware/platform/corstone300/clock.cpp counts instructions by the ticks of the timer.
    """
    if board.timer is None or board.emulator is None or not board.emulator.instruction_ns:
        return
    if board.emulator.instruction_ns * board.timer.clock_hz <= 2_000_000_000:
        top.fail("emulator", "instruction_ns must be more than two ticks of the timer, or instructions go uncounted")


def check_placement(top: Table, board: Board) -> None:
    """Check that each section group has exactly one region, which its users can reach."""
    wanted = BARE_METAL_ROLES if board.cpu.bare_metal else HOST_ROLES
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
