# SPDX-License-Identifier: Apache-2.0
"""The cycle estimate of U85, compared with Vela's debug database for the same streams."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from operator_cases import make_case
from vela_compiler import captured_output

from pilotlight.npu.analysis.blocks import input_block_depth
from pilotlight.npu.analysis.cycle_model import (
    MEMORY_SPEEDS,
    MemorySpeed,
    Port,
    Work,
    datapath,
    datapaths_of,
    estimate,
)
from pilotlight.npu.analysis.timing import MemoryChannel, Transfer, busiest
from pilotlight.npu.stream.configurations import Configuration, configuration, configuration_of
from pilotlight.npu.stream.faults import Channel
from pilotlight.npu.stream.feature_map import FeatureMap
from pilotlight.npu.stream.kernel import Kernel
from pilotlight.npu.stream.operation_decoder import operations_of
from pilotlight.npu.stream.operations import Copy, CopyEnd, Kind, Operand, Operation, Range
from pilotlight.pte.driver_payload import parse_payload

SIZES = (128, 256, 512, 1024, 2048)
# Constants are in flash, feature maps in SRAM.
SYSTEM, PORTS = "Ethos_U85_SYS_Flash_High", (1, 0, 0, 0, 0, 0, 0, 0)
OPTIONS = (f"--system-config={SYSTEM}", "--memory-mode=Shared_Sram", "--disable-buffering")
NOTHING = Work(0, 0, {}, {})

Rows = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Compiled:
    """A stream and Vela's tables.

    vela: by table, the rows by Vela's number of an operator.
    operators: Vela's number of the operator of each command, by its byte offset.
    groups: the first operator of a chain, by the other operators' numbers.
    """

    stream: bytes
    configuration: Configuration
    vela: Mapping[str, Rows]
    operators: Mapping[int, str]
    groups: Mapping[str, str]

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(operations_of(self.stream, self.configuration))


@cache
def compiled(family: str, number: int, macs: int, *more: str) -> Compiled:
    from ethosu.vela import vela

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.tosa")
        path.write_bytes(make_case(family, number).tosa)
        arguments = [f"--accelerator-config=ethos-u85-{macs}", "--output-format=raw", f"--output-dir={folder}"]
        with captured_output():
            vela.main([*arguments, "--enable-debug-db", *OPTIONS, *more, str(path)])
        tables = dict(_tables(Path(folder, "graph_debug.xml").read_text()))
        with np.load(Path(folder, "graph_vela.npz"), allow_pickle=False) as arrays:
            payload = parse_payload(arrays["cmd_data"].tobytes())
    return Compiled(
        payload.stream,
        configuration_of(payload.config),
        {name: {row["id"]: row for row in tables[name]} for name in ("perf", "perf_debug", "perf_debug_main")},
        {int(row["offset"]): row["scheduled_id"] for row in tables["queue"]},
        {row["id"]: row["group_id"] for row in tables["group"]},
    )


def _tables(text: str) -> Iterable[tuple[str, list[dict[str, str]]]]:
    for match in re.finditer(r'<table name="(\w+)">\s*<!\[CDATA\[\n?(.*?)\]\]>', text, re.DOTALL):
        yield match[1], list(csv.DictReader(io.StringIO(match[2])))


def estimates(made: Compiled) -> dict[str, float]:
    """Return our cycles of each of Vela's operators.

    Those of a chain belong to its first operator, and those of a copy to the next operator.
    """
    paths, speed = datapaths_of(made.stream, made.configuration), MEMORY_SPEEDS[SYSTEM]
    found: defaultdict[str, float] = defaultdict(float)
    copied = 0
    for operation in made.operations:
        operator = made.operators.get(operation.offset)
        cycles = estimate(paths[operation.at], NOTHING, PORTS, speed).total
        if operation.kind is Kind.COPY or operator is None:
            copied += cycles
        else:
            found[made.groups.get(operator, operator)] += copied + cycles
            copied = 0
    return found


def operations_by_operator(made: Compiled) -> dict[str, list[Operation]]:
    found: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in made.operations:
        operator = made.operators.get(operation.offset)
        if operator is not None:
            found[made.groups.get(operator, operator)].append(operation)
    return found


def is_whole(made: Compiled, operation: Operation) -> bool:
    """Tell whether a command is a whole operator, for which Vela's estimate is."""
    row = made.vela["perf_debug"][made.operators[operation.offset]]
    return tuple(int(row[f"ofm_shape_{axis}"]) for axis in "hwc") == _ofm(operation).shape


def is_comparable(made: Compiled, operation: Operation) -> bool:
    """Tell whether Vela's estimate is for this command, with the right accesses.

    Vela counts elements of 16 and 32 bits as bytes, takes the blocks of a transposed output along
    the wrong axes, and takes the output of a chain to be in bricks.
    """
    operands = (*operation.inputs, _ofm(operation))
    narrow = all(item.map.dtype.itemsize == 1 for item in operands)
    return narrow and is_whole(made, operation) and not _ofm(operation).is_reordered


def _ofm(operation: Operation) -> Operand:
    assert operation.ofm is not None
    return operation.ofm


@pytest.mark.parametrize("macs", SIZES)
@pytest.mark.parametrize(
    "family",
    (
        *("conv2d", "conv2d_pointwise", "fully_connected", "depthwise_conv2d", "max_pool2d", "reduce_max_min"),
        *("add_sub", "absolute_int8", "clamp", "residual", "inverted_bottleneck", "cascade"),
        "up_and_skip",
    ),
)
def test_an_operation_takes_about_as_long_as_vela_estimates(family: str, macs: int) -> None:
    compared = 0
    for number in range(4):
        made = compiled(family, number, macs)
        found = estimates(made)
        for operator, operations in operations_by_operator(made).items():
            vela = int(made.vela["perf"][operator]["op_cycles"])
            if vela >= 50 and len(operations) == 1 and is_comparable(made, operations[0]):
                assert found[operator] == pytest.approx(vela, rel=0.1), f"{family}-{number}, {operations[0].name}"
                compared += 1
    assert compared


@pytest.mark.parametrize("macs", SIZES)
@pytest.mark.parametrize(
    "family",
    (
        *("fully_connected", "conv2d_int16", "conv2d_pointwise", "depthwise_conv2d", "matmul", "reduce_sum", "argmax"),
        *("add_sub_int32", "mul_int32", "maximum_minimum", "shifts", "clz", "add_sub", "softmax"),
    ),
)
def test_multipliers_and_output_unit_are_busy_as_long_as_vela_estimates(family: str, macs: int) -> None:
    """Vela's ao_cycles of an output of one block are the time of both units after each other."""
    compared = 0
    for number in range(6):
        made = compiled(family, number, macs)
        paths = datapaths_of(made.stream, made.configuration)
        for operator, operations in operations_by_operator(made).items():
            row, operation = made.vela["perf_debug_main"].get(operator), operations[0]
            ofm = _ofm(operation)
            single = all(part <= size for part, size in zip(ofm.shape, operation.block, strict=True))
            if row is None or len(operations) > 1 or ofm.is_reordered or not single or not is_whole(made, operation):
                continue
            busy = paths[operation.at].output + paths[operation.at].mac
            assert busy == pytest.approx(int(row["ao_cycles"]), rel=0.03, abs=2), f"{family}-{number}, {operation.name}"
            compared += 1
    assert compared


@pytest.mark.parametrize("macs", SIZES)
def test_accesses_take_as_long_as_vela_estimates(macs: int) -> None:
    compared, speed = 0, MEMORY_SPEEDS[SYSTEM]
    for family in ("conv2d", "conv2d_pointwise", "depthwise_conv2d", "max_pool2d", "add_sub"):
        for number in range(8):
            made = compiled(family, number, macs)
            paths = datapaths_of(made.stream, made.configuration)
            for operator, operations in operations_by_operator(made).items():
                if len(operations) > 1 or not is_comparable(made, operations[0]):
                    continue
                row = made.vela["perf"][operator]
                vela = max(int(row[f"{memory}_ac"]) for memory in ("Sram", "OffChipFlash"))
                ours = paths[operations[0].at].memory_cycles(NOTHING, PORTS, speed)
                assert ours == pytest.approx(vela, rel=0.1, abs=3), f"{family}-{number}"
                compared += 1
    assert compared > 10


@pytest.mark.parametrize("macs", SIZES)
@pytest.mark.parametrize("family", ("residual", "inverted_bottleneck", "cascade", "branches", "up_and_skip"))
@pytest.mark.parametrize("option", ("--verbose-progress", "--arena-cache-size=16384", "--disable-chaining"))
def test_a_graph_takes_about_as_long_as_vela_estimates(family: str, macs: int, option: str) -> None:
    made = compiled(family, 2, macs, option)
    vela = sum(int(row["op_cycles"]) for row in made.vela["perf"].values())
    assert sum(estimates(made).values()) == pytest.approx(vela, rel=0.15)


@pytest.mark.parametrize("macs", SIZES)
@pytest.mark.parametrize("family", ("conv2d", "conv2d_int16", "matmul", "reduce_sum", "cascade"))
def test_inputs_are_taken_in_slices_of_as_many_channels_as_vela_does(family: str, macs: int) -> None:
    compared = 0
    for number in range(4):
        made = compiled(family, number, macs)
        for operation in made.operations:
            row = made.vela["perf_debug_main"].get(made.operators.get(operation.offset, ""))
            if row is not None and operation.crosses_depth:
                assert input_block_depth(operation, made.configuration) == int(row["ifm_block_c"]), operation.name
                compared += 1
    assert compared


def convolution(**changes: Any) -> Operation:
    """Return a convolution of 3x3 that reads and writes 16x16x64 bytes."""
    place = FeatureMap(Channel.IFM, 1, 0, (0, 0, 0, 0), 0, 0, 0, 1, 1, 1, np.dtype("i1"), True, 0)
    window = Kernel(3, 3, 1, 1, 1, 1, 1, 1, 1, 1, False)
    known = Operation(
        0,
        Kind.CONVOLUTION,
        ifm=Operand((16, 16, 64), place),
        ofm=Operand((16, 16, 64), place),
        kernel=window,
        block=(16, 16, 64),
        microblock=(2, 2, 8),
    )
    return replace(known, **changes)


def test_the_output_unit_waits_for_scales_in_slow_memory() -> None:
    operation = convolution(scales=(Range(0, 0, 16),), block=(2, 2, 64))
    path = datapath(operation, configuration("ethos-u85-256"))
    port = Port(1000.0, burst_bytes=16, reads=1000, writes=1000)
    slow = replace(port, read_latency=100_000)
    fast, waiting = (path.cycles(NOTHING, PORTS, MemorySpeed(port, second)).total for second in (port, slow))
    # Each of the 64 blocks waits once for each 256 bytes of its 640 bytes of scales.
    assert waiting - fast == pytest.approx(64 * 640 * 100_000 / 256, rel=0.02)


def test_sparse_weights_take_half_of_the_multiplications() -> None:
    npu = configuration("ethos-u85-256")
    assert datapath(convolution(sparse_weights=True), npu).mac * 2 == datapath(convolution(), npu).mac


def test_kept_accumulators_are_not_written_to_memory() -> None:
    npu, speed = configuration("ethos-u85-256"), MemorySpeed(Port(0.1), Port(0.1))
    kept, written = (
        datapath(convolution(keeps=keeps), npu).memory_cycles(NOTHING, PORTS, speed) for keeps in (True, False)
    )
    assert written == 2 * kept


def test_a_copy_takes_the_latency_and_the_rate_of_its_channel() -> None:
    npu, speed = configuration("ethos-u85-128"), MEMORY_SPEEDS["Ethos_U85_SYS_DRAM_Mid"]
    copy = Operation(0, Kind.COPY, copy=Copy(CopyEnd(Range(0, 0, 4096)), CopyEnd(Range(2, 0, 4096))))
    cycles = estimate(datapath(copy, npu), NOTHING, (1, 1, 0, 0, 0, 0, 0, 0), speed)
    # Eight bursts of 128 bytes are outstanding for 500 cycles.
    assert cycles.total == pytest.approx(500 + 4096 / (8 * 128 / 500 * 0.8), abs=1)


def test_short_bursts_and_latencies_limit_the_rate() -> None:
    port = Port(12.0, burst_bytes=128, read_latency=500, write_latency=250, reads=64, writes=32)
    one, many = (Transfer(MemoryChannel.INPUT, 1, 1280, run, 104) for run in (16, 128))
    assert (one.moved_bytes(port), many.moved_bytes(port)) == (10240, 1280)
    # 13 bursts of 128 bytes are outstanding for 500 cycles.
    assert many.channel_rate(port) == pytest.approx(13 * 128 / 500 * 0.8)
    assert many.cycles(port) == pytest.approx(500 + 1280 / 12)
    write = Transfer(MemoryChannel.OUTPUT, 1, 1280, 128)
    assert write.channel_rate(port) == pytest.approx(32 * 0.8 * 128 / 250 * 0.8)


def test_transfers_on_different_ports_and_channels_run_in_parallel() -> None:
    fast, slow = Port(8.0, burst_bytes=8, reads=64, writes=64), Port(1.0, burst_bytes=8, reads=64, writes=64)
    speed = MemorySpeed(fast, slow)
    constants = Transfer(MemoryChannel.WEIGHTS, 0, 100, 100, 1000)
    read = Transfer(MemoryChannel.INPUT, 1, 1600, 100, 1000)
    write = Transfer(MemoryChannel.OUTPUT, 1, 800, 100)
    assert busiest([constants, read], PORTS, speed) == 200
    assert busiest([constants, read, write], PORTS, speed) == 300
    assert busiest([replace(constants, size_bytes=400), read, write], PORTS, speed) == 400
    assert busiest([], PORTS, speed) == 0


def test_a_chain_takes_what_its_slowest_part_takes() -> None:
    """Vela gives the time of a chain to its first operator. Here each kernel has what it adds."""
    made = compiled("residual", 1, 256)
    paths, speed = datapaths_of(made.stream, made.configuration), MEMORY_SPEEDS[SYSTEM]
    writer = next(item for item in made.operations if item.ofm is not None and item.ofm.is_chained)
    reader = next(item for item in made.operations if any(operand.is_chained for operand in item.inputs))
    first, added = (estimate(paths[item.at], NOTHING, PORTS, speed) for item in (writer, reader))
    vela = int(made.vela["perf"][made.operators[writer.offset]]["op_cycles"])
    assert first.total + added.total == pytest.approx(vela, rel=0.1)
    alone = estimate(datapath(reader, made.configuration), NOTHING, PORTS, speed)
    assert added.total < alone.total and added.hidden > 0
