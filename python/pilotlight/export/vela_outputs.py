# SPDX-License-Identifier: Apache-2.0
"""Holds the outputs of Vela's program against those of the TOSA graph, and repairs what Vela leaves out.

Vela 5.1 omits an output when a convolution's result is transposed for it and also feeds another
convolution. A copy of each output as the graph's last operator keeps them all, in their order.
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
    """Vela's program does not have the outputs of the TOSA graph, one for one."""


def demand_outputs(tosa: bytes, blob: bytes) -> None:
    """Raise MissingOutput unless output by output Vela's program has the elements of the graph."""
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
    """Make a copy of each output the last operator of the TOSA graphs that are written during the block."""
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
    """Add a SLICE of the whole tensor."""
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
