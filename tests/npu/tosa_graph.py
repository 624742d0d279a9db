# SPDX-License-Identifier: Apache-2.0
"""TOSA graphs, written operator by operator, without PyTorch.

Each TOSA operator has one method, which returns its result. Types are NumPy's, and "int48" for the
sums of 16-bit convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tosa_serializer as ts
from numpy.typing import NDArray

_TYPES = {
    "bool": ts.DType.BOOL,
    "int8": ts.DType.INT8,
    "int16": ts.DType.INT16,
    "int32": ts.DType.INT32,
    "int48": ts.DType.INT48,
}
_ROUNDING = {"single": ts.RoundingMode.SINGLE_ROUND, "double": ts.RoundingMode.DOUBLE_ROUND}
_NAN = ts.NanPropagationMode.PROPAGATE


@dataclass(frozen=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    dtype: str


class TosaGraph:
    def __init__(self) -> None:
        self._serializer = ts.TosaSerializer("", targetMajor=1, targetMinor=0, targetPatch=0, targetDraft=False)
        self._constants = 0
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []

    # -- tensors -----------------------------------------------------------------------------------

    def input(self, shape: Sequence[int], dtype: str) -> Tensor:
        tensor = Tensor(f"input{len(self.inputs)}", tuple(shape), dtype)
        self._serializer.addInputTensor(ts.TosaSerializerTensor(tensor.name, list(shape), _TYPES[dtype], data=None))
        self.inputs.append(tensor)
        return tensor

    def output(self, tensor: Tensor) -> None:
        block = self._serializer.currRegion.currBasicBlock
        self._serializer.addOutputTensor(block.tensors[tensor.name])
        self.outputs.append(tensor)

    def constant(self, values: Any, dtype: str) -> Tensor:
        self._constants += 1
        name = f"constant{self._constants}"
        array = np.atleast_1d(np.asarray(values, np.int64 if dtype == "int48" else dtype))
        self._serializer.addConst(list(array.shape), _TYPES[dtype], array, name=name)
        return Tensor(name, array.shape, dtype)

    def _shape(self, values: Sequence[int]) -> Tensor:
        self._constants += 1
        name = f"shape{self._constants}"
        self._serializer.addConst([len(values)], ts.DType.SHAPE, list(values), name=name)
        return Tensor(name, (len(values),), "shape")

    def serialize(self) -> bytes:
        return bytes(self._serializer.serialize())

    def _add(self, operator: Any, inputs: Sequence[Tensor], shape: Sequence[int], dtype: str, *settings: Any) -> Tensor:
        attribute = ts.TosaSerializerAttribute()
        # The attribute class has the operator's name: AVG_POOL2D -> AvgPool2dAttribute.
        words = "".join(part.capitalize() for part in operator.name.split("_"))
        method = {"Argmax": "ArgMax", "Matmul": "MatMul", "Intdiv": "IntDiv"}.get(words, words) + "Attribute"
        getattr(attribute, method)(*settings)
        result = self._serializer.addIntermediate([int(size) for size in shape], _TYPES[dtype])
        names = [tensor.name for tensor in inputs]
        self._serializer.addOperator(operator, names, [result.name], attribute)
        return Tensor(result.name, tuple(int(size) for size in shape), dtype)

    # -- convolutions and products -----------------------------------------------------------------

    def _sums(self, x: Tensor) -> str:
        return "int48" if x.dtype == "int16" else "int32"

    def conv2d(
        self,
        x: Tensor,
        weights: NDArray[np.int8],
        bias: NDArray[Any],
        *,
        pad: tuple[int, int, int, int] = (0, 0, 0, 0),
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        zero_point: int = 0,
        weight_zero_point: int = 0,
    ) -> Tensor:
        """weights: [out, height, width, in]; pad: top, bottom, left, right."""
        sums = self._sums(x)
        n, height, width = _slide(x, weights.shape[1:3], pad, stride, dilation)
        constants = (self.constant(weights, "int8"), self.constant(bias, sums))
        inputs = (x, *constants, *self._zero_points(x, zero_point, weight_zero_point))
        settings = ([*pad], [*stride], [*dilation], False, _TYPES[sums])
        return self._add(ts.Op.CONV2D, inputs, (n, height, width, weights.shape[0]), sums, *settings)

    def depthwise_conv2d(
        self,
        x: Tensor,
        weights: NDArray[np.int8],
        bias: NDArray[Any],
        *,
        pad: tuple[int, int, int, int] = (0, 0, 0, 0),
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        zero_point: int = 0,
    ) -> Tensor:
        """weights: [height, width, channels, multiplier]."""
        sums = self._sums(x)
        n, height, width = _slide(x, weights.shape[:2], pad, stride, dilation)
        inputs = (x, self.constant(weights, "int8"), self.constant(bias, sums), *self._zero_points(x, zero_point))
        settings = ([*pad], [*stride], [*dilation], False, _TYPES[sums])
        channels = weights.shape[2] * weights.shape[3]
        return self._add(ts.Op.DEPTHWISE_CONV2D, inputs, (n, height, width, channels), sums, *settings)

    def transpose_conv2d(
        self,
        x: Tensor,
        weights: NDArray[np.int8],
        bias: NDArray[Any],
        *,
        out_pad: tuple[int, int, int, int],
        stride: tuple[int, int],
        zero_point: int = 0,
    ) -> Tensor:
        sums = self._sums(x)
        n, height, width, _ = x.shape
        out_height = (height - 1) * stride[0] + out_pad[0] + out_pad[1] + weights.shape[1]
        out_width = (width - 1) * stride[1] + out_pad[2] + out_pad[3] + weights.shape[2]
        inputs = (x, self.constant(weights, "int8"), self.constant(bias, sums), *self._zero_points(x, zero_point))
        shape = (n, out_height, out_width, weights.shape[0])
        settings = ([*out_pad], [*stride], False, _TYPES[sums])
        return self._add(ts.Op.TRANSPOSE_CONV2D, inputs, shape, sums, *settings)

    def _zero_points(self, x: Tensor, zero_point: int, of_weights: int = 0) -> tuple[Tensor, Tensor]:
        return self.constant([zero_point], x.dtype), self.constant([of_weights], "int8")

    def matmul(self, a: Tensor, b: Tensor, a_zero_point: int = 0, b_zero_point: int = 0) -> Tensor:
        zero_points = (self.constant([a_zero_point], a.dtype), self.constant([b_zero_point], b.dtype))
        shape = (a.shape[0], a.shape[1], b.shape[2])
        return self._add(ts.Op.MATMUL, (a, b, *zero_points), shape, self._sums(a))

    # -- pools and reductions ----------------------------------------------------------------------

    def max_pool2d(
        self, x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int, int, int]
    ) -> Tensor:
        n, height, width = _slide(x, kernel, pad, stride, (1, 1))
        settings = ([*kernel], [*stride], [*pad], _NAN)
        return self._add(ts.Op.MAX_POOL2D, (x,), (n, height, width, x.shape[3]), x.dtype, *settings)

    def avg_pool2d(
        self,
        x: Tensor,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        pad: tuple[int, int, int, int],
        zero_point: int = 0,
        out_zero_point: int = 0,
    ) -> Tensor:
        n, height, width = _slide(x, kernel, pad, stride, (1, 1))
        inputs = (x, self.constant([zero_point], x.dtype), self.constant([out_zero_point], x.dtype))
        settings = ([*kernel], [*stride], [*pad], ts.DType.INT32)
        return self._add(ts.Op.AVG_POOL2D, inputs, (n, height, width, x.shape[3]), x.dtype, *settings)

    def reduce(self, kind: str, x: Tensor, axis: int) -> Tensor:
        """kind: sum, max, min, or all or any of bool."""
        shape = [1 if position == axis else size for position, size in enumerate(x.shape)]
        settings = (axis, _NAN) if kind in ("max", "min") else (axis,)
        return self._add(ts.Op.__members__[f"REDUCE_{kind.upper()}"], (x,), shape, x.dtype, *settings)

    def argmax(self, x: Tensor, axis: int) -> Tensor:
        shape = [size for position, size in enumerate(x.shape) if position != axis]
        return self._add(ts.Op.ARGMAX, (x,), shape, "int32", axis, _NAN)

    # -- elementwise -------------------------------------------------------------------------------

    def binary(self, kind: str, a: Tensor, b: Tensor) -> Tensor:
        """kind: add, sub, maximum, minimum, logical_left_shift, ...; the operands broadcast."""
        settings = (_NAN,) if kind in ("maximum", "minimum") else ()
        return self._add(ts.Op.__members__[kind.upper()], (a, b), _broadcast(a, b), a.dtype, *settings)

    def compare(self, kind: str, a: Tensor, b: Tensor) -> Tensor:
        """kind: equal, greater or greater_equal; the operands broadcast."""
        return self._add(ts.Op.__members__[kind.upper()], (a, b), _broadcast(a, b), "bool")

    def select(self, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """The operands broadcast."""
        shape = tuple(max(sizes) for sizes in zip(condition.shape, a.shape, b.shape, strict=True))
        return self._add(ts.Op.SELECT, (condition, a, b), shape, a.dtype)

    def mul(self, a: Tensor, b: Tensor, shift: int = 0) -> Tensor:
        return self._add(ts.Op.MUL, (a, b, self.constant([shift], "int8")), _broadcast(a, b), "int32")

    def arithmetic_right_shift(self, a: Tensor, b: Tensor, *, rounded: bool) -> Tensor:
        return self._add(ts.Op.ARITHMETIC_RIGHT_SHIFT, (a, b), _broadcast(a, b), a.dtype, rounded)

    def unary(self, kind: str, x: Tensor) -> Tensor:
        """kind: abs, clz, identity, bitwise_not, ..."""
        return self._add(ts.Op.__members__[kind.upper()], (x,), x.shape, x.dtype)

    def negate(self, x: Tensor, zero_point: int = 0, out_zero_point: int = 0) -> Tensor:
        inputs = (x, self.constant([zero_point], x.dtype), self.constant([out_zero_point], x.dtype))
        return self._add(ts.Op.NEGATE, inputs, x.shape, x.dtype)

    def clamp(self, x: Tensor, low: int, high: int) -> Tensor:
        limits = (list(np.array([limit], x.dtype).tobytes()) for limit in (low, high))
        return self._add(ts.Op.CLAMP, (x,), x.shape, x.dtype, *limits, _NAN)

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        return self._add(ts.Op.CAST, (x,), x.shape, dtype)

    def table(self, x: Tensor, entries: NDArray[Any]) -> Tensor:
        """256 int8 entries, or 513 int16 entries with an int32 result."""
        result = "int8" if x.dtype == "int8" else "int32"
        return self._add(ts.Op.TABLE, (x, self.constant(entries, x.dtype)), x.shape, result)

    def rescale(
        self,
        x: Tensor,
        dtype: str,
        multipliers: Sequence[int],
        shifts: Sequence[int],
        *,
        zero_point: int = 0,
        out_zero_point: int = 0,
        rounding: str = "single",
        scale32: bool = True,
        unsigned: tuple[bool, bool] = (False, False),
    ) -> Tensor:
        """unsigned: whether the input and the output have elements without a sign."""
        inputs = (
            x,
            self.constant(multipliers, "int32" if scale32 else "int16"),
            self.constant(shifts, "int8"),
            self.constant([zero_point], x.dtype),
            self.constant([out_zero_point], dtype),
        )
        settings = (scale32, _ROUNDING[rounding], len(multipliers) > 1, *unsigned)
        return self._add(ts.Op.RESCALE, inputs, x.shape, dtype, *settings)

    # -- data movement -----------------------------------------------------------------------------

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        return self._add(ts.Op.RESHAPE, (x, self._shape(shape)), shape, x.dtype)

    def transpose(self, x: Tensor, order: Sequence[int]) -> Tensor:
        return self._add(ts.Op.TRANSPOSE, (x,), [x.shape[axis] for axis in order], x.dtype, list(order))

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        first = tensors[0]
        shape = list(first.shape)
        shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
        return self._add(ts.Op.CONCAT, tensors, shape, first.dtype, axis)

    def pad(self, x: Tensor, amounts: Sequence[tuple[int, int]], value: int) -> Tensor:
        shape = [size + before + after for size, (before, after) in zip(x.shape, amounts, strict=True)]
        flat = [amount for pair in amounts for amount in pair]
        return self._add(ts.Op.PAD, (x, self._shape(flat), self.constant([value], x.dtype)), shape, x.dtype)

    def slice(self, x: Tensor, start: Sequence[int], size: Sequence[int]) -> Tensor:
        return self._add(ts.Op.SLICE, (x, self._shape(start), self._shape(size)), size, x.dtype)

    def tile(self, x: Tensor, times: Sequence[int]) -> Tensor:
        shape = [size * count for size, count in zip(x.shape, times, strict=True)]
        return self._add(ts.Op.TILE, (x, self._shape(times)), shape, x.dtype)

    def reverse(self, x: Tensor, axis: int) -> Tensor:
        return self._add(ts.Op.REVERSE, (x,), x.shape, x.dtype, axis)

    def gather(self, values: Tensor, indices: Tensor) -> Tensor:
        """values: [batch, rows, channels]; indices: [batch, rows of the result]."""
        n, _, channels = values.shape
        return self._add(ts.Op.GATHER, (values, indices), (n, indices.shape[1], channels), values.dtype)

    def scatter(self, values: Tensor, indices: Tensor, rows: Tensor) -> Tensor:
        """Replace rows of `values`.

        values: [batch, rows, channels]; indices: [batch, rows to write], no row twice.
        """
        return self._add(ts.Op.SCATTER, (values, indices, rows), values.shape, values.dtype)

    def resize(
        self, x: Tensor, scale: tuple[int, int, int, int], offset: tuple[int, int], border: tuple[int, int], mode: str
    ) -> Tensor:
        """scale: numerator and denominator for y, then for x. mode: nearest or bilinear."""
        n, height, width, channels = x.shape
        out_height = ((height - 1) * scale[0] - offset[0] + border[0]) // scale[1] + 1
        out_width = ((width - 1) * scale[2] - offset[1] + border[1]) // scale[3] + 1
        inputs = (x, self._shape(scale), self._shape(offset), self._shape(border))
        dtype = {"int8": "int32", "int16": "int48"}[x.dtype] if mode == "bilinear" else x.dtype
        settings = (ts.ResizeMode.__members__[mode.upper()],)
        return self._add(ts.Op.RESIZE, inputs, (n, out_height, out_width, channels), dtype, *settings)


def _slide(
    x: Tensor,
    kernel: Sequence[int],
    pad: tuple[int, int, int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
) -> tuple[int, int, int]:
    height = (x.shape[1] + pad[0] + pad[1] - (kernel[0] - 1) * dilation[0] - 1) // stride[0] + 1
    width = (x.shape[2] + pad[2] + pad[3] - (kernel[1] - 1) * dilation[1] - 1) // stride[1] + 1
    return x.shape[0], height, width


def _broadcast(a: Tensor, b: Tensor) -> tuple[int, ...]:
    return tuple(max(pair) for pair in zip(a.shape, b.shape, strict=True))
