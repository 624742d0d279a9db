# SPDX-License-Identifier: Apache-2.0
"""The cycle estimate, compared with Vela 5.1.0's npu_cycles for single operations."""

from __future__ import annotations

import numpy as np
import pytest

from pilotlight.npu.analysis.cycle_model import MEMORY_SPEEDS, Datapath, MemorySpeed, Port, Work, datapath, estimate
from pilotlight.npu.stream.configurations import configuration
from pilotlight.npu.stream.faults import Channel
from pilotlight.npu.stream.feature_map import FeatureMap
from pilotlight.npu.stream.isa import ElementwiseMode, PoolingMode
from pilotlight.npu.stream.kernel import Kernel
from pilotlight.npu.stream.operations import Kind, Operand, Operation

Shape = tuple[int, int, int]


def operand(shape: Shape, dtype: str = "int8", *, bricks: bool = True) -> Operand:
    place = FeatureMap(Channel.IFM, 1, 0, (0, 0, 0, 0), 0, 0, 0, 1, 1, 1, np.dtype(dtype), bricks, 0)
    return Operand(shape, place)


def kernel(size: int, stride: int = 1, *, part_kernel_first: bool = False) -> Kernel:
    return Kernel(size, size, stride, stride, 1, 1, 0, 0, 0, 0, part_kernel_first)


PART = {"part_kernel_first": True}


@pytest.mark.parametrize(
    ("config", "name", "source", "target", "window", "block", "vela"),
    [
        ("u55-128", "CONV", (8, 8, 16), (8, 8, 24), kernel(3, **PART), (8, 8, 24), 4224),
        ("u55-128", "CONV", (4, 4, 24), (4, 4, 32), kernel(3, **PART), (4, 4, 32), 2208),
        ("u55-128", "POOL MAX", (8, 8, 24), (4, 4, 24), kernel(2, 2), (4, 4, 24), 1072),
        ("u55-128", "DEPTHWISE", (25, 5, 64), (25, 5, 64), kernel(3), (14, 6, 16), 9372),
        ("u55-128", "CONV", (25, 5, 64), (25, 5, 64), kernel(1), (9, 6, 32), 9288),
        ("u55-256", "CONV", (224, 224, 3), (112, 112, 32), kernel(3, 2, **PART), (6, 16, 32), 403722),
        ("u55-256", "DEPTHWISE", (56, 56, 144), (56, 56, 144), kernel(3), (14, 14, 16), 453728),
        ("u55-256", "CONV", (14, 14, 384), (14, 14, 64), kernel(1), (4, 14, 64), 23136),
        ("u55-32", "CONV", (8, 8, 1), (8, 8, 16), kernel(3, **PART), (8, 8, 16), 5344),
        ("u55-64", "POOL AVERAGE", (4, 4, 32), (2, 2, 32), kernel(2, 2), (2, 2, 32), 544),
    ],
)
def test_the_datapath_takes_about_as_long_as_vela_estimates(
    config: str, name: str, source: Shape, target: Shape, window: Kernel, block: Shape, vela: int
) -> None:
    kind, _, mode = name.partition(" ")
    npu = configuration(f"ethos-{config}")
    operation = Operation(
        at=0,
        kind=Kind(kind),
        mode=PoolingMode[mode] if mode else None,
        ifm=operand(source),
        ofm=operand(target),
        kernel=window,
        block=block,
        microblock=npu.microblocks[0],
    )
    assert datapath(operation, npu).total == pytest.approx(vela, rel=0.05)


def test_elementwise_operations_take_their_rate_for_each_stored_element() -> None:
    narrow, wide = operand((56, 56, 24)), operand((28, 20, 16), "int32")
    add = Operation(0, Kind.ELEMENTWISE, ElementwiseMode.ADD, narrow, narrow, ofm=narrow, block=(16, 32, 16))
    assert datapath(add, configuration("ethos-u55-256")).total == 100352
    sub = Operation(0, Kind.ELEMENTWISE, ElementwiseMode.SUB, wide, wide, ofm=wide, block=(8, 16, 16))
    assert datapath(sub, configuration("ethos-u55-256")).total == 10080


def test_an_operation_takes_no_less_than_its_bytes_take_on_the_busiest_port() -> None:
    work = Work(macs=0, elements=0, read_bytes={0: 7808, 1: 384}, written_bytes={1: 512})
    path = Datapath(mac=100, output=100, total=2208)
    assert estimate(path, work, (1, 0), MEMORY_SPEEDS["Ethos_U55_High_End_Embedded"]).total == 7808
    assert estimate(path, work, (1, 0), MemorySpeed(Port(8.0), Port(8.0))).total == 2208
    assert estimate(path, work, (1, 0), MemorySpeed(Port(0.125), Port(8.0))).total == 7168


def test_a_copy_costs_what_the_operation_before_it_does_not_hide() -> None:
    work = Work(macs=0, elements=0, read_bytes={0: 3000}, written_bytes={1: 3000})
    beside = [
        estimate(Datapath(0, 0, 0, beside=cycles), work, (1, 0), MemorySpeed(Port(8.0), Port(1.0)))
        for cycles in (0, 1000, 9000)
    ]
    assert [(cycles.total, cycles.hidden) for cycles in beside] == [(3000, 0), (2000, 1000), (1, 3000)]


@pytest.mark.parametrize("size", [1, 8, 9, 65536])
def test_kernels_are_taken_apart_without_a_loop_over_their_pieces(size: int) -> None:
    """A kernel of n x 1 has n steps, in any number of pieces.

    The loop must not depend on the size, because a damaged stream may claim any size.
    """
    window = Kernel(size, 1, 1, 1, 1, 1, 0, 0, 0, 0, False)
    source, target = operand((size, 1, 8)), operand((1, 1, 8))
    operation = Operation(
        0, Kind.CONVOLUTION, ifm=source, ofm=target, kernel=window, block=(1, 1, 8), microblock=(1, 2, 8)
    )
    # 32 cycles for each step, for the eight channels of the micro-block.
    assert datapath(operation, configuration("ethos-u55-128")).mac == 32 * size
