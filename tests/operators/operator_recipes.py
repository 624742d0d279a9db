# SPDX-License-Identifier: Apache-2.0
"""Recipes of single operators: an ATen overload, and the shapes and values of its arguments.

The operators, shapes and arguments are those of upstream's list of operators. Inputs are drawn from
a range in which the operator is defined. Weights and statistics are constants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

_SEED = 5


@dataclass(frozen=True)
class Tensor:
    """An argument that is a tensor. low, high: the range of its values.

    kind: "input", or "weight" for a constant. whole: whether the values are integers.
    """

    shape: tuple[int, ...]
    low: float = -3.0
    high: float = 3.0
    kind: str = "input"
    dtype: torch.dtype = torch.float32

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        if self.dtype is torch.bool:
            return torch.randint(0, 2, self.shape, generator=generator).bool()
        if not self.dtype.is_floating_point:
            return torch.randint(int(self.low), int(self.high) + 1, self.shape, generator=generator, dtype=self.dtype)
        return self.low + (self.high - self.low) * torch.rand(self.shape, generator=generator)


@dataclass(frozen=True)
class Recipe:
    """One operator.

    group: the kernels that run it in upstream's list without an NPU.
    overload: name in torch.ops.aten. arguments: tensors, and other arguments as they are.
    """

    group: str
    name: str
    overload: str
    arguments: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        return f"{self.group}/{self.name}"

    def module(self) -> nn.Module:
        return _Call(self).eval()

    def inputs(self, seed: int = _SEED) -> tuple[torch.Tensor, ...]:
        generator = torch.Generator().manual_seed(seed)
        return tuple(tensor.draw(generator) for tensor in _inputs(self.arguments))


def _inputs(arguments: Sequence[Any]) -> list[Tensor]:
    found = []
    for argument in arguments:
        if isinstance(argument, list) and argument and isinstance(argument[0], Tensor):
            found += _inputs(argument)
        elif isinstance(argument, Tensor) and argument.kind == "input":
            found.append(argument)
    return found


class _Call(nn.Module):
    """Calls the overload with inputs and constants in their places."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        packet, overload = recipe.overload.split(".")
        self._function: Callable[..., Any] = getattr(getattr(torch.ops.aten, packet), overload)
        self._recipe = recipe
        generator = torch.Generator().manual_seed(_SEED + 1)
        for index, argument in enumerate(recipe.arguments):
            if isinstance(argument, Tensor) and argument.kind == "weight":
                self.register_buffer(f"weight_{index}", argument.draw(generator))
            elif isinstance(argument, torch.Tensor):
                self.register_buffer(f"weight_{index}", argument)

    def forward(self, *inputs: torch.Tensor) -> Any:
        left = list(inputs)
        arguments: list[Any] = []
        for index, argument in enumerate(self._recipe.arguments):
            if isinstance(argument, list) and argument and isinstance(argument[0], Tensor):
                arguments.append([left.pop(0) for _ in argument])
            elif isinstance(argument, Tensor) and argument.kind == "input":
                arguments.append(left.pop(0))
            elif isinstance(argument, Tensor | torch.Tensor):
                arguments.append(getattr(self, f"weight_{index}"))
            else:
                arguments.append(argument)
        result = self._function(*arguments, **dict(self._recipe.options))
        return result if isinstance(result, torch.Tensor) else tuple(result)


def _tensor(*shape: int, low: float = -3.0, high: float = 3.0) -> Tensor:
    return Tensor(shape, low, high)


def _weight(*shape: int, low: float = -1.0, high: float = 1.0) -> Tensor:
    return Tensor(shape, low, high, "weight")


def _bools(*shape: int) -> Tensor:
    return Tensor(shape, dtype=torch.bool)


def _integers(*shape: int, low: int = -50, high: int = 50) -> Tensor:
    return Tensor(shape, low, high, dtype=torch.int32)


def _list(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int64)


_SMALL = (2, 3)
_UNARY_RANGES = {
    **dict.fromkeys(("acos", "asin", "atanh"), (-0.9, 0.9)),
    "acosh": (1.1, 4.0),
    **dict.fromkeys(("log", "log10", "log2", "reciprocal", "rsqrt", "sqrt"), (0.2, 4.0)),
    "log1p": (-0.5, 4.0),
    "tan": (-1.2, 1.2),
}
_UNARY = (
    *("abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "conj_physical", "cos", "cosh", "erf", "exp"),
    *("expm1", "floor", "log", "log10", "log1p", "log2", "neg", "reciprocal", "relu", "round", "rsqrt", "sigmoid"),
    *("sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "gelu"),
)
_BINARY = ("add", "sub", "mul", "div", "fmod", "remainder", "rsub", "eq", "ne", "lt", "le", "gt", "ge")
_PADS = {"reflect": "reflection", "replicate": "replication"}


def _portable() -> list[Recipe]:
    def recipe(name: str, overload: str, *arguments: Any, **options: Any) -> Recipe:
        return Recipe("portable", name, overload, arguments, tuple(options.items()))

    two = (_tensor(*_SMALL), _tensor(*_SMALL))
    row, rows = _tensor(3, 4), _tensor(2, 3, 4)
    image = _tensor(1, 2, 8, 8)
    found = [recipe(name, f"{name}.default", Tensor(_SMALL, *_UNARY_RANGES.get(name, (-3.0, 3.0)))) for name in _UNARY]
    found += [recipe(name, f"{name}.Tensor", *two) for name in _BINARY]
    found += [recipe(name, f"{name}.default", *two) for name in ("maximum", "minimum", "atan2")]
    found += [
        recipe(f"logical_{name}", f"logical_{name}.default", _bools(1, 3), _bools(1, 3))
        for name in ("and", "or", "xor")
    ]
    found += [
        recipe(f"bitwise_{name}", f"bitwise_{name}.Tensor", _integers(1, 3), _integers(1, 3))
        for name in ("and", "or", "xor")
    ]
    distance = _integers(1, 3, low=0, high=4)
    found += [
        recipe(f"bitwise_{name}_shift", f"bitwise_{name}_shift.Tensor", _integers(1, 3), distance)
        for name in ("left", "right")
    ]
    found += [recipe(name, f"{name}.dim", row, [1]) for name in ("mean", "var")]
    found += [recipe(name, f"{name}.default", row, [1]) for name in ("amax", "amin")]
    found += [recipe(name, f"{name}.default", row, 1) for name in ("argmax", "argmin", "cumsum")]
    found += [recipe(name, f"{name}.int", row, 1) for name in ("softmax", "log_softmax")]
    found += [recipe(name, f"{name}.dim", row, 1) for name in ("max", "min")]
    for mode, kind in _PADS.items():
        found += [
            recipe(f"{kind}_pad1d", "pad.default", _tensor(1, 3, 6), [1, 1], mode),
            recipe(f"{kind}_pad2d", "pad.default", _tensor(1, 3, 6, 6), [1] * 4, mode),
            recipe(f"{kind}_pad3d", "pad.default", _tensor(1, 3, 4, 6, 6), [1] * 6, mode),
        ]
    small, pair = _tensor(*_SMALL), _tensor(2, 4)
    statistics = _weight(2), _weight(2), _weight(2), _weight(2, low=0.5, high=2.0)
    found += [
        recipe("logit", "logit.default", Tensor(_SMALL, 0.05, 0.95), 1e-6),
        recipe("isinf", "isinf.default", _tensor(1, 2)),
        recipe("isnan", "isnan.default", _tensor(1, 2)),
        recipe("logical_not", "logical_not.default", _bools(1, 2)),
        recipe("bitwise_not", "bitwise_not.default", _integers(1, 3)),
        recipe("pow", "pow.Tensor_Tensor", Tensor(_SMALL, 0.3, 3.0), Tensor(_SMALL, -2.0, 2.0)),
        recipe("floor_divide", "floor_divide.default", _integers(1, 3), _integers(1, 3, low=1, high=9)),
        recipe("clamp", "clamp.default", small, -0.5, 0.5),
        recipe("elu", "elu.default", small, 1.0),
        recipe("hardtanh", "hardtanh.default", small, -1.0, 1.0),
        recipe("leaky_relu", "leaky_relu.default", small, 0.1),
        recipe("glu", "glu.default", pair),
        recipe("where", "where.self", _bools(1, 3), _tensor(1, 3), _tensor(1, 3)),
        recipe("masked_fill", "masked_fill.Scalar", small, _bools(*_SMALL), 0.0),
        recipe("sum", "sum.dim_IntList", row, [1]),
        recipe("prod", "prod.dim_int", row, 1),
        recipe("any", "any.dim", _bools(3, 4), 1),
        recipe("var_mean", "var_mean.dim", row, [1]),
        recipe("mm", "mm.default", row, _tensor(4, 2)),
        recipe("bmm", "bmm.default", rows, _tensor(2, 4, 2)),
        recipe("addmm", "addmm.default", _weight(2), row, _weight(4, 2)),
        recipe("convolution", "conv2d.default", image, _weight(3, 2, 3, 3)),
        recipe("avg_pool2d", "avg_pool2d.default", image, [2, 2], [2, 2]),
        recipe("adaptive_avg_pool2d", "adaptive_avg_pool2d.default", image, [2, 2]),
        recipe("max_pool2d_with_indices", "max_pool2d_with_indices.default", image, [2, 2], [2, 2]),
        recipe("native_layer_norm", "layer_norm.default", pair, [4], _weight(4), _weight(4), 1e-5, False),
        recipe("native_group_norm", "group_norm.default", _tensor(1, 4, 4), 2, _weight(4), _weight(4), 1e-5, False),
        recipe("native_batch_norm", "batch_norm.default", _tensor(1, 2, 4, 4), *statistics, False, 0.1, 1e-5, False),
        recipe("constant_pad_nd", "pad.default", small, [1, 1], "constant", 0.0),
        recipe("upsample_nearest2d", "upsample_nearest2d.vec", _tensor(1, 2, 4, 4), None, [2.0, 2.0]),
        recipe("upsample_bilinear2d", "upsample_bilinear2d.vec", _tensor(1, 2, 4, 4), None, False, [2.0, 2.0]),
        recipe("pixel_shuffle", "pixel_shuffle.default", _tensor(1, 8, 4, 4), 2),
        recipe("pixel_unshuffle", "pixel_unshuffle.default", image, 2),
        recipe("view_copy", "reshape.default", small, [6]),
        recipe("permute_copy", "permute.default", small, [1, 0]),
        recipe("transpose_copy", "transpose.int", small, 0, 1),
        recipe("squeeze_copy", "squeeze.dim", _tensor(1, 3), 0),
        recipe("unsqueeze_copy", "unsqueeze.default", small, 0),
        recipe("expand_copy", "expand.default", _tensor(1, 3), [2, 3]),
        recipe("repeat", "repeat.default", small, [2, 1]),
        recipe("flip", "flip.default", small, [1]),
        recipe("roll", "roll.default", small, [1], [1]),
        recipe("t_copy", "t.default", small),
        recipe("tril", "tril.default", _tensor(3, 3)),
        recipe("diagonal_copy", "diagonal.default", _tensor(3, 3)),
        recipe("narrow_copy", "narrow.default", small, 1, 0, 2),
        recipe("select_copy", "select.int", small, 1, 0),
        recipe("slice_copy", "slice.Tensor", small, 1, 0, 2),
        recipe("unfold_copy", "unfold.default", pair, 1, 2, 1),
        recipe("detach_copy", "detach.default", small),
        recipe("alias_copy", "alias_copy.default", small),
        recipe("clone", "clone.default", small),
        recipe("lift_fresh_copy", "clone.default", small),
        recipe("as_strided_copy", "as_strided.default", small, [2, 2], [3, 1]),
        recipe("repeat_interleave", "repeat_interleave.self_int", small, 2, 1),
        recipe("cat", "cat.default", [_tensor(2, 2), _tensor(2, 2)], 1),
        recipe("stack", "stack.default", [_tensor(2, 2), _tensor(2, 2)]),
        recipe("index_select", "index_select.default", small, 1, _list([0, 2])),
        recipe("gather", "gather.default", small, 1, _list([[0, 1], [2, 0]])),
        recipe("embedding", "embedding.default", _weight(5, 3), _list([[0, 1], [4, 2]])),
        recipe("scatter_add", "scatter_add.default", torch.zeros(2, 3), 1, _list([[0, 1, 2], [2, 0, 1]]), small),
        recipe("full_like", "full_like.default", small, 3.0, pin_memory=False),
        recipe("fill", "fill.Scalar", small, 2.0),
        recipe("topk", "topk.default", pair, 2, 1),
        recipe("split_copy", "split.Tensor", small, 1, 1),
        recipe("split_with_sizes_copy", "split_with_sizes.default", small, [1, 2], 1),
        recipe("unbind_copy", "unbind.int", small),
        recipe("index", "index.Tensor", row, [_list([0, 2])]),
        recipe("index_put", "index_put.default", small, [_list([1])], torch.zeros(3)),
        recipe("scatter", "scatter.src", torch.zeros(2, 3), 1, _list([[0, 1, 2], [2, 0, 1]]), small),
        recipe("select_scatter", "select_scatter.default", small, torch.zeros(3), 0, 0),
        recipe("slice_scatter", "slice_scatter.default", small, torch.zeros(2, 2), 1, 0, 2),
        recipe(
            "masked_scatter",
            "masked_scatter.default",
            small,
            torch.tensor([[True, False] * 3]).reshape(2, 3),
            torch.ones(6),
        ),
        recipe("to_copy", "to.dtype", small, torch.int32),
        recipe("copy", "copy.default", *two),
    ]
    return found


def _cortex_m() -> list[Recipe]:
    def recipe(name: str, overload: str, *arguments: Any) -> Recipe:
        return Recipe("cortex_m", name, overload, arguments)

    row, rows = _tensor(1, 8), _tensor(1, 4, 6)
    return [
        recipe("quantized_add", "add.Tensor", row, row),
        recipe("quantized_mul", "mul.Tensor", row, row),
        recipe("maximum", "maximum.default", row, row),
        recipe("minimum", "minimum.default", row, row),
        recipe("quantized_linear", "linear.default", row, _weight(4, 8)),
        recipe("softmax", "softmax.int", row, 1),
        recipe("transpose", "transpose.int", rows, 1, 2),
        recipe("pad", "pad.default", rows, [1, 1]),
        recipe("quantized_conv2d", "conv2d.default", _tensor(1, 2, 5, 5), _weight(4, 2, 3, 3)),
        recipe(
            "quantized_depthwise_conv2d",
            "conv2d.default",
            _tensor(1, 4, 8, 8),
            _weight(4, 1, 3, 3),
            None,
            [1, 1],
            [0, 0],
            [1, 1],
            4,
        ),
        recipe(
            "quantized_transpose_conv2d",
            "conv_transpose2d.input",
            _tensor(1, 2, 5, 5),
            _weight(2, 4, 3, 3),
            _weight(4),
        ),
        recipe("quantized_avg_pool2d", "avg_pool2d.default", _tensor(1, 1, 4, 4), [2, 2], [2, 2]),
        recipe("quantized_max_pool2d", "max_pool2d.default", _tensor(1, 1, 6, 6), [2, 2], [2, 2]),
        recipe("quantized_batch_matmul", "bmm.default", rows, _tensor(1, 6, 4)),
        recipe("quantize_per_tensor", "add.Tensor", row, 0.0),
        recipe("dequantize_per_tensor", "add.Tensor", row, 0.0),
    ]


RECIPES = {recipe.key: recipe for recipe in (*_portable(), *_cortex_m())}
