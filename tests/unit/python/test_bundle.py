# SPDX-License-Identifier: Apache-2.0
"""A damaged model.json is an error that names the file and the mistake, whatever its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pilotlight.bundle import ModelInfo, TensorInfo, Tolerance, load_model_info
from pilotlight.errors import ConfigError

PROGRAM = b"program"
X = TensorInfo("x", "int8", (1, 2, 3), 0.5, -3, (0, 2, 1))
INFO = ModelInfo(
    "net", "net.py", "ethos-u55-128", "system", "mode", (X,), (X, X), ("a",), hashlib.sha256(PROGRAM).hexdigest()
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "model.pte").write_bytes(PROGRAM)
    INFO.save(tmp_path)
    return tmp_path


def test_what_was_saved_is_loaded(bundle: Path) -> None:
    assert load_model_info(bundle) == INFO
    assert load_model_info(bundle).tolerance_of(1) == Tolerance(0.0, 0.0)


TENSOR = {
    "name": [3],
    "dtype": ["float8", 5, "O", None],
    "shape": [[-1], ["3"], [2.0], [2**40], 3, "12"],
    "scale": ["1", -1.0, float("nan"), float("inf"), None],
    "zero_point": ["0", 0.5, None],
    "dim_order": [[0, 1], [0, 0, 1], [1, 2, 3], ["0", "1", "2"], 5],
}
WRONG: list[tuple[str, Any]] = [
    ("name", 7),
    ("labels", [1]),
    ("labels", 5),
    ("inputs", [5]),
    ("inputs", "x"),
    ("inputs", None),
    ("outputs", [{}]),
    ("tolerances", [{}]),
    ("tolerances", [{"max_difference": 0.0, "max_share": 0.0}]),
    ("warnings", [5]),
    ("pte_sha256", None),
    ("schema", 0),
    ("more", 1),
]


def refuse(bundle: Path, change: dict[str, Any]) -> None:
    path = bundle / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_model_info(bundle)
    assert str(path) in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_entry_is_refused(bundle: Path, key: str, value: Any) -> None:
    refuse(bundle, {key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key, values in TENSOR.items() for value in values],
)
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_wrong_field_of_a_tensor_is_refused(bundle: Path, side: str, key: str, value: Any) -> None:
    raw = json.loads((bundle / "model.json").read_text())[side]
    refuse(bundle, {side: [{**raw[0], key: value}, *raw[1:]]})


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", '"text"', "\udcff"])
def test_a_file_that_is_no_description_is_refused(bundle: Path, text: str) -> None:
    (bundle / "model.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(ConfigError, match="not a model description"):
        load_model_info(bundle)


@pytest.mark.parametrize("name", ["model.json", "model.pte"])
def test_a_missing_file_and_a_folder_in_its_place_are_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(ConfigError, match=name):
        load_model_info(bundle)
    (bundle / name).mkdir()
    with pytest.raises(ConfigError, match=name):
        load_model_info(bundle)


def test_a_program_of_another_export_is_refused(bundle: Path) -> None:
    (bundle / "model.pte").write_bytes(b"another")
    with pytest.raises(ConfigError, match="not the file that model"):
        load_model_info(bundle)
