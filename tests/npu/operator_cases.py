# SPDX-License-Identifier: Apache-2.0
"""Random cases of single operators and small graphs, as TOSA.

A case consists of a family's name and a number; both seed it. Shapes are small but odd: one more or
less than the NPU's blocks of 8 and 16, or a single row or column. Each family has one function,
which makes all of its random choices.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tosa_graph import Tensor, TosaGraph

NPUS = ("ethos-u55-128", "ethos-u55-256", "ethos-u65-512", "ethos-u55-32", "ethos-u65-256", "ethos-u55-64")

# Vela's ways to schedule a graph. Each way gives the same operator other commands.
_OPTIONS: tuple[tuple[str, ...], ...] = ((), (), ("--optimise=Size",), ("--arena-cache-size=16384",))


@dataclass(frozen=True)
class Case:
    """One case.

    name: the family and the number.
    what: the settings that decide whether Vela compiles it.
    ranges: limits of each input.
    """

    name: str
    family: str
    what: str
    npu: str
    options: tuple[str, ...]
    tosa: bytes
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    ranges: tuple[tuple[int, int], ...]
    seed: tuple[int, ...]

    @property
    def values(self) -> int:
        """Number of output values of one run."""
        return sum(int(np.prod(tensor.shape)) for tensor in self.outputs)

    def draw(self, sample: int) -> list[NDArray[Any]]:
        """Return random inputs. In odd samples, a tenth of the values are limits of the range."""
        generator = np.random.default_rng([*self.seed, 1000 + sample])
        arrays = []
        for tensor, (low, high) in zip(self.inputs, self.ranges, strict=True):
            values = generator.integers(low, high, tensor.shape, endpoint=True)
            if sample % 2:
                values = np.where(generator.random(tensor.shape) < 0.1, generator.choice([low, high]), values)
            arrays.append(values.astype({"int48": "int64"}.get(tensor.dtype, tensor.dtype)))
        return arrays


class Maker(TosaGraph):
    """A graph, with the random choices that families share."""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__()
        self.generator = generator
        self.ranges: list[tuple[int, int]] = []
        self.what = ""

    def integer(self, low: int, high: int) -> int:
        """Return a random integer; both ends are included."""
        return int(self.generator.integers(low, high, endpoint=True))

    def chance(self, probability: float) -> bool:
        return bool(self.generator.random() < probability)

    def choose(self, *options: Any) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def channels(self) -> int:
        return int(self.choose(1, 2, 3, 4, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 40))

    def size(self) -> int:
        return int(self.choose(1, 2, 3, 5, 7, 8, 9, 11, 14, 16, 17, 21, 28))

    def map_shape(self) -> tuple[int, int, int, int]:
        return (1, self.size(), self.size(), self.channels())

    def any_shape(self) -> tuple[int, ...]:
        return tuple(self.map_shape()[4 - self.integer(1, 4) :])

    def zero_point(self, dtype: str = "int8") -> int:
        return self.choose(0, -128, 127, self.integer(-128, 127)) if dtype == "int8" else 0

    def activation(self, shape: tuple[int, ...], dtype: str = "int8", bound: int | None = None) -> Tensor:
        limits = np.iinfo(dtype)
        low, high = (int(limits.min), int(limits.max)) if bound is None else (-bound, bound)
        self.ranges.append((low, high))
        return self.input(shape, dtype)

    def weights(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        values = self.generator.integers(-127, 127, shape, endpoint=True)
        if self.chance(0.3):  # The codec encodes sparse and narrow weights in other ways.
            values = np.where(self.generator.random(shape) < 0.6, 0, values // self.choose(1, 16, 60))
        return values.astype(np.int8)

    def bias(self, channels: int) -> NDArray[np.int64]:
        return self.generator.integers(-5000, 5000, channels, endpoint=True)

    def factors(self, factor: float, count: int = 1) -> tuple[list[int], list[int]]:
        """Return multipliers of 31 bits and shifts; each pair is near `factor`."""
        multipliers, shifts = [], []
        for value in factor * self.generator.uniform(0.5, 2.0, count):
            mantissa, exponent = np.frexp(value)
            multipliers.append(min(round(mantissa * (1 << 31)), (1 << 31) - 1))
            shifts.append(31 - int(exponent))
        return multipliers, shifts

    def requantise(
        self,
        sums: Tensor,
        dtype: str,
        deviation: float,
        *,
        rounding: str = "single",
        per_channel: bool | None = None,
        zero_point: int | None = None,
    ) -> Tensor:
        """Scale sums so that they use most of the result's range and some are clipped.

        per_channel: whether channels have different scales; None for either.
        zero_point: of the result; None for a random one.
        """
        span = 60.0 if dtype == "int8" else 15000.0
        if per_channel is None:
            per_channel = self.chance(0.5) and sums.shape[-1] > 1
        count = sums.shape[-1] if per_channel else 1
        multipliers, shifts = self.factors(span / max(deviation, 1.0), count)
        zero = self.zero_point(dtype) if zero_point is None else zero_point
        if sums.dtype == "int48":
            multipliers, shifts = [value >> 16 for value in multipliers], [value - 16 for value in shifts]
            return self.rescale(sums, dtype, multipliers, shifts, scale32=False)
        return self.rescale(sums, dtype, multipliers, shifts, out_zero_point=zero, rounding=rounding)

    def maybe_clamp(self, x: Tensor) -> Tensor:
        if not self.chance(0.3):
            return x
        low = self.choose(-128, -100, -3, 0)
        return self.clamp(x, low, self.choose(127, low + 20, 100))


def deviation_of(dtype: str, products: float) -> float:
    """Return the deviation of a sum of products of weights and activations, both uniform."""
    return 74.0 * {"int8": 90.0, "int16": 19000.0}[dtype] * products**0.5


# -- families --------------------------------------------------------------------------------------


def _convolution(make: Maker, dtype: str, x: Tensor | None = None) -> Tensor:
    kernel = (make.choose(1, 2, 3, 5, 7), make.choose(1, 2, 3, 4, 9))
    stride, dilation = (make.choose(1, 1, 2, 3, 4), make.choose(1, 1, 2, 3, 5)), (1, 1)
    if make.chance(0.3):
        dilation = (make.choose(1, 2, 3), make.choose(1, 2, 4))
    if x is None:
        x = make.activation((1, make.size() + 4, make.size() + 4, make.channels()), dtype)
    reach = [(size - 1) * step for size, step in zip(kernel, dilation, strict=True)]
    pad: list[int] = []
    for axis in (0, 1):
        before, after = (make.integer(0, reach[axis]) if make.chance(0.6) else 0 for _ in range(2))
        size = x.shape[1 + axis] + before + after - reach[axis] - 1
        if size < 0:
            after += -size
            size = 0
        # TOSA requires that the windows use the whole padded input.
        surplus = size % stride[axis]
        if surplus:
            after += stride[axis] - surplus
        pad += [before, after]
    out_channels = make.channels()
    make.what = f"kernel {kernel}, stride {stride}, dilation {dilation}, padding {pad}"
    weights = make.weights((out_channels, *kernel, x.shape[3]))
    sums = make.conv2d(
        x,
        weights,
        make.bias(out_channels),
        pad=(pad[0], pad[1], pad[2], pad[3]),
        stride=stride,
        dilation=dilation,
        zero_point=make.zero_point(dtype),
    )
    return make.requantise(sums, dtype, deviation_of(dtype, kernel[0] * kernel[1] * x.shape[3]))


def conv2d(make: Maker) -> None:
    make.output(make.maybe_clamp(_convolution(make, "int8")))


def conv2d_int16(make: Maker) -> None:
    make.output(_convolution(make, "int16"))


def conv2d_pointwise(make: Maker) -> None:
    x = make.activation((1, make.size(), make.size(), make.choose(1, 8, 16, 33, 64, 130)))
    out = make.choose(1, 5, 8, 16, 40, 100)
    sums = make.conv2d(x, make.weights((out, 1, 1, x.shape[3])), make.bias(out), zero_point=make.zero_point())
    rounding = make.choose("single", "double")
    make.output(make.maybe_clamp(make.requantise(sums, "int8", deviation_of("int8", x.shape[3]), rounding=rounding)))


def conv2d_large_kernel(make: Maker) -> None:
    kernel = make.choose((1, 17), (13, 11), (20, 3), (9, 9), (32, 2))
    x = make.activation((1, kernel[0] + make.integer(0, 9), kernel[1] + make.integer(0, 9), make.choose(1, 3, 8)))
    out = make.choose(1, 4, 9)
    sums = make.conv2d(x, make.weights((out, *kernel, x.shape[3])), make.bias(out), zero_point=make.zero_point())
    make.output(make.requantise(sums, "int8", deviation_of("int8", kernel[0] * kernel[1] * x.shape[3])))


def fully_connected(make: Maker) -> None:
    """nn.Linear as ExecuTorch lowers it: a 1x1 convolution with the rows as height."""
    dtype = make.choose("int8", "int8", "int16")
    x = make.activation((1, make.choose(1, 1, 6, 33), 1, make.choose(1, 9, 64, 200, 513)), dtype)
    out = make.choose(1, 10, 16, 65, 130)
    sums = make.conv2d(x, make.weights((out, 1, 1, x.shape[3])), make.bias(out), zero_point=make.zero_point(dtype))
    make.output(make.requantise(sums, dtype, deviation_of(dtype, x.shape[3])))


def depthwise_conv2d(make: Maker) -> None:
    dtype = make.choose("int8", "int8", "int8", "int16")
    kernel, stride = (make.choose(1, 2, 3, 5, 7), make.choose(1, 3, 4, 6)), (make.choose(1, 1, 2, 3), make.choose(1, 2))
    dilation = (make.choose(1, 1, 2), make.choose(1, 1, 2, 3))
    x = make.activation((1, make.size() + 12, make.size() + 12, make.channels()), dtype)
    pad: list[int] = []
    for axis in (0, 1):
        reach = (kernel[axis] - 1) * dilation[axis]
        before = make.integer(0, reach)
        after = -(x.shape[1 + axis] + before - reach - 1) % stride[axis]
        pad += [before, after]
    multiplier = make.choose(1, 1, 1, 2, 3) if x.shape[3] < 16 else 1
    weights = make.weights((*kernel, x.shape[3], multiplier))
    sums = make.depthwise_conv2d(
        x,
        weights,
        make.bias(x.shape[3] * multiplier),
        pad=(pad[0], pad[1], pad[2], pad[3]),
        stride=stride,
        dilation=dilation,
        zero_point=make.zero_point(dtype),
    )
    out = make.requantise(sums, dtype, deviation_of(dtype, kernel[0] * kernel[1]))
    make.output(make.maybe_clamp(out) if dtype == "int8" else out)


def transpose_conv2d(make: Maker) -> None:
    stride = make.choose((2, 2), (2, 2), (2, 2), (1, 1), (1, 1), (1, 2))
    kernel = (max(stride[0], make.integer(1, 5)), max(stride[1], make.integer(1, 5)))
    x = make.activation((1, make.integer(1, 12), make.integer(1, 12), make.channels()))
    out_pad = [make.integer(-min(kernel[axis // 2] - 1, 2), 1) for axis in range(4)]
    for axis in (0, 1):
        out = (x.shape[1 + axis] - 1) * stride[axis] + out_pad[2 * axis] + out_pad[2 * axis + 1] + kernel[axis]
        if out < 1:
            out_pad[2 * axis] = out_pad[2 * axis + 1] = 0
    out = make.channels()
    make.what = f"kernel {kernel}, stride {stride}, out_pad {out_pad}"
    sums = make.transpose_conv2d(
        x,
        make.weights((out, *kernel, x.shape[3])),
        make.bias(out),
        out_pad=(out_pad[0], out_pad[1], out_pad[2], out_pad[3]),
        stride=stride,
        zero_point=make.zero_point(),
    )
    make.output(make.requantise(sums, "int8", deviation_of("int8", kernel[0] * kernel[1] * x.shape[3] // 2)))


def matmul(make: Maker) -> None:
    dtype = make.choose("int8", "int8", "int8", "int16")
    n, rows, inner, columns = (
        make.choose(1, 2, 3),
        make.choose(1, 4, 9, 17),
        make.channels(),
        make.choose(1, 5, 16, 20),
    )
    a, b = make.activation((n, rows, inner), dtype), make.activation((n, inner, columns), dtype)
    sums = make.matmul(a, b, make.zero_point(dtype), make.zero_point(dtype))
    per_channel = make.chance(0.5) and columns > 1
    make.what = "a scale per channel" if per_channel else "one scale"
    make.output(make.requantise(sums, dtype, deviation_of(dtype, inner), per_channel=per_channel))


def matmul_of_slice(make: Maker) -> None:
    """A matrix product as in attention where one projection makes query, key and value."""
    rows, inner, columns = make.choose(4, 9, 17), make.choose(4, 16, 20), make.choose(5, 16)
    operand, axis, place = make.choose("first", "second"), make.choose(1, 2), make.integer(0, 2)
    make.what = f"{operand} operand sliced along axis {axis}"
    shape = (1, rows, inner) if operand == "first" else (1, inner, columns)
    whole = make.activation([size * 3 if index == axis else size for index, size in enumerate(shape)])
    part = make.slice(whole, [place * size if index == axis else 0 for index, size in enumerate(shape)], shape)
    a = part if operand == "first" else make.activation((1, rows, inner))
    b = part if operand == "second" else make.activation((1, inner, columns))
    sums = make.matmul(a, b, make.zero_point(), make.zero_point())
    per_channel = make.chance(0.5) and columns > 1
    make.what += ", a scale per channel" if per_channel else ""
    make.output(make.requantise(sums, "int8", deviation_of("int8", inner), per_channel=per_channel))


def avg_pool2d(make: Maker) -> None:
    dtype = make.choose("int8", "int8", "int16")
    x, kernel, stride, pad = _pooled(make, dtype, largest=8)
    zero, out_zero = make.zero_point(dtype), make.zero_point(dtype)
    make.output(make.avg_pool2d(x, kernel, stride, pad, zero, zero if make.chance(0.5) else out_zero))


def max_pool2d(make: Maker) -> None:
    make.output(make.max_pool2d(*_pooled(make, make.choose("int8", "int8", "int16"), largest=6)))


def _pooled(
    make: Maker, dtype: str, largest: int
) -> tuple[Tensor, tuple[int, int], tuple[int, int], tuple[int, int, int, int]]:
    kernel = (make.integer(1, largest), make.integer(1, largest))
    stride = (make.choose(1, 1, 2, 3), make.choose(1, 2, 3))
    x = make.activation((1, make.size() + largest, make.size() + largest, make.channels()), dtype)
    pad: list[int] = []
    for axis in (0, 1):
        before = make.integer(0, kernel[axis] - 1) if make.chance(0.5) else 0
        after = -(x.shape[1 + axis] + before - kernel[axis]) % stride[axis]
        if after >= kernel[axis]:
            stride = (1, stride[1]) if axis == 0 else (stride[0], 1)
            after = 0
        pad += [before, after]
    return x, kernel, stride, (pad[0], pad[1], pad[2], pad[3])


def reduce_sum(make: Maker) -> None:
    x = make.activation(make.map_shape())
    wide = make.rescale(x, "int32", [1 << 30], [30], zero_point=make.zero_point())
    axis = make.integer(1, 3)
    total = make.reduce("sum", wide, axis)
    make.output(total if make.chance(0.3) else make.requantise(total, "int8", 90.0 * x.shape[axis] ** 0.5))


def reduce_max_min(make: Maker) -> None:
    x = make.activation(make.map_shape(), make.choose("int8", "int8", "int16"))
    make.output(make.reduce(make.choose("max", "min"), x, make.integer(1, 3)))


def argmax(make: Maker) -> None:
    x = make.activation((1, make.integer(2, 9), make.integer(2, 9), make.integer(2, 40)))
    axis = make.choose(3, 3, 2, 1)
    make.what = f"axis {axis} of {x.shape}"
    make.output(make.argmax(x, axis))


def _operands(make: Maker, dtype: str, bound: int | None = None) -> tuple[Tensor, Tensor]:
    """Return two operands. Often one operand broadcasts, is constant, or is the same as the
    other."""
    shape = make.any_shape()
    other = tuple(1 if make.chance(0.3) else size for size in shape) if make.chance(0.5) else shape
    a = make.activation(shape, dtype, bound)
    way = make.integer(0, 9)
    limits = np.iinfo(dtype)
    low, high = (int(limits.min), int(limits.max)) if bound is None else (-bound, bound)
    if way == 0:
        return a, a
    if way in (1, 2):
        if way == 1:
            other = (1,) * len(shape)
        b = make.constant(make.generator.integers(low, high, other, endpoint=True), dtype)
    else:
        b = make.activation(other, dtype, bound)
    return (b, a) if make.chance(0.5) else (a, b)


def add_sub(make: Maker) -> None:
    """A quantised sum or difference: both operands get one scale in 32 bits."""
    dtype = make.choose("int8", "int8", "int16")
    a, b = _operands(make, dtype)
    gain = 20 if dtype == "int8" else 12
    wide = []
    for operand in (a, b):
        multipliers, shifts = make.factors(float(1 << gain) * make.choose(1.0, 0.3, 0.01))
        wide.append(make.rescale(operand, "int32", multipliers, shifts, zero_point=make.zero_point(dtype)))
    total = make.binary(make.choose("add", "sub"), wide[0], wide[1])
    multipliers, shifts = make.factors(1.0 / (1 << gain))
    rounding = make.choose("single", "double")
    out = make.rescale(total, dtype, multipliers, shifts, out_zero_point=make.zero_point(dtype), rounding=rounding)
    make.output(make.maybe_clamp(out) if dtype == "int8" else out)


def add_sub_int32(make: Maker) -> None:
    a, b = _operands(make, "int32", (1 << 30) - 1)
    make.output(make.binary(make.choose("add", "sub"), a, b))


def mul(make: Maker) -> None:
    dtype = make.choose("int8", "int8", "int16")
    a, b = _operands(make, dtype)
    if dtype == "int8":
        a, b = (make.rescale(x, "int32", [1 << 30], [30], zero_point=make.zero_point()) for x in (a, b))
    product = make.mul(a, b)
    make.output(make.requantise(product, dtype, 8000.0 if dtype == "int8" else 4.0e8))


def mul_int32(make: Maker) -> None:
    a, b = _operands(make, "int32", 46340)
    make.output(make.mul(a, b, make.choose(0, 0, 0, 5, 31)))


def maximum_minimum(make: Maker) -> None:
    """A maximum or minimum. TOSA has both operators only in 32 bits.

    Vela merges narrow maxima and minima with the rescales around them.
    """
    dtype = make.choose("int8", "int8", "int16", "int32")
    a, b = _operands(make, dtype)
    kind = make.choose("maximum", "minimum")
    if dtype == "int32":
        make.output(make.binary(kind, a, b))
        return
    multipliers, shifts = [1 << 30], [30]
    if make.chance(0.5):
        multipliers, shifts = make.factors(1000.0)
    zero = make.zero_point(dtype)
    wide = [make.rescale(x, "int32", multipliers, shifts, zero_point=zero) for x in (a, b)]
    back = (1 << 30, 30) if shifts == [30] else (multipliers[0] // 2 + (1 << 30), 41)
    make.output(make.rescale(make.binary(kind, *wide), dtype, [back[0]], [back[1]], out_zero_point=zero))


def absolute(make: Maker) -> None:
    x = make.activation(make.any_shape(), "int32", 1 << 30)
    make.output(make.unary("abs", x))


def absolute_int8(make: Maker) -> None:
    """A quantised absolute value, computed in 32 bits."""
    x = make.activation(make.any_shape())
    multipliers, shifts = make.factors(float(1 << 16))
    wide = make.unary("abs", make.rescale(x, "int32", multipliers, shifts, zero_point=make.zero_point()))
    make.output(make.requantise(wide, "int8", 90.0 * (1 << 16)))


def negate(make: Maker) -> None:
    dtype = make.choose("int8", "int8", "int16", "int32")
    x = make.activation(make.any_shape(), dtype, 1 << 30 if dtype == "int32" else None)
    make.output(make.negate(x, make.zero_point(dtype), make.zero_point(dtype)))


def clamp(make: Maker) -> None:
    dtype = make.choose("int8", "int16")
    bound = int(np.iinfo(dtype).max)
    low, high = sorted(make.integer(-bound, bound) for _ in range(2))
    make.output(make.clamp(make.activation(make.any_shape(), dtype), low, high))


def clz(make: Maker) -> None:
    x = make.activation(make.any_shape(), "int32", make.choose(1 << 30, 1 << 12, 3))
    make.output(make.unary("clz", x))


def shifts(make: Maker) -> None:
    shape = make.any_shape()
    x = make.activation(shape, "int32", 1 << 30)
    by = make.input(shape if make.chance(0.5) else (1,) * len(shape), "int32")
    make.ranges.append((0, 31))
    way = make.integer(0, 2)
    if way == 0:
        make.output(make.binary("logical_left_shift", x, by))
    else:
        make.output(make.arithmetic_right_shift(x, by, rounded=way == 1))


def table_int8(make: Maker) -> None:
    x = make.activation(make.any_shape())
    out = make.table(x, make.generator.integers(-128, 127, 256, endpoint=True))
    if make.chance(0.4):  # Two tables in one graph share the table memory.
        out = make.table(make.clamp(out, -100, 90), make.generator.integers(-128, 127, 256, endpoint=True))
    make.output(out)


def table_int16(make: Maker) -> None:
    x = make.activation(make.any_shape(), "int16")
    steps = make.generator.integers(-150, 150, 513)
    smooth = np.clip(np.cumsum(steps), -32768, 32767)
    wide = make.table(x, smooth)
    make.output(wide if make.chance(0.4) else make.rescale(wide, "int16", [1 << 30], [37]))


def rescale(make: Maker) -> None:
    source, target = make.choose("int8", "int16", "int32"), make.choose("int8", "int16", "int32")
    spans = {"int8": 127, "int16": 32767, "int32": 1 << 28}
    x = make.activation(make.any_shape(), source, spans[source] if source == "int32" else None)
    factor = spans[target] / spans[source] * make.choose(1.0, 1.3, 0.4)
    multipliers, shifts = make.factors(factor, x.shape[-1] if make.chance(0.3) else 1)
    if min(shifts) < 2 or max(shifts) > 62:
        multipliers, shifts = [1 << 30], [30]
    zeros = (make.zero_point(source), make.zero_point(target))
    rounding = make.choose("single", "single", "double")
    out = make.rescale(x, target, multipliers, shifts, zero_point=zeros[0], out_zero_point=zeros[1], rounding=rounding)
    make.output(out)


def concat(make: Maker) -> None:
    dtype = make.choose("int8", "int8", "int16", "int32")
    shape = list(make.map_shape())
    axis = make.integer(1, 3)
    parts = []
    for _ in range(make.integer(2, 3)):
        shape[axis] = make.integer(1, 20)
        parts.append(make.activation(tuple(shape), dtype))
    make.output(make.concat(parts, axis))


def pad(make: Maker) -> None:
    dtype = make.choose("int8", "int8", "int16", "int32")
    x = make.activation(make.map_shape(), dtype)
    amounts = [(0, 0), *((make.integer(0, 4), make.integer(0, 4)) for _ in range(3))]
    make.output(make.pad(x, amounts, make.zero_point(dtype)))


def slice_(make: Maker) -> None:
    x = make.activation(make.map_shape(), make.choose("int8", "int8", "int16", "int32"))
    start = [make.integer(0, size - 1) for size in x.shape]
    make.output(make.slice(x, start, [make.integer(1, size - at) for size, at in zip(x.shape, start, strict=True)]))


def tile(make: Maker) -> None:
    x = make.activation(make.map_shape(), make.choose("int8", "int16", "int32"))
    make.output(make.tile(x, [1, make.integer(1, 3), make.integer(1, 3), make.integer(1, 3)]))


def reverse(make: Maker) -> None:
    x = make.activation(make.map_shape(), make.choose("int8", "int16"))
    axis = make.integer(1, 3)
    make.what = f"{x.dtype}, axis {axis} of {x.shape}"
    make.output(make.reverse(x, axis))


def transpose(make: Maker) -> None:
    rank = make.choose(2, 3, 4, 4)
    shape = tuple(make.integer(1, 24) for _ in range(rank))
    if rank == 4:
        shape = (make.choose(1, 1, 3), *shape[1:])
    x = make.activation(shape, make.choose("int8", "int8", "int16", "int32"))
    make.output(make.transpose(x, [int(axis) for axis in make.generator.permutation(rank)]))


def reshape(make: Maker) -> None:
    x = make.activation((1, make.choose(4, 6, 12), make.choose(2, 10), make.choose(8, 16, 18)))
    size = int(np.prod(x.shape))
    make.output(make.reshape(x, make.choose((1, size), (size // 8, 8), (1, 2, size // 8, 4), (1, size // 4, 4))))


def resize_nearest(make: Maker) -> None:
    x = make.activation((1, make.integer(1, 9), make.integer(1, 9), make.channels()), make.choose("int8", "int16"))
    up = make.choose(2, 2, 4, 3, 8)
    if make.chance(0.5):
        out = make.resize(x, (up, 1, up, 1), (0, 0), (0, 0), "nearest")
        make.what = f"corners aligned, times {up}, {x.shape}"
    else:
        make.what = f"half pixels, times {up}, {x.shape}"
        out = make.resize(x, (2 * up, 2, 2 * up, 2), (1 - up, 1 - up), (up - 1, up - 1), "nearest")
    make.output(out)


def resize_bilinear(make: Maker) -> None:
    x = make.activation((1, make.integer(2, 9), make.integer(2, 9), make.channels()))
    up = make.choose(2, 2, 4, 8)
    if make.chance(0.5):
        out = make.resize(x, (2 * up, 2, 2 * up, 2), (0, 0), (0, 0), "bilinear")
    else:
        out = make.resize(x, (2 * up, 2, 2 * up, 2), (1 - up, 1 - up), (up - 1, up - 1), "bilinear")
    make.output(make.rescale(out, "int8", [1 << 30], [30 + 2 * (2 * up).bit_length() - 2]))


# -- small graphs ----------------------------------------------------------------------------------


def _block(make: Maker, x: Tensor, out_channels: int, kernel: int, stride: int = 1, zero: int = 0) -> Tensor:
    """Convolution with 'same' padding. The zero point makes the ReLU."""
    before = (kernel - 1) // 2
    after = [-(x.shape[1 + axis] + before - kernel) % stride for axis in (0, 1)]
    if stride == 1:
        after = [kernel - 1 - before] * 2
    sums = make.conv2d(
        x,
        make.weights((out_channels, kernel, kernel, x.shape[3])),
        make.bias(out_channels),
        pad=(before, after[0], before, after[1]),
        stride=(stride, stride),
        zero_point=zero,
    )
    return make.requantise(sums, "int8", deviation_of("int8", kernel * kernel * x.shape[3]))


def _sum(make: Maker, a: Tensor, b: Tensor) -> Tensor:
    wide = []
    for operand in (a, b):
        multipliers, shifts = make.factors(float(1 << 20))
        wide.append(make.rescale(operand, "int32", multipliers, shifts, zero_point=make.zero_point()))
    multipliers, shifts = make.factors(1.0 / (1 << 20))
    return make.rescale(make.binary("add", *wide), "int8", multipliers, shifts, out_zero_point=make.zero_point())


def residual(make: Maker) -> None:
    x = make.activation((1, make.size() + 4, make.size() + 4, make.choose(3, 8, 16)))
    y = _block(make, x, make.choose(8, 17, 32), 3, make.choose(1, 2))
    z = _block(make, make.maybe_clamp(y), y.shape[3], make.choose(1, 3, 5))
    make.output(make.maybe_clamp(_sum(make, y, z)))


def inverted_bottleneck(make: Maker) -> None:
    x = make.activation((1, 2 * make.integer(3, 14), 2 * make.integer(3, 14), make.choose(8, 16, 24)))
    wide = make.maybe_clamp(_block(make, x, x.shape[3] * make.choose(2, 4), 1))
    sums = make.depthwise_conv2d(
        wide,
        make.weights((3, 3, wide.shape[3], 1)),
        make.bias(wide.shape[3]),
        pad=(1, 1, 1, 1),
        zero_point=make.zero_point(),
    )
    narrow = _block(make, make.requantise(sums, "int8", deviation_of("int8", 9)), x.shape[3], 1)
    make.output(_sum(make, x, narrow))


def cascade(make: Maker) -> None:
    """Large feature maps through small memory, so Vela uses rolling buffers."""
    x = make.activation((1, make.integer(40, 70), make.integer(40, 70), make.choose(3, 8)))
    for _ in range(make.integer(2, 4)):
        x = _block(make, x, make.choose(8, 12, 16), make.choose(1, 3, 5), make.choose(1, 1, 2))
    make.output(x)


def softmax(make: Maker) -> None:
    """The integer steps of softmax: max, difference, 16-bit table, sum, clz, shift."""
    rows, classes = make.choose(1, 7, 20), make.choose(2, 10, 35)
    x = make.activation((1, rows, classes))
    wide = make.rescale(x, "int32", [1 << 30], [30])
    top = make.rescale(make.reduce("max", x, 2), "int32", [1 << 30], [30])
    difference = make.rescale(make.binary("sub", wide, top), "int16", [1 << 30], [23])
    exponentials = np.round(32767 * np.exp(np.minimum(np.arange(-256, 257) / 256 * 8.0, 0)))
    values = make.arithmetic_right_shift(
        make.table(difference, exponentials), make.constant([[[7]]], "int32"), rounded=True
    )
    total = make.reduce("sum", values, 2)
    room = make.binary("sub", make.unary("clz", total), make.constant([[[1]]], "int32"))
    make.output(make.binary("logical_left_shift", total, room))
    make.output(make.rescale(values, "int8", [1 << 30], [38], out_zero_point=-128))


def branches(make: Maker) -> None:
    """One input through several branches, concatenated, with two outputs."""
    x = make.activation((1, make.size() + 2, make.size() + 2, make.choose(4, 9, 16)))
    ways = [_block(make, x, make.choose(4, 8, 16), kernel) for kernel in (1, 3)]
    pooled = make.max_pool2d(x, (3, 3), (1, 1), (1, 1, 1, 1))
    joined = make.concat([*ways, pooled], 3)
    make.output(make.table(joined, make.generator.integers(-128, 127, 256, endpoint=True)))
    make.output(_block(make, joined, make.choose(5, 16), 1))


def up_and_skip(make: Maker) -> None:
    """A part of a U-Net: pool, convolve, double the size, concatenate."""
    x = make.activation((1, 2 * make.integer(2, 10), 2 * make.integer(2, 10), make.choose(4, 8, 16)))
    low = _block(make, make.max_pool2d(x, (2, 2), (2, 2), (0, 0, 0, 0)), make.choose(8, 16), 3)
    up = make.resize(low, (4, 2, 4, 2), (-1, -1), (1, 1), "nearest")
    make.output(_block(make, make.concat([x, up], 3), 8, 3))


FAMILIES: dict[str, Callable[[Maker], None]] = {
    function.__name__.rstrip("_"): function
    for function in (
        conv2d,
        conv2d_pointwise,
        conv2d_large_kernel,
        conv2d_int16,
        fully_connected,
        depthwise_conv2d,
        transpose_conv2d,
        matmul,
        matmul_of_slice,
        avg_pool2d,
        max_pool2d,
        reduce_sum,
        reduce_max_min,
        argmax,
        add_sub,
        add_sub_int32,
        mul,
        mul_int32,
        maximum_minimum,
        absolute,
        absolute_int8,
        negate,
        clamp,
        clz,
        shifts,
        table_int8,
        table_int16,
        rescale,
        concat,
        pad,
        slice_,
        tile,
        reverse,
        transpose,
        reshape,
        resize_nearest,
        resize_bilinear,
        residual,
        inverted_bottleneck,
        cascade,
        softmax,
        branches,
        up_and_skip,
    )
}


def make_case(family: str, number: int, seed: int = 0) -> Case:
    seeds = (seed, zlib.crc32(family.encode()), number)
    # A family's first cases use each configuration once before the options change.
    npu = NPUS[(number + seeds[1]) % len(NPUS)]
    options = _OPTIONS[(number // len(NPUS)) % len(_OPTIONS)]
    return draw_case(f"{family}-{number}", family, FAMILIES[family], npu, options, seeds)


def draw_case(
    name: str,
    family: str,
    draw: Callable[[Maker], None],
    npu: str,
    options: tuple[str, ...],
    seeds: tuple[int, ...],
) -> Case:
    """Draw a case of a family. seeds: of all its choices and inputs."""
    make = Maker(np.random.default_rng(seeds))
    draw(make)
    return Case(
        name=name,
        family=family,
        what=make.what,
        npu=npu,
        options=options,
        tosa=make.serialize(),
        inputs=tuple(make.inputs),
        outputs=tuple(make.outputs),
        ranges=tuple(make.ranges),
        seed=seeds,
    )
