# SPDX-License-Identifier: Apache-2.0
"""Resets of an emulated core, as QEMU's monitor (QMP) tells of them.

It tells of every reset, whatever its cause and however early in start-up, with no help from the firmware.
"""

from __future__ import annotations

import json
import socket

_READ_BYTES = 65536


class Monitor:
    """Our end of the monitor. QEMU speaks first; events come once it has been told that we are ready."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._pending = b""
        wire.setblocking(False)
        wire.send(b'{"execute": "qmp_capabilities"}\n')

    def resets(self) -> int:
        """Return how often the core was reset since the last call."""
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
