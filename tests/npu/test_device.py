# SPDX-License-Identifier: Apache-2.0
"""The device as a driver sees it. Offsets, bits and opcodes are the architecture's, written out."""

from __future__ import annotations

import numpy as np
import pytest
from program_writer import IFM_BASE, OFM_BASE, STOP, STREAM_BASE, copying_pool, long, word

from pilotlight.npu import Device, MappedMemory
from pilotlight.npu.analysis.cycle_model import Work
from pilotlight.npu.hardware import engine

ID, STATUS, CMD, RESET, QBASE, QREAD, QSIZE, PROT, CONFIG = 0x0, 0x4, 0x8, 0xC, 0x10, 0x18, 0x20, 0x24, 0x28
REGIONCFG, BASEP1, BASEP2 = 0x3C, 0x88, 0x90
PMCR, PMCNTENSET, PMOVSSET, PMINTSET, PMCCNTR = 0x180, 0x184, 0x18C, 0x194, 0x1A0
PMEVCNTR0, PMEVTYPER0 = 0x300, 0x380
RUN, CLEAR_IRQ, POWER_BITS = 1, 2, 0xC

HEIGHT, WIDTH, DEPTH = 2, 3, 5
POOL = copying_pool(HEIGHT, WIDTH, DEPTH)
END = word(0x000, 0xFFFF)
STREAM_BEATS = -(-len(POOL + END) // 8)


class Bench:
    """A device with an input, an output and a stream in memory."""

    def __init__(self, stream: bytes, config: str = "ethos-u55-128") -> None:
        self.ifm = np.arange(HEIGHT * WIDTH * DEPTH, dtype=np.uint8)
        self.ofm = np.full(HEIGHT * WIDTH * DEPTH, 0xA5, np.uint8)
        self.memory = memory = MappedMemory()
        memory.add(IFM_BASE, self.ifm, writable=False, name="input")
        memory.add(OFM_BASE, self.ofm, writable=True, name="output")
        memory.add(STREAM_BASE, np.frombuffer(stream, np.uint8), writable=False, name="stream")
        self.device = Device(config, memory)
        self.prepare(len(stream))

    def prepare(self, size_bytes: int) -> None:
        for offset, value in (
            (QBASE, STREAM_BASE),
            (QSIZE, size_bytes),
            (BASEP1, IFM_BASE),
            (BASEP2, OFM_BASE),
        ):
            self.device.write(offset, value)

    def run(self) -> int:
        self.device.write(CMD, POWER_BITS | RUN)
        return self.device.read(STATUS)


@pytest.mark.parametrize(
    ("config", "config_word", "product"),
    [
        ("ethos-u55-32", 0x0000_1005, 0x80),
        ("ethos-u55-64", 0x0000_1006, 0x80),
        ("ethos-u55-128", 0x0000_1807, 0x80),
        ("ethos-u55-256", 0x0000_3008, 0x80),
        ("ethos-u65-256", 0x1000_3008, 0x81),
        ("ethos-u65-512", 0x1000_6009, 0x81),
    ],
)
def test_identity_tells_the_configuration(config: str, config_word: int, product: int) -> None:
    device = Device(config, MappedMemory())
    assert device.read(CONFIG) == config_word
    assert device.read(ID) == 0x1006_6001
    assert device.read(0xFE0) == product


def test_a_finished_stream_raises_the_interrupt_until_it_is_cleared() -> None:
    bench = Bench(POOL + END)
    assert bench.run() == STOP | 0x22, "cmd_end_reached, irq_raised, mask of OP_STOP"
    assert bench.device.irq
    assert bench.device.read(QREAD) == len(POOL) + 4
    np.testing.assert_array_equal(bench.ofm, bench.ifm)

    bench.device.write(CMD, 0xFFFF_0000 | POWER_BITS | CLEAR_IRQ)
    assert not bench.device.irq
    assert bench.device.read(STATUS) == 0x20


def test_setting_up_the_next_run_clears_the_end_of_the_last() -> None:
    bench = Bench(POOL + END)
    bench.run()
    bench.device.write(QSIZE, len(POOL) + 4)
    assert not bench.device.read(STATUS) & 0x20


def test_reset_forgets_everything_but_who_asked() -> None:
    bench = Bench(POOL + END)
    bench.run()
    bench.device.write(RESET, 3)
    assert bench.device.read(PROT) == 3
    assert bench.device.read(CMD) == POWER_BITS
    assert not bench.device.irq
    for offset in (STATUS, QBASE, QSIZE, QREAD, BASEP1, BASEP2, 0x800 + 4 * 0x11):
        assert bench.device.read(offset) == 0, hex(offset)


def test_reset_shows_in_status_for_as_many_polls_as_asked() -> None:
    device = Device("ethos-u55-128", MappedMemory(), reset_polls=2)
    device.write(RESET, 0)
    assert [device.read(STATUS) for _ in range(3)] == [8, 8, 0]


def test_settings_survive_from_one_stream_to_the_next() -> None:
    bench = Bench(POOL + END)
    bench.run()
    assert bench.device.read(0x800 + 4 * 0x13) == DEPTH - 1, "the shadow of SET_OFM_DEPTH_M1"
    bench.ofm[:] = 0xA5
    bench.device.write(QBASE, STREAM_BASE + len(POOL) - 4)
    bench.device.write(QSIZE, 8)
    assert bench.run() == STOP | 0x22
    np.testing.assert_array_equal(bench.ofm, bench.ifm)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (POOL, "the stream ends without OP_STOP"),
        (word(0x3FF) + END, "unknown command"),
        (word(0x007) + END, "OP_RESIZE is U85's"),
        (word(0x132) + END, "SET_DMA0_SIZE0 is U65's"),
        (word(0x100, 0x80) + END, "PAD_TOP has 7 bits"),
        (word(0x105, 0x000C) + END, "precision 3 does not exist"),
        (word(0x005, 3) + END, "pooling mode 3 is U85's"),
        (long(0x000, 0)[:4], "the payload is missing"),
        (b"\x00\x00", "half a word"),
        (word(0x111, 0xFFFF) + word(0x112, 0xFFFF) + word(0x113, 0xFFFF) + POOL[-4:] + END, "2**48 elements"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_malformed_stream_is_a_parse_error(stream: bytes, why: str) -> None:
    bench = Bench(stream)
    assert bench.run() == 0x12, why
    assert bench.device.irq
    assert bench.device.last_fault


@pytest.mark.parametrize(
    ("change", "channel"),
    [
        (word(0x10F, 5), 1),
        (long(0x000, 1), 1),
        (word(0x11F, 1), 8),
        (long(0x010, 0xFFFF_FFFF, 0xFF), 8),
    ],
    ids=["input region unmapped", "input one byte over", "output read-only", "output far away"],
)
def test_an_access_outside_of_memory_names_its_channel(change: bytes, channel: int) -> None:
    bench = Bench(POOL[:-4] + change + POOL[-4:] + END)
    assert bench.run() == channel << 12 | 0x6
    assert (bench.ofm == 0xA5).all()


def test_a_stream_that_is_not_there_is_a_fault_of_the_command_channel() -> None:
    bench = Bench(POOL + END)
    bench.device.write(QBASE, 0x5000_0000)
    assert bench.run() == 0x6


def test_the_region_s_attributes_choose_the_faulting_interface() -> None:
    bench = Bench(POOL[:-4] + word(0x10F, 5) + POOL[-4:] + END)
    bench.device.write(REGIONCFG, 3 << 10)
    assert bench.run() == 1 << 12 | 1 << 11 | 0x6


def test_qread_points_at_the_command_to_blame() -> None:
    bench = Bench(long(0x000, 0) + word(0x3FF) + END)
    bench.run()
    assert bench.device.read(QREAD) == 8
    bench = Bench(POOL[:-4] + word(0x10F, 5) + POOL[-4:] + END)
    bench.run()
    assert bench.device.read(QREAD) == len(POOL)


def test_a_faulted_device_runs_nothing_until_reset() -> None:
    bench = Bench(word(0x3FF) + POOL + END)
    bench.run()
    bench.device.write(QSIZE, 4 * 1000)
    bench.device.write(CMD, POWER_BITS | RUN | CLEAR_IRQ)
    assert bench.device.read(STATUS) == 0x10
    assert (bench.ofm == 0xA5).all()


def test_one_run_does_no_more_work_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    # Per pool: 30 elements, and 60 bytes read and written.
    monkeypatch.setattr(engine, "MOST_WORK", 3 * (30 + 60 // 16))
    bench = Bench(POOL + 2 * POOL[-4:] + END)
    assert bench.run() & 0x30 == 0x20
    bench.prepare(len(POOL + 2 * POOL[-4:] + END))
    assert bench.run() & 0x30 == 0x20, "each run may do so much"
    bench = Bench(POOL + 3 * POOL[-4:] + END)
    assert bench.run() & 0x30 == 0x10
    assert bench.device.read(QREAD) == len(POOL) + 2 * 4
    assert "POOL AVERAGE: the work of this stream is beyond this simulator" in bench.device.last_fault


def test_multiplications_and_bytes_count_as_work() -> None:
    for work in (Work(0, 10, {}, {}), Work(320, 0, {}, {}), Work(0, 0, {1: 80}, {2: 80})):
        assert engine.cost_of(work) == 10


@pytest.mark.parametrize("depth", [1 << 16, 1 << 15])
def test_a_map_that_no_memory_holds_is_refused_before_it_is_made(depth: int) -> None:
    bench = Bench(copying_pool(512, 512, depth) + END)
    assert bench.run() & 0x10
    assert "beyond this simulator" in bench.device.last_fault


def test_op_irq_raises_the_interrupt_without_stopping() -> None:
    bench = Bench(word(0x001, 0x0001) + POOL + word(0x000, 0x0100))
    assert bench.run() == 0x0101_0022
    np.testing.assert_array_equal(bench.ofm, bench.ifm)


def test_status_and_qread_show_a_stream_at_work() -> None:
    bench = Bench(POOL + word(0x001, 0x0001) + POOL + END)
    seen: list[tuple[int, int]] = []
    bench.device = Device(
        "ethos-u55-128",
        bench.memory,
        on_executed=lambda _: seen.append((bench.device.read(STATUS), bench.device.read(QREAD))),
    )
    bench.prepare(2 * len(POOL) + 8)
    assert bench.run() & 0x1 == 0
    assert seen == [(0x1, len(POOL) - 4), (0x0001_0003, 2 * len(POOL))]
    assert bench.device.read(QREAD) == 2 * len(POOL) + 8


def test_clearing_the_irq_history_clears_the_bits_asked_for() -> None:
    bench = Bench(word(0x001, 0x0005) + POOL + word(0x000, 0x0100))
    bench.run()
    bench.device.write(CMD, 0x0001_0000 | POWER_BITS)
    assert bench.device.read(STATUS) >> 16 == 0x0104
    assert bench.device.irq, "the history is not the interrupt"


def test_axi_beats_are_the_bytes_of_each_port() -> None:
    counts = {}
    for event in (130, 135, 386, 391):
        bench = Bench(POOL + END)
        bench.device.write(REGIONCFG, 3 << 4)
        bench.device.write(PMEVTYPER0, event)
        bench.device.write(PMCNTENSET, 1)
        bench.device.write(PMCR, 1)
        bench.run()
        counts[event] = bench.device.read(PMEVCNTR0)
    # M0 reads region 1 and the stream; M1 writes region 2.
    assert counts == {130: 4 + STREAM_BEATS, 135: 0, 386: 0, 391: 4}


def test_counters_count_only_when_enabled() -> None:
    bench = Bench(POOL + END)
    bench.device.write(PMEVTYPER0, 130)
    bench.run()
    assert bench.device.read(PMCCNTR) == 0

    bench.device.write(PMCNTENSET, 0x8000_0001)
    bench.device.write(PMCR, 1)
    bench.run()
    cycles = bench.device.read(PMCCNTR)
    assert cycles > 0
    # 30 bytes are four beats of eight bytes. The stream is read too.
    assert bench.device.read(PMEVCNTR0) == 4 + STREAM_BEATS
    bench.run()
    assert bench.device.read(PMCCNTR) == 2 * cycles
    bench.device.write(PMCR, 1 | 2 | 4)
    assert (bench.device.read(PMCCNTR), bench.device.read(PMEVCNTR0)) == (0, 0)
    assert bench.device.read(PMCR) == 4 << 11 | 1


def test_a_counter_that_overflows_raises_the_interrupt() -> None:
    bench = Bench(POOL + END)
    bench.device.write(PMEVTYPER0, 130)
    bench.device.write(PMEVCNTR0, 0xFFFF_FFFF)
    bench.device.write(PMCNTENSET, 1)
    bench.device.write(PMINTSET, 1)
    bench.device.write(PMCR, 1)
    status = bench.run()
    assert status & 0x40
    assert bench.device.read(PMOVSSET) == 1
    assert bench.device.read(PMEVCNTR0) == 3 + STREAM_BEATS
    bench.device.write(CMD, POWER_BITS | CLEAR_IRQ)
    assert bench.device.irq, "clear_irq does not clear the PMU's interrupt"
    bench.device.write(0x190, 1)
    assert not bench.device.irq


def test_a_rolling_buffer_wraps_to_its_lower_tile() -> None:
    # The first row comes from tile 0, which starts at row 1, the second from tile 2, at row 0.
    bench = Bench(POOL[:-4] + word(0x10B, 0) + long(0x000, WIDTH * DEPTH) + POOL[-4:] + END)
    bench.run()
    np.testing.assert_array_equal(bench.ofm, np.roll(bench.ifm, WIDTH * DEPTH))


def test_tiles_beside_each_other_split_a_row() -> None:
    # Columns 0 and 1 come from tile 0, column 2 from tile 1, whose base is the map's second column.
    bench = Bench(POOL[:-4] + word(0x10A, 1) + long(0x001, DEPTH) + POOL[-4:] + END)
    bench.run()
    pixels = bench.ifm.reshape(HEIGHT, WIDTH, DEPTH)
    np.testing.assert_array_equal(bench.ofm.reshape(pixels.shape), pixels[:, [0, 1, 1]])


@pytest.mark.parametrize(("stride", "word_value"), [(1, 0), (2, 0x1), (3, 0x40), (4, 0x41)])
def test_strides_along_x(stride: int, word_value: int) -> None:
    settings = word(0x111, 1) + word(0x112, 0) + word(0x122, word_value) + word(0x10A, 29)
    bench = Bench(POOL[:-4] + settings + POOL[-4:] + END)
    bench.run()
    pixels = bench.ifm.reshape(-1, DEPTH)
    np.testing.assert_array_equal(bench.ofm[: 2 * DEPTH].reshape(2, DEPTH), pixels[[0, stride]])


@pytest.mark.parametrize(("stride", "word_value"), [(1, 0), (2, 0x2), (3, 0x200), (4, 0x202)])
def test_strides_along_y(stride: int, word_value: int) -> None:
    settings = word(0x111, 0) + word(0x112, 1) + word(0x122, word_value) + word(0x10B, 29)
    strides = long(0x005, DEPTH) + long(0x015, DEPTH)
    bench = Bench(POOL[:-4] + settings + strides + POOL[-4:] + END)
    bench.run()
    pixels = bench.ifm.reshape(-1, DEPTH)
    np.testing.assert_array_equal(bench.ofm[: 2 * DEPTH].reshape(2, DEPTH), pixels[[0, stride]])


def test_lookup_table_copied_by_dma_is_applied() -> None:
    table = np.random.default_rng(0).integers(-128, 128, 256).astype(np.int8)
    settings = word(0x130, 3) + long(0x030, 0) + word(0x131, 0x103) + long(0x031, 0x5800 + 2 * 256) + long(0x032, 256)
    bench = Bench(settings + word(0x010) + POOL[:-4] + word(0x125, 18) + POOL[-4:] + END)
    bench.memory.add(0x6000_0000, table.view(np.uint8), writable=False, name="table")
    bench.device.write(0x98, 0x6000_0000)
    assert bench.run() == STOP | 0x22
    np.testing.assert_array_equal(bench.ofm.view(np.int8), table[bench.ifm.view(np.int8).astype(int) + 128])


def test_only_the_plans_of_the_last_streams_are_kept() -> None:
    kept = Bench(END).device._engine
    for address in range(100):
        kept._block(END, (address,) * 8, 0)
    kept._block(END, (70,) * 8, 0)
    assert [bases[0] for _, bases, _, _ in kept._sequences] == [*range(68, 70), *range(71, 100), 70]
