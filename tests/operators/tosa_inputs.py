# SPDX-License-Identifier: Apache-2.0
"""The inputs of a serialised TOSA graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import tosa_serializer
from tosa import TosaGraph

_DTYPES = {
    tosa_serializer.DType.BOOL: np.dtype(np.bool_),
    tosa_serializer.DType.INT8: np.dtype(np.int8),
    tosa_serializer.DType.INT16: np.dtype(np.int16),
    tosa_serializer.DType.INT32: np.dtype(np.int32),
}


def inputs_of(graph: bytes) -> list[tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and type of each input, in their order."""
    block = TosaGraph.TosaGraph.GetRootAs(graph, 0).Regions(0).Blocks(0)
    tensors = {block.Tensors(i).Name(): block.Tensors(i) for i in range(block.TensorsLength())}
    found = []
    for index in range(block.InputsLength()):
        tensor = tensors[block.Inputs(index)]
        shape = tuple(tensor.Shape(axis) for axis in range(tensor.ShapeLength()))
        found.append((shape, _DTYPES[tensor.Type()]))
    return found
