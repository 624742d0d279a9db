# SPDX-License-Identifier: Apache-2.0
"""A model's state begins with its initial value.

The initial value is used for each sample, or once for a sequence as a whole.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pilotlight.bundle import load_model_info
from pilotlight.codegen.state import carries_over, find_state
from pilotlight.errors import BadProgram
from pilotlight.export import ExportOptions, ExportReport, export_model
from pilotlight.export.graph.state import InitialState, Sampling, run_once
from pilotlight.npu import Simulator
from pilotlight.pte import Tensor, read_program

MODEL = Path(__file__).parent / "models" / "average.py"

Exported = tuple[Path, ExportReport, dict[str, Any]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    done: dict[str, Exported] = {}

    def export(sequence: str) -> Exported:
        if sequence not in done:
            bundle = tmp_path_factory.mktemp("export") / f"average{sequence}"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("EXAMPLE_SEQUENCE", sequence)
                report = export_model(str(MODEL), ExportOptions("ethos-u55-128"), bundle)
            with np.load(bundle / "golden.npz") as file:
                done[sequence] = bundle, report, dict(file)
        return done[sequence]

    return export


def model() -> Any:
    loaded = importlib.util.spec_from_file_location("average", MODEL)
    assert loaded is not None and loaded.loader is not None
    module = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(module)
    return module.spec()


def test_each_sample_begins_with_the_initial_state(exported: Callable[[str], Exported]) -> None:
    bundle, report, arrays = exported("0")
    spec = model()
    assert not load_model_info(bundle).sequence
    assert any("keeps state in average, count: each sample begins" in note for note in report.notes)
    with torch.no_grad():
        fresh = [copy.deepcopy(spec.module)(torch.tensor(x)[None])[0][0].numpy() for x in spec.data_set.inputs]
    np.testing.assert_array_equal(arrays["fp32_0"], np.stack(fresh))
    for kind in ("fp32", "quantised", "golden"):
        np.testing.assert_array_equal(arrays[f"{kind}_0"][0], arrays[f"{kind}_0"][2])
    assert np.unique(arrays["golden_1"]).size == 1
    assert all(output.sqnr_golden_db is None or output.sqnr_golden_db > 30 for output in report.outputs)


@pytest.mark.parametrize("sequence", ["0", "1"])
def test_the_simulator_begins_and_carries_state_as_the_golden_outputs_do(
    exported: Callable[[str], Exported], sequence: str
) -> None:
    bundle, _, arrays = exported(sequence)
    simulator = Simulator(bundle / "model.pte")
    assert simulator.state_bytes == 5
    for sample, x in enumerate(arrays["input_0"]):
        continues = sequence == "1" and sample > 0
        outputs = simulator.run([x.reshape(1, 1, 8, 8)], continues=continues).outputs
        np.testing.assert_array_equal(outputs[0][0], arrays["golden_0"][sample])
        np.testing.assert_array_equal(outputs[1].reshape(-1), arrays["golden_1"][sample].reshape(-1))


def test_a_sequence_carries_state_from_sample_to_sample(exported: Callable[[str], Exported]) -> None:
    bundle, report, arrays = exported("1")
    spec = model()
    assert load_model_info(bundle).sequence
    assert any("keeps state in average, count: the samples are one sequence" in note for note in report.notes)
    with torch.no_grad():
        steps = [spec.module(torch.tensor(x)[None])[0][0].numpy() for x in spec.data_set.inputs]
    np.testing.assert_array_equal(arrays["fp32_0"], np.stack(steps))
    assert (arrays["golden_0"][0] != arrays["golden_0"][2]).any()
    # The count leaves the calibrated range. In int8 the count then stays at the limit.
    assert list(arrays["fp32_1"].reshape(-1)) == list(range(1, 25))
    counted = arrays["golden_1"].astype(int).reshape(-1)
    assert (np.diff(counted)[:14] > 0).all()
    assert report.outputs[0].sqnr_golden_db is not None and report.outputs[0].sqnr_golden_db > 30


def test_the_program_begins_with_what_the_model_began_with_not_with_what_calibration_left(
    exported: Callable[[str], Exported],
) -> None:
    for sequence in ("0", "1"):
        bundle, _, _ = exported(sequence)
        pte = (bundle / "model.pte").read_bytes()
        method = read_program(pte).methods["forward"]
        state = find_state(method)
        assert state is not None and state.buffer == 2
        values = {
            value.size_bytes: np.frombuffer(pte, np.int8, value.size_bytes, value.pte_offset).astype(int)
            for value in state.initial_values
        }
        # The scales are not in the bundle, but the values are known but for them.
        average, count = values[4], values[1]
        steps = (average - average[1]) / (average[3] - average[1])
        np.testing.assert_allclose(steps, [0.5, 0.0, -0.25, 1.0], atol=0.02)
        assert average[3] - average[1] > 50
        # The smallest integer is the zero of a count.
        assert count.tolist() == [-128]


def test_a_view_of_what_was_written_carries_nothing_over(exported: Callable[[str], Exported]) -> None:
    bundle, _, _ = exported("0")
    method = read_program((bundle / "model.pte").read_bytes()).methods["forward"]
    state = find_state(method)
    assert not carries_over(method, state)
    # The delegate reads its input under another name, as after a view without an instruction.
    (given,) = method.input_values
    assert isinstance(method.values[given], Tensor)
    aliased = replace(method, values=(*method.values, method.values[given]), input_values=(len(method.values),))
    assert not carries_over(aliased, state)
    assert carries_over(replace(method, input_values=()), state)


def test_state_beside_what_an_inference_overwrites_is_refused(exported: Callable[[str], Exported]) -> None:
    bundle, _, _ = exported("0")
    method = read_program((bundle / "model.pte").read_bytes()).methods["forward"]
    (kept, *_) = (value for value in method.values if isinstance(value, Tensor) and value.initial_at is not None)
    values = tuple(replace(kept, memory=(1, 0)) if value is kept else value for value in method.values)
    with pytest.raises(BadProgram, match="lies in planned buffer 1 beside other tensors"):
        find_state(replace(method, values=values))


class Keeps(nn.Module):
    """forward() writes into one buffer and replaces another."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sum", torch.ones(2))
        self.inner = nn.Module()
        self.inner.register_buffer("last", torch.zeros(2))
        self.register_buffer("constant", torch.full((2,), 5.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.sum.add_(x)
        self.inner.last = x + self.constant
        return self.sum.clone()


def test_what_forward_changes_is_found_and_brought_back() -> None:
    module = Keeps()
    x = torch.zeros(2)
    assert run_once(module, (x,)) == ["sum", "inner.last"], "written, although the values are the same"
    begun = InitialState(module)
    module(x + 2)
    begun.restore()
    assert module.sum.tolist() == [1, 1] and module.inner.last.tolist() == [0, 0]


@pytest.mark.parametrize(("sequence", "sums"), [(False, [3, 3, 3]), (True, [3, 5, 7])])
def test_samples_are_run_from_the_initial_state_or_in_sequence(sequence: bool, sums: list[float]) -> None:
    module = Keeps()
    sampling = Sampling(module, sequence=sequence)
    assert [float(sampling(torch.full((2,), 2.0))[0]) for _ in sums] == sums
    sampling.rewind()
    assert module.sum.tolist() == [1, 1]
