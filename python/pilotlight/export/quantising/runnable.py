# SPDX-License-Identifier: Apache-2.0
"""Refuses a recipe with which an operator cannot run on the NPU, before the model is lowered.

`RULES` was found by trial: 45 kinds of operators were compiled in each precision for ethos-u55-128
and ethos-u85-256, and run on the simulator. ExecuTorch treats U65 as U55. What is in no rule runs,
or stays on the CPU in every precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from pilotlight.errors import ConfigError
from pilotlight.export.graph.user_operators import UserOperator, UserOperators, number_of
from pilotlight.export.quantising.annotations import operator_name
from pilotlight.recipe import GROUPS, Recipe

_U85 = "ethos-u85-256"
_LISTED = 3


@dataclass(frozen=True)
class Rule:
    """What cannot run.

    operators: names as `operator_name` writes them. families: of NPUs.
    what: of the operator, in the message. reason: who refuses it.
    instead: precisions for the operator that run. elsewhere: an NPU that runs it, or "".
    """

    operators: frozenset[str]
    families: tuple[str, ...]
    what: str
    reason: str
    instead: tuple[str, ...]
    elsewhere: str = ""

    @property
    def is_about_weights(self) -> bool:
        """Whether 4-bit weights are what cannot run, and not 16-bit values."""
        return self.what.startswith("4-bit")

    def applies(self, node: Any, annotation: Any) -> bool:
        """Whether an annotated node is what this rule is about, on its families."""
        if operator_name(node) not in self.operators:
            return False
        specs = [spec for spec in annotation.input_qspec_map.values() if spec is not None]
        if self.is_about_weights:
            return any(_is_narrow_per_channel(spec) for spec in specs)
        return any(getattr(spec, "dtype", None) == torch.int16 for spec in specs)


_SMALL = ("ethos-u55", "ethos-u65")
_TRANSPOSED = frozenset(("conv_transpose1d", "conv_transpose2d"))
RULES = (
    Rule(
        GROUPS["matmul"],
        _SMALL,
        "16-bit product of matrices",
        "it multiplies matrices in 8 bits alone",
        ("int8", "float"),
        _U85,
    ),
    Rule(
        _TRANSPOSED, _SMALL, "16-bit transposed convolution", "Vela does not compile it there", ("int8", "float"), _U85
    ),
    Rule(
        _TRANSPOSED,
        (*_SMALL, "ethos-u85"),
        "4-bit transposed convolution with a scale for each channel",
        "ExecuTorch's quantiser takes the scales of the wrong axis",
        ("a8w4-per-tensor", "int8"),
    ),
)


def rules_for(npu: str) -> list[Rule]:
    """Return what `npu` cannot run."""
    return [rule for rule in RULES if npu.startswith(rule.families)]


def demand_runnable(annotated: Any, npu: str, recipe: Recipe, operators: UserOperators) -> None:
    """Raise ConfigError if an annotated graph has an operator that `npu` cannot run so.

    The message names the operators, and the hint names recipes and NPUs that work.
    """
    for rule in rules_for(npu):
        found = list(dict.fromkeys(_found(annotated, rule, operators)))
        if found:
            raise _refused(rule, npu, recipe, found)


def _found(annotated: Any, rule: Rule, operators: UserOperators) -> Iterator[tuple[str, UserOperator | None]]:
    """Yield the word for a setting, and the user's operator, of each node that the rule refuses."""
    for node in annotated.graph.nodes:
        annotation = node.meta.get(Q_ANNOTATION_KEY)
        if node.op == "call_function" and annotation is not None and rule.applies(node, annotation):
            number = number_of(node)
            name = operator_name(node)
            word = "matmul" if name in GROUPS["matmul"] else name
            yield word, operators.get(number) if number is not None else None


def _refused(rule: Rule, npu: str, recipe: Recipe, found: list[tuple[str, UserOperator | None]]) -> ConfigError:
    word = found[0][0]
    places = [str(operator) for _, operator in found if operator is not None]
    rest = len(places) - _LISTED
    listed = "; ".join(places[:_LISTED]) + (f"; and {rest} more" if rest > 0 else "")
    texts = [f"--quantise {str(recipe.with_setting(word, how))!r}" for how in rule.instead]
    if rule.instead[-1] == "float":
        texts[-1] += " (on the CPU)"
    texts += [f"--npu {rule.elsewhere}"] if rule.elsewhere else []
    return ConfigError(
        f"recipe '{recipe}' cannot run on {npu}: {rule.what}: {rule.reason}\n  {listed}", hint="; or ".join(texts)
    )


def _is_narrow_per_channel(spec: Any) -> bool:
    return getattr(spec, "quant_max", None) == 7 and spec.qscheme == torch.per_channel_symmetric
