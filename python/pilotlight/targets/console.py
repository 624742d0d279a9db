# SPDX-License-Identifier: Apache-2.0
"""Offers the target's console on a loopback TCP port to one client at a time.

As a proxy, the supervisor chooses the port itself and knows when the board is idle. Output without
a client is dropped, as on a real serial line; the log keeps it.
"""

from __future__ import annotations

import selectors
import socket
import time
from pathlib import Path

from pilotlight.deadline import Deadline, now_s
from pilotlight.link.transport import CONSOLE_BUSY

# The most bytes that may wait in one direction. At this limit, the proxy does not read from the
# sender, which then has to wait.
_WINDOW_BYTES = 256 * 1024
_LOG_BYTES = 1024 * 1024
# The time in which a refused client may read the reason.
_REFUSED_S = 5.0


class _Pipe:
    """The bytes that were read from one socket and not yet sent to the other."""

    def __init__(self) -> None:
        self.pending = bytearray()

    def receive(self, source: socket.socket) -> bytes | None:
        """Read available bytes. Returns b"" if there are none, None if the other side closed."""
        try:
            data = source.recv(_WINDOW_BYTES)
        except BlockingIOError:
            return b""
        except ConnectionError:
            return None
        self.pending += data
        return data or None

    def send(self, sink: socket.socket) -> bool:
        """Send as much as `sink` accepts now. Returns False if it is closed."""
        try:
            while self.pending:
                del self.pending[: sink.send(self.pending)]
        except BlockingIOError:
            pass
        except ConnectionError:
            return False
        return True


class ConsoleServer:
    """Listens on a free loopback port and connects one client to `target`."""

    def __init__(self, target: socket.socket, log: Path) -> None:
        self._target = target
        self._client: socket.socket | None = None
        self._refused: list[tuple[socket.socket, Deadline]] = []
        self._to_target, self._to_client = _Pipe(), _Pipe()
        self._log = log.open("wb")
        self._last_used = now_s()
        self._asked = False
        target.setblocking(False)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def unused_for_s(self) -> float:
        """Return the seconds since the last byte from the target or the last client.

        0 while a client is connected. The clock is that of pilotlight.deadline.
        """
        return 0.0 if self._client is not None else now_s() - self._last_used

    def take_asked(self) -> bool:
        """Whether a client sent anything since the last call."""
        asked, self._asked = self._asked, False
        return asked

    def serve(self, timeout_s: float) -> None:
        """Pass on what has arrived. Waits for at most `timeout_s`."""
        self._watch(self._target, len(self._to_client.pending) < _WINDOW_BYTES, bool(self._to_target.pending))
        if self._client is not None:
            self._watch(self._client, len(self._to_target.pending) < _WINDOW_BYTES, bool(self._to_client.pending))
        self._forget_refused()
        events = self._selector.select(timeout_s)
        for key, _ in events:
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj is self._target:
                self._from_target()
            elif key.fileobj is self._client:
                self._from_client()
        self._to_target.send(self._target)
        if self._client is not None and not self._to_client.send(self._client):
            self._drop_client()

    def close(self) -> None:
        if self._client is not None:
            self._drop_client()
        for client, _ in self._refused:
            client.close()
        self._selector.close()
        self._listener.close()
        self._log.close()

    def _watch(self, file: socket.socket, readable: bool, writable: bool) -> None:
        events = readable * selectors.EVENT_READ | writable * selectors.EVENT_WRITE
        known = file in self._selector.get_map()
        if events and known:
            self._selector.modify(file, events)
        elif events:
            self._selector.register(file, events)
        elif known:
            self._selector.unregister(file)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._client is not None:
            self._refuse(client)
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._selector.register(client, selectors.EVENT_READ)

    def _refuse(self, client: socket.socket) -> None:
        """Tell a second client that the console is taken, without disturbing the first."""
        client.setblocking(False)
        try:
            client.send(CONSOLE_BUSY)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            client.close()
            return
        # Closing the socket with unread input would reset the connection, and the reason might be
        # lost.
        self._refused.append((client, Deadline(_REFUSED_S)))

    def _forget_refused(self) -> None:
        for client, patience in list(self._refused):
            try:
                ended = client.recv(_WINDOW_BYTES) == b""
            except BlockingIOError:
                ended = False
            except OSError:
                ended = True
            if ended or patience.passed:
                client.close()
                self._refused.remove((client, patience))

    def _from_client(self) -> None:
        assert self._client is not None
        data = self._to_target.receive(self._client)
        self._asked |= bool(data)
        if data is None:
            self._drop_client()

    def _from_target(self) -> None:
        data = self._to_client.receive(self._target)
        if data is None:
            # The emulator closed the console and is about to end. The supervisor waits for that.
            time.sleep(0.01)
            return
        if not data:
            return
        self._last_used = now_s()
        if self._log.tell() < _LOG_BYTES:
            self._log.write(data)
            self._log.flush()
        if self._client is None:
            self._to_client.pending.clear()

    def _drop_client(self) -> None:
        assert self._client is not None
        if self._client in self._selector.get_map():
            self._selector.unregister(self._client)
        self._client.close()
        self._client = None
        self._to_client.pending.clear()
        self._last_used = now_s()
