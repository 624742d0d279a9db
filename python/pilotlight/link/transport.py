# SPDX-License-Identifier: Apache-2.0
"""Byte links to a target: a TCP or Unix socket, a serial port or a pseudo terminal."""

from __future__ import annotations

import socket
import time
from typing import Any, Protocol
from urllib.parse import urlsplit

import serial

from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, ConsoleBusy, TargetDied, TargetNotRunning

# Pause between attempts to connect to a target that does not listen yet.
RECONNECT_INTERVAL_S = 0.1
# A peer that accepts no bytes for this long counts as gone.
WRITE_TIMEOUT_S = 10.0


# Sent to a second client of a console, before its connection is closed.
CONSOLE_BUSY = b"pilotlight: another program has this console\r\n"


class Link(Protocol):
    """A byte stream to a target. `name` appears in messages."""

    name: str

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        """Return 1..max_bytes bytes, or b"" after `timeout_s` on the clock of pilotlight.deadline.

        Raises TargetDied if the peer closed, ConsoleBusy if it serves another program.
        """

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises TargetDied if the peer closed."""

    def close(self) -> None: ...


class SocketLink:
    """An emulator's UART on a socket.

    pyserial's `socket://` is not used: it reads one byte per system call and cannot say how many
    wait.
    """

    def __init__(self, name: str, connected: socket.socket) -> None:
        self.name = name
        self._socket = connected
        self._first = b""

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        deadline = Deadline(timeout_s)
        while True:
            self._socket.settimeout(max(deadline.remaining, 1e-4))
            try:
                data = self._socket.recv(max_bytes)
            except TimeoutError:
                if deadline.passed:
                    return b""
                continue
            except OSError as error:
                raise self._gone(str(error)) from error
            if not data:
                raise self._gone("it closed the connection")
            if len(self._first) < len(CONSOLE_BUSY):
                self._first += data
                if self._first.startswith(CONSOLE_BUSY):
                    raise _busy(self.name)
            return data

    def write(self, data: bytes) -> None:
        deadline = Deadline(WRITE_TIMEOUT_S)
        left = memoryview(data)
        while left:
            self._socket.settimeout(max(deadline.remaining, 1e-4))
            try:
                left = left[self._socket.send(left) :]
            except TimeoutError as error:
                if deadline.passed:
                    raise self._gone("it takes no more bytes") from error
            except OSError as error:
                raise self._gone(str(error)) from error

    def close(self) -> None:
        self._socket.close()

    def _gone(self, why: str) -> TargetDied:
        return TargetDied(f"{self.name}: the target is gone: {why}", hint="power it up again with `west flash`")


class SerialLink:
    """A serial port or a pseudo terminal."""

    def __init__(self, name: str, port: Any) -> None:
        self.name = name
        self._port = port

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        deadline = Deadline(timeout_s)
        try:
            first = b""
            while not first:
                self._port.timeout = deadline.remaining
                first = self._port.read(1)
                if not first and deadline.passed:
                    return b""
            rest: bytes = self._port.read(min(max_bytes - 1, self._port.in_waiting))
            return first + rest
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from error

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
            self._port.flush()
        except (serial.SerialException, OSError) as error:
            raise self._gone(error) from error

    def close(self) -> None:
        self._port.close()

    def _gone(self, error: Exception) -> TargetDied:
        return TargetDied(f"{self.name}: the port is gone: {error}", hint="check the board's cable and power")


def open_link(url: str, deadline: Deadline, *, baud: int = 115_200) -> Link:
    """Open `socket://host:port`, `unix:///path`, or an address of pyserial (device path,
    `rfc2217://`).

    A socket that refuses is tried again until `deadline`, because the target may still be starting.

    Raises ConfigError for a malformed address, TargetNotRunning if nothing listens, and ConsoleBusy
    if another program has the serial port.
    """
    parts = urlsplit(url)
    if parts.scheme == "socket":
        if not parts.hostname or not parts.port:
            raise ConfigError(f"{url}: expected socket://host:port")
        return SocketLink(url, _connect(url, (parts.hostname, parts.port), socket.AF_INET, deadline))
    if parts.scheme == "unix":
        return SocketLink(url, _connect(url, parts.path, socket.AF_UNIX, deadline))
    try:
        # Exclusive: otherwise two programs would each get a part of the target's output.
        return SerialLink(url, serial.serial_for_url(url, baudrate=baud, write_timeout=WRITE_TIMEOUT_S, exclusive=True))
    except (serial.SerialException, ValueError, OSError) as error:
        if isinstance(error, serial.SerialException) and "exclusively lock" in str(error):
            raise _busy(url) from error
        raise TargetNotRunning(
            f"{url}: cannot be opened: {error}", hint="is the board connected and powered?"
        ) from error


def _busy(url: str) -> ConsoleBusy:
    return ConsoleBusy(
        f"{url}: another program has the console", hint="end the other check, terminal or debugger, then try again"
    )


def _connect(url: str, address: Any, family: int, deadline: Deadline) -> socket.socket:
    while True:
        attempt = socket.socket(family, socket.SOCK_STREAM)
        try:
            attempt.settimeout(max(deadline.remaining, 1e-4))
            attempt.connect(address)
            return attempt
        except OSError as error:
            attempt.close()
            if deadline.passed:
                raise TargetNotRunning(
                    f"{url}: no target is listening ({error})", hint="power the target up with `west flash`"
                ) from error
        time.sleep(min(RECONNECT_INTERVAL_S, deadline.remaining))
