# SPDX-License-Identifier: Apache-2.0
"""Numbers the operators that the user's code calls, for use after quantisation and lowering.

Names do not survive these steps: one operator becomes several, several become one, and each pass
gives new names. PyTorch copies the dictionary `custom` of a node's metadata from node to node, so
the number is stored there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pilotlight.export.graph.source_lines import library_line, user_line, within

_FIELD = "pilotlight_operator"
_QUANTISATION = ("quantized_decomposed.quantize_per_", "quantized_decomposed.dequantize_per_")


@dataclass(frozen=True)
class UserOperator:
    """An operator of the user's code.

    name: "leaky_relu". module: path of the nn.Module that called it.
    where, source: "file:line" and the line's text. inner_where, inner_source: see `OperatorReport`.
    """

    name: str
    module: str
    where: str
    source: str
    inner_where: str = ""
    inner_source: str = ""

    def __str__(self) -> str:
        place = f" at {self.where}" if self.where else ""
        inside = within(self.module, self.inner_where, self.inner_source)
        return f"{self.name}{place}" + (f": {self.source}" if self.source else "") + (f" ({inside})" if inside else "")

    @property
    def place(self) -> str:
        """The place of the call, without the text of the source."""
        inside = within(self.module, self.inner_where, "")
        return f"{self.where} ({inside})" if self.where and inside else self.where or inside


UserOperators = dict[int, UserOperator]


def number_operators(graph_module: Any) -> UserOperators:
    """Number the calls in a captured graph, and return the operator of each number.

    The quantize and dequantize nodes of a quantised graph get no number. Neither do operators that
    return their input: passes drop these, and `number_replacements` would then give their numbers
    to other operators.
    """
    found: UserOperators = {}
    for number, node in enumerate(graph_module.graph.nodes):
        if node.op == "call_function" and not is_quantisation(node) and not _hands_on(node):
            set_number(node, number)
            line, inner = user_line(node.meta.get("stack_trace")), library_line(node.meta.get("stack_trace"))
            found[number] = UserOperator(
                name=short_name(str(node.target)),
                module=module_path(node),
                where=line.where if line else "",
                source=line.text if line else "",
                inner_where=inner.where if inner else "",
                inner_source=inner.text if inner else "",
            )
    return found


def is_quantisation(node: Any) -> bool:
    """Whether a node of a captured graph is a quantize or dequantize."""
    return node.op == "call_function" and str(node.target).startswith(_QUANTISATION)


def _hands_on(node: Any) -> bool:
    """Whether an operator returns its input: a conversion to the same dtype, a dropout in eval.

    The result is also true for an assertion, which returns nothing. Conversions come with one.
    """
    if not node.users and node.meta.get("val") is None:
        return True
    if str(node.target).split(".")[1:2] not in (["to"], ["alias"], ["detach"], ["dropout"]):
        return False
    value, given = node.meta.get("val"), node.all_input_nodes[0].meta.get("val")
    # Whether both are tensors. PyTorch is not imported here, so that the command line's help is
    # fast.
    if not (hasattr(value, "stride") and hasattr(given, "stride")):
        return False
    return bool(value.dtype == given.dtype and value.shape == given.shape and value.stride() == given.stride())


def number_of(node: Any) -> int | None:
    """Return the number of the user's operator that `node` came from, None if it is not known."""
    number = node.meta.get("custom", {}).get(_FIELD)
    return int(number) if number is not None else None


def set_number(node: Any, number: int) -> None:
    """Give `node` the number of a user's operator."""
    node.meta["custom"] = {**node.meta.get("custom", {}), _FIELD: number}


def numbers_in(graph_module: Any) -> dict[int, frozenset[str]]:
    """Return number -> names of the model's inputs it depends on, for all operators in a graph."""
    found: dict[int, frozenset[str]] = {}
    for node, used in _inputs_used(graph_module).items():
        number = number_of(node) if node.op == "call_function" else None
        if number is not None:
            found[number] = found.get(number, frozenset()) | used
    return found


def _inputs_used(graph_module: Any) -> dict[Any, frozenset[str]]:
    """Return the names of the model's inputs that each node depends on."""
    found: dict[Any, frozenset[str]] = {}
    for node in graph_module.graph.nodes:
        own = {node.name} if node.op == "placeholder" else set()
        found[node] = frozenset(own.union(*(found[source] for source in node.all_input_nodes)))
    return found


def number_replacements(graph_module: Any, before: Mapping[int, frozenset[str]]) -> None:
    """Number the nodes that passes put in place of the user's operators without copying the number.

    before: `numbers_in` of the graph before these passes. Numbers follow the order of computation.
    So a new node belongs to an operator that was removed. The operator's number is not below those
    of the node's inputs and not above those of its users, and it used the same inputs of the model,
    or more. If there is no such operator, the node gets the number of its user.
    """
    calls = [node for node in graph_module.graph.nodes if node.op == "call_function"]
    inputs_used = _inputs_used(graph_module)
    gone = sorted(before.keys() - numbers_in(graph_module).keys())
    highest: dict[Any, int] = {}
    for node in reversed(calls):
        number = number_of(node)
        used_by = (highest[user] for user in node.users if user in highest)
        own = number if number is not None else min(used_by, default=None)
        if own is not None:
            highest[node] = own
    for node in calls:
        if number_of(node) is not None:
            continue
        inputs = [number for number in map(number_of, node.all_input_nodes) if number is not None]
        lowest, limit = max(inputs, default=-1), highest.get(node, max(before, default=-1))
        candidates = [n for n in gone if lowest <= n <= limit and before[n] >= inputs_used[node]]
        closest = [n for n in candidates if before[n] == inputs_used[node]]
        found = max(closest or candidates, default=highest.get(node, max(inputs, default=None)))
        if found is not None:
            set_number(node, found)


def module_path(node: Any) -> str:
    """Return the path of the nn.Module that called the operator, "features.0"."""
    calls = list((node.meta.get("nn_module_stack") or {}).values())
    return str(calls[-1][0]).removeprefix("L['self'].") if calls else ""


def short_name(target: str) -> str:
    """Return an operator's name as users know it.

    >>> short_name("aten.leaky_relu.default")
    'leaky_relu'
    >>> short_name("zoo.mystery.default")
    'zoo.mystery'
    """
    return target.removeprefix("aten.").removesuffix(".default").removesuffix(".Tensor").removesuffix(".Scalar")
