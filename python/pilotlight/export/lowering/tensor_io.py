# SPDX-License-Identifier: Apache-2.0
"""The program's inputs and outputs: removes their conversions to and from float.

The lowered program quantises each input and dequantises each output on the CPU. `Int8Boundary`
removes these operators, so that the device takes and returns integers. The pass records scale and
zero point of each input and output.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from executorch.exir.tensor import dim_order_from_stride
from torch._ops import OpOverload
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx.passes.infra.pass_base import PassResult

from pilotlight.bundle import TensorInfo
from pilotlight.export.model.ties import output_names

QUANTIZE = "quantized_decomposed.quantize_per_tensor.default"
DEQUANTIZE = "quantized_decomposed.dequantize_per_tensor.default"

# Scale, zero point, lowest value, highest value, torch dtype: arguments of both operators.
Quantisation = tuple[Any, ...]


@dataclass(frozen=True)
class Boundary:
    """A program's user inputs and outputs, and their quantisation; None for a float.

    state: the buffers that the program keeps in integers, by name.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    input_quantisation: tuple[Quantisation | None, ...]
    output_quantisation: tuple[Quantisation | None, ...]
    state: dict[str, Quantisation] = field(default_factory=dict)


class Int8Boundary:
    """A graph pass that removes the conversions at the boundary of `program`.

    After the pass has run, `notes` has sentences for the report.
    input_quantisation, output_quantisation: one entry each, None for a tensor that stays as it is.
    """

    def __init__(self, program: Any) -> None:
        self._inputs = _input_names(program)
        self._outputs = _output_positions(program)
        self.input_quantisation: list[Quantisation | None] = [None] * len(self._inputs)
        self.output_quantisation: list[Quantisation | None] = [None] * len(self._outputs)
        self.notes: list[str] = []

    def __call__(self, graph_module: Any) -> PassResult:
        graph = graph_module.graph
        placeholders = {node.name: node for node in graph.nodes if node.op == "placeholder"}
        for index, name in enumerate(self._inputs):
            self._take_integers(index, placeholders[name])
        output = graph.output_node()
        values = list(output.args[0])
        for index, position in enumerate(self._outputs):
            values[position] = self._give_integers(index, values[position])
        output.args = (tuple(values),)
        graph.eliminate_dead_code()
        graph_module.recompile()
        return PassResult(graph_module, True)

    def boundary(self, program: Any) -> Boundary:
        """Return the boundary of `program`, the result of this pass."""
        placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
        inputs = [placeholders[name] for name in _input_names(program)]
        values = program.graph.output_node().args[0]
        outputs = [values[position] for position in _output_positions(program)]
        names = output_names(len(outputs))
        return Boundary(
            inputs=tuple(_describe(n, n.name, q) for n, q in zip(inputs, self.input_quantisation, strict=True)),
            outputs=tuple(
                _describe(node, name, q) for node, name, q in zip(outputs, names, self.output_quantisation, strict=True)
            ),
            input_quantisation=tuple(self.input_quantisation),
            output_quantisation=tuple(self.output_quantisation),
        )

    def _take_integers(self, index: int, node: Any) -> None:
        """Make an input integer if all its users quantise it alike."""
        if not node.users or not node.meta["val"].is_floating_point():
            return
        ways = {tuple(user.args[1:6]) if target_name(user) == QUANTIZE else None for user in node.users}
        way = ways.pop()
        if way is None or ways:
            self.notes.append(f"input {node.name!r} stays float32: its users quantise it differently")
            return
        users = list(node.users)
        node.meta["val"] = users[0].meta["val"]
        for user in users:
            user.replace_all_uses_with(node)
        self.input_quantisation[index] = way

    def _give_integers(self, index: int, value: Any) -> Any:
        if target_name(value) == DEQUANTIZE:
            self.output_quantisation[index] = tuple(value.args[1:6])
            return value.args[0]
        if value.meta["val"].is_floating_point():
            self.notes.append(f"output {index} stays {dtype_name(value.meta['val'].dtype)}: it is not quantised")
        return value


def target_name(node: Any) -> str:
    """Return "aten.convolution.default" for a call of an edge or ATen operator, else ""."""
    if node.op != "call_function":
        return ""
    is_aten = isinstance(node.target, OpOverload)
    return str(node.target if is_aten else getattr(node.target, "_op", node.target))


def is_conversion_at_boundary(node: Any) -> bool:
    """Whether `node` quantises an input directly, or dequantises only for outputs."""
    if target_name(node) == QUANTIZE:
        return bool(node.args[0].op == "placeholder")
    return target_name(node) == DEQUANTIZE and all(user.op == "output" for user in node.users)


def dtype_name(dtype: Any) -> str:
    """Return NumPy's name for a torch dtype, "int8"."""
    return str(dtype).removeprefix("torch.")


def dim_order(value: Any) -> tuple[int, ...]:
    """Return a tensor's dimensions from outermost to innermost in memory, as in the .pte."""
    return tuple(int(axis) for axis in dim_order_from_stride(value.stride()))


def _input_names(program: Any) -> list[str]:
    specs = program.graph_signature.input_specs
    return [spec.arg.name for spec in specs if spec.kind == InputKind.USER_INPUT]


def _output_positions(program: Any) -> list[int]:
    specs = program.graph_signature.output_specs
    return [position for position, spec in enumerate(specs) if spec.kind == OutputKind.USER_OUTPUT]


def _describe(node: Any, name: str, quantisation: Quantisation | None) -> TensorInfo:
    value = node.meta["val"]
    scale, zero_point = (float(quantisation[0]), int(quantisation[1])) if quantisation else (0.0, 0)
    shape = tuple(int(size) for size in value.shape)
    return TensorInfo(name, dtype_name(value.dtype), shape, scale, zero_point, dim_order(value))
