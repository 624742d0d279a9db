# SPDX-License-Identifier: Apache-2.0
"""Messages between a build and the worker: JSON objects over a Unix socket that keeps boundaries.

A build sends one message, its job. The worker answers:

    {"accepted": true}                      a copy has started; false: another identity, ask nobody
    {"tell": "compiling for ..."}           progress, any number of times
    {"done": true}                          the bundle and its record are written
    {"error": CLASS, "message", "hint"}     the export failed with an error of this package
    {"failed": "traceback"}                 the export failed with another exception
"""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path
from typing import Any

# Longer messages are refused. A job and a traceback have some kilobytes.
MOST_BYTES = 150_000


class NotAMessage(Exception):
    """The other side sent something else than a message, or has closed the connection."""


def connect(path: Path, timeout_s: float) -> socket.socket:
    """Return a connection to the worker. Raises OSError if nothing listens there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def user_of(connection: socket.socket) -> int:
    """Return the user id of the process at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def send(connection: socket.socket, message: dict[str, Any]) -> None:
    """Send one message. Raises OSError if the other side has gone, ValueError if it is too long."""
    data = json.dumps(message).encode()
    if len(data) > MOST_BYTES:
        raise ValueError("message too long")
    connection.send(data)


def receive(connection: socket.socket) -> dict[str, Any]:
    """Return the next message. Raises OSError (also after the timeout) or NotAMessage."""
    data = connection.recv(MOST_BYTES + 1)
    try:
        message = json.loads(data) if data else None
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise NotAMessage
    return message
