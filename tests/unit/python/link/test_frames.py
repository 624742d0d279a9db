# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.link.frames import DamagedFrame, Frame, FrameReader, encode_frame

FIRMWARE_TESTS = Path(__file__).parents[2] / "firmware" / "protocol"


@given(st.integers(0, 255), st.integers(0, 0xFFFF), st.binary(max_size=700))
def test_what_is_encoded_is_decoded(kind: int, sequence: int, payload: bytes) -> None:
    frame = Frame(kind, sequence, payload)
    assert FrameReader(1024).feed(encode_frame(frame)) == [frame]


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 40))
def test_frames_arrive_whatever_the_size_of_the_pieces(payloads: list[bytes], piece: int) -> None:
    frames = [Frame(1, number, payload) for number, payload in enumerate(payloads)]
    wire = b"".join(map(encode_frame, frames))
    reader = FrameReader(512)
    assert [f for at in range(0, len(wire), piece) for f in reader.feed(wire[at : at + piece])] == frames


@given(st.binary(min_size=1, max_size=400), st.data())
def test_a_flipped_bit_never_yields_a_frame_that_was_not_sent(payload: bytes, data: st.DataObject) -> None:
    frame = Frame(0x81, 9, payload)
    wire = bytearray(encode_frame(frame))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    intact = [item for item in FrameReader(512).feed(bytes(wire) + b"\0") if isinstance(item, Frame)]
    assert intact in ([], [frame])


@given(st.binary(max_size=3000))
def test_reader_recovers_after_any_garbage(garbage: bytes) -> None:
    reader = FrameReader(512)
    reader.feed(garbage)
    frame = Frame(1, 1, b"fine")
    assert reader.feed(encode_frame(frame))[-1] == frame


@pytest.mark.parametrize("most", [8, 253, 254, 255, 508, 509, 600, 0xFFFF])
def test_the_largest_body_is_taken_and_what_no_body_encodes_to_is_too_long(most: int) -> None:
    # Beside the payload, a frame has a header of 4 bytes and the CRC.
    frame = Frame(0x81, 0x0101, b"x" * (most - 8))
    assert FrameReader(most).feed(encode_frame(frame)) == [frame]
    # COBS adds at least one byte, and one more for each 254 bytes without a zero.
    longest = most + most // 254 + 1
    (within,) = FrameReader(most).feed(b"\x55" * longest + b"\0")
    assert isinstance(within, DamagedFrame) and within.reason != "too long"
    assert FrameReader(most).feed(b"\x55" * (longest + 1) + b"\0") == [DamagedFrame("too long", longest + 1)]


def test_damage_says_what_is_wrong() -> None:
    body = bytes([1, 1, 0, 0])
    flagged = cobs.encode(body + zlib.crc32(body).to_bytes(4, "little"))
    wrong_crc = cobs.encode(bytes([1, 0, 0, 0]) + bytes(4))
    cases = {
        b"\x09\x01": "COBS code runs past the end",
        b"\x02\x01": "too short",
        b"\x01" * 200: "too long",
        flagged: "flags are not 0",
        wrong_crc: "CRC differs",
    }
    for wire, reason in cases.items():
        assert FrameReader(64).feed(wire + b"\0") == [DamagedFrame(reason, len(wire))]


def test_endless_noise_without_a_delimiter_takes_no_memory() -> None:
    reader = FrameReader(64)
    for _ in range(100):
        reader.feed(b"\x55" * 1000)
    assert len(reader._pending) < 2000
    assert reader.half_frame_bytes == 100_000


def test_the_firmware_is_tested_with_frames_of_today() -> None:
    written = subprocess.run(
        [sys.executable, FIRMWARE_TESTS / "golden_frames.py"], capture_output=True, check=True, text=True
    )
    assert written.stdout == (FIRMWARE_TESTS / "golden_frames.h").read_text(encoding="utf-8")
