# SPDX-License-Identifier: Apache-2.0
"""The inputs that upstream's test of all operators gives to each recipe.

Source: pytorch/executorch, backends/arm/cmsis_pack/test/all_ops/op_recipes.py (pull request 21709).
A float input is a ramp: equal steps from a low to a high value over all its elements. Weights are
ones, biases of norms zeros. Upstream has two further shapes, which are in KEYS only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from operator_recipes import RECIPES, Recipe, Tensor
from torch import nn

Ramp = tuple[float, float]

_ONE: Ramp = (-1.0, 1.0)
_TWO: Ramp = (-2.0, 2.0)
_THREE: Ramp = (-3.0, 3.0)
_POSITIVE: Ramp = (0.1, 4.0)

# Of all float inputs that are not listed below.
_DEFAULT = _ONE
_RAMPS: dict[str, tuple[Ramp, ...]] = {
    **{
        f"portable/{name}": (_TWO,)
        for name in (
            *("abs", "asinh", "conj_physical", "cosh", "erf", "exp", "expm1", "neg", "relu", "sign", "sinh"),
            *("clamp", "glu", "masked_fill", "sum", "mean", "amax", "amin", "prod", "argmax", "argmin", "var"),
            *("var_mean", "max", "min", "cumsum", "softmax", "log_softmax", "topk", "to_copy"),
            *("native_layer_norm", "native_group_norm", "native_batch_norm"),
        )
    },
    **{f"portable/{name}": ((-0.9, 0.9),) for name in ("acos", "asin", "atanh")},
    **{f"portable/{name}": (_THREE,) for name in ("atan", "cos", "sin", "tanh", "gelu", "elu", "hardtanh")},
    **{f"portable/{name}": ((-2.5, 2.5),) for name in ("ceil", "floor", "round", "trunc")},
    **{f"portable/{name}": (_POSITIVE,) for name in ("log", "log10", "log2")},
    "portable/acosh": ((1.1, 3.0),),
    "portable/log1p": ((-0.5, 4.0),),
    "portable/reciprocal": ((0.2, 3.0),),
    "portable/rsqrt": ((0.2, 4.0),),
    "portable/sigmoid": ((-4.0, 4.0),),
    "portable/sqrt": ((0.0, 4.0),),
    "portable/tan": (_ONE,),
    "portable/logit": ((0.1, 0.9),),
    "portable/leaky_relu": (_THREE,),
    **{
        f"portable/{name}": (_TWO, (1.0, 2.0))
        for name in ("add", "sub", "mul", "div", "atan2", "maximum", "minimum", "fmod", "remainder", "rsub")
    },
    "portable/pow": ((0.5, 2.0), (1.0, 2.0)),
    **{f"portable/{name}": (_TWO, _ONE) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{f"portable/{name}": ((0.0, 1.0), (2.0, 3.0)) for name in ("where", "cat", "stack")},
    "portable/full_like": ((0.0, 1.0),),
    "portable/fill": ((0.0, 1.0),),
    "portable/copy": (_ONE, (2.0, 3.0)),
    **{f"cortex_m/{name}": (_TWO, _ONE) for name in ("quantized_add", "quantized_mul", "maximum", "minimum")},
    **{
        f"cortex_m/{name}": (_TWO,)
        for name in ("quantized_linear", "softmax", "transpose", "pad", "quantize_per_tensor", "dequantize_per_tensor")
    },
    **{
        f"cortex_m/{name}": ((1.0, 5.0),)
        for name in ("quantized_conv2d", "quantized_depthwise_conv2d", "quantized_transpose_conv2d")
    },
    "cortex_m/quantized_avg_pool2d": ((0.0, 15.0),),
    "cortex_m/quantized_max_pool2d": ((-50.0, 50.0),),
}

_YES, _NO = True, False
# Inputs that are no ramps, by their place among the inputs.
_EXACT: dict[str, dict[int, list[Any]]] = {
    "portable/isinf": {0: [1.0, float("inf")]},
    "portable/isnan": {0: [1.0, float("nan")]},
    "portable/logical_not": {0: [_YES, _NO]},
    **{f"portable/logical_{name}": {0: [_YES, _NO, _YES], 1: [_YES, _YES, _NO]} for name in ("and", "or", "xor")},
    "portable/bitwise_not": {0: [1, 2, 3]},
    **{
        f"portable/{name}": {0: [1, 2, 6], 1: [1, 1, 2]}
        for name in (
            *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"),
            "floor_divide",
        )
    },
    "portable/where": {0: [_YES, _NO, _YES]},
    "portable/masked_fill": {1: [_YES, _NO, _YES, _NO, _YES, _NO]},
}
# Layers whose constants are ones; other layers with constants are norms, with their usual ones.
_BIASES_OF_NORMS = {"native_layer_norm": (3,), "native_group_norm": (3,), "native_batch_norm": (2, 3)}


def module(key: str) -> nn.Module:
    """Return the recipe's module with upstream's constants."""
    if key in _OTHERWISE:
        return _OTHERWISE[key][0]().eval()
    recipe = RECIPES[key]
    built = recipe.module()
    for name, value in built.named_buffers():
        argument = recipe.arguments[int(name.rpartition("_")[2])]
        if isinstance(argument, Tensor):
            value.fill_(0.0 if int(name.rpartition("_")[2]) in _BIASES_OF_NORMS.get(recipe.name, ()) else 1.0)
    return built


def inputs(key: str) -> tuple[torch.Tensor, ...]:
    """Return upstream's inputs of the recipe."""
    drawn = _inputs(key)
    if not (key.startswith("cortex_m/") and "conv" in key):
        return drawn
    return tuple(value.to(memory_format=torch.channels_last) for value in drawn)


def _inputs(key: str) -> tuple[torch.Tensor, ...]:
    if key in _OTHERWISE:
        return tuple(_ramp(ends, shape) for ends, shape in _OTHERWISE[key][1])
    recipe, exact = RECIPES[key], _EXACT.get(key, {})
    places = _places(recipe)
    floats = [place for place in range(len(places)) if place not in exact]
    ramps = dict(zip(floats, _RAMPS.get(key, (_DEFAULT,) * len(floats)), strict=True))
    return tuple(
        torch.tensor(exact[place], dtype=tensor.dtype).reshape(tensor.shape)
        if place in exact
        else _ramp(ramps[place], tensor.shape)
        for place, tensor in enumerate(places)
    )


class _Convolution(nn.Module):
    """A convolution with weights of ones and without bias."""

    def __init__(self, channels: int, out: int, kernel: tuple[int, int], padding: tuple[int, int], groups: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(channels, out, kernel, padding=padding, groups=groups, bias=False)
        self.layer.weight.data.fill_(1.0)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.layer(image)
        return result


class _AnyAboveZero(nn.Module):
    """Our recipe begins with the result of the comparison."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.any(values > 0, dim=1)


class _AddMm(nn.Module):
    """Our recipe has constants where upstream's has inputs."""

    def forward(self, bias: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        return torch.addmm(bias, rows, columns)


# Recipes that upstream writes otherwise: module, and ramp and shape of each input.
_IMAGE: Ramp = (1.0, 5.0)
_OTHERWISE: dict[str, tuple[Callable[[], nn.Module], tuple[tuple[Ramp, tuple[int, ...]], ...]]] = {
    "cortex_m/quantized_depthwise_conv2d_deep": (
        lambda: _Convolution(384, 384, (5, 5), (2, 2), 384),
        ((_IMAGE, (1, 384, 6, 6)),),
    ),
    "cortex_m/quantized_conv2d_1xn_pad": (
        lambda: _Convolution(4, 8, (1, 5), (0, 2), 1),
        ((_IMAGE, (1, 4, 1, 16)),),
    ),
    "portable/any": (_AnyAboveZero, ((_TWO, (3, 4)),)),
    "portable/addmm": (_AddMm, (((0.0, 1.0), (2,)), (_ONE, (3, 4)), (_ONE, (4, 2)))),
}

# Without those that upstream does not run on this NPU: three do not compile, one did not.
KEYS = tuple(
    key
    for key in (*RECIPES, *(key for key in _OTHERWISE if key not in RECIPES))
    if key not in ("portable/isnan", "portable/max", "portable/min", "portable/select_scatter")
)


def _ramp(ends: Ramp, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.linspace(*ends, int(torch.Size(shape).numel())).reshape(shape)


def _places(recipe: Recipe) -> list[Tensor]:
    return _flat(recipe.arguments)


def _flat(arguments: Sequence[Any]) -> list[Tensor]:
    found: list[Tensor] = []
    for argument in arguments:
        if isinstance(argument, list) and argument and isinstance(argument[0], Tensor):
            found += _flat(argument)
        elif isinstance(argument, Tensor) and argument.kind == "input":
            found.append(argument)
    return found
