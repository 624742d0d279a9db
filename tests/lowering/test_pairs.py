# SPDX-License-Identifier: Apache-2.0
"""The NPU's program for a pair of operators computes what PyTorch computes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import compile_pairs
from pairs import OPERATORS, SAMPLES, SURROUNDINGS, Graph, graphs

from pilotlight.export.rewritings import apply as rewrites
from pilotlight.export.upstream import vela

# A ReLU that is lost without the exporter's repair, and a ReLU whose input is never below zero.
LOST = Graph(7, "conv2d", "relu", "beside input", "around 0")
KEPT = Graph(7, "conv2d", "relu", "plain", "around 0")


@pytest.mark.parametrize("graph", [*graphs(8, seed=3), LOST, KEPT], ids=str)
def test_a_pair_is_compiled_into_what_pytorch_computes(graph: Graph) -> None:
    outcome = compile_pairs.compile_graph(graph)
    assert not outcome.error
    assert not outcome.passed_unnoticed
    assert outcome.furthest <= 1


def first_only(found: Sequence[Graph]) -> list[Any]:
    """One case in every run shows that a comparison can fail. The other cases run in the
    campaign."""
    first, *others = found
    return [first, *(pytest.param(graph, marks=pytest.mark.campaign) for graph in others)]


# Upstream alone loses the permutation after a subtraction from a constant: the delegate's output is
# then in NHWC order.
MISPLACED = (
    Graph(100527, "max_pool2d", "sub", "beside input", "around 0"),
    Graph(100853, "conv2d", "sub", "residual", "positive"),
    Graph(100342, "avg_pool2d", "sub", "used twice", "around 0"),
)


@pytest.mark.parametrize("graph", MISPLACED, ids=str)
def test_an_output_behind_a_moved_permutation_is_in_order(graph: Graph) -> None:
    outcome = compile_pairs.compile_graph(graph)
    assert not outcome.error and not outcome.passed_unnoticed and not outcome.kept


@pytest.mark.parametrize("graph", first_only(MISPLACED), ids=str)
def test_without_the_repair_the_order_is_found(monkeypatch: pytest.MonkeyPatch, graph: Graph) -> None:
    monkeypatch.setattr(vela, "sound_permutes", nullcontext)
    outcome = compile_pairs.compile_graph(graph)
    assert not outcome.error and not outcome.passed_unnoticed
    assert "lie elsewhere" in outcome.kept["rsub"]


# Upstream's negation assumes that the result has the input's scale.
NEGATED = (
    Graph(100001, "hardtanh from 0", "neg", "residual", "around 0"),
    Graph(100002, "avg_pool2d", "neg", "plain", "around 0"),
    Graph(100003, "gelu", "neg", "beside input", "around 0"),
)


@pytest.mark.parametrize("graph", NEGATED, ids=str)
def test_a_negation_is_computed_on_the_npu(graph: Graph) -> None:
    outcome = compile_pairs.compile_graph(graph)
    assert not outcome.error and not outcome.passed_unnoticed and not outcome.kept


@pytest.mark.parametrize("graph", first_only(NEGATED), ids=str)
def test_without_the_rewriting_a_negation_is_found_wrong(monkeypatch: pytest.MonkeyPatch, graph: Graph) -> None:
    others = tuple(known for known in rewrites.REWRITINGS if "negation" not in known.words)
    monkeypatch.setattr(rewrites, "REWRITINGS", others)
    assert "neg" in compile_pairs.compile_graph(graph).deviations


def test_without_the_repair_the_lost_activation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compile_pairs.quantise, "separate_activations", lambda converted: 0)
    assert list(compile_pairs.compile_graph(LOST).deviations) == ["relu"]
    assert not compile_pairs.compile_graph(KEPT).kept


def test_the_graphs_of_a_seed_are_different_and_cover_everything() -> None:
    found = list(graphs(2000, seed=1))
    assert len(set(map(str, found))) == 2000
    assert {graph.first for graph in found} == {graph.second for graph in found} == set(OPERATORS)
    assert {graph.surrounding for graph in found} == set(SURROUNDINGS)
    assert {graph.samples for graph in found} == set(SAMPLES)


def test_a_run_goes_on_with_what_the_file_has(tmp_path: Path) -> None:
    first, second = graphs(2, seed=3)
    file = tmp_path / "outcomes.json"
    assert compile_pairs.saved(file, [first]) == {}
    outcome = compile_pairs.Outcome(str(first), first.number, {"relu": "why"}, 3, 2, 1)
    compile_pairs.save(file, [outcome])
    assert compile_pairs.saved(file, [first, second]) == {str(first): outcome}
    assert compile_pairs.saved(file, [second]) == {}
    file.write_text('[{"graph": "conv2d"', encoding="utf-8")
    with pytest.raises(SystemExit, match="was not written by this script"):
        compile_pairs.saved(file, [first])


@pytest.mark.campaign
@pytest.mark.time_limit(4 * 3600)
@pytest.mark.parametrize("part", range(4))
def test_two_thousand_pairs(part: int) -> None:
    outcomes = [compile_pairs.compile_graph(graph) for graph in list(graphs(2000, seed=1))[part::4]]
    said = "\n".join(compile_pairs.table(outcomes))
    print(said)
    assert not any(outcome.passed_unnoticed or outcome.error for outcome in outcomes), said
