# SPDX-License-Identifier: Apache-2.0
"""The language model writes 64 tokens over the serial line, as the loop over the reference does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from workflow import ROOT, build, run

from pilotlight.generate.run import TextBuild

pytestmark = pytest.mark.campaign

PROJECT = ROOT / "firmware" / "apps" / "generate"


@pytest.fixture(scope="module")
def powered() -> Iterator[Path]:
    built = build("generate", "-b", "qemu-corstone300", "-s", PROJECT)
    outcome = run("flash", "-d", built)
    assert outcome.code == 0, outcome.err
    yield built
    run("poweroff", "-d", built)


@pytest.mark.parametrize(
    "sampling", [(), ("--temperature", "0.8", "--top-k", "40", "--seed", "7")], ids=["greedy", "seeded"]
)
def test_64_tokens_are_those_of_the_loop_over_the_reference_model(powered: Path, sampling: tuple[str, ...]) -> None:
    outcome = run("generate", "-d", powered, "--prompt", "The ", "-n", "64", *sampling, "--verify", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["verified"] is True and len(outcome.json["tokens"]) == 64


def test_the_image_holds_the_tables_of_the_models_text(powered: Path) -> None:
    model = TextBuild.load(powered)
    assert model.text.context == 128
    assert {model.info.inputs[table.input].name for table in model.tables.inputs} == {"row", "mask", "cosine", "sine"}
