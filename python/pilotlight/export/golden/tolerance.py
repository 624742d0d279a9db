# SPDX-License-Identifier: Apache-2.0
"""How far the device may be from the golden outputs if CPU operators compute in float.

Moving, comparing and adding floats gives the same bits everywhere; tanh and long sums do not. So
the golden outputs are computed again with noise of a few last places in the results of such
operators. The differences that this causes set the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from executorch.exir.delegate import executorch_call_delegate
from numpy.typing import NDArray

from pilotlight.bundle import EXACT, TensorInfo, Tolerance
from pilotlight.export.lowering.tensor_io import target_name

# Relative noise, about eight units in the last place of a float32. It applies to the sum of the
# value's size and the tensor's root mean square.
NOISE = 2.0**-20
# The permitted difference in multiples of the noise's effect, and the smallest permitted share and
# difference.
_MARGIN = 2.0
_LEAST_SHARE = 0.01
_LEAST_LAST_PLACES = 16

# Operators with one IEEE 754 rounding, or none.
_EXACT_NAMES = """
    abs add alias_copy amax amin any all arange argmax argmin as_strided_copy bitwise_and bitwise_not bitwise_or
    bitwise_xor cat ceil clamp clone constant_pad_nd copy detach_copy div embedding empty eq expand_copy fill flip floor
    full full_like gather ge gt hardtanh index index_put index_select isinf isnan le leaky_relu logical_and logical_not
    logical_or logical_xor lt masked_fill max max_pool2d_with_indices maximum min minimum mul ne neg ones ones_like
    permute_copy pixel_shuffle pixel_unshuffle reciprocal relu repeat round rsub scalar_tensor scatter select_copy
    select_scatter sign slice_copy slice_scatter split_copy split_with_sizes_copy sort sqrt squeeze_copy stack sub
    t_copy topk transpose_copy trunc unbind_copy unfold_copy unsqueeze_copy upsample_nearest2d view_copy where zeros
    zeros_like
"""
_EXACT = frozenset(_EXACT_NAMES.split())
_EXACT_NAMESPACES = ("quantized_decomposed", "dim_order_ops")


def rounds_its_own_way(node: Any) -> bool:
    """Whether two correct implementations of the CPU operator may differ in the last places."""
    name = target_name(node)
    if not name or node.target is executorch_call_delegate or getattr(node.target, "__name__", "") == "getitem":
        return False
    namespace, _, rest = name.partition(".")
    if namespace in _EXACT_NAMESPACES or rest.partition(".")[0] in _EXACT:
        return False
    values = node.meta.get("val")
    several = values if isinstance(values, tuple | list) else (values,)
    return any(isinstance(value, torch.Tensor) and value.is_floating_point() for value in several)


def reaches(program: Any, outputs: Sequence[Any]) -> list[bool]:
    """Return whether each node in `outputs` depends on an operator that rounds its own way."""
    touched: set[Any] = set()
    for node in program.graph.nodes:
        if rounds_its_own_way(node) or any(source in touched for source in node.all_input_nodes):
            touched.add(node)
    return [node in touched for node in outputs]


def noisy(value: Any, generator: Any) -> Any:
    """Return an operator's result with noise, as another implementation might compute it."""
    if isinstance(value, tuple | list):
        return type(value)(noisy(one, generator) for one in value)
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or not value.numel():
        return value
    size = value.abs() + value.square().mean().sqrt().nan_to_num(posinf=0.0)
    return value + size.nan_to_num(posinf=0.0) * NOISE * (2 * torch.rand(value.shape, generator=generator) - 1)


@dataclass
class Spread:
    """The effect of the noise on one output. range: its largest absolute value."""

    info: TensorInfo
    largest: float = 0.0
    differing: int = 0
    values: int = 0
    range: float = field(default=0.0)

    def add(self, golden: NDArray[Any], with_noise: NDArray[Any]) -> None:
        finite = np.isfinite(golden.astype(np.float64)) & np.isfinite(with_noise.astype(np.float64))
        difference = np.abs(golden[finite].astype(np.float64) - with_noise[finite])
        self.largest = max(self.largest, float(difference.max(initial=0.0)))
        self.differing += int(np.count_nonzero(difference))
        self.values += int(golden.size)
        self.range = max(self.range, float(np.abs(golden[finite].astype(np.float64)).max(initial=0.0)))

    def tolerance(self) -> Tolerance:
        """Return the tolerance.

        Floats: all values may differ. Quantised: few values, by one step or more. Other integers
        and Booleans: none.
        """
        if self.info.scale:
            share = max(_LEAST_SHARE, _MARGIN * self.differing / max(self.values, 1))
            return Tolerance(float(max(1, math.ceil(_MARGIN * self.largest))), min(1.0, share))
        if np.dtype(self.info.dtype).kind != "f":
            return EXACT
        last_place = float(np.spacing(np.float32(self.range)))
        return Tolerance(max(_MARGIN * self.largest, _LEAST_LAST_PLACES * last_place), 1.0)
