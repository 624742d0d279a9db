# SPDX-License-Identifier: Apache-2.0
"""Decoded weights on disk are those that were decoded, or none."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pilotlight.npu.arithmetic import mlw_worker, weight_store
from pilotlight.npu.arithmetic.weight_codec import WeightCodec
from pilotlight.npu.arithmetic.weight_matrix import Weights
from pilotlight.npu.arithmetic.weight_order import WeightGeometry
from pilotlight.npu.arithmetic.weight_order_u85 import WeightGeometryU85
from pilotlight.npu.arithmetic.weight_store import WeightStore
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.stream.faults import BadWeights
from pilotlight.user_cache import weight_cache

# A convolution of 3 x 3 pixels, 8 channels in, 16 out, in one block.
GEOMETRY = WeightGeometry(False, 16, 8, 3, 3, 1, 1, False, 8, 16, 8)
U85_GEOMETRY = WeightGeometryU85(False, 16, 8, 3, 3, 1, 1, 1, 1, True, 8, False, False, 16, 8, 256)


class Counting(WeightCodec):
    """A decoder that counts, and gives other numbers for other streams."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: list[bytes] = []

    def decode(self, stream: bytes) -> NDArray[np.int16]:
        self.streams.append(stream)
        if stream == b"damaged":
            raise BadWeights("it does not decode")
        return np.random.default_rng(list(stream)).integers(-255, 256, 5000).astype(np.int16)


def cache(folder: Path | None, codec: WeightCodec) -> WeightCache:
    return WeightCache(codec, store=WeightStore(folder))


def test_another_process_gets_the_same_weights_without_the_decoder(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    for streams in ((b"one",), (b"two",), (b"one", b"two")):
        decoded = cache(tmp_path, first).weights(streams, GEOMETRY)
        loaded = cache(tmp_path, second).weights(streams, GEOMETRY)
        np.testing.assert_array_equal(loaded.matrix, decoded.matrix)
        assert loaded.matrix.dtype == np.float32 and loaded.matrix.any()
        assert loaded.largest_sum == decoded.largest_sum
    assert first.streams and second.streams == []


@pytest.mark.parametrize("largest", [127, 128, 255, -128, -129])
def test_weights_of_any_size_keep_their_values(tmp_path: Path, largest: int) -> None:
    matrix = np.array([[largest, 0, 1], [2, -3, 4]], np.float32)
    WeightStore(tmp_path).save("key", Weights.of(matrix))
    loaded = WeightStore(tmp_path).load("key")
    assert loaded is not None
    np.testing.assert_array_equal(loaded.matrix, matrix)
    np.testing.assert_array_equal(loaded.sums, matrix.sum(axis=0))
    assert loaded.largest_sum == max(abs(largest) + 2, 5)


@pytest.mark.parametrize("geometry", [GEOMETRY, U85_GEOMETRY], ids=["U55", "U85"])
def test_other_streams_orders_and_decoders_have_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, geometry: Any
) -> None:
    store = WeightStore(tmp_path)
    keys = {store.key((b"ab", b"c"), geometry), store.key((b"a", b"bc"), geometry), store.key((b"abc",), geometry)}
    for field in geometry.__dict__:
        keys.add(store.key((b"abc",), replace(geometry, **{field: 7})))
    keys.add(store.key((b"abc",), U85_GEOMETRY if geometry is GEOMETRY else GEOMETRY))
    monkeypatch.setattr(weight_store, "_decoder", lambda: "another")
    keys.add(store.key((b"abc",), geometry))
    assert len(keys) == 3 + len(geometry.__dict__) + 2


def test_u85_weights_come_from_the_store_too(tmp_path: Path) -> None:
    first, second = Counting(), Counting()
    decoded = cache(tmp_path, first).weights((b"one",), U85_GEOMETRY)
    np.testing.assert_array_equal(cache(tmp_path, second).weights((b"one",), U85_GEOMETRY).matrix, decoded.matrix)
    assert decoded.matrix.any() and first.streams == [b"one"] and second.streams == []


def test_the_key_covers_each_source_of_decoded_weights() -> None:
    folder = Path(weight_store.__file__).parent
    named = {path.name for path in folder.glob("*weight*.py")} | {"mlw_worker.py"}
    assert set(weight_store._SOURCES) == named


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "a folder", "unreadable"])
def test_a_damaged_file_is_decoded_again(tmp_path: Path, damage: str) -> None:
    codec = Counting()
    wanted = cache(tmp_path, codec).weights((b"one",), GEOMETRY).matrix
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    path.unlink()
    if damage == "flipped":
        path.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    elif damage == "a folder":
        path.mkdir()
    elif damage == "unreadable":
        path.symlink_to(path)
    else:
        path.write_bytes(data[:40] if damage == "cut" else b"")
    np.testing.assert_array_equal(cache(tmp_path, codec).weights((b"one",), GEOMETRY).matrix, wanted)
    assert codec.streams == [b"one", b"one"]


def test_a_stream_that_does_not_decode_is_not_kept(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(BadWeights):
            cache(tmp_path, Counting()).weights((b"damaged",), GEOMETRY)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(WeightStore, "_write", full)
    codec = Counting()
    assert cache(tmp_path, codec).weights((b"one",), GEOMETRY).matrix.any()
    assert cache(tmp_path / "a file" / "no folder", codec).weights((b"one",), GEOMETRY).matrix.any()
    assert cache(None, codec).weights((b"one",), GEOMETRY).matrix.any()
    assert len(codec.streams) == 3


def test_a_write_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fails)
    WeightStore(tmp_path).save("key", Weights.of(np.ones((2, 2), np.float32)))
    assert list(tmp_path.iterdir()) == []


def test_the_files_not_used_for_the_longest_time_go_first(tmp_path: Path) -> None:
    matrix = Weights.of(np.ones((10, 100), np.float32))  # 1,856 bytes on disk.
    store = WeightStore(tmp_path, most_bytes=7000)
    for number, key in enumerate(("a", "b", "c")):
        store.save(key, matrix)
        os.utime(tmp_path / key, (number, number))
    assert store.load("a") is not None
    store.save("d", matrix)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c", "d"]


def test_many_processes_that_write_little_keep_the_limit_together(tmp_path: Path) -> None:
    for number in range(10):
        WeightStore(tmp_path, most_bytes=4000).save(str(number), Weights.of(np.ones((10, 100), np.float32)))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4000


def _save_and_load(folder: Path, seed: int) -> bool:
    generator = np.random.default_rng(seed)
    store = WeightStore(folder, most_bytes=60_000)
    for _ in range(200):
        number = int(generator.integers(0, 20))
        matrix = np.full((20, 50 + number), number, np.float32)
        loaded = store.load(str(number))
        if loaded is not None and not np.array_equal(loaded.matrix, matrix):
            return False
        store.save(str(number), Weights.of(matrix))
    return True


def test_many_processes_at_once_get_whole_files(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert all(pool.starmap(_save_and_load, [(tmp_path, seed) for seed in range(3)]))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PILOTLIGHT_WEIGHT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weight_cache() == tmp_path / "pilotlight" / "weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weight_cache() == tmp_path / ".cache" / "pilotlight" / "weights"
    monkeypatch.setenv("PILOTLIGHT_WEIGHT_CACHE", str(tmp_path / "own"))
    assert weight_cache() == tmp_path / "own"
    monkeypatch.setenv("PILOTLIGHT_WEIGHT_CACHE", "off")
    assert weight_cache() is None


@pytest.mark.parametrize("count", [1, 1000, 70_000])
def test_the_codecs_c_function_decodes_like_its_python_function(count: int) -> None:
    encode = import_module("ethosu.mlw_codec").encode
    weights = np.random.default_rng(count).integers(-255, 256, count).astype(np.int16)
    stream = bytes(encode(weights.tolist()))
    decode = mlw_worker.decoder()
    assert decode is not mlw_worker.in_python
    for decoded in (decode(stream), mlw_worker.in_python(stream)):
        np.testing.assert_array_equal(np.frombuffer(decoded, np.int16)[:count], weights)


def test_a_wheel_without_the_c_function_decodes_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlw_worker, "find_spec", lambda _: find_spec("math"))
    assert mlw_worker.decoder() is mlw_worker.in_python
