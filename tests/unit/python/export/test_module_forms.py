# SPDX-License-Identifier: Apache-2.0
"""Which forms of a module are accepted, and the messages about the others."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from executorch.backends.arm.ethosu import EthosUCompileSpec
from executorch.backends.arm.quantizer import EthosUQuantizer, get_symmetric_quantization_config
from executorch.exir import to_edge
from torch import nn
from torch.ao.quantization.quantize_fx import prepare_qat_fx
from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e, prepare_qat_pt2e

from pilotlight.errors import ModelError
from pilotlight.export.model.model_file import load_model
from pilotlight.export.model.module_forms import accepted_module

X = (torch.ones(1, 3, 8, 8),)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.features(x).flatten(1)


class Holds(nn.Module):
    """A user's module around a graph."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner, self.own = inner, nn.Dropout()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.own(self.inner(x))


def reloaded(program: Any) -> Any:
    stored = io.BytesIO()
    torch.export.save(program, stored)
    stored.seek(0)
    return torch.export.load(stored)


def exported() -> Any:
    return torch.export.export(Net().eval(), X)


@pytest.mark.parametrize(
    "form",
    [
        exported,
        lambda: exported().module(),
        lambda: reloaded(exported()),
        lambda: reloaded(exported()).module(),
        lambda: Net().eval(),
        lambda: torch.fx.symbolic_trace(Net().eval()),
    ],
    ids=["program", "its module", "program from a file", "module from a file", "nn.Module", "FX graph"],
)
def test_graphs_and_modules_are_taken_and_compute_the_same(form: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    wanted = Net().eval()(*X)
    torch.manual_seed(0)
    module = accepted_module(form(), "net.py")
    assert torch.allclose(torch.export.export(module, X).module(check_guards=False)(*X), wanted)


def test_a_module_around_a_graph_is_taken_unless_a_part_of_its_own_trains() -> None:
    holds = Holds(exported().module())
    with pytest.raises(ModelError, match="training mode"):
        accepted_module(holds, "net.py")
    holds.own.eval()
    accepted_module(holds, "net.py")


@pytest.mark.parametrize("layer", [0, 3], ids=["batch norm", "dropout"])
def test_a_graph_captured_in_training_mode_is_told_the_line(layer: int) -> None:
    module = Net().eval()
    module.features[1 if layer == 0 else 3].train()
    with pytest.raises(
        ModelError, match=r"test_module_forms\.py:\d+: aten\.\S+ was captured in training mode"
    ) as caught:
        accepted_module(torch.export.export(module, X), "net.py")
    assert "return self.features(x).flatten(1)" in str(caught.value)
    assert "move_exported_model_to_eval" in caught.value.hint


def eager_qat() -> Any:
    module = Net().train()
    module.qconfig = torch.ao.quantization.get_default_qat_qconfig("x86")
    return torch.ao.quantization.prepare_qat(module).eval()


def eager_quantised() -> Any:
    module = nn.Sequential(
        torch.ao.quantization.QuantStub(), nn.Conv2d(3, 4, 3), torch.ao.quantization.DeQuantStub()
    ).eval()
    module.qconfig = torch.ao.quantization.get_default_qconfig("x86")
    prepared = torch.ao.quantization.prepare(module)
    prepared(*X)
    return torch.ao.quantization.convert(prepared)


def dynamic() -> Any:
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4)).eval())


def qat_fx() -> Any:
    mapping = torch.ao.quantization.get_default_qat_qconfig_mapping("x86")
    return prepare_qat_fx(Net().train(), mapping, X).eval()


def weight_only() -> Any:
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    module = nn.Sequential(nn.Linear(4, 4)).eval()
    quantize_(module, Int8WeightOnlyConfig())
    return module


@pytest.mark.parametrize("form", [eager_qat, eager_quantised, dynamic, qat_fx, weight_only])
def test_other_ways_to_quantise_are_told_what_to_do(form: Callable[[], Any]) -> None:
    with pytest.raises(ModelError, match=r"net\.py: (module |[\w.]+ is quantised)") as caught:
        accepted_module(form(), "net.py")
    assert "give the float module" in caught.value.hint
    assert "convert_pt2e" in caught.value.hint


@pytest.mark.parametrize("prepare", [prepare_pt2e, prepare_qat_pt2e])
def test_a_module_that_was_prepared_and_not_converted_is_told_so(prepare: Callable[[Any, Any], Any]) -> None:
    quantiser = EthosUQuantizer(EthosUCompileSpec("ethos-u55-128"))
    quantiser.set_global(get_symmetric_quantization_config(is_qat=prepare is prepare_qat_pt2e))
    graph = torch.export.export(Net().train(), X).module(check_guards=False)
    with pytest.raises(ModelError, match="prepared for quantisation and not converted") as caught:
        accepted_module(prepare(graph, quantiser), "net.py")
    assert "convert_pt2e(module)" in caught.value.hint


def test_torchscript_is_refused_with_a_way_out() -> None:
    with pytest.raises(ModelError, match="TorchScript"):
        accepted_module(torch.jit.trace(Net().eval(), X), "net.py")


def test_a_program_that_is_lowered_already_is_refused() -> None:
    with pytest.raises(ModelError, match=r"lowered already \(EDGE\)"):
        accepted_module(to_edge(exported()).exported_program(), "net.py")


def test_a_program_may_be_the_model_of_an_arm_script(tmp_path: Any) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\n"
        "ModelInputs = (torch.ones(1, 4),)\n"
        "ModelUnderTest = torch.export.export(torch.nn.Linear(4, 2).eval(), ModelInputs)\n"
    )
    assert load_model(file).module(torch.ones(1, 4)).shape == (1, 2)
