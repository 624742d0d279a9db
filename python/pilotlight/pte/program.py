# SPDX-License-Identifier: Apache-2.0
"""The contents of a .pte as plain data. `read_program` (reader.py) has checked everything in it."""

from __future__ import annotations

from dataclasses import dataclass

from pilotlight.errors import ModelError


@dataclass(frozen=True)
class Tensor:
    """A tensor of the program.

    dim_order: dimensions from outermost to innermost in memory; (0, 2, 3, 1) is channels-last.
    data: the constant's bytes; None for an input or a computed tensor.
    memory: (memory id, byte offset) of a planned tensor, else None. Id 0 holds constants, so
        planned buffer `id` has the size `Method.planned_buffer_sizes[id - 1]`.
    initial_at: offset in the file of the tensor's initial value, if it has one, else None. Loading
        the method copies it to the planned memory.
    """

    dtype: str
    shape: tuple[int, ...]
    dim_order: tuple[int, ...]
    size_bytes: int
    dynamic: bool
    data: bytes | None
    memory: tuple[int, int] | None
    external_name: str = ""
    initial_at: int | None = None

    @property
    def is_constant(self) -> bool:
        return self.data is not None or self.external_name != ""


@dataclass(frozen=True)
class TensorList:
    """Indices into `Method.values` of tensors; -1 stands for None."""

    items: tuple[int, ...]


Value = Tensor | TensorList | int | float | bool | str | tuple[int, ...] | tuple[float, ...] | None


@dataclass(frozen=True)
class KernelCall:
    """A call of a CPU operator: full name, and arguments as indices into `Method.values`."""

    operator: str
    arguments: tuple[int, ...]


@dataclass(frozen=True)
class DelegateCall:
    """A call of `Method.delegates[delegate]`."""

    delegate: int
    arguments: tuple[int, ...]


@dataclass(frozen=True)
class MoveCall:
    """Moves one value to another; both are indices into `Method.values`."""

    source: int
    destination: int


@dataclass(frozen=True)
class JumpFalseCall:
    """Jumps to an instruction of the chain if the value `condition` is false."""

    condition: int
    destination: int


@dataclass(frozen=True)
class FreeCall:
    """Frees the value with this index in `Method.values`."""

    value: int


Instruction = KernelCall | DelegateCall | MoveCall | JumpFalseCall | FreeCall


@dataclass(frozen=True)
class OperatorUse:
    """An operator with the dtypes of its arguments in order; None if an argument is no tensor."""

    name: str
    dtypes: tuple[str | None, ...]


@dataclass(frozen=True)
class Delegate:
    """A part of the program that a backend runs. `blob` is the backend compiler's output."""

    backend: str
    compile_specs: tuple[tuple[str, bytes], ...]
    blob: bytes


@dataclass(frozen=True)
class Method:
    """One method.

    value_types: the schema's type name of each value, such as "OptionalTensorList". The Python
        value alone does not always show it.
    """

    name: str
    values: tuple[Value, ...]
    value_types: tuple[str, ...]
    input_values: tuple[int, ...]
    output_values: tuple[int, ...]
    operators: tuple[str, ...]
    delegates: tuple[Delegate, ...]
    chains: tuple[tuple[Instruction, ...], ...]
    planned_buffer_sizes: tuple[int, ...]

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The input tensors. Raises ModelError if an input is not a tensor."""
        return self._tensors(self.input_values, "input")

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The output tensors. Raises ModelError if an output is not a tensor."""
        return self._tensors(self.output_values, "output")

    def _tensors(self, indices: tuple[int, ...], side: str) -> tuple[Tensor, ...]:
        found: list[Tensor] = []
        for position, index in enumerate(indices):
            value = self.values[index]
            if not isinstance(value, Tensor):
                raise ModelError(f"{side} {position} of method {self.name} is {value!r}, not a tensor")
            found.append(value)
        return tuple(found)

    @property
    def operator_uses(self) -> tuple[OperatorUse, ...]:
        """Each combination of operator and argument dtypes once, in order of first use."""
        uses: dict[OperatorUse, None] = {}
        for chain in self.chains:
            for instruction in chain:
                if isinstance(instruction, KernelCall):
                    arguments = (self.values[index] for index in instruction.arguments)
                    dtypes = tuple(value.dtype if isinstance(value, Tensor) else None for value in arguments)
                    uses[OperatorUse(instruction.operator, dtypes)] = None
        return tuple(uses)

    @property
    def kernel_dtypes(self) -> dict[str, tuple[str, ...]]:
        """The called operators by name, each with the dtypes of the tensors in all its calls.

        Tensors in lists count.
        """
        dtypes: dict[str, set[str]] = {}
        for call in (step for chain in self.chains for step in chain if isinstance(step, KernelCall)):
            found = dtypes.setdefault(call.operator, set())
            for index in call.arguments:
                value = self.values[index]
                items = value.items if isinstance(value, TensorList) else (index,)
                tensors = (self.values[item] for item in items if item >= 0)
                found.update(tensor.dtype for tensor in tensors if isinstance(tensor, Tensor))
        return {name: tuple(sorted(found)) for name, found in sorted(dtypes.items())}


@dataclass(frozen=True)
class Program:
    """A whole .pte. Sizes are in bytes."""

    version: int
    methods: dict[str, Method]
    constants_size_bytes: int
    named_data: dict[str, bytes]
    size_bytes: int
