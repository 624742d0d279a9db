# SPDX-License-Identifier: Apache-2.0
"""The permitted distance of the device from the golden outputs if CPU operators compute in float.

Moving, comparing and adding floats gives the same bits everywhere; tanh and long sums do not.
firmware/kernels/kernels.yaml says `exact: true` of each kernel that gives PyTorch's bits. The
golden outputs are computed again with noise of a few last places in the results of all other
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

# Relative noise, about eight units in the last place of a float32. The noise applies to the sum of
# the value's size and the tensor's root mean square.
NOISE = 2.0**-20
# The permitted difference in multiples of the noise's effect, and the smallest permitted share and
# difference.
_MARGIN = 2.0
_LEAST_SHARE = 0.01
_LEAST_LAST_PLACES = 16


@dataclass(frozen=True)
class Rounding:
    """Tells which CPU operators may round differently from PyTorch.

    exact: the operators whose kernels give PyTorch's bits, such as "aten.add" (kernels.yaml).
    """

    exact: frozenset[str]

    def differs(self, node: Any) -> bool:
        """Whether the kernel and PyTorch may differ in the last places of the node's result."""
        name = target_name(node)
        if not name or node.target is executorch_call_delegate or getattr(node.target, "__name__", "") == "getitem":
            return False
        if ".".join(name.split(".")[:2]) in self.exact:
            return False
        values = node.meta.get("val")
        several = values if isinstance(values, tuple | list) else (values,)
        return any(isinstance(value, torch.Tensor) and value.is_floating_point() for value in several)

    def reaches(self, program: Any, outputs: Sequence[Any]) -> list[bool]:
        """Return whether each node in `outputs` depends on an operator that may differ."""
        touched: set[Any] = set()
        for node in program.graph.nodes:
            if self.differs(node) or any(source in touched for source in node.all_input_nodes):
                touched.add(node)
        return [node in touched for node in outputs]


@dataclass(frozen=True)
class Noise:
    """Noise in the results of the operators for which `rounding.differs`."""

    rounding: Rounding
    generator: torch.Generator

    def after(self, node: Any, value: Any) -> Any:
        """Return the result of `node` as another implementation might compute it."""
        return noisy(value, self.generator) if self.rounding.differs(node) else value


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
