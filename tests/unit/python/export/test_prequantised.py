# SPDX-License-Identifier: Apache-2.0
"""An already quantised model keeps its ranges, and the compiled program agrees with it."""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from executorch.backends.arm.common.annotation_meta import ArmAnnotationInfo
from executorch.backends.arm.ethosu import EthosUCompileSpec
from executorch.backends.arm.quantizer import EthosUQuantizer, get_symmetric_quantization_config
from executorch.backends.xnnpack.quantizer import xnnpack_quantizer as xnnpack
from torch import nn
from torchao.quantization.pt2e import move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e, prepare_qat_pt2e

from pilotlight.bundle import load_model_info
from pilotlight.export import ExportOptions, export_model
from pilotlight.export.attempts import Attempt, Attempts
from pilotlight.export.golden.golden import GoldenModel, quantised_values
from pilotlight.export.lowering import lower
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.model.module_forms import accepted_module
from pilotlight.export.model.steps import Steps
from pilotlight.export.quantising.prequantised import with_kept_ranges
from pilotlight.export.quantising.quantise import Captured, capture
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.model_spec import ModelSpec

NPU = "ethos-u55-128"
SAMPLES = torch.randn(24, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.second, self.last = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Linear(128, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        x = torch.relu(x + self.second(x))
        return self.last(nn.functional.max_pool2d(x, 2).flatten(1))


def arm(is_qat: bool = False) -> Any:
    quantiser = EthosUQuantizer(EthosUCompileSpec(NPU))
    quantiser.set_global(get_symmetric_quantization_config(is_qat=is_qat, is_per_channel=True))
    return quantiser


def xnnpack_quantiser(is_per_channel: bool) -> Any:
    config = xnnpack.get_symmetric_quantization_config(is_per_channel=is_per_channel)
    return xnnpack.XNNPACKQuantizer().set_global(config)


@cache
def trained() -> Any:
    """Cached, because upstream traces a hundred patterns to fold the norms, for some 18 s."""
    torch.manual_seed(0)
    prepared = prepare_qat_pt2e(
        torch.export.export(Residual().train(), (SAMPLES[:1],)).module(check_guards=False), arm(True)
    )
    optimiser = torch.optim.SGD(prepared.parameters(), 0.01)
    for sample in SAMPLES[:16]:
        optimiser.zero_grad()
        prepared(sample[None]).square().sum().backward()
        optimiser.step()
    move_exported_model_to_eval(prepared)
    return convert_pt2e(prepared)


def after_training() -> Any:
    return deepcopy(trained())


def calibrated(quantiser: Any) -> Any:
    torch.manual_seed(0)
    prepared = prepare_pt2e(
        torch.export.export(Residual().eval(), (SAMPLES[:1],)).module(check_guards=False), quantiser
    )
    for sample in SAMPLES[:16]:
        prepared(sample[None])
    return convert_pt2e(prepared)


def reloaded(module: Any) -> Any:
    stored = io.BytesIO()
    torch.export.save(torch.export.export(module, (SAMPLES[:1],)), stored)
    stored.seek(0)
    return torch.export.load(stored)


FORMS = {
    "trained with Arm's quantiser": after_training,
    "calibrated, from a file": lambda: reloaded(calibrated(arm())),
    "XNNPACK's quantiser, per channel": lambda: calibrated(xnnpack_quantiser(True)),
    "XNNPACK's quantiser, per tensor, from a file": lambda: reloaded(calibrated(xnnpack_quantiser(False))),
}


def captured(given: Any) -> tuple[Captured, ModelSpec]:
    spec = ModelSpec("m", accepted_module(given, "net.py"), (SAMPLES[:1],), [(SAMPLES[:1],)])
    return capture(spec), spec


def compiled(given: Any, folder: Path) -> tuple[Attempt, ModelSpec]:
    found, spec = captured(given)
    steps = Steps(NoiseLog(folder / "log"), lambda line: None)
    compile_spec = lower.compile_spec_for(resolve(NPU, None, None))
    return Attempts(found, spec, compile_spec, False, folder / "work", steps, [(SAMPLES[16:17],)]).run(), spec


def ranges(graph: Any) -> list[Any]:
    """Return scale, zero point and bounds of all activations, in the order of computation."""
    return [node.args[1:] for node in graph.graph.nodes if str(node.target).endswith("dequantize_per_tensor.default")]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_compiled_program_agrees_with_the_quantised_module(form: Callable[[], Any], tmp_path: Path) -> None:
    attempt, spec = compiled(form(), tmp_path)
    assert len(attempt.lowered.delegates) == 1
    assert attempt.lowered.on_cpu == ()
    boundary = attempt.lowered.boundary
    golden = GoldenModel(attempt.lowered, sequence=False)
    with torch.no_grad():
        for sample in SAMPLES[16:]:
            (wanted,) = quantised_values([spec.module(sample[None])], boundary.output_quantisation)
            (got,) = golden(quantised_values([sample[None]], boundary.input_quantisation))
            # Integer requantisation may round differently. A lost operator would differ by dozens.
            assert np.abs(wanted.numpy().astype(int) - got.numpy().astype(int)).max() <= 1


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_no_range_is_lost_and_no_value_changes(form: Callable[[], Any]) -> None:
    found, spec = captured(form())
    assert found.quantised
    assert not any("quantize" in operator.name for operator in found.operators.values())
    kept = with_kept_ranges(found.graph, ())
    before, after = ranges(found.graph), iter(ranges(kept))
    assert all(wanted in after for wanted in before), "the same ranges in the same order"
    for sample in SAMPLES[16:]:
        assert torch.equal(kept(sample[None]), spec.module(sample[None]))


def test_what_runs_on_the_cpu_takes_its_constants_as_floats() -> None:
    found, spec = captured(after_training())
    number = next(number for number, operator in found.operators.items() if operator.name == "linear")
    kept = with_kept_ranges(found.graph, {number})
    linear = next(node for node in kept.graph.nodes if node.target is torch.ops.aten.linear.default)
    assert [argument.op for argument in linear.args] == ["call_function", "get_attr", "get_attr"]
    assert ranges(kept) == ranges(found.graph)
    assert torch.equal(kept(SAMPLES[:1]), spec.module(SAMPLES[:1]))


def test_a_model_in_float_is_not_taken_for_quantised() -> None:
    found, _ = captured(torch.export.export(Residual().eval(), (SAMPLES[:1],)))
    assert not found.quantised


def test_a_quantised_program_from_a_file_is_exported_without_calibration(tmp_path: Path) -> None:
    module = after_training()
    torch.export.save(torch.export.export(module, (SAMPLES[:1],)), tmp_path / "trained.pt2")
    told: list[str] = []
    report = export_model(str(tmp_path / "trained.pt2"), ExportOptions(NPU), tmp_path / "bundle", progress=told.append)
    assert report.on_cpu == ()
    assert any("keeping the ranges" in line for line in told)
    assert any("came quantised" in note for note in report.notes)
    assert not any("calibrated" in note for note in report.notes)
    info = load_model_info(tmp_path / "bundle")
    first = next(node for node in module.graph.nodes if "quantize_per_tensor" in str(node.target))
    assert (info.inputs[0].scale, info.inputs[0].zero_point) == first.args[1:3]
    with np.load(tmp_path / "bundle" / "golden.npz") as arrays:
        assert np.abs(arrays["golden_0"].astype(int) - arrays["quantised_0"]).max() <= 1


def between(activation: Callable[[Any], Any], second: tuple[float, int]) -> Any:
    """Return a quantised graph of an activation between a sum's range and another range."""

    class Between(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = rounded(x, 0.03, 5)
            x = rounded(x + x, 0.06, 2)
            return rounded(activation(x), *second)

    def rounded(x: torch.Tensor, scale: float, zero_point: int) -> torch.Tensor:
        way = (scale, zero_point, -128, 127, torch.int8)
        quantised = torch.ops.quantized_decomposed.quantize_per_tensor(x, *way)
        return torch.ops.quantized_decomposed.dequantize_per_tensor(quantised, *way)

    return torch.export.export(Between().eval(), (SAMPLES[:1],))


BETWEEN = {
    "relu": (torch.relu, (0.02, -128), True),
    "relu6 whose range ends at 6": (nn.functional.relu6, (6 / 255, -128), True),
    "relu6 whose range goes beyond 6": (nn.functional.relu6, (0.05, -128), False),
    "clamp": (lambda x: torch.clamp(x, -1.0, 1.0), (2 / 255, 0), False),
    "flatten": (lambda x: x.flatten(1), (0.02, 0), False),
    "mean": (lambda x: x.mean((2, 3)), (0.06, 2), True),
    "mean that keeps its dimensions": (lambda x: x.mean((-1, -2), keepdim=True), (0.06, 2), True),
    "mean of one dimension": (lambda x: x.mean(3), (0.06, 2), False),
    "adaptive pool": (lambda x: nn.functional.adaptive_avg_pool2d(x, 1), (0.06, 2), True),
    "max pool": (lambda x: nn.functional.max_pool2d(x, 2), (0.02, 0), False),
}


@pytest.mark.parametrize(("activation", "second", "on_npu"), BETWEEN.values(), ids=BETWEEN)
def test_an_operator_between_two_ranges_is_right_wherever_it_runs(
    activation: Callable[[Any], Any], second: tuple[float, int], on_npu: bool, tmp_path: Path
) -> None:
    attempt, spec = compiled(between(activation, second), tmp_path)
    assert (attempt.lowered.on_cpu == ()) == on_npu
    golden, boundary = GoldenModel(attempt.lowered, sequence=False), attempt.lowered.boundary
    with torch.no_grad():
        for sample in SAMPLES[:4]:
            wanted = quantised_values([spec.module(sample[None])], boundary.output_quantisation)[0].int()
            got = golden(quantised_values([sample[None]], boundary.input_quantisation))[0].int()
            # One step of the sum, in steps of the output. TOSA rounds ties of an average
            # differently.
            assert (wanted - got).abs().max() <= 0.06 / second[0] + 1
            assert wanted.numel() < 100 or (wanted != got).float().mean() < 0.05


def quantised(x: torch.Tensor, scale: float) -> torch.Tensor:
    arguments = (scale, 0, -128, 127, torch.int8)
    integers = torch.ops.quantized_decomposed.quantize_per_tensor.default(x, *arguments)
    result: torch.Tensor = torch.ops.quantized_decomposed.dequantize_per_tensor.default(integers, *arguments)
    return result


class BetweenRanges(nn.Module):
    """A layer and `after` between two ranges, without a range of their own in between."""

    def __init__(self, after: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.weight, self.after = nn.Parameter(torch.ones(8, 3, 3, 3)), after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layer = nn.functional.conv2d(quantised(x, 0.05), quantised(self.weight, 0.01))
        return quantised(self.after(layer), 0.03)


@pytest.mark.parametrize(("after", "expected"), [(torch.relu, True), (torch.neg, False)])
def test_of_the_operators_after_a_layer_only_an_activation_counts_as_quantised_with_it(
    after: Callable[[torch.Tensor], torch.Tensor], expected: bool
) -> None:
    module = torch.export.export(BetweenRanges(after).eval(), (SAMPLES[:1],)).module(check_guards=False)
    kept = with_kept_ranges(captured(module)[0].graph, ())
    node = next(node for node in kept.graph.nodes if after.__name__ in str(node.target))
    assert (ArmAnnotationInfo.CUSTOM_META_KEY in node.meta.get("custom", {})) is expected
