# SPDX-License-Identifier: Apache-2.0
"""The host's session with the firmware's own server, compiled for the host.

Host and server read SPEC.md in the same way.
"""

from __future__ import annotations

import hashlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilotlight.deadline import Deadline
from pilotlight.errors import LinkCorrupted, NpuFault
from pilotlight.link import Session
from pilotlight.link.answers import LogLine, Statistics, TensorDescription, TieDescription
from pilotlight.link.frames import Frame, encode_frame
from pilotlight.link.transport import SocketLink
from pilotlight.paths import ROOT

NONCE = bytes(range(100, 116))
DATA = bytes((7 * i) % 256 for i in range(5000))


@pytest.fixture(scope="module")
def server_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler for this machine")
    program = tmp_path_factory.mktemp("server") / "echo_server"
    firmware = ROOT / "firmware"
    folders = [firmware / module / "include" for module in ("base", "protocol", "model", "platform")] + [
        firmware / "apps" / "check"
    ]
    sources = [
        Path(__file__).parent / "echo_server.cpp",
        firmware / "apps/check/server.cpp",
        firmware / "base/sha256.cpp",
    ]
    command = [compiler, "-std=c++17", "-O1", "-fno-exceptions", *(f"-I{folder}" for folder in folders)]
    subprocess.run([*command, *sources, *(firmware / "protocol").glob("*.cpp"), "-o", program], check=True)
    return program


@pytest.fixture
def link(server_program: Path) -> Iterator[SocketLink]:
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([server_program, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    link = SocketLink("server", ours)
    yield link
    link.close()
    assert process.wait() in (0, 2)


def test_the_whole_conversation(link: SocketLink) -> None:
    deadline = Deadline(20)
    log: list[LogLine] = []
    talk = Session(link, on_log=log.append)

    identity = talk.identify(NONCE, deadline)
    assert (identity.build_id, identity.board, identity.npu_config) == ("0123456789abcdef", "here", "ethos-u55-128")
    assert (identity.boot_id, identity.cpu_clock_hz, identity.model_count) == (0xB001, 1000, 1)
    assert [line.text for line in log] == ["hello"]

    model = talk.describe_model(0, deadline)
    assert model.header.pte_sha256 == hashlib.sha256(b"program").hexdigest()
    assert model.inputs == (TensorDescription("x", "int8", (50, 100), 0.5, -3, 5000),)
    assert model.outputs == (TensorDescription("y", "uint8", (5000,), 0.25, 7, 5000),)
    assert model.ties == (TieDescription(1, 2, None, 0x10203, 0x40506, 0x70809),)

    for number in (1, 2):
        done, outputs = talk.infer(0, number, [DATA], [5000], 1, deadline)
        assert outputs == [DATA[::-1]]
        assert (done.npu_cycles, done.npu_status) == (0x1_2345_6789, 0xFFFF0020)
        assert done.events == ((35, 17), (0, 0), (0, 0), (0, 0))
        assert done.duration_us > 0 and done.cpu_cycles > 0

    assert talk.statistics(0, deadline) == Statistics(1, 2, 3, 4, 5, 100, 200, 0, 0)
    assert talk.read_fault(deadline) == bytes(i % 251 for i in range(3000))
    completion = talk.end(2, deadline)
    assert (completion.nonce, completion.boot_id, completion.runs_ok, completion.runs_failed) == (NONCE, 0xB001, 2, 0)
    assert (completion.damaged_frames, completion.errors_logged, completion.log_sequence) == (0, 0, 1)
    assert talk.lost_log_lines == 0
    talk.reset(deadline)


def test_a_failed_inference_tells_why(link: SocketLink) -> None:
    talk = Session(link)
    talk.identify(NONCE, Deadline(10))
    with pytest.raises(NpuFault, match=r"run 1: bus fault on AXI0 \(STATUS 0xffff0020\)"):
        talk.infer(0, 1, [b"\xee" * 5000], [5000], 1, Deadline(10))


class DamagingLink(SocketLink):
    """Flips a bit in the n-th frame to the device."""

    def __init__(self, link: SocketLink, frame: int) -> None:
        super().__init__(link.name, link._socket)
        self._left = frame

    def write(self, data: bytes) -> None:
        self._left -= len(data) > 1
        if self._left == 0:
            self._left = -1
            data = data[:-3] + bytes([data[-3] ^ 1 or 2]) + data[-2:]
        super().write(data)


@pytest.mark.parametrize("frame", [2, 4, 7, 9])
def test_damage_is_noticed_by_the_firmware_and_cured_on_request(link: SocketLink, frame: int) -> None:
    talk = Session(DamagingLink(link, frame), retries=1)
    talk.identify(NONCE, Deadline(10))
    assert talk.infer(0, 1, [DATA], [5000], 1, Deadline(10))[1] == [DATA[::-1]]
    completion = talk.end(1, Deadline(10))
    assert (completion.damaged_frames, completion.runs_ok, talk.retries_used) == (1, 1, 1)


def test_damage_ends_a_strict_session(link: SocketLink) -> None:
    talk = Session(DamagingLink(link, 3))
    talk.identify(NONCE, Deadline(10))
    with pytest.raises(LinkCorrupted, match="the device received a damaged frame: CRC"):
        talk.infer(0, 1, [DATA], [5000], 1, Deadline(10))


def test_the_firmware_survives_garbage_in_mid_session(link: SocketLink) -> None:
    talk = Session(link, retries=9)
    talk.identify(NONCE, Deadline(10))
    link.write(bytes(range(256)) * 40 + b"\0" + encode_frame(Frame(0x44, 1, b"no such request"))[:-9])
    assert talk.infer(0, 1, [DATA], [5000], 1, Deadline(20))[1] == [DATA[::-1]]
