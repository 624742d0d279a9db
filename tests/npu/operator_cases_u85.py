# SPDX-License-Identifier: Apache-2.0
"""Random cases for Ethos-U85.

Its families are those of operator_cases.py, which draw the same graphs, and those for what only U85
computes. The name of a case is u85:family-number.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from operator_cases import FAMILIES, Case, Maker, deviation_of, draw_case, make_case
from tosa_graph import Tensor

PREFIX = "u85:"

NPUS = (
    *("ethos-u85-256", "ethos-u85-128", "ethos-u85-512", "ethos-u85-256"),
    *("ethos-u85-1024", "ethos-u85-128", "ethos-u85-2048"),
)

# The number of ways has no factor in common with the number of NPUs, so all pairs occur.
_OPTIONS: tuple[tuple[str, ...], ...] = (
    *((), ("--disable-fwd",), (), ("--optimise=Size",), ("--disable-chaining",)),
    *(("--arena-cache-size=16384",), ("--disable-cascading",), (), ("--disable-buffering", "--disable-fwd")),
)

_ROUNDINGS = ("single", "single", "double")
_UNIT = ([1 << 30], [30])


def _limits(dtype: str) -> tuple[int, int]:
    bounds = np.iinfo(dtype)
    return int(bounds.min), int(bounds.max)


def _bounded(make: Maker, shape: tuple[int, ...], dtype: str, low: int, high: int) -> Tensor:
    make.ranges.append((low, high))
    return make.input(shape, dtype)


def _condition(make: Maker, shape: tuple[int, ...]) -> Tensor:
    return _bounded(make, shape, "bool", 0, 1)


def _broadcast_shapes(make: Maker, count: int) -> list[tuple[int, ...]]:
    """Return shapes that broadcast to one another. Each may be repeated on axes of its own."""
    shape = make.any_shape()
    found = [tuple(1 if make.chance(0.35) else size for size in shape) for _ in range(count)]
    if make.chance(0.3):
        found[make.integer(0, count - 1)] = (1,) * len(shape)
    if make.chance(0.4):
        found[make.integer(0, count - 1)] = shape
    return found


def _pair(make: Maker, dtype: str, bound: int | None = None) -> tuple[Tensor, Tensor]:
    """Return two operands. Either may broadcast, be a constant, or be a scalar."""
    low, high = _limits(dtype) if bound is None else (-bound, bound)
    shapes = _broadcast_shapes(make, 2)
    constant = make.integer(0, 4)
    operands = []
    for index, shape in enumerate(shapes):
        if index == constant:
            if make.chance(0.5):
                shape = (1,) * len(shape)
            operands.append(make.constant(make.generator.integers(low, high, shape, endpoint=True), dtype))
        else:
            operands.append(_bounded(make, shape, dtype, low, high))
    return operands[0], operands[1]


def _any_integer(make: Maker) -> str:
    return str(make.choose("int8", "int16", "int32"))


# -- elementwise -----------------------------------------------------------------------------------


def bitwise(make: Maker) -> None:
    kind = make.choose("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not")
    dtype = _any_integer(make)
    make.what = f"{kind} {dtype}"
    if kind == "bitwise_not":
        make.output(make.unary(kind, make.activation(make.any_shape(), dtype)))
    else:
        make.output(make.binary(kind, *_pair(make, dtype)))


def logical(make: Maker) -> None:
    kind = make.choose("logical_and", "logical_or", "logical_xor", "logical_not")
    make.what = kind
    shapes = _broadcast_shapes(make, 2)
    a = _condition(make, shapes[0])
    if kind == "logical_not":
        make.output(make.unary(kind, a))
    else:
        make.output(make.binary(kind, a, _condition(make, shapes[1])))


def comparison(make: Maker) -> None:
    kind, dtype = make.choose("equal", "greater", "greater_equal"), make.choose("int32", "int32", "int8", "int16")
    make.what = f"{kind} {dtype}"
    if dtype == "int32":
        make.output(make.compare(kind, *_pair(make, dtype, make.choose(3, 1000, 1 << 30))))
        return
    # TOSA compares in 32 bits. Vela may merge the rescales.
    a, b = _pair(make, dtype)
    wide = [make.rescale(x, "int32", *_UNIT, zero_point=make.zero_point(dtype)) for x in (a, b)]
    make.output(make.compare(kind, *wide))


def select(make: Maker) -> None:
    dtype = make.choose("int8", "int16", "int32", "bool")
    shapes = _broadcast_shapes(make, 3)
    make.what = f"{dtype} {shapes}"
    condition = _condition(make, shapes[0])
    if dtype == "bool":
        make.output(make.select(condition, *(_condition(make, shape) for shape in shapes[1:])))
        return
    make.output(make.select(condition, *(make.activation(shape, dtype) for shape in shapes[1:])))


def where(make: Maker) -> None:
    """A selection by a comparison, as torch.where is exported."""
    dtype = make.choose("int8", "int16", "int32")
    a, b = _pair(make, "int32", 1 << 20)
    condition = make.compare(make.choose("greater", "greater_equal", "equal"), a, b)
    if make.chance(0.3):
        condition = make.unary("logical_not", condition)
    shape = condition.shape
    low, high = _limits(dtype)
    chosen = make.activation(shape, dtype)
    other = make.constant(np.full((1,) * len(shape), make.integer(low, high)), dtype)
    pair = (chosen, other) if make.chance(0.5) else (other, chosen)
    make.output(make.select(condition, *pair))


def intdiv(make: Maker) -> None:
    shapes = _broadcast_shapes(make, 2)
    bound = make.choose((1 << 31) - 1, 1 << 16, 100)
    a = _bounded(make, shapes[0], "int32", -bound, bound)
    low, high = make.choose((1, 7), (1, 1 << 20), (-9, -1), (-(1 << 30), -1))
    if make.chance(0.3):
        constants = make.generator.integers(low, high, shapes[1], endpoint=True)
        make.output(make.binary("intdiv", a, make.constant(constants, "int32")))
    else:
        make.output(make.binary("intdiv", a, _bounded(make, shapes[1], "int32", low, high)))


def shifts_narrow(make: Maker) -> None:
    """Shifts of all widths. The distances may be a constant, and either operand broadcasts."""
    dtype = _any_integer(make)
    kind = make.choose("logical_left_shift", "logical_right_shift", "arithmetic", "arithmetic")
    shapes = _broadcast_shapes(make, 2)
    bits = int(np.iinfo(dtype).bits)
    make.what = f"{kind} {dtype}"
    x = make.activation(shapes[0], dtype)
    if make.chance(0.3):
        by = make.constant(make.generator.integers(0, bits - 1, shapes[1], endpoint=True), dtype)
    else:
        by = _bounded(make, shapes[1], dtype, 0, bits - 1)
    if kind == "arithmetic":
        rounded = make.chance(0.5)
        make.what += " rounded" if rounded else ""
        make.output(make.arithmetic_right_shift(x, by, rounded=rounded))
    else:
        make.output(make.binary(kind, x, by))


def broadcast_add_sub(make: Maker) -> None:
    """A quantised sum whose operands both broadcast, or one is a scalar on either side."""
    dtype = make.choose("int8", "int8", "int16")
    a, b = _pair(make, dtype)
    gain = 20 if dtype == "int8" else 12
    wide = []
    for operand in (a, b):
        multipliers, shifts = make.factors(float(1 << gain) * make.choose(1.0, 0.3, 0.01))
        wide.append(make.rescale(operand, "int32", multipliers, shifts, zero_point=make.zero_point(dtype)))
    total = make.binary(make.choose("add", "sub"), wide[0], wide[1])
    multipliers, shifts = make.factors(1.0 / (1 << gain))
    rounding, zero = make.choose("single", "double"), make.zero_point(dtype)
    out = make.rescale(total, dtype, multipliers, shifts, out_zero_point=zero, rounding=rounding)
    if make.chance(0.3) and dtype == "int8":
        out = make.table(out, make.generator.integers(-128, 127, 256, endpoint=True))
    make.output(out)


def broadcast_mul(make: Maker) -> None:
    dtype = make.choose("int8", "int16", "int32")
    if dtype == "int32":
        make.output(make.mul(*_pair(make, dtype, 46340), make.choose(0, 0, 7, 31)))
        return
    a, b = _pair(make, dtype)
    if dtype == "int8":
        a, b = (make.rescale(x, "int32", *_UNIT, zero_point=make.zero_point()) for x in (a, b))
    make.output(make.requantise(make.mul(a, b), dtype, 8000.0 if dtype == "int8" else 4.0e8, per_channel=False))


def broadcast_int32(make: Maker) -> None:
    kind = make.choose("add", "sub", "maximum", "minimum")
    make.output(make.binary(kind, *_pair(make, "int32", (1 << 30) - 1)))


def leaky_relu(make: Maker) -> None:
    """The larger of x and a part of x, as leaky ReLU is exported."""
    dtype = make.choose("int8", "int16")
    x = make.activation(make.any_shape(), dtype)
    zero = make.zero_point(dtype)
    wide = make.rescale(x, "int32", *_UNIT, zero_point=zero)
    slope = make.constant(np.full((1,) * len(x.shape), make.integer(1, 20)), "int32")
    steep = make.mul(wide, make.constant(np.full((1,) * len(x.shape), 64), "int32"))
    top = make.binary("maximum", make.mul(wide, slope), steep)
    multipliers, shifts = make.factors(1.0 / 64)
    make.output(make.rescale(top, dtype, multipliers, shifts, out_zero_point=zero))


def elementwise_chain(make: Maker) -> None:
    """Elementwise operations in a row, which Vela chains without memory between them."""
    shape = make.any_shape()
    x = make.activation(shape, "int32", 1 << 10)
    y = make.activation(tuple(1 if make.chance(0.3) else size for size in shape), "int32", 1 << 10)
    first, summed = x, make.chance(0.2)
    x = make.binary("add", x, y)
    for _ in range(make.integer(2, 5)):
        kind = make.choose("add", "sub", "maximum", "minimum", "bitwise_and", "bitwise_xor", "abs", "clz", "not")
        if kind == "abs":
            x = make.unary("abs", x)
        elif kind == "clz":
            x = make.unary("clz", x)
        elif kind == "not":
            x = make.unary("bitwise_not", x)
        else:
            other = make.choose(y, first, make.constant(np.full((1,) * len(shape), make.integer(-999, 999)), "int32"))
            x = make.binary(kind, *((x, other) if make.chance(0.5) else (other, x)))
    if make.chance(0.4):
        x = make.rescale(x, "int8", [1 << 30], [34], out_zero_point=make.zero_point())
    make.output(x)
    if summed:
        make.output(make.binary("sub", first, y))


def negate_scaled(make: Maker) -> None:
    """A negation between rescales and limits."""
    dtype = make.choose("int8", "int16")
    x = make.activation(make.any_shape(), dtype)
    out = make.negate(x, make.zero_point(dtype), make.zero_point(dtype))
    low, high = sorted(make.integer(*_limits(dtype)) for _ in range(2))
    make.output(make.clamp(out, low, high))


# -- types and tables ------------------------------------------------------------------------------


def cast(make: Maker) -> None:
    types = ("bool", "int8", "int16", "int32")
    source, target = make.choose(*types), make.choose(*types)
    if source == target:
        target = "int16" if source != "int16" else "int32"
    make.what = f"{source} to {target}"
    shape = make.any_shape()
    x = _condition(make, shape) if source == "bool" else make.activation(shape, source, make.choose(None, None, 2))
    make.output(make.cast(x, target))


def rescale_wide(make: Maker) -> None:
    """Rescales of the 48-bit sums of a convolution, and double rounding with all shifts."""
    if make.chance(0.5):
        x = make.activation((1, make.size(), make.size(), make.choose(1, 4, 17)), "int16")
        out = make.choose(1, 5, 16)
        sums = make.conv2d(x, make.weights((out, 1, 1, x.shape[3])), make.bias(out))
        target = make.choose("int8", "int16", "int32")
        factor = {"int8": 2e-5, "int16": 5e-3, "int32": 3.0}[target]
        multipliers, shifts = make.factors(factor, out if make.chance(0.5) and out > 1 else 1)
        multipliers, shifts = [value >> 16 for value in multipliers], [value - 16 for value in shifts]
        zero = make.zero_point(target)
        make.what = f"int48 to {target}"
        make.output(make.rescale(sums, target, multipliers, shifts, out_zero_point=zero, scale32=False))
        return
    source, target = _any_integer(make), _any_integer(make)
    x = make.activation(make.any_shape(), source, 1 << make.integer(4, 30) if source == "int32" else None)
    # With small shifts, the result exceeds 32 bits, which TOSA leaves open.
    largest = 1 << {"int8": 8, "int16": 16}.get(source, 31)
    if source == "int32":
        largest = -make.ranges[-1][0]
    shift, rounding = make.integer(max(2, largest.bit_length()), 62), make.choose(*_ROUNDINGS)
    make.what = f"{source} to {target}, shift {shift}, {rounding}"
    multiplier = make.integer(1 << 30, (1 << 31) - 1)
    zeros = make.zero_point(source), make.zero_point(target)
    shape = make.rescale(
        x, target, [multiplier], [shift], zero_point=zeros[0], out_zero_point=zeros[1], rounding=rounding
    )
    make.output(shape)


def rescale_unsigned(make: Maker) -> None:
    """Elements without a sign, which TOSA has only at the ends of a graph."""
    enters = make.chance(0.5)
    dtype = make.choose("int8", "int8", "int16")
    x = make.activation(make.any_shape(), dtype)
    multipliers, shifts = make.factors(make.choose(0.7, 1.0, 0.2))
    make.what = f"{'from' if enters else 'to'} u{dtype}"
    unsigned_zero = make.integer(0, 127) if dtype == "int8" else 0
    zeros = (unsigned_zero, make.zero_point(dtype)) if enters else (make.zero_point(dtype), unsigned_zero)
    make.output(
        make.rescale(
            x,
            dtype,
            multipliers,
            shifts,
            zero_point=zeros[0],
            out_zero_point=zeros[1],
            unsigned=(enters, not enters),
        )
    )


def table_chain(make: Maker) -> None:
    """Tables of 8 and 16 bits, each with rescales and limits around it that may be merged."""
    if make.chance(0.4):
        x = make.activation(make.any_shape())
        zeros = make.zero_point(), make.zero_point()
        multipliers, shifts = make.factors(make.choose(1.0, 0.5, 2.0))
        x = make.rescale(x, "int8", multipliers, shifts, zero_point=zeros[0], out_zero_point=zeros[1])
        out = make.table(x, make.generator.integers(-128, 127, 256, endpoint=True))
        target = make.choose("int8", "int16", "int32")
        make.what = f"int8 to {target}"
        if target == "int8":
            make.output(out)
        elif make.chance(0.5):
            make.output(make.cast(out, target))
        else:
            multipliers, shifts = make.factors(100.0)
            make.output(make.rescale(out, target, multipliers, shifts, zero_point=make.zero_point()))
        return
    x = make.activation(make.any_shape(), make.choose("int8", "int16"))
    if x.dtype == "int8":
        multipliers, shifts = make.factors(200.0)
        x = make.rescale(x, "int16", multipliers, shifts, zero_point=make.zero_point())
    steps = make.generator.integers(-150, 150, 513)
    wide = make.table(x, np.clip(np.cumsum(steps), -32768, 32767))
    target = make.choose("int8", "int16", "int32")
    make.what = f"{x.dtype} by 16 bits to {target}"
    if target == "int32":
        make.output(wide)
        return
    shift = 37 if target == "int16" else 45
    multipliers = [1 << 30] if make.chance(0.5) else [make.integer(1 << 30, (1 << 31) - 1)]
    zero, rounding = make.zero_point(target), make.choose(*_ROUNDINGS)
    make.output(make.rescale(wide, target, multipliers, [shift], out_zero_point=zero, rounding=rounding))


# -- movement --------------------------------------------------------------------------------------


def gather(make: Maker) -> None:
    n, rows, channels, out = make.choose(1, 1, 3), make.integer(1, 20), make.channels(), make.integer(1, 25)
    values = make.activation((n, rows, channels), make.choose("int8", "int16", "int32"))
    make.what = f"{values.dtype} {values.shape} to {out} rows"
    if make.chance(0.3):
        indices = make.constant(make.generator.integers(0, rows, (n, out)), "int32")
    else:
        indices = _bounded(make, (n, out), "int32", 0, rows - 1)
    make.output(make.gather(values, indices))


def scatter(make: Maker) -> None:
    n, rows, channels = make.choose(1, 1, 2), make.integer(2, 20), make.channels()
    written = make.integer(1, rows)
    dtype = make.choose("int8", "int16", "int32")
    values = make.activation((n, rows, channels), dtype)
    indices = [make.generator.permutation(rows)[:written] for _ in range(n)]
    replaced = make.activation((n, written, channels), dtype)
    make.output(make.scatter(values, make.constant(indices, "int32"), replaced))


def transpose_any(make: Maker) -> None:
    """A transposition, often next to another operator or to another transposition."""
    rank = make.choose(3, 4, 4, 5)
    shape = tuple(make.integer(1, 6 if rank == 5 else 20) for _ in range(rank))
    if rank == 4:
        shape = (make.choose(1, 1, 2), *shape[1:])
    x = make.activation(shape, make.choose("int8", "int8", "int16", "int32"))
    order = [int(axis) for axis in make.generator.permutation(rank)]
    make.what = f"{x.dtype} {shape} by {order}"
    if make.chance(0.3) and x.dtype != "int32":
        multipliers, shifts = make.factors(1.0)
        zeros = make.zero_point(x.dtype), make.zero_point(x.dtype)
        x = make.rescale(x, x.dtype, multipliers, shifts, zero_point=zeros[0], out_zero_point=zeros[1])
    out = make.transpose(x, order)
    if make.chance(0.3):
        out = make.transpose(out, [int(axis) for axis in make.generator.permutation(rank)])
    make.output(out)


def transposed_convolution_output(make: Maker) -> None:
    """A convolution whose output is transposed or reversed when it is written."""
    x = make.activation((1, make.size(), make.size(), make.choose(1, 8, 17)))
    y = _convolved(make, x, make.choose(5, 16, 33), make.choose(1, 3))
    make.output(make.transpose(y, make.choose((0, 3, 1, 2), (0, 2, 1, 3), (0, 3, 2, 1), (0, 1, 3, 2), (0, 2, 3, 1))))


def reverse_any(make: Maker) -> None:
    rank = make.choose(2, 3, 4)
    x = make.activation(make.map_shape()[4 - rank :], make.choose("int8", "int16", "int32"))
    axis = make.integer(0, rank - 1)
    make.what = f"{x.dtype}, axis {axis} of {x.shape}"
    if x.dtype == "int8" and make.chance(0.3):
        x = make.table(x, make.generator.integers(-128, 127, 256, endpoint=True))
    make.output(make.reverse(x, axis))


def tile_any(make: Maker) -> None:
    shape = make.any_shape()
    x = make.activation(shape, make.choose("int8", "int16", "int32"))
    out = make.tile(x, [make.integer(1, 3) for _ in shape])
    make.output(out)


def resize_odd(make: Maker) -> None:
    """Any scale, offset and border that TOSA permits."""
    mode, dtype = make.choose("nearest", "bilinear", "bilinear"), make.choose("int8", "int8", "int16")
    height, width = make.integer(1, 12), make.integer(1, 12)
    x = make.activation((1, height, width, make.channels()), dtype)
    scale: list[int] = []
    offset: list[int] = []
    border: list[int] = []
    for size in (height, width):
        numerator, denominator = make.choose((1, 1), (2, 1), (3, 2), (4, 3), (5, 3), (7, 4), (2, 3), (6, 2), (16, 5))
        away = make.choose(0, 0, make.integer(-numerator + 1, numerator - 1))
        rest = -((size - 1) * numerator - away) % denominator
        while rest >= numerator:
            rest -= denominator
        scale += [numerator, denominator]
        offset.append(away)
        border.append(rest)
    if any((size - 1) * scale[2 * axis] - offset[axis] + border[axis] < 0 for axis, size in enumerate((height, width))):
        scale, offset, border = [2, 1, 2, 1], [0, 0], [0, 0]
    make.what = f"{mode} {dtype} {x.shape}, scale {scale}, offset {offset}, border {border}"
    places = (offset[0], offset[1]), (border[0], border[1])
    out = make.resize(x, (scale[0], scale[1], scale[2], scale[3]), *places, mode)
    if mode == "nearest":
        make.output(out)
    elif dtype == "int8":
        multipliers, shifts = make.factors(1.0 / (scale[0] * scale[2]))
        make.output(make.rescale(out, "int8", multipliers, shifts, out_zero_point=make.zero_point()))
    else:
        multipliers, shifts = make.factors(1.0 / (scale[0] * scale[2]))
        make.output(make.rescale(out, "int16", [multipliers[0] >> 16], [shifts[0] - 16], scale32=False))


# -- sums ------------------------------------------------------------------------------------------


def _convolved(
    make: Maker,
    x: Tensor,
    out: int,
    kernel: int,
    zero: int = 0,
    weights: NDArray[np.int8] | None = None,
    out_zero_point: int | None = None,
) -> Tensor:
    """A convolution with padding that keeps the size, and its rescale."""
    before = (kernel - 1) // 2
    after = kernel - 1 - before
    if weights is None:
        weights = make.weights((out, kernel, kernel, x.shape[3]))
    sums = make.conv2d(x, weights, make.bias(out), pad=(before, after, before, after), zero_point=zero)
    deviation = deviation_of(x.dtype, kernel * kernel * x.shape[3])
    return make.requantise(sums, x.dtype, deviation, zero_point=out_zero_point)


def transpose_conv2d_int16(make: Maker) -> None:
    stride = make.choose((2, 2), (1, 1), (1, 2), (2, 1), (3, 2))
    kernel = (max(stride[0], make.integer(1, 4)), max(stride[1], make.integer(1, 4)))
    x = make.activation((1, make.integer(1, 9), make.integer(1, 9), make.channels()), "int16")
    out = make.channels()
    make.what = f"kernel {kernel}, stride {stride}"
    weights = make.weights((out, *kernel, x.shape[3]))
    sums = make.transpose_conv2d(x, weights, make.bias(out), out_pad=(0, 0, 0, 0), stride=stride)
    make.output(make.requantise(sums, "int16", deviation_of("int16", kernel[0] * kernel[1] * x.shape[3] / 2)))


def depthwise_int16(make: Maker) -> None:
    kernel, stride = (make.integer(1, 9), make.integer(1, 9)), (make.integer(1, 3), make.integer(1, 3))
    dilation = (make.choose(1, 1, 2), make.choose(1, 1, 2))
    x = make.activation((1, make.size() + 16, make.size() + 16, make.choose(1, 5, 16, 33)), "int16")
    pad = []
    for axis in (0, 1):
        reach = (kernel[axis] - 1) * dilation[axis]
        pad += [reach // 2, -(x.shape[1 + axis] + reach // 2 - reach - 1) % stride[axis]]
    multiplier = make.choose(1, 1, 2)
    weights = make.weights((*kernel, x.shape[3], multiplier))
    bias = make.bias(x.shape[3] * multiplier)
    places = (pad[0], pad[1], pad[2], pad[3])
    sums = make.depthwise_conv2d(x, weights, bias, pad=places, stride=stride, dilation=dilation)
    make.output(make.requantise(sums, "int16", deviation_of("int16", kernel[0] * kernel[1])))


def large_window(make: Maker) -> None:
    """Kernels and strides that one operation does not have, so accumulators are kept."""
    kind, dtype = make.choose("conv", "conv", "depthwise", "average", "max"), make.choose("int8", "int8", "int16")
    kernel = make.choose((9, 9), (33, 2), (3, 40), (17, 17), (65, 1), (12, 5))
    stride = make.choose((1, 1), (4, 4), (5, 3), (7, 1), (1, 6), (4, 2))
    places = [make.integer(0, 3), make.integer(0, 3)]
    size = [extent + step * place for extent, step, place in zip(kernel, stride, places, strict=True)]
    x = make.activation((1, *size, make.choose(1, 3, 8, 17)), dtype)
    make.what = f"{kind} {dtype}, kernel {kernel}, stride {stride}"
    zero, none = make.zero_point(dtype), (0, 0, 0, 0)
    if kind == "average":
        make.output(make.avg_pool2d(x, kernel, stride, none, zero, zero))
    elif kind == "max":
        make.output(make.max_pool2d(x, kernel, stride, none))
    elif kind == "depthwise":
        weights = make.weights((*kernel, x.shape[3], 1))
        sums = make.depthwise_conv2d(x, weights, make.bias(x.shape[3]), stride=stride, zero_point=zero)
        make.output(make.requantise(sums, dtype, deviation_of(dtype, kernel[0] * kernel[1])))
    else:
        out = make.choose(1, 4, 17)
        weights = make.weights((out, *kernel, x.shape[3]))
        sums = make.conv2d(x, weights, make.bias(out), stride=stride, zero_point=zero)
        make.output(make.requantise(sums, dtype, deviation_of(dtype, kernel[0] * kernel[1] * x.shape[3])))


def _sparse(make: Maker, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Return weights of which each four neighbouring channels have at most two that are not 0."""
    values = make.generator.integers(-127, 127, shape, endpoint=True)
    groups = np.where(values == 0, 1, values).reshape(*shape[:-1], shape[-1] // 4, 4)
    groups[make.generator.random(groups.shape).argsort(axis=-1) < 2] = 0
    return groups.reshape(shape).astype(np.int8)


def conv2d_sparse(make: Maker) -> None:
    dtype = make.choose("int8", "int8", "int16")
    channels, out = make.choose(16, 32, 64, 128, 144, 272), make.choose(8, 16, 33, 64)
    kernel = make.choose(1, 1, 3, 2)
    make.what = f"{dtype}, {channels} to {out} channels, kernel {kernel}"
    x = make.activation((1, make.integer(1, 7), make.integer(1, 7), channels), dtype)
    weights = _sparse(make, (out, kernel, kernel, channels))
    make.output(_convolved(make, x, out, kernel, make.zero_point(dtype), weights))


def conv2d_few_weights(make: Maker) -> None:
    """Weights with few different values, which have codings of their own, or with a zero point."""
    channels, out = make.choose(32, 64, 200, 513), make.choose(16, 64, 130)
    kernel, dtype = make.choose(1, 1, 1, 3), make.choose("int8", "int8", "int16")
    size = make.choose(1, 1, 3) if kernel == 1 else 3
    count, zero = make.choose(2, 4, 9, 16, 17, 200), make.choose(0, 0, make.integer(-128, 127))
    make.what = f"{dtype}, {channels} to {out} channels, kernel {kernel}, {count} weights, zero point {zero}"
    x = make.activation((1, size, size, channels), dtype)
    values = make.generator.choice(np.arange(-127, 128), count, replace=False)
    weights = make.generator.choice(values, (out, kernel, kernel, channels)).astype(np.int8)
    in_zero, pad = make.zero_point(dtype), (0, 0, 0, 0)
    bias = make.bias(out)
    sums = make.conv2d(x, weights, bias, pad=pad, zero_point=in_zero, weight_zero_point=zero)
    make.output(make.requantise(sums, dtype, deviation_of(dtype, kernel * kernel * channels)))


def matmul_int16(make: Maker) -> None:
    n, rows, inner, columns = make.choose(1, 2), make.choose(1, 9, 17), make.channels(), make.choose(1, 5, 16, 33)
    a, b = make.activation((n, rows, inner), "int16"), make.activation((n, inner, columns), "int16")
    sums = make.matmul(a, b)
    per_channel = make.chance(0.2) and columns > 1
    make.what = "a scale per channel" if per_channel else "one scale"
    make.output(make.requantise(sums, "int16", 19000.0**2 * inner**0.5, per_channel=per_channel))


def reduce_sum_int16(make: Maker) -> None:
    """A sum of 16-bit elements.

    Vela 5.1 gives it 32-bit accumulators. With wider ones, Arm's model is reported to answer zero.
    """
    x = make.activation(make.map_shape(), "int16")
    axis = make.integer(1, 3)
    multipliers, shifts = make.factors(make.choose(1.0, 1.0, 3.0))
    if make.chance(0.5):
        multipliers, shifts = [1 << 30], [30]
    total = make.reduce("sum", make.rescale(x, "int32", multipliers, shifts), axis)
    make.what = f"axis {axis} of {x.shape}"
    if make.chance(0.4):
        make.output(total)
    else:
        make.output(make.requantise(total, "int16", 19000.0 * x.shape[axis] ** 0.5, per_channel=False))


def reduce_bool(make: Maker) -> None:
    rank = make.choose(2, 3, 4)
    shape = make.map_shape()[4 - rank :]
    x = _condition(make, shape)
    make.output(make.reduce(make.choose("all", "any"), x, make.integer(0, rank - 1)))


def argmax_any(make: Maker) -> None:
    rank = make.choose(2, 3, 4)
    shape = (1, make.integer(2, 12), make.integer(2, 12), make.integer(2, 70))[4 - rank :]
    x = make.activation(shape, make.choose("int8", "int16"), make.choose(None, 2))
    axis = make.integer(0, rank - 1)
    make.what = f"{x.dtype}, axis {axis} of {shape}"
    make.output(make.argmax(x, axis))


def fused_sum(make: Maker) -> None:
    """A convolution's sums plus another map in 32 bits, which can start its accumulators."""
    x = make.activation((1, make.size(), make.size(), make.choose(4, 8, 17)))
    out, kernel = make.choose(4, 8, 17, 32), make.choose(1, 3)
    before = (kernel - 1) // 2
    pad = (before, kernel - 1 - before) * 2
    weights, zero = make.weights((out, kernel, kernel, x.shape[3])), make.zero_point()
    sums = make.conv2d(x, weights, make.bias(out), pad=(pad[0], pad[1], pad[2], pad[3]), zero_point=zero)
    if make.chance(0.5):
        other = make.activation(sums.shape, "int32", 1 << 20)
    else:
        y = make.activation(x.shape)
        weights = make.weights((out, 1, 1, x.shape[3]))
        other = make.conv2d(y, weights, make.bias(out), zero_point=make.zero_point())
    total = make.binary("add", *((sums, other) if make.chance(0.5) else (other, sums)))
    make.output(
        make.requantise(total, "int8", 2 * deviation_of("int8", kernel * kernel * x.shape[3]), per_channel=False)
    )


# -- small graphs ----------------------------------------------------------------------------------


def residual_int16(make: Maker) -> None:
    x = make.activation((1, make.size() + 2, make.size() + 2, make.choose(3, 8, 16)), "int16")
    y = _convolved(make, x, make.choose(8, 17), 3)
    z = _convolved(make, y, y.shape[3], make.choose(1, 3))
    wide = [make.rescale(part, "int32", [1 << 30], [30 - 12]) for part in (y, z)]
    multipliers, shifts = make.factors(1.0 / (1 << 12))
    make.output(make.rescale(make.binary("add", *wide), "int16", multipliers, shifts))


def _softmax(make: Maker, x: Tensor, dtype: str) -> Tensor:
    """The last axis of scores as shares of 2**7 or 2**15."""
    axis = len(x.shape) - 1
    unit = make.rescale(x, "int32", *_UNIT)
    top = make.rescale(make.reduce("max", x, axis), "int32", *_UNIT)
    bits = 8 if x.dtype == "int8" else 0
    difference = make.rescale(make.binary("sub", unit, top), "int16", [1 << 30], [30 - bits + 1])
    exponentials = np.round(32767 * np.exp(np.minimum(np.arange(-256, 257) / 256 * 8.0, 0)))
    values = make.table(difference, exponentials)
    seven, one = (make.constant(np.full((1,) * len(x.shape), number), "int32") for number in (7, 1))
    narrow = make.arithmetic_right_shift(values, seven, rounded=True)
    total = make.reduce("sum", narrow, axis)
    room = make.binary("sub", make.unary("clz", total), one)
    mantissa = make.binary("logical_left_shift", total, room)
    sixteen = make.rescale(mantissa, "int16", [1 << 30], [46])
    # 1 / m for a mantissa m between 16384 and 32767.
    points = np.minimum(np.arange(-256, 257) * 128, 32767).astype(np.float64)
    reciprocal = make.table(sixteen, np.round(np.clip((1 << 28) / np.maximum(points, 16384), 0, 32767)))
    product = make.mul(make.rescale(narrow, "int32", [1 << 30], [38]), make.rescale(reciprocal, "int32", *_UNIT))
    by = make.binary("sub", make.constant(np.full((1,) * len(x.shape), 31), "int32"), room)
    return make.rescale(
        make.arithmetic_right_shift(product, by, rounded=True),
        dtype,
        [1 << 30],
        [34 if dtype == "int8" else 27],
        out_zero_point=-128 if dtype == "int8" else 0,
    )


def softmax_whole(make: Maker) -> None:
    rows, classes = make.choose(1, 5, 16), make.choose(2, 10, 33)
    dtype = make.choose("int8", "int16")
    make.output(_softmax(make, make.activation((1, rows, classes), dtype), dtype))


def layer_norm(make: Maker) -> None:
    """Mean, difference, square, mean, table of the reciprocal root, product."""
    rows, width = make.choose(1, 6, 17), make.choose(8, 20, 33)
    x = make.activation((1, rows, width))
    zero = make.zero_point()
    wide = make.rescale(x, "int32", [1 << 30], [22], zero_point=zero)
    multipliers, shifts = make.factors(1.0 / width)
    mean = make.rescale(make.reduce("sum", wide, 2), "int32", multipliers, shifts)
    centred = make.rescale(make.binary("sub", wide, mean), "int16", [1 << 30], [32])
    squares = make.rescale(make.mul(centred, centred), "int32", [1 << 30], [40])
    multipliers, shifts = make.factors(4.0 / width)
    variance = make.rescale(make.reduce("sum", squares, 2), "int16", multipliers, shifts)
    roots = np.round(32767 / np.sqrt(np.maximum(np.arange(-256, 257) * 128, 1)))
    scale = make.rescale(make.table(variance, roots), "int16", [1 << 30], [37])
    product = make.mul(centred, scale)
    make.output(make.requantise(product, "int8", 3.0e6, per_channel=False))


def attention(make: Maker) -> None:
    """Projections, heads by transposition, scores, softmax, and the weighted sum."""
    tokens, heads, width = make.choose(4, 9, 17), make.choose(1, 2, 3), make.choose(4, 8, 16)
    x = make.activation((1, tokens, 1, heads * width))
    make.what = "one head" if heads == 1 else "several heads"
    parts = []
    for _ in range(3):
        projected = _convolved(make, x, heads * width, 1, out_zero_point=0)
        split = make.reshape(projected, (1, tokens, heads, width))
        parts.append(make.reshape(make.transpose(split, (0, 2, 1, 3)), (heads, tokens, width)))
    query, key, value = parts
    scores = make.matmul(query, make.transpose(key, (0, 2, 1)))
    narrow = make.requantise(scores, "int8", 80.0 * 80.0 * width**0.5, per_channel=False, zero_point=0)
    shares = _softmax(make, narrow, "int8")
    mixed = make.requantise(make.matmul(shares, value, -128), "int8", 128.0 * 60.0, per_channel=False, zero_point=0)
    joined = make.transpose(make.reshape(mixed, (1, heads, tokens, width)), (0, 2, 1, 3))
    make.output(_convolved(make, make.reshape(joined, (1, tokens, 1, heads * width)), heads * width, 1))


def mixed_cascade(make: Maker) -> None:
    """Convolutions, pools and sums of large maps through small memory, with rolling buffers."""
    x = make.activation((1, make.integer(30, 50), make.integer(30, 50), make.choose(3, 8)))
    for _ in range(make.integer(2, 3)):
        way = make.integer(0, 3)
        if way == 0:
            x = make.max_pool2d(x, (3, 3), (1, 1), (1, 1, 1, 1))
        elif way == 1:
            y = _convolved(make, x, x.shape[3], 3)
            wide = [make.rescale(part, "int32", *make.factors(float(1 << 20))) for part in (x, y)]
            x = make.rescale(make.binary("add", *wide), "int8", *make.factors(1.0 / (1 << 20)))
        elif way == 2:
            weights = make.weights((3, 3, x.shape[3], 1))
            sums = make.depthwise_conv2d(x, weights, make.bias(x.shape[3]), pad=(1, 1, 1, 1))
            x = make.requantise(sums, "int8", deviation_of("int8", 9))
        else:
            x = make.table(
                _convolved(make, x, make.choose(8, 12), 3), make.generator.integers(-128, 127, 256, endpoint=True)
            )
    make.output(_convolved(make, x, 8, 3))


U85_FAMILIES: dict[str, Callable[[Maker], None]] = {
    function.__name__: function
    for function in (
        bitwise,
        logical,
        comparison,
        select,
        where,
        intdiv,
        shifts_narrow,
        broadcast_add_sub,
        broadcast_mul,
        broadcast_int32,
        leaky_relu,
        elementwise_chain,
        negate_scaled,
        cast,
        rescale_wide,
        rescale_unsigned,
        table_chain,
        gather,
        scatter,
        transpose_any,
        transposed_convolution_output,
        reverse_any,
        tile_any,
        resize_odd,
        transpose_conv2d_int16,
        depthwise_int16,
        large_window,
        conv2d_sparse,
        conv2d_few_weights,
        matmul_int16,
        reduce_sum_int16,
        reduce_bool,
        argmax_any,
        fused_sum,
        residual_int16,
        softmax_whole,
        layer_norm,
        attention,
        mixed_cascade,
    )
}

ALL_FAMILIES = FAMILIES | U85_FAMILIES


def make_u85_case(family: str, number: int, seed: int = 0) -> Case:
    seeds = (seed, zlib.crc32(family.encode()), number)
    at = number + seeds[1]
    npu, options = NPUS[at % len(NPUS)], _OPTIONS[at % len(_OPTIONS)]
    return draw_case(f"{PREFIX}{family}-{number}", family, ALL_FAMILIES[family], npu, options, seeds)


def case_of(name: str) -> Case:
    """Return the case with a name as in fixed_cases.py."""
    family, number = name.removeprefix(PREFIX).rsplit("-", 1)
    return (make_u85_case if name.startswith(PREFIX) else make_case)(family, int(number))
