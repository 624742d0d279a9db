# SPDX-License-Identifier: Apache-2.0
"""Compares the outputs of Vela's program with the TOSA graph's, and prevents omitted outputs.

Vela 5.1 omits an output if a convolution's result is transposed for it and also feeds another
convolution. If each output is copied by the graph's last operators, Vela keeps all of them in
order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import tosa_serializer
from executorch.backends.arm.tosa import backend
from executorch.backends.arm.tosa.mapping import TosaArg
from tosa.TosaGraph import TosaGraph

from pilotlight.pte.ethos_u import parse_blob


class MissingOutput(Exception):
    """Vela's program does not have the same outputs as the TOSA graph."""


def demand_outputs(tosa: bytes, blob: bytes) -> None:
    """Raise MissingOutput unless the outputs of program and graph have the same sizes, in order."""
    block = TosaGraph.GetRootAs(tosa, 0).Regions(0).Blocks(0)
    tensors = (block.Tensors(index) for index in range(block.TensorsLength()))
    shapes = {tensor.Name(): tuple(np.atleast_1d(tensor.ShapeAsNumpy())) for tensor in tensors}
    names = [block.Outputs(index) for index in range(block.OutputsLength())]
    graph = [int(np.prod(shapes[name], dtype=np.int64)) for name in names]
    program = [int(np.prod(place.shape, dtype=np.int64)) for place in parse_blob(blob).outputs]
    if graph != program:
        listed = ", ".join(f"{name.decode()} {shapes[name]}" for name in names)
        raise MissingOutput(
            f"its program has {len(program)} outputs of {program} elements; the graph has {len(graph)}: {listed}"
        )


@contextmanager
def copied_outputs() -> Iterator[None]:
    """During the block, TOSA graphs are written with a copy of each output at their end."""
    process_output = backend.process_output

    def process_copies(node: Any, tosa_graph: Any, tosa_spec: Any) -> None:
        block = tosa_graph.currRegion.currBasicBlock
        for index, output in enumerate(node.args[0]):
            tensor = block.tensors[TosaArg(output, tosa_spec).name]
            tosa_graph.addOutputTensor(_copy(tosa_graph, tensor, index) if len(tensor.shape) else tensor)

    backend.process_output = process_copies
    try:
        yield
    finally:
        backend.process_output = process_output


def _copy(tosa_graph: Any, tensor: Any, index: int) -> Any:
    """Add a SLICE of the whole tensor, and return its result. Vela would remove an IDENTITY."""
    shape = list(tensor.shape)
    start, size = (
        tosa_graph.addConst([len(shape)], tosa_serializer.DType.SHAPE, value, name=f"output_{index}_{name}")
        for name, value in (("start", [0] * len(shape)), ("size", shape))
    )
    copied = tosa_graph.addIntermediate(shape, tensor.dtype)
    attribute = tosa_serializer.TosaSerializerAttribute()
    attribute.SliceAttribute()
    tosa_graph.addOperator(tosa_serializer.Op.SLICE, [tensor.name, start.name, size.name], [copied.name], attribute)
    return tosa_graph.currRegion.currBasicBlock.tensors[copied.name]
