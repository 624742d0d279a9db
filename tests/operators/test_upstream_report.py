# SPDX-License-Identifier: Apache-2.0
"""What upstream's own test says about the right programs, and about an NPU that cannot write."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import upstream_inputs
from upstream_report import EXPLANATIONS, Case, delegated, export_case, try_explanation

RIGHT, LOST, CLOSED, IDLE = (EXPLANATIONS[place] for place in (0, 3, 4, 5))
RELU, ADD, CUMSUM = "portable/relu", "portable/add", "portable/cumsum"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Case]]:
    """Exported operators by memory mode."""
    found = {}
    for mode, keys in {"Sram_Only": (RELU, ADD, CUMSUM), "Shared_Sram": (CUMSUM,)}.items():
        folder = tmp_path_factory.mktemp(mode)
        for key in keys:
            export_case(key, mode, folder)
        found[mode] = delegated(folder)
    return found


def test_the_right_programs_pass_upstreams_comparison(cases: dict[str, list[Case]]) -> None:
    for programs in cases.values():
        figures = try_explanation(RIGHT, programs, lambda line: None)
        assert figures.operators == len(programs)
        assert (figures.deviating, figures.faults) == (0, {})


def test_without_the_npus_writes_relu_gives_negative_values_and_add_still_passes(cases: dict[str, list[Case]]) -> None:
    for explanation in (LOST, CLOSED, IDLE):
        lines: list[str] = []
        figures = try_explanation(explanation, cases["Sram_Only"], lines.append)
        assert figures.right == [ADD], explanation.text
        (relu,) = (line for line in lines if RELU in line)
        assert "got [-2.007" in relu, explanation.text


def test_without_the_npus_writes_weights_do_not_decode_where_vela_copies_them(cases: dict[str, list[Case]]) -> None:
    assert try_explanation(CLOSED, cases["Sram_Only"], lambda line: None).faults == {}
    faults = try_explanation(CLOSED, cases["Shared_Sram"], lambda line: None).faults
    assert "weight stream" in faults[CUMSUM]


def test_the_memory_is_open_again_after_an_explanation(cases: dict[str, list[Case]]) -> None:
    for explanation in EXPLANATIONS:
        try_explanation(explanation, cases["Sram_Only"], lambda line: None)
    assert try_explanation(RIGHT, cases["Sram_Only"], lambda line: None).deviating == 0


def test_every_recipe_of_upstream_has_inputs_that_its_module_takes() -> None:
    for key in upstream_inputs.KEYS:
        upstream_inputs.module(key)(*upstream_inputs.inputs(key))
