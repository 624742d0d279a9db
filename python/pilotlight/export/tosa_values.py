# SPDX-License-Identifier: Apache-2.0
"""Every integer tensor that a delegate's TOSA graph computes on the way to its outputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tosa_reference_model
import tosa_serializer
from numpy.typing import NDArray

from pilotlight.export.tosa_origins import TosaOrigin, WrittenGraph

_DTYPES = {tosa_serializer.DType.INT8: "int8", tosa_serializer.DType.INT16: "int16"}


@dataclass(frozen=True)
class TosaTensor:
    """elements: how many. origin: what the operator that computes it came from."""

    name: str
    dtype: str
    elements: int
    origin: TosaOrigin


@dataclass(frozen=True)
class TosaValues:
    """graph: the delegate's graph, with each of `tensors` as one more output. names: the outputs of `graph`.

    tensors: those of 8 and 16 bits that operators compute, in the order of computation.
    """

    graph: bytes
    names: tuple[str, ...]
    tensors: tuple[TosaTensor, ...]

    @staticmethod
    def of(written: WrittenGraph) -> TosaValues:
        """Take the graph as it was written. It is serialised again; what Vela got is not touched."""
        block = written.serializer.currRegion.currBasicBlock
        tensors = []
        names = list(block.outputs)
        for origin in written.origins.values():
            if origin.operator.startswith("CONST") or origin.tensor not in block.tensors:
                continue
            tensor = block.tensors[origin.tensor]
            if tensor.dtype not in _DTYPES:
                continue
            tensors.append(TosaTensor(origin.tensor, _DTYPES[tensor.dtype], math.prod(tensor.shape), origin))
            if origin.tensor not in names:
                names.append(origin.tensor)
                written.serializer.addOutputTensor(tensor)
        return TosaValues(bytes(written.serializer.serialize()), tuple(names), tuple(tensors))

    def run(self, inputs: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return each tensor by its name, for inputs as they lie in memory."""
        results, status = tosa_reference_model.run(self.graph, list(map(np.ascontiguousarray, inputs)))
        if status != tosa_reference_model.GraphStatus.TOSA_VALID:
            raise RuntimeError(f"the TOSA reference model did not accept a graph with all its tensors: {status}")
        return dict(zip(self.names, results, strict=True))
