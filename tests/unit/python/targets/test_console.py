# SPDX-License-Identifier: Apache-2.0
"""One program owns the console. A second program gets a message and disturbs nobody."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilotlight.deadline import Deadline
from pilotlight.errors import ConsoleBusy
from pilotlight.link import Session, open_link
from pilotlight.link.messages import NONCE_BYTES
from pilotlight.targets.console import ConsoleServer


@dataclass
class Board:
    """target: the board's end of the wire."""

    target: socket.socket
    url: str


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    ours, theirs = socket.socketpair()
    server = ConsoleServer(theirs, tmp_path / "console.log")
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            server.serve(0.01)

    thread = threading.Thread(target=serve)
    thread.start()
    ours.settimeout(20)
    yield Board(ours, f"socket://127.0.0.1:{server.port}")
    stop.set()
    thread.join()
    server.close()
    ours.close()
    theirs.close()


def test_a_second_program_learns_that_the_console_is_taken_and_the_first_goes_on(board: Board) -> None:
    first = open_link(board.url, Deadline(20))
    first.write(b"question")
    assert board.target.recv(100) == b"question"
    for _ in range(3):
        second = open_link(board.url, Deadline(20))
        with pytest.raises(ConsoleBusy, match="another program has the console") as caught:
            Session(second).identify(bytes(NONCE_BYTES), Deadline(20))
        assert "west flash" not in caught.value.hint
        second.close()
    board.target.sendall(b"answer")
    assert first.read(100, 20) == b"answer"
    first.close()


def test_the_console_is_free_again_when_the_first_has_left(board: Board) -> None:
    first = open_link(board.url, Deadline(20))
    first.write(b"question")
    assert board.target.recv(100) == b"question"
    first.close()
    patience = Deadline(20)
    while True:
        later = open_link(board.url, patience)
        try:
            later.write(b"again")
            assert later.read(100, 0.05) == b""
            break
        except ConsoleBusy:
            assert not patience.passed
            later.close()
    assert board.target.recv(100) == b"again"
    later.close()


def test_a_terminal_reads_why_it_is_refused(board: Board) -> None:
    first = open_link(board.url, Deadline(20))
    first.write(b"question")
    assert board.target.recv(100) == b"question"
    with socket.create_connection(("127.0.0.1", int(board.url.rpartition(":")[2])), timeout=20) as terminal:
        terminal.sendall(b"typed")
        said = b""
        while piece := terminal.recv(100):
            said += piece
    assert said == b"pilotlight: another program has this console\r\n"
    first.close()
