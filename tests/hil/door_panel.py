# SPDX-License-Identifier: Apache-2.0
"""Reads what the example app prints on its serial port."""

from __future__ import annotations

import serial

GREETING = "door panel ready\n"


def answer(port: serial.SerialBase) -> str:
    """Return the next line that is not the greeting.

    Of the greeting, the client may receive everything, the end, or nothing.
    """
    line = _line(port)
    return (_line(port) if GREETING.endswith(line) else line).strip()


def _line(port: serial.SerialBase) -> str:
    line: str = port.readline().decode().replace("\r", "")
    assert line.endswith("\n"), f"no answer, but {line!r}"
    return line
