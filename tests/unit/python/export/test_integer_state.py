# SPDX-License-Identifier: Apache-2.0
"""State stays in integers between steps, if the NPU reads and writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotlight.export import ExportOptions, export_model
from pilotlight.npu import Simulator
from pilotlight.pte import KernelCall, read_program

MODEL = Path(__file__).parent / "models" / "keeper.py"

Export = Callable[..., tuple[Path, dict[str, Any]]]


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    def export(state: str, *, sequence: bool, recipe: str | None = None) -> tuple[Path, dict[str, Any]]:
        monkeypatch.setenv("EXAMPLE_STATE", state)
        monkeypatch.setenv("EXAMPLE_SEQUENCE", str(int(sequence)))
        export_model(str(MODEL), ExportOptions("ethos-u55-128", quantisation=recipe), tmp_path / "out")
        with np.load(tmp_path / "out" / "golden.npz") as file:
            return tmp_path / "out" / "model.pte", dict(file)

    return export


def kernels(pte: Path) -> list[str]:
    method = read_program(pte.read_bytes()).methods["forward"]
    return [call.operator for chain in method.chains for call in chain if isinstance(call, KernelCall)]


@pytest.mark.parametrize(
    ("state", "recipe", "size"),
    [("window", "int8", 16 * 5), ("recurrent", "int8", 16), ("window", "a16w8", 2 * 16 * 5)],
)
def test_state_has_the_width_of_its_recipe_and_no_step_converts_it(
    export: Export, state: str, recipe: str, size: int
) -> None:
    pte, arrays = export(state, sequence=True, recipe=recipe)

    assert kernels(pte) == ["aten::copy_"]
    simulator = Simulator(pte)
    assert simulator.state_bytes == size
    for sample, x in enumerate(arrays["input_0"]):
        (output,) = simulator.run([x.reshape(1, 8)], continues=sample > 0).outputs
        np.testing.assert_array_equal(output[0], arrays["golden_0"][sample])
    # The golden outputs depend on the state: another order of samples gives others.
    (alone,) = simulator.run([arrays["input_0"][-1].reshape(1, 8)]).outputs
    assert (alone[0] != arrays["golden_0"][-1]).any()


def test_state_that_the_cpu_computes_stays_float(export: Export) -> None:
    pte, _ = export("recurrent", sequence=True, recipe="int8:add=float")
    assert Simulator(pte).state_bytes == 16 * 4
