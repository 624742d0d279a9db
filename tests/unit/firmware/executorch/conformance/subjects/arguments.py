# SPDX-License-Identifier: Apache-2.0
"""Every kind of argument that an operator can have, and an operator that has all of them."""

from __future__ import annotations

import torch
from executorch.exir import ExecutorchProgramManager

from .authoring import method, program

_SCHEMA = (
    "(Tensor x, Tensor? bias, int count, float factor, bool flag, str mode, int[] dims, bool[] flags, float[] weights,"
    " Tensor[] parts, Tensor?[] maybe, int? no_int, float? no_float, bool? no_flag, str? no_mode, int[]? no_dims,"
    " float[]? no_weights, ScalarType? dtype, Scalar scalar, Scalar? no_scalar"
)
_LIBRARY = torch.library.Library("conformance", "DEF")
_LIBRARY.define(f"everything{_SCHEMA}) -> Tensor")
_LIBRARY.define(f"everything.out{_SCHEMA}, *, Tensor(a!) out) -> Tensor(a!)")
_LIBRARY.define("pieces(Tensor x) -> Tensor[]")
_LIBRARY.define("pieces.out(Tensor x, *, Tensor(a!)[] out) -> ()")
_LIBRARY.define("pair(Tensor x) -> (Tensor, Tensor)")
_LIBRARY.define("pair.out(Tensor x, *, Tensor(a!) first, Tensor(b!) second) -> (Tensor(a!), Tensor(b!))")
for _name, _function in (
    ("everything", lambda x, *_: torch.empty_like(x)),
    ("pieces", lambda x: [x.new_empty(2), x.new_empty(3, 2)]),
    ("pair", lambda x: (x.new_empty(4), x.new_empty(2, 2, dtype=torch.int32))),
):
    _LIBRARY.impl(_name, _function, "CompositeExplicitAutograd")


def every_kind_of_argument() -> ExecutorchProgramManager:
    def call(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.ops.conformance.everything(
            x, None, -(2**40), 0.1, True, "grüße", [3, -1], [True, False, True], [0.5, -2.25, 1e300], [x, y, x],
            [None, y], None, None, None, None, None, None, torch.int32, 7, None
        ) + torch.ops.conformance.everything(
            x, y, 3, 0.0, False, "", [], [], [], [y], [x, None, y], 4, 0.25, True, "mode", [1], [2.0], None, 1.5, 2
        )  # fmt: skip

    return program(method(call, torch.rand(2, 3), torch.rand(2, 3)))


def several_outputs_of_one_operator() -> ExecutorchProgramManager:
    def call(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        two, six = torch.ops.conformance.pieces(x)
        four, ints = torch.ops.conformance.pair(x)
        return two + 1, six, four, ints, *x.split(1), *x.unbind(1)

    return program(method(call, torch.rand(2, 3)))


def resampling() -> ExecutorchProgramManager:
    """Lists of doubles from a real operator."""

    def call(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.interpolate(x, scale_factor=(2.0, 1.5), mode="bilinear", align_corners=False)

    return program(method(call, torch.rand(1, 2, 4, 4)))


def optional_tensors() -> ExecutorchProgramManager:
    return program(
        {
            "index": method(lambda x, rows: x[:, :, rows], torch.rand(1, 2, 4, 4), torch.tensor([2, 0])),
            "index_of_two": method(
                lambda x, i, j: x[i, :, j], torch.rand(4, 2, 4), torch.tensor([1, 0]), torch.tensor([0, 3])
            ),
        }
    )


def named_modes() -> ExecutorchProgramManager:
    """Strings from real operators."""
    return program(
        {
            "floor": method(lambda x, y: torch.div(x, y + 5, rounding_mode="floor"), torch.rand(3), torch.rand(3)),
            "trunc": method(lambda x, y: torch.div(x, y + 5, rounding_mode="trunc"), torch.rand(3), torch.rand(3)),
            "gelu": method(lambda x: torch.nn.functional.gelu(x, approximate="tanh"), torch.rand(7)),
        }
    )


CASES = (
    every_kind_of_argument,
    several_outputs_of_one_operator,
    resampling,
    optional_tensors,
    named_modes,
)
