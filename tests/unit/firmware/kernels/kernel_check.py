# SPDX-License-Identifier: Apache-2.0
"""Compares a kernel with PyTorch: `check("aten::add.out", a, b, alpha=2)`.

The operator's schema gives the order of the arguments and their defaults. The golden result comes
from PyTorch's functional operator (aten::add.Tensor for aten::add.out), and determines which
outputs are preallocated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import kernel_library
import torch
from kernel_library import Error, KernelLibrary, Output

from pilotlight.kernels.kernel_list import read_kernels

# Options of some functional overloads. The output's dtype and layout already state these options.
_FACTORY_OPTIONS = {"dtype", "layout", "device", "pin_memory", "memory_format"}


def schemas() -> dict[str, torch.FunctionSchema]:
    """Return every operator of kernels.yaml with its schema."""
    found = {}
    for operator, kernel in read_kernels().items():
        if "op" in kernel.declaration:
            name, _, overload = kernel.declaration["op"].partition(".")
            found[operator] = getattr(getattr(torch.ops.aten, name), overload)._schema
        elif not kernel.primitive:
            schema = re.sub(r"\bScalarType\b|\bLayout\b|\bMemoryFormat\b", "int", kernel.declaration["func"])
            found[operator] = torch._C.parse_schema(schema)
    return found


def functional(operator: str, schema: torch.FunctionSchema) -> Callable[..., Any]:
    """Return PyTorch's functional operator with the same name and arguments."""
    namespace, _, name = operator.partition("::")
    packet = getattr(getattr(torch.ops, namespace), name.partition(".")[0])
    wanted = [argument.name for argument in schema.arguments if not argument.is_out]
    for overload in packet.overloads():
        arguments = getattr(packet, overload)._schema.arguments
        names = [argument.name for argument in arguments]
        types = [str(argument.type) for argument in arguments]
        if any(argument.is_out for argument in arguments) or names[: len(wanted)] != wanted:
            continue
        same = [str(argument.type) for argument in schema.arguments if not argument.is_out]
        if types[: len(wanted)] == same and set(names[len(wanted) :]) <= _FACTORY_OPTIONS:
            return getattr(packet, overload)  # type: ignore[no-any-return]
    raise AssertionError(f"{operator} has no functional counterpart: give golden=")


def _of_any_shape(outputs: Sequence[Output]) -> Iterator[list[Output]]:
    """Yield the outputs once for each rank, with room for every result in the tests of refusals."""
    for rank in range(6):
        shape = (12,) * rank
        yield [replace(output, shape=shape, bound=shape, order=None) for output in outputs]


class Check:
    def __init__(self, library: KernelLibrary) -> None:
        self._library = library
        self._schemas = schemas()
        self._exact = {kernel.operator for kernel in read_kernels().values() if kernel.exact}
        self.count = 0

    def __call__(
        self,
        operator: str,
        *args: Any,
        golden: Any = None,
        float64: bool = False,
        rtol: float = 0.0,
        atol: float = 0.0,
        out_dtype: torch.dtype | None = None,
        out_order: Sequence[int] | None = None,
        temp_bytes: int = 1 << 20,
        **kwargs: Any,
    ) -> None:
        """Assert that the kernel gives PyTorch's result.

        The outputs have that shape, or are larger and resizable.

        golden      the results (a tensor or a sequence), if there is no functional operator to
                    compute them.
        float64     compute the golden results in double precision: for sums, because PyTorch
                    promises no order.
        rtol, atol  as for torch.testing.assert_close. 0: equal in every bit, except the sign of 0
                    and NaN's payload.
                    An operator that is exact in kernels.yaml must have neither these nor float64.
        out_dtype   dtype of the (first) output; default: the golden result's.
        out_order   dim order of the outputs that have as many dimensions.
        """
        assert operator not in self._exact or not (rtol or atol or float64), f"{operator} is exact in kernels.yaml"
        schema = self._schemas[operator]
        if golden is None:
            function = functional(operator, schema)
            promoted = [_promoted(value) for value in args] if float64 else args
            golden = function(*promoted, **({k: _promoted(v) for k, v in kwargs.items()} if float64 else kwargs))
        expected = [golden] if isinstance(golden, torch.Tensor) else list(golden)
        if float64:
            narrow = next((a.dtype for a in _flat(args) if a.is_floating_point()), torch.float32)
            expected = [e.to(narrow) if e.dtype == torch.float64 and narrow != torch.float64 else e for e in expected]
        if out_dtype is not None:
            expected[0] = expected[0].to(out_dtype)
        wanted_order = tuple(out_order or ())
        orders = [wanted_order if len(wanted_order) == e.dim() else kernel_library.dim_order(e) for e in expected]
        what = f"{operator}({', '.join(_describe(v) for v in (*args, *kwargs.values()))})"
        for grow in (0, 1):
            outputs = [
                Output(tuple(e.shape), e.dtype, order, tuple(s + 1 for s in e.shape) if grow and e.dim() else None)
                for e, order in zip(expected, orders, strict=True)
            ]
            error, results = self._call(operator, schema, args, kwargs, outputs, temp_bytes, fence_before=bool(grow))
            assert error == Error.Ok, f"{what} failed with {error.name}"
            for index, (result, wanted) in enumerate(zip(results, expected, strict=True)):
                assert result.shape == wanted.shape, f"{what}: output {index} has shape {tuple(result.shape)}"
                torch.testing.assert_close(
                    result,
                    wanted,
                    rtol=rtol,
                    atol=atol,
                    equal_nan=True,
                    check_stride=False,
                    msg=lambda text, i=index: f"{what}: output {i}: {text}",  # type: ignore[misc]
                )
        self.count += 1

    def refuses(
        self,
        operator: str,
        *args: Any,
        outputs: Sequence[Output],
        error: Error = Error.InvalidArgument,
        temp_bytes: int = 1 << 20,
        **kwargs: Any,
    ) -> None:
        """Assert that the kernel fails with `error`, whatever the shape of the outputs, and writes
        nothing.

        With `outputs` alone, the kernel might fail only because the result does not fit.
        """
        for given in (outputs, *_of_any_shape(outputs)):
            self._refuses(operator, args, kwargs, given, error, temp_bytes)

    def refuses_outputs(self, operator: str, *args: Any, outputs: Sequence[Output]) -> None:
        """Assert that the kernel refuses the shapes of `outputs`, and nothing else."""
        self._refuses(operator, args, {}, outputs, Error.InvalidArgument, 1 << 20)
        schema = self._schemas[operator]
        found = {self._call(operator, schema, args, {}, given, 1 << 20)[0] for given in _of_any_shape(outputs)}
        assert Error.Ok in found, f"{operator} refuses these arguments with outputs of any shape"

    def _refuses(
        self,
        operator: str,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        outputs: Sequence[Output],
        error: Error,
        temp_bytes: int,
    ) -> None:
        found, results = self._call(operator, self._schemas[operator], args, kwargs, outputs, temp_bytes)
        shapes = ", ".join(str(output.shape) for output in outputs)
        what = f"{operator}({', '.join(_describe(v) for v in (*args, *kwargs.values()))}) into {shapes}"
        assert found == error, f"{what} gave {found.name}, not {error.name}"
        for result in results:
            untouched = result.contiguous().view(-1).view(torch.uint8) if result.numel() else result
            assert result.numel() == 0 or bool((untouched == kernel_library.POISON).all()), f"{what} wrote its output"

    def _call(
        self,
        operator: str,
        schema: torch.FunctionSchema,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        outputs: Sequence[Output],
        temp_bytes: int,
        fence_before: bool = False,
    ) -> tuple[Error, list[torch.Tensor]]:
        inputs = [argument for argument in schema.arguments if not argument.is_out]
        given = dict(zip((argument.name for argument in inputs), args, strict=False)) | kwargs
        unknown = given.keys() - {argument.name for argument in inputs}
        assert not unknown and len(args) <= len(inputs), f"{operator} has no argument {unknown or len(args)}"
        pairs = [(given.get(argument.name, argument.default_value), str(argument.type)) for argument in inputs]
        as_list = any(argument.is_out and "List" in str(argument.type) for argument in schema.arguments)
        return self._library.call(
            operator, pairs, outputs, outputs_are_a_list=as_list, temp_bytes=temp_bytes, fence_before=fence_before
        )


def _flat(values: Sequence[Any]) -> list[torch.Tensor]:
    flat = []
    for value in values:
        if isinstance(value, torch.Tensor):
            flat.append(value)
        elif isinstance(value, (list, tuple)):
            flat += _flat(value)
    return flat


def _promoted(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.double()
    if isinstance(value, (list, tuple)):
        return [_promoted(item) for item in value]
    return value


def _describe(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        order = kernel_library.dim_order(value)
        layout = "" if order == tuple(range(value.dim())) else f" order {order}"
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}{layout}"
    return repr(value)
