# SPDX-License-Identifier: Apache-2.0
"""A sample of upstream's list of operators, and the tool that measures all of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from measure_operators import measure
from operator_recipes import RECIPES
from run_operators import measured, table, verdict

NPU = "ethos-u85-256"
SAMPLE = ("portable/abs", "portable/logical_and", "portable/bmm", "cortex_m/quantized_linear")


@pytest.mark.parametrize("key", SAMPLE)
def test_a_program_of_upstream_computes_what_its_graph_says(key: str) -> None:
    found = measure(RECIPES[key], NPU, "Shared_Sram")
    assert found.delegates == 1
    assert found.tosa_values > 0
    assert found.tosa_wrong == 0
    assert found.program_steps <= 1
    # With other inputs, the outputs are others: so the comparisons above can fail.
    assert found.ones_deviate > 0 or "logical" in key


def test_every_recipe_runs_in_pytorch_and_draws_the_same_inputs_again() -> None:
    for recipe in RECIPES.values():
        first, second = recipe.inputs(), recipe.inputs()
        assert all(bool((a == b).all()) for a, b in zip(first, second, strict=True)), recipe.key
        recipe.module()(*first)


def result(**changed: Any) -> dict[str, Any]:
    numbers = dict.fromkeys(
        (
            "outputs",
            "tosa_values",
            "tosa_wrong",
            "program_wrong",
            "program_steps",
            "zeros_quantised",
            "zeros_device",
            "firmware_values",
            "firmware_wrong",
        ),
        0,
    )
    texts = {
        "firmware_error": "",
        "key": "portable/abs",
        "npu": NPU,
        "memory_mode": "Sram_Only",
        "error": "",
        "note": "",
    }
    return texts | numbers | {"delegates": 1, "on_cpu": [], "deviations": [], "quantisation_db": 40.0} | changed


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "-"),
        ({"error": "RuntimeError: no"}, "no program: RuntimeError: no"),
        ({"delegates": 0}, "not delegated"),
        ({"tosa_wrong": 3}, "Vela"),
        ({"firmware_wrong": 1, "firmware_values": 6}, "firmware"),
        ({"deviations": ["scatter"]}, "known deviation"),
        ({"program_wrong": 1, "program_steps": 1.0}, "lowering, one step"),
        ({"program_wrong": 1, "program_steps": 7.2}, "lowering, 7 steps"),
        ({"quantisation_db": 9.5}, "quantisation"),
        ({"quantisation_db": None}, "-"),
    ],
)
def test_the_first_stage_that_differs_is_named(changed: dict[str, Any], expected: str) -> None:
    assert verdict([result(**changed)]) == expected


def test_a_difference_in_one_memory_mode_is_named() -> None:
    assert verdict([result(), result(tosa_wrong=1)]) == "Vela"


def test_results_of_an_earlier_run_are_kept_and_a_line_cut_off_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    assert measured(path) == {}
    path.write_text(json.dumps(result()) + "\n" + json.dumps(result(key="portable/neg"))[:40], encoding="utf-8")
    found = measured(path)
    assert list(found) == [("portable/abs", NPU, "Sram_Only")]
    assert "| portable/abs | 1 |" in table(found, NPU, ["Sram_Only"])
