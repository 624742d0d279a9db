# SPDX-License-Identifier: Apache-2.0
"""Commands that only move data are told from those that compute."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "npu")]

from movement import Movement, counted  # noqa: E402
from tosa_graph import TosaGraph  # noqa: E402
from vela_compiler import compile_tosa  # noqa: E402

from pilotlight.npu.delegate_runner import DelegateRunner  # noqa: E402
from pilotlight.npu.hardware.engine import Executed  # noqa: E402


def movement_of(graph: TosaGraph, shape: tuple[int, ...], out: tuple[int, ...]) -> Movement:
    runner = DelegateRunner(compile_tosa(graph.serialize(), "ethos-u55-256"))
    done: list[Executed] = []
    runner.run([np.zeros(shape, np.int8)], [np.zeros(out, np.int8)], done.append)
    return counted((runner.operations[executed.at], executed.cycles.total) for executed in done)


def test_a_transposition_only_moves() -> None:
    graph = TosaGraph()
    graph.output(graph.transpose(graph.input((1, 6, 7, 8), "int8"), (0, 3, 1, 2)))
    found = movement_of(graph, (1, 6, 7, 8), (1, 8, 6, 7))
    assert found.commands > 0
    assert (found.moving_commands, found.moving_cycles) == (found.commands, found.cycles)
    assert found.moving_bytes == found.stream_bytes > 0


def test_a_convolution_and_its_scaling_compute() -> None:
    graph = TosaGraph()
    x = graph.input((1, 6, 7, 8), "int8")
    sums = graph.conv2d(x, np.ones((4, 1, 1, 8), np.int8), np.zeros(4, np.int64), pad=(0, 0, 0, 0))
    graph.output(graph.rescale(sums, "int8", [1 << 30], [33]))
    found = movement_of(graph, (1, 6, 7, 8), (1, 6, 7, 4))
    assert found.commands > 0 and found.cycles > 0
    assert found.moving_commands == found.moving_cycles == 0
