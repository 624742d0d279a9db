# SPDX-License-Identifier: Apache-2.0
"""A used device computes what a new device computes, whatever changed between its runs."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from exported import Exported
from program_writer import IFM_BASE, OFM_BASE, STREAM_BASE, WEIGHT_BASE, copying_pool, long, word

from pilotlight.npu import Device, MappedMemory
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.pte import read_program
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import parse_blob

STATUS, CMD, RESET, QBASE, QSIZE, BASEP = 0x4, 0x8, 0xC, 0x10, 0x20, 0x80
RUN = 0xD
END_REACHED = 0x20
MOVED_BASE = 0x6000_0000
END = word(0x000, 0xFFFF)


class Board:
    """A delegate's blob in memory that can be changed. Any number of devices can use it."""

    def __init__(self, pte: bytes) -> None:
        self.blob = parse_blob(read_program(pte).methods["forward"].delegates[0].blob)
        stream = parse_payload(self.blob.commands).stream
        self.constants = np.frombuffer(self.blob.weights, np.uint8).copy()
        self.scratch = np.zeros(self.blob.scratch_size_bytes, np.uint8)
        self.moved = np.zeros_like(self.scratch)
        self.inputs = np.random.default_rng(0).integers(0, 256, len(self.scratch)).astype(np.uint8)
        self.size_bytes = len(stream)
        self.memory = MappedMemory()
        self.memory.add(STREAM_BASE, np.frombuffer(stream, np.uint8), writable=False, name="stream")
        self.memory.add(WEIGHT_BASE, self.constants, writable=False, name="constants")
        self.memory.add(OFM_BASE, self.scratch, writable=True, name="scratch")
        self.memory.add(MOVED_BASE, self.moved, writable=True, name="scratch elsewhere")

    def device(self) -> Device:
        return Device("ethos-u55-128", self.memory, weights=WeightCache())

    def run(self, device: Device, *, reset: bool = True, moved: bool = False) -> tuple[int, bytes]:
        """Run the stream on `device`. Return STATUS and the outputs."""
        scratch = self.moved if moved else self.scratch
        scratch[:] = self.inputs
        if reset:
            device.write(RESET, 0)
        device.write(QBASE, STREAM_BASE)
        device.write(QSIZE, self.size_bytes)
        device.write(BASEP, WEIGHT_BASE)
        device.write(BASEP + 8, MOVED_BASE if moved else OFM_BASE)
        device.write(CMD, RUN)
        (output,) = self.blob.outputs
        return device.read(STATUS), scratch[output.offset : output.offset + output.size_bytes].tobytes()


def test_a_byte_of_the_constants_changed_between_runs_counts(exported_network: Callable[[str], Exported]) -> None:
    board = Board(exported_network("keyword").pte)
    used = board.device()
    first = board.run(used)
    assert first[0] & END_REACHED
    generator = random.Random(0)
    differ = 0
    for position in generator.sample(range(len(board.constants)), 40):
        board.constants[position] ^= 1 << generator.randrange(8)
        answer = board.run(used)
        assert answer == board.run(board.device()), f"byte {position}"
        differ += answer != first
        board.constants[position] = board.blob.weights[position]
    assert differ > 10
    assert board.run(used) == first


def test_registers_left_by_the_last_run_do_not_change_the_next(exported_network: Callable[[str], Exported]) -> None:
    board = Board(exported_network("transformer").pte)
    device = board.device()
    first = board.run(device)
    assert [board.run(device, reset=False) for _ in range(3)] == [first] * 3


def test_a_region_may_move_between_runs(exported_network: Callable[[str], Exported]) -> None:
    board = Board(exported_network("transformer").pte)
    device = board.device()
    first = board.run(device)
    board.scratch[:] = 0
    assert board.run(device, moved=True) == first
    assert not board.scratch.any()
    assert board.run(device) == first


@pytest.mark.parametrize("reset", [True, False])
def test_a_table_copied_anew_counts(reset: bool) -> None:
    ifm, ofm = np.arange(256, dtype=np.uint8), np.zeros(256, np.uint8)
    table = np.random.default_rng(0).integers(0, 256, 256).astype(np.uint8)
    copy = word(0x130, 3) + long(0x030, 0) + word(0x131, 0x103) + long(0x031, 0x5800) + long(0x032, 256) + word(0x010)
    pool = copying_pool(16, 16, 1)
    stream = np.frombuffer(copy + pool[:-4] + word(0x125, 16) + pool[-4:] + END, np.uint8)
    memory = MappedMemory()
    for base, block, name in ((IFM_BASE, ifm, "ifm"), (OFM_BASE, ofm, "ofm"), (WEIGHT_BASE, table, "table")):
        memory.add(base, block, writable=True, name=name)
    memory.add(STREAM_BASE, stream, writable=False, name="stream")
    device = Device("ethos-u55-128", memory)
    for _ in range(3):
        if reset:
            device.write(RESET, 0)
        for offset, value in (
            (QBASE, STREAM_BASE),
            (QSIZE, len(stream)),
            (BASEP + 8, IFM_BASE),
            (BASEP + 16, OFM_BASE),
        ):
            device.write(offset, value)
        device.write(BASEP + 24, WEIGHT_BASE)
        device.write(CMD, RUN)
        np.testing.assert_array_equal(ofm, table[ifm.view(np.int8).astype(int) + 128])
        table[:] = np.roll(table, 1)
