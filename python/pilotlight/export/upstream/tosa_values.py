# SPDX-License-Identifier: Apache-2.0
"""Computes the intermediate integer tensors of a delegate's TOSA graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tosa_reference_model
import tosa_serializer
from numpy.typing import NDArray

from pilotlight.export.upstream.tosa_origins import TosaOrigin, WrittenGraph

# Of the result of a table of 16 bits (TOSA specification, TABLE).
_FRACTION_BITS = 7
_DTYPES = {tosa_serializer.DType.INT8: "int8", tosa_serializer.DType.INT16: "int16"}


@dataclass(frozen=True)
class TosaTensor:
    """A tensor that an operator computes. elements: their number. origin: of the operator.

    fraction_bits: how many of the lowest bits are a fraction, which `TosaValues.run` rounds away.
    """

    name: str
    dtype: str
    elements: int
    origin: TosaOrigin
    fraction_bits: int = 0


@dataclass(frozen=True)
class TosaValues:
    """A delegate's graph with its intermediate tensors as additional outputs.

    graph: the serialised graph. names: of its outputs.
    tensors: computed tensors of 8 and 16 bits, in the order of computation. A table of 16 bits
        gives integers of 32 bits with a fraction, and counts as 16 bits.
    """

    graph: bytes
    names: tuple[str, ...]
    tensors: tuple[TosaTensor, ...]

    @staticmethod
    def of(written: WrittenGraph) -> TosaValues:
        """Make the values of a graph. The graph is serialised again; Vela's graph does not
        change."""
        block = written.serializer.currRegion.currBasicBlock
        tensors = []
        names = list(block.outputs)
        for origin in written.origins.values():
            if origin.operator.startswith("CONST") or origin.tensor not in block.tensors:
                continue
            tensor = block.tensors[origin.tensor]
            dtype, fraction_bits = _DTYPES.get(tensor.dtype), 0
            if origin.operator == "TABLE" and tensor.dtype == tosa_serializer.DType.INT32:
                dtype, fraction_bits = "int16", _FRACTION_BITS
            if dtype is None:
                continue
            tensors.append(TosaTensor(origin.tensor, dtype, math.prod(tensor.shape), origin, fraction_bits))
            if origin.tensor not in names:
                names.append(origin.tensor)
                written.serializer.addOutputTensor(tensor)
        return TosaValues(bytes(written.serializer.serialize()), tuple(names), tuple(tensors))

    def run(self, inputs: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return each tensor by name. inputs: in the order of memory.

        Raises RuntimeError if the reference model refuses the graph.
        """
        results, status = tosa_reference_model.run(self.graph, list(map(np.ascontiguousarray, inputs)))
        if status != tosa_reference_model.GraphStatus.TOSA_VALID:
            raise RuntimeError(f"the TOSA reference model did not accept a graph with all its tensors: {status}")
        found = dict(zip(self.names, results, strict=True))
        for tensor in self.tensors:
            if tensor.fraction_bits:
                half = 1 << (tensor.fraction_bits - 1)
                rounded = (found[tensor.name].astype(np.int64) + half) >> tensor.fraction_bits
                found[tensor.name] = rounded.clip(-(2**15), 2**15 - 1).astype(np.int16)
        return found
