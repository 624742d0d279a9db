# SPDX-License-Identifier: Apache-2.0
"""Delegates compute what quantised PyTorch computes, operator by operator.

A delegate that computes something else is found.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from pilotlight.errors import UnsupportedOperator
from pilotlight.export import ExportOptions, export_model
from pilotlight.export.attempts import Attempt, Attempts
from pilotlight.export.golden.comparison import arrangements
from pilotlight.export.lowering import lower
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.model.steps import Steps
from pilotlight.export.quantising import activations, quantise
from pilotlight.export.quantising.quantise import capture
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.export.upstream.tosa_values import TosaValues
from pilotlight.model_spec import ModelSpec

Export = Callable[[nn.Module, torch.Tensor], tuple[Attempt, Attempts]]


class Branches(nn.Module):
    """An activation in one branch of a concatenation.

    The quantiser of the activation is shared with negative values.
    """

    def __init__(self, activation: nn.Module, layer: str) -> None:
        super().__init__()
        self.activation = activation
        self.a, self.b = (self._layer(layer) for _ in range(2))

    @staticmethod
    def _layer(name: str) -> nn.Module:
        return {
            "conv2d": lambda: nn.Conv2d(4, 8, 3, padding=1),
            "depthwise": lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4),
            "transposed": lambda: nn.ConvTranspose2d(4, 8, 2, 2),
            "linear": lambda: nn.Linear(8, 8),
        }[name]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.activation(self.a(x)), self.b(x)], 1)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.relu(self.a(x)), self.b(x) + x], 1)


class Tables(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(torch.sigmoid(self.layer(x)), 2) + 1.0


@pytest.fixture
def export(tmp_path: Path) -> Export:
    def run(module: nn.Module, example: torch.Tensor) -> tuple[Attempt, Attempts]:
        samples = [(torch.randn(example.shape, generator=torch.Generator().manual_seed(seed)),) for seed in range(8)]
        spec = ModelSpec("m", module.eval(), (example,), samples)
        compile_spec = lower.compile_spec_for(resolve("ethos-u55-128", None, None))
        steps = Steps(NoiseLog(tmp_path / "log"), lambda line: None)
        attempts = Attempts(capture(spec), spec, compile_spec, False, tmp_path / "work", steps, samples[:1])
        return attempts.run(), attempts

    torch.manual_seed(0)
    return run


IMAGE, ROWS = torch.zeros(1, 4, 8, 8), torch.zeros(1, 8)
ACTIVATIONS = {"relu": nn.ReLU(), "relu6": nn.ReLU6(), "hardtanh": nn.Hardtanh(0.0, 0.25)}


@pytest.mark.parametrize(
    ("activation", "layer"),
    [("relu", "conv2d"), ("relu", "depthwise"), ("relu", "transposed"), ("relu", "linear"), ("hardtanh", "conv2d")],
)
def test_an_activation_that_shares_its_quantiser_is_computed_on_the_npu(
    export: Export, activation: str, layer: str
) -> None:
    attempt, attempts = export(Branches(ACTIVATIONS[activation], layer), ROWS if layer == "linear" else IMAGE)
    assert not attempts.kept and not attempt.lowered.on_cpu
    assert len(attempt.lowered.delegates) == 1
    agreement = attempt.comparison.agreement()
    assert agreement.compared == agreement.results >= 3
    assert agreement.furthest <= 1


def test_without_the_step_for_shared_quantisers_the_lost_activation_is_found_and_named(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantise, "separate_activations", lambda converted: 0)
    attempt, attempts = export(Branches(nn.ReLU(), "conv2d"), IMAGE)
    ((number, why),) = attempts.kept.items()
    operator = attempts.captured.operators[number]
    assert operator.name == "relu" and "test_comparison.py" in operator.where
    assert "values are more than 1 step from quantised PyTorch" in why
    assert any(report.name.startswith("aten.relu") for report in attempt.lowered.on_cpu)


LOSES_ITS_RELU = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 8, 3), nn.Conv2d(4, 8, 3)

    def forward(self, x):
        kept = torch.relu(self.a(x))
        return torch.cat([kept, self.b(x)], 1)


ModelUnderTest = Net().eval()
ModelInputs = (torch.randn(1, 4, 8, 8),)
"""


def test_without_that_step_an_export_that_must_delegate_all_fails_and_names_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantise, "separate_activations", lambda converted: 0)
    file = tmp_path / "loses.py"
    file.write_text(LOSES_ITS_RELU, encoding="utf-8")
    with pytest.raises(UnsupportedOperator, match=r"full delegation is required(.|\n)*relu(.|\n)*loses\.py:11"):
        export_model(str(file), ExportOptions("ethos-u55-128", require_full_delegation=True), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("network", [Residual, Tables])
def test_every_kind_of_result_has_a_counterpart(export: Export, network: type[nn.Module]) -> None:
    agreement = export(network(), IMAGE)[0].comparison.agreement()
    assert agreement.compared == agreement.results


@pytest.mark.parametrize("steps", [1, 2])
def test_a_value_that_is_off_by_more_than_rounding_is_found(
    export: Export, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    run = TosaValues.run

    def off(values: TosaValues, inputs: Any) -> dict[str, NDArray[Any]]:
        found = run(values, inputs)
        for name in (tensor.name for tensor in values.tensors if tensor.origin.operator == "TABLE"):
            table = found[name].astype(np.int64)
            table.reshape(-1)[5] += steps if table.reshape(-1)[5] < 0 else -steps
            found[name] = table.astype(np.int8)
        return found

    monkeypatch.setattr(TosaValues, "run", off)
    _, attempts = export(Tables(), IMAGE)
    names = [attempts.captured.operators[number].name for number in attempts.kept]
    assert names == ([] if steps == 1 else ["sigmoid"])


@pytest.mark.parametrize("seed", range(20))
def test_separating_an_activation_changes_no_bit_in_pytorch(seed: int) -> None:
    chance = torch.Generator().manual_seed(seed)
    scale = float(torch.rand(1, generator=chance)) * 0.1 + 1e-3
    zero_point = int(torch.randint(-128, 128, (1,), generator=chance))
    low, high = sorted(float(bound) for bound in torch.randn(2, generator=chance) * 3)
    activation = (lambda x: torch.relu(x), lambda x: torch.nn.functional.hardtanh(x, low, high))[seed % 2]

    class Quantised(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            q = torch.ops.quantized_decomposed.quantize_per_tensor
            return q(activation(x * y), scale, zero_point, -128, 127, torch.int8)

    x, y = (torch.randn(2000, generator=chance) * 2 for _ in range(2))
    module = torch.export.export(Quantised(), (x, y)).module()
    before = module(x, y)
    separated = activations.separate_activations(module)
    assert torch.equal(module(x, y), before)
    if seed % 2 == 0:
        assert separated == (zero_point > -128), "a ReLU is separated unless zero is the lowest value"


def test_a_tensor_is_recognised_in_whatever_order_its_dimensions_lie() -> None:
    tensor = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    stored = {
        "NHWC": tensor.transpose(0, 2, 3, 1),
        "joined": tensor.reshape(2, 12, 5),
        "joined behind moved channels": tensor.transpose(0, 2, 3, 1).reshape(2, 20, 3),
        "with ones": tensor.reshape(1, 2, 3, 4, 5, 1),
    }
    for how, array in stored.items():
        assert any(np.array_equal(found, tensor) for found in arrangements(array, tensor.shape)), how
