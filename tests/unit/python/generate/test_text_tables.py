# SPDX-License-Identifier: Apache-2.0
"""The tables of a text model: stored as the inputs are, in their order in memory, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotlight.bundle import ModelInfo, TensorInfo, Tie
from pilotlight.errors import ConfigError, ModelError
from pilotlight.generate.tables import make_tables, quantised
from pilotlight.generate.text_model import TextModel, load_text_model

INFO = ModelInfo(
    "net",
    "net/model.py",
    "ethos-u55-128",
    "s",
    "m",
    inputs=(
        TensorInfo("keys", "int8", (1, 2, 3, 4), 0.5, -3),
        TensorInfo("place", "int16", (1, 2, 1, 3), 0.25, 0, (0, 2, 3, 1)),
        TensorInfo("letter", "int8", (1, 6), 0.1, 5),
    ),
    outputs=(TensorInfo("output_0", "int8", (1, 2, 1, 4), 0.5, -3), TensorInfo("output_1", "int8", (1, 5), 0.1, 0)),
    labels=(),
    pte_sha256="",
    ties=(Tie(0, 0, 2),),
)
LETTERS = np.linspace(-20, 20, 30).reshape(5, 6).astype(np.float32)
PLACES = np.arange(24, dtype=np.float32).reshape(4, 2, 1, 3) / 4
TEXT = TextModel((b"a", b"bc", b"\xc3\xa9", b"", b" "), lambda text: [], {"letter": LETTERS}, {"place": PLACES}, 1)


def test_rows_hold_the_stored_values_in_the_order_of_memory() -> None:
    tables = make_tables(TEXT, INFO)
    places, letters = tables.inputs
    assert (places.input, places.by_token, letters.input, letters.by_token) == (1, False, 2, True)
    # Row 0 has elements 0 1 2 / 3 4 5 along axes 1 and 3; in memory axis 1 is innermost.
    assert places.rows[0].view(np.int16).tolist() == [0, 3, 1, 4, 2, 5]
    assert letters.rows[0].view(np.int8).tolist()[:2] == [-128, -128]
    assert letters.rows[2].view(np.int8).tolist() == np.rint(LETTERS[2] * 10 + 5).astype(int).tolist()
    fed = tables.feed(4, 1, INFO)
    assert fed[1].tolist() == (PLACES[1:2] * 4).astype(int).tolist()
    assert fed[2].shape == (1, 6) and fed[2].max() == 127
    assert tables.context == 4


def test_values_are_rounded_as_the_quantiser_rounds_them() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchao")
    from torch.ao.quantization.fx._decomposed import quantized_decomposed_lib  # noqa: F401

    values = np.random.default_rng(1).normal(0, 3, 20_000).astype(np.float32)
    info = TensorInfo("x", "int8", (20_000,), 0.037, -11)
    theirs = torch.ops.quantized_decomposed.quantize_per_tensor(
        torch.from_numpy(values), info.scale, info.zero_point, -128, 127, torch.int8
    )
    np.testing.assert_array_equal(quantised(values, info), theirs.numpy())


@pytest.mark.parametrize(
    "change",
    [
        {"vocabulary": (b"a", b"bc", b"\xc3\xa9", b"", b"_")},
        {"vocabulary": (b"ab", b"c", b"\xc3\xa9", b"", b" ")},
        {"by_token": {"letter": LETTERS + np.float32(0.2)}},
        {"by_position": {"place": PLACES + np.float32(0.25)}},
    ],
)
def test_the_checksum_covers_everything_that_the_image_holds(change: dict[str, Any]) -> None:
    assert make_tables(replace(TEXT, **change), INFO).crc != make_tables(TEXT, INFO).crc


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"by_token": {}}, "its inputs are keys, place, letter"),
        ({"by_token": {"letter": LETTERS, "keys": LETTERS}}, "the model ties keys"),
        ({"by_token": {"lettre": LETTERS}}, "tables for lettre, place"),
        ({"by_token": {"letter": LETTERS[:4]}}, r"letter is \[4, 6\], not 5 rows"),
        ({"by_token": {"letter": LETTERS[:, :5]}}, r"letter is \[5, 5\], not 5 rows"),
        ({"by_token": {"letter": LETTERS * np.nan}}, "no finite numbers"),
        ({"by_position": {"place": PLACES[:3]}}, "3 positions, but keys has 3 slots"),
        ({"logits": 0}, r"output 0 is int8\[1, 2, 1, 4\]"),
        ({"logits": 2}, "output 2 is missing"),
        ({"vocabulary": ()}, "a vocabulary of 0 tokens"),
    ],
)
def test_tables_that_do_not_fit_the_model_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        make_tables(replace(TEXT, **change), INFO)
    assert caught.value.hint and "net/model.py" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        ("1 / 0", "ZeroDivisionError"),
        ("", "text_model"),
        ("def text_model():\n    return 5", "returned int, not a TextModel"),
    ],
)
def test_a_text_file_that_gives_no_text_model_is_named(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "text.py").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as caught:
        load_text_model(tmp_path / "model.py")
    assert str(tmp_path / "text.py") in str(caught.value) and caught.value.hint
