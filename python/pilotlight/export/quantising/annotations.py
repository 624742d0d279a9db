# SPDX-License-Identifier: Apache-2.0
"""Applies a recipe: which operators of a captured graph get which precision and observer.

Settings are decided for the user's operators, which keep their number through upstream's passes. So
a setting for `layer_norm` reaches all operators that upstream makes of it, and a setting for `add`
does not reach a sum inside a layer norm. Only attention has parts that settings can tell apart: its
products (`matmul`) and the rest (`softmax`).
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from executorch.backends.arm.quantizer import get_symmetric_quantization_config
from executorch.backends.arm.quantizer.quantization_config import TOSAQuantizationConfig
from executorch.backends.cortex_m.quantizer.node_finders import NodeFinder
from torch._ops import OpOverload
from torchao.quantization.pt2e import FusedMovingAvgObsFakeQuantize, HistogramObserver, MinMaxObserver
from torchao.quantization.pt2e.quantizer import QuantizationSpec

from pilotlight.errors import ConfigError
from pilotlight.export.graph.user_operators import UserOperators, number_of, short_name
from pilotlight.export.quantising.observers import PercentileObserver, SquareErrorObserver
from pilotlight.recipe import (
    DEFAULT_EPSILON,
    FLOAT,
    GROUPS,
    INPUTS,
    OUTPUTS,
    PRECISIONS,
    RESIDUALS,
    WORDS,
    Recipe,
    Setting,
)

_OBSERVERS = {
    "minmax": MinMaxObserver,
    "histogram": HistogramObserver,
    "percentile": PercentileObserver,
    "mse": SquareErrorObserver,
}
_ATTENTION = GROUPS["attention"]
_SUMS = frozenset(("add", "add_"))


@dataclass(frozen=True)
class Choice:
    """How one operator is quantised. precision: a key of `PRECISIONS`, or FLOAT."""

    precision: str
    observer: str


@dataclass(frozen=True)
class _Facts:
    """What settings can ask of a user's operator.

    modules: the paths of the nn.Modules that it is in, the outermost first. types: their classes,
    by name and by full name.
    """

    name: str
    modules: tuple[str, ...]
    types: frozenset[str]
    is_residual: bool


class Choices:
    """The decisions of one recipe for one captured model.

    graph: the captured graph, with numbers. operators: the user's operator of each number.

    Raises ConfigError if a setting names something that the model does not have.
    """

    def __init__(self, recipe: Recipe, graph: Any, operators: UserOperators) -> None:
        self.recipe = recipe
        self._facts = dict(_facts(graph, operators))
        self._unused = tuple(self._without_effect())

    @property
    def default(self) -> Choice:
        """What applies where no setting does."""
        return Choice(self.recipe.precision, self.recipe.observer)

    @property
    def exceptions(self) -> tuple[Choice, ...]:
        """All choices that settings can lead to, without the default and without FLOAT."""
        found: dict[Choice, None] = {self.default: None}
        for setting in self.recipe.exceptions:
            found |= dict.fromkeys([_changed(choice, setting) for choice in found])
        return tuple(choice for choice in found if choice not in (self.default,) and choice.precision != FLOAT)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of `WORDS` with which a setting reaches something in this model."""
        facts = self._facts.values()
        return tuple(word for word in WORDS if word in (INPUTS, OUTPUTS) or any(_applies(word, f, "") for f in facts))

    @property
    def names(self) -> frozenset[str]:
        """The names of the model's operators."""
        return frozenset(facts.name for facts in self._facts.values())

    @property
    def modules(self) -> tuple[str, ...]:
        """The paths of the modules that operators are in, in the order of computation."""
        return tuple(dict.fromkeys(path for facts in self._facts.values() for path in facts.modules if path))

    def of(self, node: Any) -> Choice:
        """Return the choice for a node of the captured graph, or of a graph made from it."""
        if node.op in ("placeholder", "output"):
            words = {INPUTS if node.op == "placeholder" else OUTPUTS}
            return self._chosen(lambda setting: setting.where in words)
        number = number_of(node)
        facts = None if number is None else self._facts.get(number)
        if facts is None:
            return self.default
        return self._chosen(lambda setting: _applies(setting.where, facts, operator_name(node)))

    def in_float(self) -> dict[int, str]:
        """Return number -> reason, for the operators that the recipe leaves in float."""
        reason = "the recipe keeps it in float"
        return {
            number: reason
            for number, facts in self._facts.items()
            if self._chosen(lambda setting, facts=facts: _applies(setting.where, facts, "")).precision == FLOAT
        }

    def notes(self) -> list[str]:
        """Return sentences for the report."""
        return [f"the recipe's {setting} applies to no operator of this model" for setting in self._unused]

    def _chosen(self, applies: Any) -> Choice:
        choice = self.default
        for setting in self.recipe.exceptions:
            if applies(setting):
                choice = _changed(choice, setting)
        return choice

    def _without_effect(self) -> Iterator[Setting]:
        for setting in self.recipe.exceptions:
            where = setting.where
            if where in (INPUTS, OUTPUTS) or any(_applies(where, facts, "") for facts in self._facts.values()):
                continue
            if where not in WORDS:
                raise self._nothing_there(setting)
            yield setting

    def _nothing_there(self, setting: Setting) -> ConfigError:
        kind, _, given = setting.where.partition(".")
        if kind == "type" and given:
            known = sorted({name for facts in self._facts.values() for name in facts.types if "." not in name})
            what = f"module of the class {given!r}"
        elif kind == "name" and given:
            known = sorted({path for facts in self._facts.values() for path in facts.modules if path})
            what = f"module with the path {given!r}"
        else:
            given = setting.where
            known = sorted({facts.name for facts in self._facts.values()})
            what = f"operator {given!r}"
        close = difflib.get_close_matches(given, (*known, *(WORDS if what.startswith("operator") else ())), n=1)
        nearest = f"did you mean {close[0]!r}? " if close else ""
        listed = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
        return ConfigError(
            f"recipe '{self.recipe}': {setting}: the model has no {what}", hint=f"{nearest}it has: {listed or 'none'}"
        )


class Chosen(NodeFinder):  # type: ignore[misc]
    """Finds the nodes with one choice."""

    def __init__(self, choices: Choices, choice: Choice) -> None:
        self._choices, self._choice = choices, choice

    def find_nodes(self, model: Any) -> Iterator[Any]:
        return (node for node in model.graph.nodes if self._choices.of(node) == self._choice)

    def __repr__(self) -> str:
        return f"nodes that the recipe sets to {self._choice.precision}, {self._choice.observer}"


def recipe_configuration(recipe: Recipe, *, is_qat: bool = False) -> TOSAQuantizationConfig:
    """Return upstream's configuration for a recipe without settings, for training scripts.

    is_qat: for `prepare_qat_pt2e`. Training has observers of its own, and ignores the recipe's.
    """
    if recipe.exceptions:
        raise ConfigError(f"recipe '{recipe}': a configuration has no settings", hint=f"{recipe.precision} alone")
    return configuration(Choice(recipe.precision, recipe.observer), recipe, is_qat=is_qat)


def configuration(choice: Choice, recipe: Recipe, *, is_qat: bool = False) -> TOSAQuantizationConfig:
    """Return upstream's configuration for a choice.

    With the default recipe it is equal to upstream's own default.
    """
    bits, weight_bits, per_channel = PRECISIONS[choice.precision]
    largest = 2 ** (weight_bits - 1) - 1
    epsilon = recipe.epsilon or DEFAULT_EPSILON[bits]
    base = get_symmetric_quantization_config(
        is_per_channel=per_channel,
        weight_qmin=-largest,
        weight_qmax=largest,
        eps=recipe.epsilon or DEFAULT_EPSILON[8],
        is_qat=is_qat,
    )
    arguments = {"eps": epsilon} | ({"percentile": recipe.percentile} if choice.observer == "percentile" else {})
    values = QuantizationSpec(
        dtype=torch.int16 if bits == 16 else torch.int8,
        # 16 bits are symmetric, because TOSA's 16-bit operators have no zero points.
        quant_min=-32767 if bits == 16 else -128,
        quant_max=32767 if bits == 16 else 127,
        qscheme=torch.per_tensor_symmetric if bits == 16 else torch.per_tensor_affine,
        is_dynamic=False,
        observer_or_fake_quant_ctr=(
            FusedMovingAvgObsFakeQuantize.with_args(eps=epsilon)
            if is_qat
            else _OBSERVERS[choice.observer].with_args(**arguments)
        ),
    )
    return TOSAQuantizationConfig(values, values, base.weight, base.bias, f"{choice.precision}, {choice.observer}")


def _changed(choice: Choice, setting: Setting) -> Choice:
    return Choice(setting.precision or choice.precision, setting.observer or choice.observer)


def _applies(where: str, facts: _Facts, target: str) -> bool:
    """Whether a setting applies to a node of the user's operator.

    target: the node's own operator; "" asks for any part of the user's operator.
    """
    kind, _, given = where.partition(".")
    if kind == "type" and given:
        return given in facts.types
    if kind == "name" and given:
        return any(fnmatch.fnmatchcase(path, given) for path in facts.modules)
    if where == RESIDUALS:
        return facts.is_residual
    if facts.name in GROUPS.get(where, (where,)):
        return True
    if facts.name not in _ATTENTION:
        return False
    is_product = target in GROUPS["matmul"]
    return (where == "matmul" and (is_product or not target)) or (where == "softmax" and not is_product)


def _facts(graph: Any, operators: UserOperators) -> Iterator[tuple[int, _Facts]]:
    origins = _origins(graph)
    for node in graph.graph.nodes:
        number = number_of(node)
        if node.op != "call_function" or number is None:
            continue
        calls = list((node.meta.get("nn_module_stack") or {}).values())
        types = [kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}" for _, kind in calls]
        name = without_overload(operators[number].name) if number in operators else operator_name(node)
        yield (
            number,
            _Facts(
                name=name,
                modules=tuple(str(path).removeprefix("L['self'].") for path, _ in calls),
                types=frozenset((*types, *(kind.rpartition(".")[2] for kind in types))),
                is_residual=name in _SUMS and _is_residual(node, origins),
            ),
        )


def operator_name(node: Any) -> str:
    """Return the name of a call's operator without its overload: "softmax" for aten.softmax.int."""
    is_operator = isinstance(node.target, OpOverload)
    return without_overload(short_name(str(node.target))) if is_operator else str(getattr(node.target, "__name__", ""))


def without_overload(name: str) -> str:
    """Return the name of PyTorch's operator; the name of another library's operator unchanged.

    >>> without_overload("softmax.int"), without_overload("zoo.mystery")
    ('softmax', 'zoo.mystery')
    """
    first = name.partition(".")[0]
    return first if hasattr(torch.ops.aten, first) else name


def _origins(graph: Any) -> dict[Any, frozenset[Any]]:
    """Return the values of the model's data that each node is computed from, itself included."""
    found: dict[Any, frozenset[Any]] = {}
    for node in graph.graph.nodes:
        before = frozenset().union(*(found[source] for source in node.all_input_nodes))
        is_data = node.op == "placeholder" or (node.op == "call_function" and bool(before))
        found[node] = before | {node} if is_data else frozenset()
    return found


def _is_residual(node: Any, origins: dict[Any, frozenset[Any]]) -> bool:
    operands = [argument for argument in node.args[:2] if isinstance(argument, torch.fx.Node)]
    return len(operands) == 2 and operands[0] is not operands[1] and bool(origins[operands[0]] & origins[operands[1]])
