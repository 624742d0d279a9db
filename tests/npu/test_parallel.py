# SPDX-License-Identifier: Apache-2.0
"""Operations whose rows are divided among cores give the same results."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from campaign import Ending, run_case
from fixed_cases import FIXED
from operator_cases import make_case

from pilotlight.npu.arithmetic import parallel
from pilotlight.npu.arithmetic.activation import ActivationTable
from pilotlight.npu.arithmetic.parallel import Cores
from pilotlight.npu.arithmetic.scratch import Scratch


@pytest.fixture(params=[2, 3])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Divide any operation among this many threads."""
    monkeypatch.setattr(parallel, "_LEAST_WORK", 0)
    monkeypatch.setenv("PILOTLIGHT_SIMULATOR_CORES", str(request.param))
    _forget()
    yield request.param
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    parallel.core_count.cache_clear()
    parallel._pool.cache_clear()


@pytest.mark.parametrize("name", [name for name in FIXED if "conv" in name or name.startswith(("cascade", "matmul"))])
def test_a_divided_operation_answers_what_the_reference_answers(name: str, cores: int) -> None:
    family, number = name.rsplit("-", 1)
    outcome = run_case(make_case(family, int(number)), samples=2)
    assert outcome.ending is Ending.EQUAL, outcome.detail


def test_each_row_is_computed_once_with_a_scratch_of_its_own(cores: int) -> None:
    done: list[tuple[int, int, Scratch]] = []
    Cores().divide(10, 1, lambda *part: done.append(part))
    ends = sorted((top, bottom) for top, bottom, _ in done)
    assert len(ends) == cores and ends[0][0] == 0 and ends[-1][1] == 10
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ends))
    assert len({id(scratch) for *_, scratch in done}) == cores


def test_fewer_rows_than_cores_are_parts_of_one_row(cores: int) -> None:
    done: list[tuple[int, int]] = []
    Cores().divide(1, 1, lambda top, bottom, _: done.append((top, bottom)))
    assert done == [(0, 1)]


def test_little_work_stays_in_one_thread(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_LEAST_WORK", 100)
    done: list[tuple[int, int]] = []
    Cores().divide(10, 99, lambda top, bottom, _: done.append((top, bottom)))
    assert done == [(0, 10)]


def test_an_error_in_a_part_reaches_the_caller(cores: int) -> None:
    def fail(top: int, bottom: int, scratch: Scratch) -> None:
        if top:
            raise ValueError("in the last part")

    with pytest.raises(ValueError, match="in the last part"):
        Cores().divide(10, 1, fail)


@pytest.mark.parametrize("wide", [False, True])
def test_a_table_that_one_thread_decodes_is_right_for_another(wide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 2048 if wide else 256
    table = ActivationTable(np.arange(size, dtype=np.uint8) // 2, True, wide, 2 if wide else 1)
    index = np.arange(-100, 100)
    expected = ActivationTable(table.data.copy(), True, wide, table.result_bytes).look_up(index)
    decode, seen = np.frombuffer, []

    def while_another_thread_looks_up(content: bytes, dtype: str) -> Any:
        if not seen:
            seen.append(None)
            seen[0] = table.look_up(index)
        return decode(content, dtype)

    monkeypatch.setattr(np, "frombuffer", while_another_thread_looks_up)
    found = table.look_up(index)
    np.testing.assert_array_equal(seen[0], expected)
    np.testing.assert_array_equal(found, expected)


def test_a_forked_process_starts_threads_of_its_own(cores: int) -> None:
    rows: list[int] = []
    Cores().divide(10, 1, lambda top, bottom, _: rows.append(bottom - top))
    child = os.fork()
    if child == 0:
        with ThreadPoolExecutor(1) as watch:
            done = watch.submit(Cores().divide, 10, 1, lambda top, bottom, _: None)
            try:
                done.result(timeout=20)
            except TimeoutError:
                os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("value", ["", "0", "many"])
def test_the_number_of_cores_is_at_least_one(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTLIGHT_SIMULATOR_CORES", value)
    parallel.core_count.cache_clear()
    expected = 1 if value == "0" else len(os.sched_getaffinity(0))
    assert parallel.core_count() == expected
    parallel.core_count.cache_clear()
