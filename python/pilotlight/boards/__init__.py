# SPDX-License-Identifier: Apache-2.0
"""Boards: boards/<name>/board.toml is the only place where a fact about a board is written.

See DESIGN.md.
"""

from pilotlight.boards.board import CLOCKS, MAILBOX_ROLE, Board, Emulator, MemoryRegion
from pilotlight.boards.read import board_names, load_board

__all__ = ["CLOCKS", "MAILBOX_ROLE", "Board", "Emulator", "MemoryRegion", "board_names", "load_board"]
