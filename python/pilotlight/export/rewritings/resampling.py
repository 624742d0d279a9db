# SPDX-License-Identifier: Apache-2.0
"""Rewrites interpolation as a fixed filter or as products with fixed weights.

The U55 and U65 can only repeat rows and columns 2, 4 or 8 times. Bilinear interpolation by these
factors is repetition and a filter. All others are `linear` along each axis, with the operator's
result for the identity matrix as weights.
"""

from __future__ import annotations

from typing import Any

import torch

from pilotlight.export.rewritings.rewriting import Function, Rewriting, shape_of

_aten = torch.ops.aten

_REPEATED = (2, 4, 8)


def _interpolated(node: Any) -> Function | None:
    """Rewrite bilinear, bicubic or linear interpolation."""
    factor = _factor(node)
    if node.target is _aten.upsample_bilinear2d.vec and factor in _REPEATED and not node.args[2]:
        return _filtered(shape_of(node), factor)
    return _multiplied(node)


def _repeated(node: Any) -> Function | None:
    """Rewrite nearest-neighbour interpolation, unless the NPU supports this factor."""
    if node.target is _aten.upsample_nearest2d.vec and _factor(node) in _REPEATED:
        return None
    return _multiplied(node)


def _factor(node: Any) -> int:
    """Return the factor by which both axes of a plane grow.

    Returns 0 if the factor is not an integer, if it differs between the axes, or if the batch size
    is not one.
    """
    before, after = shape_of(node)[-2:], node.meta["val"].shape[-2:]
    factor = int(after[0]) // before[0]
    given = node.args[-1]
    if isinstance(given, list | tuple) and any(value != factor for value in given):
        # The given factor is not an integer. The size is rounded, but positions use the exact
        # factor.
        return 0
    same = tuple(after) == (before[0] * factor, before[1] * factor)
    return factor if same and shape_of(node)[0] == 1 else 0


def _filtered(shape: tuple[int, ...], factor: int) -> Function:
    """Repeat rows and columns, then average with a window of [1, 2, ..., 2, 1] / (2 x factor).

    The operator repeats the outermost values at the border, so these are added once on each side.
    """
    channels, height, width = shape[1:]
    ramp = torch.full((factor + 1,), 1.0 / factor)
    ramp[0] = ramp[-1] = 0.5 / factor
    kernel = torch.outer(ramp, ramp).expand(channels, 1, -1, -1).contiguous()

    def bordered(x: Any, axis: int, size: int) -> Any:
        ends = (_aten.slice.Tensor(x, axis, 0, 1), _aten.slice.Tensor(x, axis, size - 1, size))
        return _aten.cat.default([ends[0], x, ends[1]], axis)

    def compute(x: Any) -> Any:
        x = bordered(bordered(x, 2, height), 3, width)
        x = _aten.upsample_nearest2d.vec(x, None, [float(factor), float(factor)])
        x = _aten.conv2d.default(x, kernel, None, [1, 1], [0, 0], [1, 1], channels)
        for axis, size in ((2, height), (3, width)):
            x = _aten.slice.Tensor(x, axis, factor // 2, factor // 2 + size * factor)
        return x

    return compute


def _multiplied(node: Any) -> Function | None:
    """Return a product with fixed weights along each axis whose size changes."""
    before, after = shape_of(node), tuple(node.meta["val"].shape)
    axes = [axis for axis in range(2, len(before)) if before[axis] != after[axis]]
    if not axes:
        return None
    weights = {axis: _weights(node, axis) for axis in axes}
    last = len(before) - 1

    def compute(x: Any) -> Any:
        for axis in axes:
            if axis != last:
                x = _aten.transpose.int(x, axis, last)
            x = _aten.linear.default(x, weights[axis])
            if axis != last:
                x = _aten.transpose.int(x, axis, last)
        return x

    return compute


def _weights(node: Any, axis: int) -> Any:
    """Return the weights [after, before] of one axis: the operator's result for an identity."""
    before, after = shape_of(node), tuple(node.meta["val"].shape)
    spatial = len(before) - 2
    shape = [1, before[axis], *(1,) * spatial]
    shape[axis] = before[axis]
    ones = torch.eye(before[axis]).reshape(shape)
    sizes: Any = [after[axis] if dimension == axis else 1 for dimension in range(2, len(before))]
    factors = node.args[-1]
    if isinstance(factors, list | tuple):
        factors = [factors[dimension - 2] if dimension == axis else 1.0 for dimension in range(2, len(before))]
        sizes = None
    with torch.no_grad():
        grown = node.target(ones, sizes, *node.args[2:-1], factors)
    return grown.reshape(before[axis], after[axis]).t().contiguous()


REWRITINGS = (
    Rewriting(
        (_aten.upsample_bilinear2d.vec, _aten.upsample_bicubic2d.vec, _aten.upsample_linear1d.vec),
        _interpolated,
        "an interpolation as a filter or as products with fixed weights",
        "the NPU can only repeat values",
        rounds=True,
    ),
    Rewriting(
        (_aten.upsample_nearest2d.vec, _aten.upsample_nearest1d.vec),
        _repeated,
        "a repetition as products with fixed weights",
        "the NPU repeats values 2, 4 or 8 times, along both axes of a plane",
    ),
)
