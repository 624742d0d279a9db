# SPDX-License-Identifier: Apache-2.0
"""Outputs that the next inference takes as inputs: shaped and quantised alike, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from executorch.exir import ExecutorchBackendConfig, to_edge

from pilotlight.bundle import TensorInfo, Tie, load_model_info
from pilotlight.codegen import plan_arenas
from pilotlight.errors import ModelError
from pilotlight.export import ExportOptions, export_model
from pilotlight.export.lowering.memory_plan import InPlaceMemoryPlanning
from pilotlight.export.model.ties import demand_equal_ranges, resolve_ties
from pilotlight.model_spec import Tied
from pilotlight.npu import Simulator
from pilotlight.pte import Tensor, read_program

MODEL = Path(__file__).parent / "models" / "memory.py"

INPUTS = (TensorInfo("row", "float32", (1, 16), 0.0, 0), TensorInfo("keys", "float32", (1, 2, 7, 8), 0.0, 0))
OUTPUTS = (TensorInfo("output_0", "float32", (1, 12), 0.0, 0), TensorInfo("output_1", "float32", (1, 2, 1, 8), 0.0, 0))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ties")
    model = folder / "model" / "memory.py"
    model.parent.mkdir()
    shutil.copy(MODEL, model)
    export_model(str(model), ExportOptions("ethos-u55-128"), folder / "bundle")
    return folder / "bundle"


def test_names_and_negative_axes_become_indices_in_the_description(bundle: Path) -> None:
    info = load_model_info(bundle)
    assert info.ties == (Tie(1, 2, 2), Tie(2, 3, 2))
    for tie in info.ties:
        output, target = info.outputs[tie.output], info.inputs[tie.input]
        assert (output.scale, output.zero_point) == (target.scale, target.zero_point) and target.scale > 0


def test_tied_inputs_alone_have_a_planned_buffer_of_their_own(bundle: Path) -> None:
    method = read_program((bundle / "model.pte").read_bytes()).methods["forward"]
    apart = {
        index
        for index, value in enumerate(method.values)
        if isinstance(value, Tensor) and value.memory is not None and value.memory[0] == 2
    }
    assert apart == {method.input_values[2], method.input_values[3]}
    assert method.planned_buffer_sizes[1] == 2 * 2 * 7 * 8
    # All others lie where the NPU reads and writes them.
    arenas = plan_arenas(method, "ours", 4, load_model_info(bundle).ties)
    assert (arenas.in_place, arenas.tied_buffer) == (True, 2)


class _Both(torch.nn.Module):
    """Keeps state, and takes a tied input."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sum", torch.ones(4))

    def forward(self, x: torch.Tensor, carry: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.sum.add_(x)
        return self.sum * carry, x + carry


def test_state_and_tied_inputs_have_planned_buffers_of_their_own() -> None:
    sample = (torch.zeros(4), torch.zeros(4))
    planning = InPlaceMemoryPlanning((1,))
    edge = to_edge(torch.export.export(_Both(), sample))
    program = edge.to_executorch(ExecutorchBackendConfig(memory_planning_pass=planning))
    method = read_program(bytes(program.buffer)).methods["forward"]
    arenas = plan_arenas(method, "ours", 4, (Tie(1, 1, None),))
    assert (arenas.state_buffer, arenas.tied_buffer, arenas.kept) == (2, 3, (2, 3))
    assert arenas.planned[1:] == (16, 16) and arenas.kept_bytes == 2 * 32
    assert not arenas.carries_over


@pytest.mark.parametrize(("shift", "agrees"), [(0, True), (1, False)])
def test_a_loop_over_the_program_attends_to_the_rows_that_earlier_steps_returned(
    bundle: Path, shift: int, agrees: bool
) -> None:
    """The reference is the float model with the same loop. shift: rows go to a wrong slot."""
    info = load_model_info(bundle)
    simulator = Simulator((bundle / "model.pte").read_bytes())
    module = _module()
    torch.manual_seed(5)
    floats = [torch.zeros(1, 2, 7, 8), torch.zeros(1, 2, 7, 8)]
    stored = [np.full(tensor.shape, tensor.zero_point, np.int8) for tensor in info.inputs[2:]]
    largest = 0.0
    for step in range(7):
        row, mask = torch.rand(1, 1, 16) * 2 - 1, torch.full((1, 1, 1, 8), -8.0)
        mask[..., :step] = mask[..., 7] = 0
        with torch.no_grad():
            scores, *new = module(row, mask, *floats)
        given = [_stored(info.inputs[0], row), _stored(info.inputs[1], mask), *stored]
        outputs = simulator.run(given).outputs
        real = (outputs[0].astype(np.float32) - info.outputs[0].zero_point) * info.outputs[0].scale
        largest = max(largest, float(np.abs(real.reshape(-1) - scores.numpy().reshape(-1)).max()))
        for tie in info.ties:
            stored[tie.input - 2][:, :, (step + shift) % 7] = outputs[tie.output].reshape(1, 2, 8)
            floats[tie.input - 2][:, :, step] = new[tie.output - 1][:, :, 0]
    assert (largest < 0.05) == agrees, largest


def _module() -> torch.nn.Module:
    values: dict[str, object] = {}
    exec(compile(MODEL.read_text(encoding="utf-8"), str(MODEL), "exec"), values)
    module: torch.nn.Module = values["spec"]().module  # type: ignore[operator]
    return module


def _stored(info: TensorInfo, value: torch.Tensor) -> np.ndarray:
    return np.clip(np.round(value.numpy() / info.scale) + info.zero_point, -128, 127).astype(np.int8)


@pytest.mark.parametrize(
    ("tied", "complaint"),
    [
        (Tied("output_7", "keys", 2), "tied names output 'output_7'"),
        (Tied(2, "keys", 2), "tied names output 2"),
        (Tied(True, "keys", 2), "tied names output True"),
        (Tied("output_1", "key", 2), "tied names input 'key'"),
        (Tied("output_1", "keys", 3), r"'output_1' and input 'keys' are tied, but the output is \[1, 2, 1, 8\]"),
        (Tied("output_1", "keys", 4), "axis 4 is none of the 4 axes"),
        (Tied("output_1", "keys", -5), "axis -5 is none of the 4 axes"),
        (Tied("output_1", "keys"), r"the input takes \[1, 2, 7, 8\]"),
        (("output_1", "keys", 2), "not a Tied"),
    ],
)
def test_a_tie_that_does_not_fit_names_the_pair(tied: Tied, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint) as caught:
        resolve_ties((tied,), INPUTS, OUTPUTS, "net.py")
    assert str(caught.value).startswith("net.py: ") and caught.value.hint


def test_an_input_is_tied_to_one_output_alone() -> None:
    with pytest.raises(ModelError, match="two outputs are tied to input 'keys'"):
        resolve_ties((Tied(1, 1, 2), Tied("output_1", "keys", 2)), INPUTS, OUTPUTS, "net.py")


def _quantised(name: str, shape: tuple[int, ...], scale: float, zero_point: int) -> TensorInfo:
    return TensorInfo(name, "int8", shape, scale, zero_point)


@pytest.mark.parametrize(("scale", "zero_point"), [(0.25, 3), (0.5, 4)])
def test_a_pair_with_different_ranges_is_named_with_both_scales_and_a_remedy(scale: float, zero_point: int) -> None:
    inputs = (_quantised("keys", (1, 2, 7, 8), 0.5, 3),)
    outputs = (_quantised("output", (1, 2, 1, 8), scale, zero_point),)
    with pytest.raises(ModelError) as caught:
        demand_equal_ranges((Tie(0, 0, 2),), inputs, outputs, "net.py")
    said = f"has scale {scale:g} and zero point {zero_point}, the input 0.5 and 3"
    assert "'output' and input 'keys' are tied" in str(caught.value) and said in str(caught.value)
    assert "torch.cat((cache, new), axis)" in caught.value.hint


def test_a_pair_of_different_types_is_named() -> None:
    inputs = (_quantised("keys", (1, 2, 7, 8), 0.5, 3),)
    outputs = (TensorInfo("output", "float32", (1, 2, 1, 8), 0.0, 0),)
    with pytest.raises(ModelError, match="on the device one is float32, the other int8"):
        demand_equal_ranges((Tie(0, 0, 2),), inputs, outputs, "net.py")


def test_a_model_that_ties_what_it_quantised_apart_is_not_exported(tmp_path: Path) -> None:
    model = tmp_path / "apart" / "model.py"
    model.parent.mkdir()
    model.write_text(
        """\
import torch
from pilotlight.model_spec import ModelSpec, Tied


class Apart(torch.nn.Module):
    def forward(self, x, memory):
        return torch.relu(memory + 1.0), x * 40.0


def spec() -> ModelSpec:
    torch.manual_seed(1)
    sample = (torch.randn(1, 1, 8), torch.randn(1, 4, 8))
    return ModelSpec("apart", Apart().eval(), sample, [sample], tied=(Tied(1, "memory", 1),))
""",
        encoding="utf-8",
    )
    with pytest.raises(ModelError, match="'output_1' and input 'memory' are tied, but the output has scale"):
        export_model(str(model), ExportOptions("ethos-u55-128"), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
