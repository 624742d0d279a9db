# SPDX-License-Identifier: Apache-2.0
"""Builds the firmware's kernels as a shared library of the host, loads it, and calls kernels by
operator name.

The structs repeat those in library/call_kernel.cpp.
"""

from __future__ import annotations

import ctypes
import enum
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from locked import locked

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]

POISON = 0xA5

# c10's numbers, which the .pte uses too.
DTYPES = {
    torch.uint8: 0,
    torch.int8: 1,
    torch.int16: 2,
    torch.int32: 3,
    torch.int64: 4,
    torch.float16: 5,
    torch.float32: 6,
    torch.float64: 7,
    torch.bool: 11,
    torch.bfloat16: 15,
}


class Error(enum.IntEnum):
    """The error of a kernel (executorch/runtime/core/error.h)."""

    Ok = 0x00
    Internal = 0x01
    NotSupported = 0x10
    InvalidArgument = 0x12
    OperatorMissing = 0x14
    NotFound = 0x20
    MemoryAllocationFailed = 0x21
    InvalidProgram = 0x23


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("sizes", ctypes.POINTER(ctypes.c_int32)),
        ("dim_order", ctypes.POINTER(ctypes.c_uint8)),
        ("rank", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
        ("dynamism", ctypes.c_int32),
    )


class _Argument(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int32),
        ("count", ctypes.c_int32),
        ("integer", ctypes.c_int64),
        ("number", ctypes.c_double),
        ("integers", ctypes.POINTER(ctypes.c_int64)),
        ("numbers", ctypes.POINTER(ctypes.c_double)),
        ("flags", ctypes.POINTER(ctypes.c_bool)),
        ("tensors", ctypes.POINTER(ctypes.POINTER(_Tensor))),
        ("text", ctypes.c_char_p),
    )


(
    _NONE,
    _INT,
    _DOUBLE,
    _BOOL,
    _TENSOR,
    _INT_LIST,
    _DOUBLE_LIST,
    _BOOL_LIST,
    _TENSOR_LIST,
    _OPTIONAL_TENSOR_LIST,
    _STRING,
) = range(11)
_STATIC, _DYNAMIC_BOUND = 0, 1


def dim_order(tensor: torch.Tensor) -> tuple[int, ...]:
    """Return the dim order that a .pte would give `tensor`. If the strides leave the order open,
    the tensor counts as contiguous.

    A tensor that is not dense in any order is copied, so its order is contiguous.
    """
    contiguous = tuple(range(tensor.dim()))
    if tensor.is_contiguous() or tensor.numel() == 0:
        return contiguous
    order = tuple(sorted(contiguous, key=lambda d: (-tensor.stride(d), d)))
    return order if tensor.permute(order).is_contiguous() else contiguous


@dataclass(frozen=True)
class Output:
    """An output to preallocate.

    `bound` is the planned shape, which the kernel resizes. None: its shape is final.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    order: tuple[int, ...] | None = None
    bound: tuple[int, ...] | None = None


class _Lowered:
    """Tensors in the form that the library takes. This object keeps the tensors alive for one
    call."""

    def __init__(self) -> None:
        self._alive: list[object] = []
        self._outputs: list[torch.Tensor] = []

    def input(self, tensor: torch.Tensor) -> _Tensor:
        order = dim_order(tensor)
        memory = tensor.permute(order).contiguous().clone()
        self._alive.append(memory)
        return self._tensor(memory.data_ptr(), tuple(tensor.shape), order, tensor.dtype, _STATIC)

    def output(self, output: Output) -> _Tensor:
        planned = output.shape if output.bound is None else output.bound
        size = output.dtype.itemsize
        for extent in planned:
            size *= extent
        memory = torch.full((size,), POISON, dtype=torch.uint8)
        self._outputs.append(memory)
        order = output.order if output.order is not None else tuple(range(len(planned)))
        dynamism = _STATIC if output.bound is None else _DYNAMIC_BOUND
        return self._tensor(memory.data_ptr(), planned, order, output.dtype, dynamism)

    def _tensor(
        self, data: int, shape: tuple[int, ...], order: tuple[int, ...], dtype: torch.dtype, dynamism: int
    ) -> _Tensor:
        sizes = (ctypes.c_int32 * len(shape))(*shape)
        orders = (ctypes.c_uint8 * len(shape))(*order)
        self._alive += [sizes, orders]
        return _Tensor(data, sizes, orders, len(shape), DTYPES[dtype], dynamism)

    def results(self, outputs: Sequence[Output], tensors: Sequence[_Tensor]) -> list[torch.Tensor]:
        found = []
        for output, tensor, memory in zip(outputs, tensors, self._outputs, strict=True):
            shape = tuple(tensor.sizes[: tensor.rank])
            order = output.order if output.order is not None else tuple(range(len(shape)))
            count = torch.Size(shape).numel()
            values = memory[: count * output.dtype.itemsize].clone().view(output.dtype)
            inverse = [order.index(d) for d in range(len(order))]
            found.append(values.reshape([shape[d] for d in order]).permute(inverse))
        return found

    def argument(self, value: object, type_name: str) -> _Argument:
        """Lower one argument of the schema's type `type_name` ("Tensor", "Optional[List[int]]",
        "number", …).
        """
        if value is None:
            return _Argument(kind=_NONE)
        if isinstance(value, (torch.dtype, torch.layout, torch.memory_format)):
            codes = {torch.strided: 0, torch.contiguous_format: 0, torch.preserve_format: 1, torch.channels_last: 2}
            code = DTYPES[value] if isinstance(value, torch.dtype) else codes[value]
            return _Argument(kind=_INT, integer=code)
        if isinstance(value, _Tensor):
            return self._tensors(_TENSOR, [value])
        if isinstance(value, torch.Tensor):
            return self._tensors(_TENSOR, [self.input(value)])
        if isinstance(value, (list, tuple)):
            return self._list(list(value), type_name)
        if isinstance(value, str):
            return _Argument(kind=_STRING, count=len(value), text=value.encode("ascii"))
        if isinstance(value, bool):
            return _Argument(kind=_BOOL, integer=int(value))
        if isinstance(value, int) and "float" not in type_name:
            return _Argument(kind=_INT, integer=value)
        assert isinstance(value, (int, float)), f"no argument of the firmware's can be {value!r}"
        return _Argument(kind=_DOUBLE, number=float(value))

    def _list(self, items: list[object], type_name: str) -> _Argument:
        if "Tensor" in type_name:
            kind = _OPTIONAL_TENSOR_LIST if "Optional[Tensor]" in type_name else _TENSOR_LIST
            lowered = [self.input(item) if isinstance(item, torch.Tensor) else item for item in items]
            return self._tensors(kind, lowered)
        if "float" in type_name:
            numbers = (ctypes.c_double * len(items))(*items)
            self._alive.append(numbers)
            return _Argument(kind=_DOUBLE_LIST, count=len(items), numbers=numbers)
        if "bool" in type_name:
            flags = (ctypes.c_bool * len(items))(*items)
            self._alive.append(flags)
            return _Argument(kind=_BOOL_LIST, count=len(items), flags=flags)
        integers = (ctypes.c_int64 * len(items))(*items)
        self._alive.append(integers)
        return _Argument(kind=_INT_LIST, count=len(items), integers=integers)

    def _tensors(self, kind: int, tensors: Sequence[object]) -> _Argument:
        pointers = (ctypes.POINTER(_Tensor) * len(tensors))()
        for i, tensor in enumerate(tensors):
            if isinstance(tensor, _Tensor):
                pointers[i] = ctypes.pointer(tensor)
        self._alive.append(pointers)
        return _Argument(kind=kind, count=len(tensors), tensors=pointers)


class KernelLibrary:
    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.start_kernels()

    def call(
        self,
        operator: str,
        arguments: Sequence[tuple[object, str]],
        outputs: Sequence[Output],
        *,
        outputs_are_a_list: bool = False,
        temp_bytes: int = 1 << 20,
        fence_before: bool = False,
    ) -> tuple[Error, list[torch.Tensor]]:
        """Call `operator` with (value, type name) pairs in the schema's order, outputs last.

        Returns the kernel's Error and the content of the outputs. `temp_bytes` below 0: no temp
        allocator. Each tensor ends at a page without access, or starts at one (`fence_before`). As
        in a program, the result is the last argument: the output again, the list of outputs, or
            a list of several.
        """
        lowered = _Lowered()
        tensors = [lowered.output(output) for output in outputs]
        stack = [lowered.argument(value, type_name) for value, type_name in arguments]
        if outputs_are_a_list:
            stack += [lowered.argument(tensors, "List[Tensor]")] * 2
        else:
            stack += [lowered.argument(tensor, "Tensor") for tensor in tensors]
            stack.append(stack[-1] if len(tensors) == 1 else lowered.argument(tensors, "List[Tensor]"))
        error = self._library.call_kernel(
            operator.encode(),
            (_Argument * len(stack))(*stack),
            len(stack),
            ctypes.c_int64(temp_bytes),
            int(fence_before),
        )
        return Error(error), lowered.results(outputs, tensors)


def build(sanitizers: str) -> KernelLibrary:
    """Build the library with -fsanitize=`sanitizers` if its sources have changed, and load it."""
    folder = ROOT / "build" / f"kernel-library-{sanitizers.replace(',', '-')}"
    with locked(folder):
        settings = ("-DCMAKE_BUILD_TYPE=Debug", f"-DSANITIZE={sanitizers}", f"-DPILOTLIGHT_PYTHON={sys.executable}")
        for command in (
            ("cmake", "-G", "Ninja", "-S", str(HERE / "library"), "-B", str(folder), *settings),
            ("ninja", "-j2", "-C", str(folder), "kernel_library"),
        ):
            # The compiler must not run under the tests' sanitizer, which would slow it down.
            environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
            result = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
            assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    return KernelLibrary(folder / "libkernel_library.so")
