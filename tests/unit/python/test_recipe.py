# SPDX-License-Identifier: Apache-2.0
"""A recipe's text and its dataclass say the same, and wrong recipes are refused with a remedy."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotlight.errors import ConfigError
from pilotlight.recipe import FLOAT, OBSERVERS, PRECISIONS, PRESETS, WORDS, Recipe, Setting, as_recipe

_NAMES = st.text("abcdefgh_.*0123", min_size=1, max_size=8)
_PLACES = st.one_of(
    st.sampled_from([word for word in WORDS if word not in ("inputs", "outputs")]),
    st.from_regex(r"[a-z_]{1,6}", fullmatch=True).filter(lambda name: name not in ("observer", "epsilon")),
    _NAMES.map("name.{}".format),
    st.from_regex(r"type\.[A-Z][A-Za-z.]{0,6}", fullmatch=True),
)
_HOWS = st.one_of(
    st.sampled_from([*PRECISIONS, FLOAT, *OBSERVERS]),
    st.tuples(st.sampled_from(list(PRECISIONS)), st.sampled_from(OBSERVERS)).map(",".join),
)
RECIPES = st.builds(
    Recipe,
    precision=st.sampled_from(list(PRECISIONS)),
    observer=st.sampled_from(OBSERVERS),
    settings=st.dictionaries(_PLACES, _HOWS, max_size=4),
    percentile=st.floats(50.001, 100),
    epsilon=st.one_of(st.none(), st.floats(2.0**-30, 0.5), st.integers(-30, -1).map(lambda power: 2.0**power)),
)


@given(RECIPES)
def test_the_text_of_a_recipe_describes_the_same_recipe(recipe: Recipe) -> None:
    assert Recipe.parse(str(recipe)) == recipe


@pytest.mark.parametrize(
    ("text", "recipe"),
    [
        ("int8", Recipe()),
        ("a16", Recipe("a16w8")),
        ("int8-per-tensor", Recipe("int8-per-tensor")),
        ("int8+a16-residuals", Recipe(settings=(Setting("residuals", "a16w8"),))),
        ("a16w8:matmul=int8", Recipe("a16w8", settings={"matmul": "int8"})),
        ("int8:observer=percentile:percentile=99.9", Recipe(observer="percentile", percentile=99.9)),
        ("int8:epsilon=2^-20", Recipe(epsilon=2.0**-20)),
        ("int8:epsilon=1e-6", Recipe(epsilon=1e-6)),
        ("int8:name.head.*=a16,minmax", Recipe(settings={"name.head.*": "a16,minmax"})),
        ("a8w4:gelu=float", Recipe("a8w4", settings={"gelu": "float"})),
    ],
)
def test_a_text_means_this_recipe(text: str, recipe: Recipe) -> None:
    assert Recipe.parse(text) == recipe


@pytest.mark.parametrize(
    ("text", "complaint", "hint"),
    [
        ("a16w9", "there is no precision 'a16w9'", "did you mean 'a16w8'?"),
        ("int8+a16-softmx", "there is no preset '+a16-softmx'", "did you mean '+a16-softmax'?"),
        ("int8:observer=percentil", "there is no observer 'percentil'", "did you mean 'percentile'?"),
        ("int8:softmax", "'softmax' is not WHERE=HOW", "softmax=a16"),
        ("int8:softmax=b16", "softmax=b16: there is no precision or observer 'b16'", "did you mean 'a16'?"),
        ("int8:softmax=a16,int8", "softmax=a16,int8: says twice how", "one precision, one observer"),
        ("int8:softmax=float,mse", "what stays in float needs no observer", ""),
        ("int8:outputs=float", "a recipe cannot say this", "--float-io"),
        ("int8:epsilon=small", "epsilon=small: not a number", "2^-20"),
        ("int8:epsilon=2^-40", "not a scale from 2^-30 to below 1", "2^-20"),
        ("int8:percentile=5", "percentile=5.0: not above 50", "99.99"),
        ("int8:percentile=nan", "percentile=nan: not above 50", "99.99"),
        ("int8:epsilon=1e-6:epsilon=1e-5", "epsilon is there twice", ""),
        ("int8:name.=a16", "after 'name.' comes the path of a module", "type.LayerNorm=a16"),
        ("int8:9lives=a16", "'9lives' is not the name of an operator", "softmax=a16"),
        ("", "there is no precision ''", "there are: int8, int8-per-tensor, a16w8"),
    ],
)
def test_a_wrong_text_is_refused_with_its_part_and_a_remedy(text: str, complaint: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        Recipe.parse(text)
    assert str(error.value).startswith(f"recipe {text!r}: ")
    assert complaint in str(error.value) and hint in error.value.hint


@pytest.mark.parametrize("fields", [{"precision": "int4"}, {"observer": "max"}, {"settings": {"softmax": "int7"}}])
def test_the_dataclass_checks_its_fields_too(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="there is no"):
        Recipe(**fields)


def test_a_setting_that_was_made_by_hand_is_checked_in_its_recipe() -> None:
    with pytest.raises(ConfigError, match="no precision or observer 'int7'"):
        Recipe(settings=(Setting("softmax", "int7"),))


def test_a_new_setting_is_the_last_one() -> None:
    recipe = Recipe("a16w8", settings={"name.head": "a16"}).with_setting("matmul", "int8")
    assert str(recipe) == "a16w8:name.head=a16w8:matmul=int8"


def test_a_preset_keeps_its_name_in_the_text() -> None:
    for preset in PRESETS:
        assert str(Recipe.parse(f"int8+{preset}:gelu=a16")) == f"int8+{preset}:gelu=a16w8"


def test_other_types_than_a_recipe_or_its_text_are_refused() -> None:
    assert as_recipe(None) == Recipe() == as_recipe("int8")
    with pytest.raises(ConfigError, match="quantisation is int, not a Recipe"):
        as_recipe(8)  # type: ignore[arg-type]


def test_a_recipe_can_be_read_without_pytorch() -> None:
    code = "import sys, pilotlight.model_spec as m; m.Recipe.parse('a16w8'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
