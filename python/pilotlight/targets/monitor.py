# SPDX-License-Identifier: Apache-2.0
"""Counts the resets of an emulated core through QEMU's monitor (QMP).

QEMU reports every reset, whatever its cause and however early in start-up. The firmware need not
help.
"""

from __future__ import annotations

import json
import socket

_READ_BYTES = 65536


class Monitor:
    """Our end of the monitor. QEMU sends events only after the command qmp_capabilities."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._pending = b""
        wire.setblocking(False)
        wire.send(b'{"execute": "qmp_capabilities"}\n')

    def resets(self) -> int:
        """Return the number of resets since the last call."""
        while True:
            try:
                data = self._wire.recv(_READ_BYTES)
            except (BlockingIOError, ConnectionError):
                break
            if not data:
                break
            self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        return sum(_is_reset(line) for line in lines)


def _is_reset(line: bytes) -> bool:
    try:
        message = json.loads(line)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("event") == "RESET"
