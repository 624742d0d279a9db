# SPDX-License-Identifier: Apache-2.0
"""U85 as a driver sees it: what differs from U55. Numbers are the architecture's, written out."""

from __future__ import annotations

import numpy as np
import pytest
from operator_cases import make_case
from program_writer import long, summing_pool, word
from test_device import CONFIG, END, HEIGHT, ID, POWER_BITS, QREAD, REGIONCFG, RUN, STATUS, STOP, WIDTH, Bench
from vela_compiler import compile_tosa

from pilotlight.npu import Device, MappedMemory
from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.npu.hardware import engine

NPU = "ethos-u85-256"
DEPTH = 5
# PMU registers lie a page above U55's.
PMCR, PMCNTENSET, PMCCNTR, PMEVCNTR0, PMEVTYPER0 = 0x1180, 0x1184, 0x11A0, 0x1300, 0x1380
POWER_CTRL, MEM_ATTR0, AXI_SRAM = 0x038, 0x040, 0x050
EXT_PORT = 1 << 2
PARSE_ERROR, BRANCH_FAULT, BUS_FAULT, EXT_INTERFACE = 1 << 4, 1 << 9, 1 << 2, 1 << 11


def branch(target: int, condition: int = 0) -> bytes:
    return long(0x100, target, condition)


@pytest.mark.parametrize(
    ("config", "config_word"),
    [
        ("ethos-u85-128", 0x2000_0117),
        ("ethos-u85-256", 0x2000_0118),
        ("ethos-u85-512", 0x2000_1119),
        ("ethos-u85-1024", 0x2000_251A),
        ("ethos-u85-2048", 0x2000_261B),
    ],
)
def test_identity_tells_the_configuration(config: str, config_word: int) -> None:
    device = Device(config, MappedMemory())
    assert (device.read(CONFIG), device.read(ID), device.read(0xFE0)) == (config_word, 0x2000_7000, 0x82)


def test_a_pool_copies_its_input() -> None:
    bench = Bench(summing_pool(HEIGHT, WIDTH, DEPTH) + END, NPU)
    assert bench.run() == STOP | 0x22
    np.testing.assert_array_equal(bench.ofm, bench.ifm)


def test_the_pmu_has_eight_counters_a_page_higher() -> None:
    bench = Bench(summing_pool(HEIGHT, WIDTH, DEPTH) + END, NPU)
    device = bench.device
    assert device.read(PMCR) == 8 << 11
    device.write(PMCR, 1)
    device.write(PMCNTENSET, 1 << 31 | 1 << 7)
    device.write(PMEVTYPER0 + 4 * 7, 35)
    assert bench.run() == STOP | 0x22
    assert device.read(PMCCNTR) == device.read(PMEVCNTR0 + 4 * 7) > 0
    assert device.read(0x1A0) == device.read(0x300) == 0, "the registers of U55's PMU do not exist"


def test_registers_of_its_own_read_as_written_until_a_reset_and_the_lock_of_u55_does_not_exist() -> None:
    device, older = Device(NPU, MappedMemory()), Device("ethos-u55-128", MappedMemory())
    for offset in (POWER_CTRL, MEM_ATTR0, AXI_SRAM):
        device.write(offset, 0x0102_0304)
        assert device.read(offset) == 0x0102_0304
    for npu, value in ((device, 0), (older, 7)):
        npu.write(0x2C, 7)
        assert npu.read(0x2C) == value
    older.write(AXI_SRAM, 7)
    assert older.read(AXI_SRAM) == 0
    device.write(0xC, 0)
    assert device.read(POWER_CTRL) == 0


def test_the_memory_attributes_of_a_region_select_its_port() -> None:
    stream = summing_pool(HEIGHT, WIDTH, DEPTH) + END
    for attributes, interface in ((0, 0), (EXT_PORT, EXT_INTERFACE)):
        bench = Bench(stream, NPU)
        bench.device.write(MEM_ATTR0 + 4, attributes)
        bench.device.write(REGIONCFG, 1 << 2 * 2)
        bench.device.write(0x90, 0x7000_0000)  # No memory there.
        assert bench.run() & (BUS_FAULT | EXT_INTERFACE) == BUS_FAULT | interface


def test_the_mirrors_of_two_copy_registers_are_above_the_others() -> None:
    bench = Bench(long(0x038, 0x1234) + long(0x039, 0x5678, 1) + END, NPU)
    assert bench.run() == STOP | 0x22
    assert [bench.device.read(offset) for offset in (0xBC0, 0xBC8, 0xBCC)] == [0x1234, 0x5678, 1]


def test_a_branch_skips_what_lies_between() -> None:
    skipped = word(0x004)  # No such command.
    stream = branch(8 + len(skipped)) + skipped + summing_pool(HEIGHT, WIDTH, DEPTH) + END
    bench = Bench(stream, NPU)
    assert bench.run() == STOP | 0x22
    assert bench.device.read(QREAD) == len(stream)
    np.testing.assert_array_equal(bench.ofm, bench.ifm)


@pytest.mark.parametrize("target", [2, 1 << 20, 0xFFFF_FFFC])
def test_a_branch_that_leads_nowhere_is_a_branch_fault(target: int) -> None:
    bench = Bench(branch(target) + END, NPU)
    assert bench.run() & (BRANCH_FAULT | PARSE_ERROR) == BRANCH_FAULT
    assert f"OP_BRANCH to byte {target}" in bench.device.last_fault
    bench.device.write(4 * 2, POWER_BITS | RUN)
    assert bench.device.read(STATUS) & BRANCH_FAULT, "only a reset clears it"


def test_a_loop_ends_in_a_fault_that_is_called_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MOST_WORK", 5 << 16)
    bench = Bench(branch(0), NPU)
    assert bench.run() & (BRANCH_FAULT | PARSE_ERROR) == PARSE_ERROR
    assert "word 0: OP_BRANCH: the work of this stream is beyond this simulator" in bench.device.last_fault


@pytest.mark.parametrize(("compared", "taken"), [(0, False), (1, True)])
def test_a_branch_on_a_condition_follows_the_last_comparison(compared: int, taken: bool) -> None:
    """The stream copies its input only if the input's last element is greater than the scalar."""
    scalar = HEIGHT * WIDTH * DEPTH - 1 - compared
    last = HEIGHT * WIDTH * DEPTH - 1
    comparison = (
        summing_pool(1, 1, 1)[:-4]
        + long(0x000, last) + word(0x189, 0) + word(0x180, 8) + word(0x185, 0xC001) + long(0x027, scalar)
        + long(0x025, 1) + long(0x026, 1) + word(0x006, 19)
    )  # fmt: skip
    copy = long(0x000, 0) + summing_pool(HEIGHT, WIDTH, DEPTH)
    start = len(comparison) + len(branch(0) + branch(0))
    stream = comparison + branch(start, 1) + branch(start + len(copy)) + copy + END
    bench = Bench(stream, NPU)
    assert bench.run() == STOP | 0x22
    assert bench.device.read(0x030) == taken
    assert np.array_equal(bench.ofm, bench.ifm) == taken


def test_damaged_weights_are_a_parse_error_because_there_is_no_bit_for_them() -> None:
    streams = long(0x020, 0) + long(0x021, 16) + long(0x022, 0) + long(0x023, 16) + word(0x128, 1) + word(0x129, 1)
    stream = summing_pool(HEIGHT, WIDTH, 1)[:-4] + streams + word(0x002) + END
    bench = Bench(stream, NPU)
    assert bench.run() & 0xFFBF == 0x12, "cmd_parse_error, irq_raised"
    assert "weight" in bench.device.last_fault


def test_a_scatter_is_a_fault_unless_the_device_is_lenient() -> None:
    """Row 1 and row 0 of 8 bytes each change places."""
    source, target, stride = 0, 0, 8
    stream = (
        long(0x030, source) + long(0x031, target) + long(0x032, 8) + word(0x130, 1 | 1 << 9) + word(0x131, 2 | 1 << 11)
        + word(0x132, 2) + word(0x133, 1) + long(0x033, stride) + long(0x035, stride)
        + word(0x134, 1) + long(0x037, 16) + long(0x038, 1) + word(0x010) + END
    )  # fmt: skip
    for strict in (True, False):
        bench = Bench(stream, NPU)
        bench.ifm[16:24] = np.array([1, 0], "<u4").view(np.uint8)
        bench.device = Device(NPU, bench.memory, strict=strict)
        bench.prepare(len(stream))
        status = bench.run()
        if strict:
            assert status & PARSE_ERROR
            assert "scatter" in bench.device.last_fault and "not verified on silicon" in bench.device.last_fault
        else:
            assert status == STOP | 0x22
            np.testing.assert_array_equal(bench.ofm[:16], np.roll(bench.ifm[:16], 8))


def test_an_output_that_is_stored_with_other_axes_is_shown_as_computed() -> None:
    """Vela transposes the second operand of a matrix product on its way."""
    case = make_case("matmul", 4)
    runner = DelegateRunner(compile_tosa(case.tosa, NPU))
    inputs = case.draw(0)
    runner.run(inputs, [np.zeros(tensor.shape, tensor.dtype) for tensor in case.outputs])
    transposed = next(
        operation for operation in runner.operations.values() if operation.ofm and operation.ofm.is_reordered
    )
    np.testing.assert_array_equal(runner.output_of(transposed), inputs[1])
