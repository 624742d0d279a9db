# SPDX-License-Identifier: Apache-2.0
"""The compiled loops do what NumPy does, and whatever is wrong with the library, NumPy does it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotlight.npu.arithmetic.output_stage import OutputStage
from pilotlight.npu.compiled import library as library_module
from pilotlight.npu.compiled import loops
from pilotlight.npu.compiled.library import library
from pilotlight.npu.stream.isa import RoundMode

FLOATS = (np.float32, np.float64)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of libraries for one test."""
    monkeypatch.setenv("PILOTLIGHT_COMPILED_LOOPS", str(tmp_path / "loops"))
    library.cache_clear()
    loops._function.cache_clear()
    loops._store_function.cache_clear()
    yield tmp_path / "loops"
    library.cache_clear()
    loops._function.cache_clear()
    loops._store_function.cache_clear()


def in_numpy(stage: OutputStage, accumulators: Any) -> Any:
    """Return what `_in_doubles` computes, without the compiled loop."""
    out = np.empty(accumulators.shape, stage.dtype)
    stage._in_doubles(accumulators, 1, out)
    return out


def test_there_is_a_compiler_here_so_the_other_tests_compare_two_things() -> None:
    assert library() is not None


@settings(max_examples=200)
@given(st.data())
def test_the_output_stage_is_that_of_numpy(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([np.float32, np.float64, np.int32, np.int64]))
    dtype = np.dtype(data.draw(st.sampled_from([np.int8, np.uint8, np.int16, np.int32])))
    shape = (data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5)), data.draw(st.integers(1, 40)))
    random = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    per_channel = data.draw(st.booleans())
    # Beyond this shift, doubles are not exact for results of this size.
    most = {1: 38, 2: 34, 4: 18}[dtype.itemsize]
    size = shape[2] if per_channel else None
    shift = random.integers(most - 8, most, size)
    multiplier = random.integers(1 << most - 12, 1 << most - 4, size)
    limits = sorted(int(value) for value in random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, 2))
    bias = random.integers(-(1 << 20), 1 << 20, shape[2]).astype(np.float64) if data.draw(st.booleans()) else None
    zero_point = int(random.integers(-128, 128))
    stage = OutputStage(multiplier, shift, RoundMode.NATURAL, zero_point, (limits[0], limits[1]), None, dtype, bias)
    assert stage._float_scale is not None
    largest = 1 << data.draw(st.integers(4, 23))
    accumulators = random.integers(-largest, largest + 1, shape).astype(kind)
    assert stage._loop(1, accumulators.dtype) is not None
    np.testing.assert_array_equal(stage.apply(accumulators), in_numpy(stage, accumulators))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("lanes", [1, 7, 255, 256, 257, 700])
def test_the_depthwise_convolution_is_that_of_numpy(dtype: type, lanes: int) -> None:
    random = np.random.default_rng(lanes)
    memory = random.integers(-128, 128, 9 * (lanes + 64)).astype(dtype)
    factors = random.integers(-128, 128, (3, 2, lanes)).astype(dtype)
    item = memory.itemsize
    taps: Any = np.ndarray((4, 3, 2, lanes), dtype, memory, 0, (2 * lanes * item, lanes * item, 32 * item, item))
    found = np.full((4, lanes), 7, dtype)
    assert loops.depthwise(taps, factors, found)
    np.testing.assert_array_equal(found, np.einsum("hyxl,yxl->hl", taps, factors))


def test_a_second_process_loads_what_the_first_compiled(folder: Path) -> None:
    assert library() is not None
    (file,) = folder.glob("*")
    before = file.stat().st_ino
    library.cache_clear()
    assert library() is not None
    assert [path.stat().st_ino for path in folder.glob("*")] == [before]


def test_a_damaged_library_is_compiled_again(folder: Path) -> None:
    folder.mkdir()
    # Compiled by another process, because this one would keep the file mapped.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_compiles)
    (file,) = folder.glob("*")
    content = file.read_bytes()
    file.write_bytes(content[:5000] + bytes(100) + content[5100:])
    file.with_name(file.name[:16] + "-0123456789abcdef.so").write_bytes(b"no library")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_compiles)
    assert file.read_bytes() == content


def test_processes_that_compile_at_once_all_get_the_library(folder: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert all(pool.starmap(_compiles, [()] * 4))
    assert len(list(folder.glob("*"))) == 1


def _compiles() -> bool:
    return library() is not None


@pytest.mark.parametrize("reason", ["off", "no compiler", "a compiler that fails", "a folder that is a file"])
def test_numpy_computes_the_same_without_a_library(
    reason: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "off":
        monkeypatch.setenv("PILOTLIGHT_COMPILED_LOOPS", "off")
    elif reason == "no compiler":
        monkeypatch.setenv("CC", "/nowhere/cc")
    elif reason == "a compiler that fails":
        monkeypatch.setenv("CC", "false")
    else:
        folder.write_bytes(b"")
    assert library() is None
    stage = OutputStage(1 << 30, 38, RoundMode.NATURAL, 3, (-128, 127), None, np.dtype(np.int8))
    accumulators = np.arange(-600, 600, dtype=np.float32).reshape(1, -1, 1)
    expected = np.clip((np.arange(-600, 600) * (1 << 30) + (1 << 37) >> 38) + 3, -128, 127)
    np.testing.assert_array_equal(stage.apply(accumulators).ravel(), expected)
    assert reason == "a folder that is a file" or not list(folder.glob("*"))


def test_another_processor_or_compiler_has_another_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = "/bin/sh"
    keys = {library_module._key(compiler)}
    monkeypatch.setattr(library_module, "_processor", lambda: "another one")
    keys |= {library_module._key(compiler), library_module._key("/bin/cat")}
    assert len(keys) == 3


def test_old_libraries_are_removed(folder: Path) -> None:
    folder.mkdir()
    for number in range(20):
        path = folder / f"old-{number}.so"
        path.write_bytes(b"")
        os.utime(path, (number, number))
    assert library() is not None
    left = {path.name for path in folder.glob("*")}
    assert len(left) == library_module._MOST_FILES and "old-19.so" in left and "old-4.so" not in left
