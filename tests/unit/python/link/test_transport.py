# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pty
import socket
import time
import tty

import pytest

from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, ConsoleBusy, TargetDied, TargetNotRunning
from pilotlight.link import open_link


def test_a_socket_carries_bytes_both_ways_and_its_end_is_a_dead_target() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = open_link(f"socket://127.0.0.1:{server.getsockname()[1]}", Deadline(5))
        peer, _ = server.accept()
        link.write(b"question")
        assert peer.recv(100) == b"question"
        peer.sendall(b"answer")
        assert link.read(100, 5) == b"answer"
        peer.close()
        with pytest.raises(TargetDied, match="closed the connection"):
            link.read(100, 5)
        link.close()


def test_silence_returns_after_the_time_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = open_link(f"socket://127.0.0.1:{server.getsockname()[1]}", Deadline(5))
        start = time.monotonic()
        assert link.read(100, 0.05) == b""
        assert time.monotonic() - start > 0.04
        link.close()


def test_nobody_listening_is_reported_within_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(TargetNotRunning, match="no target is listening"):
        open_link(url, Deadline(0.3))


def test_a_pseudo_terminal_is_a_serial_port() -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    link = open_link(os.ttyname(theirs), Deadline(5))
    link.write(b"\x00question\x00")
    assert os.read(ours, 100) == b"\x00question\x00"
    os.write(ours, b"\x00answer\x00")
    received = b""
    while len(received) < 8:
        piece = link.read(100, 5)
        assert piece
        received += piece
    assert received == b"\x00answer\x00"
    assert link.read(100, 0.01) == b""
    link.close()
    os.close(ours)
    os.close(theirs)


def test_a_serial_port_that_another_program_has_is_not_shared() -> None:
    ours, theirs = pty.openpty()
    first = open_link(os.ttyname(theirs), Deadline(5))
    with pytest.raises(ConsoleBusy, match="another program has the console"):
        open_link(os.ttyname(theirs), Deadline(5))
    first.close()
    open_link(os.ttyname(theirs), Deadline(5)).close()
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize("url", ["socket://", "socket://host", "socket://127.0.0.1"])
def test_an_address_without_a_port_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected socket://host:port"):
        open_link(url, Deadline(1))


def test_a_port_that_does_not_exist_is_named() -> None:
    with pytest.raises(TargetNotRunning, match="/dev/no-such-port"):
        open_link("/dev/no-such-port", Deadline(1))
