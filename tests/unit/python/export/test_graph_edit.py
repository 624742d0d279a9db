# SPDX-License-Identifier: Apache-2.0
"""Unused nodes are erased, unless they write into something that is visible elsewhere."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
import torch
from torch.fx import Graph, GraphModule, Node

from pilotlight.export.graph.edit import erase_unused

aten = torch.ops.aten


def _own(graph: Graph, x: Node) -> Node:
    return graph.call_function(aten.neg.default, (x,))


def _view(graph: Graph, x: Node) -> Node:
    return graph.call_function(aten.view.default, (_own(graph, x), [4]))


def _used(graph: Graph, x: Node) -> Node:
    own = _own(graph, x)
    graph.call_function(operator.add, (own, own), name="other")
    return own


@pytest.mark.parametrize(
    ("target", "goes"),
    [(_own, True), (_view, False), (_used, False), (lambda graph, x: x, False)],
    ids=["a value of its own", "a view", "a value that is used", "an input"],
)
def test_a_write_goes_only_with_a_value_that_was_made_for_it(target: Callable[[Graph, Node], Node], goes: bool) -> None:
    graph = Graph()
    x = graph.placeholder("x")
    written = target(graph, x)
    copy = graph.call_function(aten.copy_.default, (written, x))
    graph.output(x)
    module = GraphModule(torch.nn.Module(), graph)
    erase_unused(next(node for node in module.graph.nodes if node.name == copy.name))
    names = [node.name for node in module.graph.nodes]
    assert (copy.name not in names) == goes
    assert (written.name not in names) == goes
    module.graph.lint()


def test_what_was_there_for_it_alone_goes_too() -> None:
    graph = Graph()
    x = graph.placeholder("x")
    shared = graph.call_function(aten.neg.default, (x,))
    alone = graph.call_function(aten.relu.default, (shared,))
    last = graph.call_function(aten.abs.default, (alone,))
    graph.output(shared)
    GraphModule(torch.nn.Module(), graph)
    erase_unused(last)
    assert [node.name for node in graph.nodes] == [x.name, shared.name, "output"]


def test_what_is_used_stays() -> None:
    graph = Graph()
    x = graph.placeholder("x")
    used = graph.call_function(aten.neg.default, (x,))
    graph.output(used)
    erase_unused(used)
    assert used.name in [node.name for node in graph.nodes]
