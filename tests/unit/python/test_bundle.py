# SPDX-License-Identifier: Apache-2.0
"""A damaged model.json is an error that names the file and the mistake, whatever its content."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotlight.bundle import ModelInfo, TensorInfo, Tie, TieBlocks, Tolerance, load_model_info, tie_blocks
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


# An input [1, 4, 7, 8] with slots along axis 2, its row, and both with heads innermost.
CACHE = TensorInfo("k", "int8", (1, 4, 7, 8), 0.5, -3)
ROW = TensorInfo("new_k", "int8", (1, 4, 1, 8), 0.5, -3)
INNERMOST = (0, 2, 3, 1)


def test_ties_are_loaded_as_saved(bundle: Path) -> None:
    tied = replace(INFO, inputs=(CACHE, CACHE), outputs=(ROW, CACHE), ties=(Tie(0, 1, 2), Tie(1, 0, None)))
    tied.save(bundle)
    assert load_model_info(bundle) == tied


@pytest.mark.parametrize(
    "tie",
    [
        {"output": 2, "input": 0, "axis": 2},
        {"output": 0, "input": -1, "axis": 2},
        {"output": "0", "input": 0, "axis": 2},
        {"output": 0, "input": 0, "axis": 1},
        {"output": 0, "input": 0, "axis": 4},
        {"output": 0, "input": 0, "axis": None},
        {"output": 1, "input": 0, "axis": 2},
        {"output": 0, "input": 0},
    ],
)
def test_a_tie_that_does_not_fit_is_refused(bundle: Path, tie: dict[str, Any]) -> None:
    replace(INFO, inputs=(CACHE,), outputs=(ROW, replace(ROW, scale=0.25))).save(bundle)
    refuse(bundle, {"ties": [tie]})


def test_two_ties_to_one_input_are_refused(bundle: Path) -> None:
    replace(INFO, inputs=(CACHE,), outputs=(ROW, ROW)).save(bundle)
    refuse(bundle, {"ties": [{"output": 0, "input": 0, "axis": 2}, {"output": 1, "input": 0, "axis": 2}]})


@pytest.mark.parametrize(
    ("order", "blocks"),
    [((), TieBlocks(7, 8, 4)), (INNERMOST, TieBlocks(7, 32, 1)), ((0, 1, 3, 2), TieBlocks(7, 1, 32))],
)
def test_blocks_put_a_row_where_numpy_does(order: tuple[int, ...], blocks: TieBlocks) -> None:
    cache, row = replace(CACHE, dim_order=order), replace(ROW, dim_order=order)
    assert tie_blocks(Tie(0, 0, 2), row, cache) == blocks
    values = np.arange(4 * 7 * 8, dtype=np.int64).astype(np.int8).reshape(CACHE.shape)
    new = -np.arange(32, dtype=np.int8).reshape(ROW.shape)
    memory = cache.in_memory(values).reshape(-1)
    source = row.in_memory(new).reshape(-1)
    slot = 5
    for block in range(blocks.count):
        at = slot * blocks.bytes + block * blocks.slots * blocks.bytes
        memory[at : at + blocks.bytes] = source[block * blocks.bytes :][: blocks.bytes]
    values[:, :, slot : slot + 1] = new
    assert (cache.from_memory(memory) == values).all()


def test_a_row_in_another_order_than_its_input_is_no_copy() -> None:
    with pytest.raises(ValueError, match="in memory one has the order"):
        tie_blocks(Tie(0, 0, 2), replace(ROW, dim_order=INNERMOST), CACHE)
    # Axes of size 1 have no order.
    flat = TensorInfo("k", "int16", (1, 1, 7, 8), 0.5, 0)
    moved = TensorInfo("new_k", "int16", (1, 1, 1, 8), 0.5, 0, INNERMOST)
    assert tie_blocks(Tie(0, 0, 2), moved, flat) == TieBlocks(7, 16, 1)


def test_a_whole_tensor_is_one_block_of_one_slot() -> None:
    assert tie_blocks(Tie(0, 0, None), CACHE, CACHE) == TieBlocks(1, 224, 1)
