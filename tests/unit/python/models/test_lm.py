# SPDX-License-Identifier: Apache-2.0
"""The committed language model has the figures that its README states.

Its step computes what the whole network computes, from the right slots alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch import Tensor

from pilotlight.errors import ModelError
from pilotlight.export.model.model_modules import importable
from pilotlight.export.preload import one_thread
from pilotlight.generate.text_model import TextModel, load_text_model
from pilotlight.paths import MODELS

LM = MODELS / "lm"
TOKENS = 24


@pytest.fixture(scope="module")
def lm() -> Iterator[SimpleNamespace]:
    """Return the modules of python/models/lm. One thread: the network is too small for more."""
    with importable(LM), one_thread():
        import model
        import network
        import perplexity
        import positions
        import samples
        import tokens

        yield SimpleNamespace(
            model=model,
            network=network,
            perplexity=perplexity,
            positions=positions,
            samples=samples,
            tokens=tokens,
        )


@pytest.fixture(scope="module")
def text() -> list[int]:
    return np.random.default_rng(3).integers(0, 512, TOKENS).tolist()


Change = Callable[[int, list[Tensor]], None]


def logits_of_loop(lm: SimpleNamespace, text: list[int], change: Change | None = None, shift: int = 0) -> Tensor:
    """Run the step through `text` and return all logits.

    change: changes the inputs of a step, given its position. shift: added to the slot of each row.
    """
    decoder = lm.model.trained()
    step = lm.network.Step(decoder)
    mask, cosine, sine = (torch.from_numpy(table) for table in (lm.positions.masks(), *lm.positions.rotations()))
    caches, found = lm.samples.empty_caches(), []
    for position, token in enumerate(text):
        here = slice(position, position + 1)
        row = decoder.embedding.weight[token][None]
        given = [tensor.clone() for tensor in (row, mask[here], cosine[here], sine[here], *caches)]
        if change:
            change(position, given)
        with torch.no_grad():
            outputs = step(*given)
        found.append(outputs[0][0])
        for cache, new in zip(caches, outputs[1:], strict=True):
            cache[:, :, position + shift] = new[:, :, 0]
    return torch.stack(found)


def test_steps_compute_what_the_whole_network_computes(lm: SimpleNamespace, text: list[int]) -> None:
    with torch.no_grad():
        whole = lm.model.trained()(torch.tensor([text]))[0]
    assert torch.allclose(logits_of_loop(lm, text), whole, atol=0.02)


def test_an_empty_slot_has_no_influence_whatever_it_holds(lm: SimpleNamespace, text: list[int]) -> None:
    def fill(position: int, given: list[Tensor]) -> None:
        for cache in given[4:]:
            cache[:, :, position:] = 20 * torch.sign(torch.randn(cache[:, :, position:].shape))

    assert torch.allclose(logits_of_loop(lm, text, fill), logits_of_loop(lm, text), atol=0.2)


def _open_one_more(position: int, given: list[Tensor]) -> None:
    given[1][:, position] = given[1].max()


def _close_the_newest(position: int, given: list[Tensor]) -> None:
    given[1][:, max(position - 1, 0)] = given[1].min()


def _cross_two_caches(position: int, given: list[Tensor]) -> None:
    given[4], given[5] = given[5], given[4]


def _late_rotation(position: int, given: list[Tensor]) -> None:
    given[2], given[3] = torch.ones_like(given[2]), torch.zeros_like(given[3])


@pytest.mark.parametrize("fault", [_open_one_more, _close_the_newest, _cross_two_caches, _late_rotation])
def test_a_wrong_mask_tie_or_rotation_changes_the_likeliest_tokens(
    lm: SimpleNamespace, text: list[int], fault: Change
) -> None:
    right = logits_of_loop(lm, text).argmax(1)
    assert (logits_of_loop(lm, text, fault).argmax(1) != right).any()


def test_a_wrong_slot_changes_the_likeliest_tokens(lm: SimpleNamespace, text: list[int]) -> None:
    right = logits_of_loop(lm, text).argmax(1)
    assert (logits_of_loop(lm, text, shift=1).argmax(1) != right).any()


def test_rotations_are_those_of_complex_numbers_and_scores_depend_on_the_distance_alone(lm: SimpleNamespace) -> None:
    cosine, sine = (torch.from_numpy(table) for table in lm.positions.rotations())
    query, key = torch.randn(2, 32, generator=torch.Generator().manual_seed(1))
    half = len(query) // 2
    turned = torch.complex(query[:half], query[half:]) * torch.complex(cosine[9], sine[9])
    expected = torch.cat((turned.real, turned.imag))
    assert torch.allclose(lm.network.rotated(query, cosine[9], sine[9]), expected, atol=1e-6)
    scores = [
        lm.network.rotated(query, cosine[p], sine[p]) @ lm.network.rotated(key, cosine[p - 5], sine[p - 5])
        for p in (5, 60, 127)
    ]
    assert np.allclose(scores, float(scores[0]), atol=1e-4)
    assert abs(float(scores[0] - query @ key)) > 0.1


def test_held_out_perplexity_is_the_readmes(lm: SimpleNamespace) -> None:
    found = lm.perplexity.perplexity(lm.model.trained(), lm.model.paragraphs("heldout"), lm.model.vocabulary())
    (stated,) = re.findall(r"\*\*([\d.]+)\*\* in FP32", (LM / "README.md").read_text(encoding="utf-8"))
    assert found == pytest.approx(float(stated), rel=1e-3)


def test_stepwise_perplexity_is_that_of_the_whole_network(lm: SimpleNamespace) -> None:
    decoder, texts, words = lm.model.trained(), lm.model.paragraphs("heldout")[:2], lm.model.vocabulary()
    step, embedding = lm.network.Step(decoder), decoder.embedding.weight.detach()
    stepwise = lm.perplexity.stepwise_perplexity(step, embedding, texts, words)
    assert stepwise == pytest.approx(lm.perplexity.perplexity(decoder, texts, words), rel=1e-4)


def test_a_model_that_knows_nothing_is_as_perplexed_as_its_vocabulary_is_large(lm: SimpleNamespace) -> None:
    def ignorant(*inputs: Tensor) -> list[Tensor]:
        return [torch.zeros(1, 512), *(torch.zeros(1, 4, 1, 32) for _ in inputs[4:])]

    found = lm.perplexity.stepwise_perplexity(ignorant, torch.zeros(512, 128), ["Any text."], lm.model.vocabulary())
    assert math.isclose(found, 512, rel_tol=1e-6)


def test_no_held_out_paragraph_is_one_of_the_calibration(lm: SimpleNamespace) -> None:
    calibration = lm.model.paragraphs("calibration")
    assert len(calibration) == 24 and len(lm.model.paragraphs("heldout")) == 310
    assert not set(calibration) & set(lm.model.paragraphs("heldout"))


def test_weights_are_at_most_one_megabyte() -> None:
    assert (LM / "weights.npz").stat().st_size <= 1_000_000


def test_tokens_are_those_of_a_tokenizer_library(lm: SimpleNamespace) -> None:
    joins = [tuple(line.split("\t")) for line in (LM / "vocabulary.txt").read_text(encoding="ascii").splitlines()]
    singles = ["\n", *map(chr, range(32, 127))]
    numbers = {token: number for number, token in enumerate([*singles, *("".join(pair) for pair in joins)])}
    library = Tokenizer(models.BPE(numbers, joins))
    words = Regex(r" ?[A-Za-z]+| ?[0-9]+| ?[^A-Za-z0-9 \n]+| +|\n")
    library.pre_tokenizer = pre_tokenizers.Split(words, "isolated")
    vocabulary = lm.model.vocabulary()
    assert len(vocabulary.texts) == len(numbers) == 512
    for paragraph in [*lm.model.paragraphs("heldout")[:50], "a  b\n\n  {x[0]!r}: 12,5 %\n"]:
        tokens = vocabulary.encode(paragraph)
        assert tokens == library.encode(paragraph).ids
        assert vocabulary.decode(tokens) == paragraph


def test_a_vocabulary_joins_the_most_frequent_pair_first(lm: SimpleNamespace) -> None:
    vocabulary = lm.tokens.learn_vocabulary(["abab abc", "xyz abq"], 96 + 2)
    assert vocabulary.texts[96:] == ["ab", " ab"]
    assert vocabulary.decode(vocabulary.encode("cab ab")) == "cab ab"


def test_a_character_without_a_token_is_named(lm: SimpleNamespace) -> None:
    with pytest.raises(ModelError, match=r"characters without a token: '\\xe9'"):
        lm.model.vocabulary().encode("caf\N{LATIN SMALL LETTER E WITH ACUTE}")


def test_the_text_model_has_the_rows_of_the_network(lm: SimpleNamespace) -> None:
    text: TextModel = load_text_model(LM / "model.py")
    assert text.context == 128 and len(text.vocabulary) == 512
    assert np.array_equal(text.by_token["row"], lm.model.trained().embedding.weight.detach().numpy())
    assert text.encode("The") == lm.model.vocabulary().encode("The")
