# SPDX-License-Identifier: Apache-2.0
"""The device's loop on the host, over any engine that computes the exported program.

The engines are the TOSA reference model (`export.golden_engine`) and the NPU simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import ModelInfo
from pilotlight.generate.sampler import Sampler
from pilotlight.generate.tables import Tables

# Inputs of the program -> outputs, all as stored and in the model's shapes.
Engine = Callable[[Sequence[NDArray[Any]]], Sequence[NDArray[Any]]]


def simulator_engine(pte: bytes) -> Engine:
    """Return an engine that runs the program on the NPU simulator."""
    from pilotlight.npu import Simulator

    simulator = Simulator(pte)
    return lambda inputs: simulator.run(list(inputs)).outputs


def generate(
    engine: Engine, info: ModelInfo, tables: Tables, sampler: Sampler, prompt: Sequence[int], count: int
) -> Iterator[int]:
    """Yield up to `count` tokens after `prompt`; fewer if the context is full."""
    caches = {
        tie.input: np.full(
            info.inputs[tie.input].shape, info.inputs[tie.input].zero_point, info.inputs[tie.input].dtype
        )
        for tie in info.ties
    }
    text = list(prompt)
    position = 0
    while position < min(len(text), tables.context):
        given = {**caches, **tables.feed(text[position], position, info)}
        outputs = engine([given[index] for index in range(len(info.inputs))])
        for tie in info.ties:
            cache = caches[tie.input]
            row = np.asarray(outputs[tie.output])
            if tie.axis is None:
                cache[...] = row.reshape(cache.shape)
            elif position < cache.shape[tie.axis]:
                np.moveaxis(cache, tie.axis, 0)[position] = np.moveaxis(
                    row.reshape([1 if axis == tie.axis else size for axis, size in enumerate(cache.shape)]), tie.axis, 0
                )[0]
        position += 1
        if position == len(text) and len(text) - len(prompt) < count:
            text.append(sampler.choose(np.asarray(outputs[tables.logits])))
            yield text[-1]
