# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from pilotlight.bundle import Tolerance
from pilotlight.check.compare import classes, compare_output, compare_sample


def test_bits_are_compared_not_values() -> None:
    nan = np.array([[np.nan, 0.0]], np.float32)
    assert compare_sample(0, 0, nan, nan.copy()) is None
    found = compare_sample(0, 0, nan, np.array([[np.nan, -0.0]], np.float32))
    assert found is not None and found.first_index == (0, 1)


def test_the_largest_difference_does_not_wrap_around() -> None:
    found = compare_sample(3, 1, np.array([-128, 5], np.int8), np.array([127, 6], np.int8))
    assert found is not None
    assert (found.max_difference, found.differing, found.expected, found.got) == (255.0, 2, -128.0, 127.0)


def test_the_class_is_the_first_of_equal_scores() -> None:
    assert classes(np.array([[1, 5, 5], [0, 0, 0]], np.int8)).tolist() == [1, 0]


GOLDEN = np.zeros((4, 50), np.int8)


def test_a_difference_within_the_tolerance_is_counted_and_no_mismatch() -> None:
    got = GOLDEN.copy()
    got[2, 7] = 1
    exact = compare_output(0, GOLDEN, got)
    assert [found.sample for found in exact.mismatches] == [2]
    compared = compare_output(0, GOLDEN, got, Tolerance(1.0, 0.01))
    assert compared.mismatches == ()
    assert (compared.tolerated, compared.differing, compared.elements) == ({2}, 1, 200)
    assert compared.max_difference == 1.0


def test_one_value_too_far_off_is_a_mismatch() -> None:
    got = GOLDEN.copy()
    got[0, 0], got[1, 0] = 1, 2
    compared = compare_output(0, GOLDEN, got, Tolerance(1.0, 0.01))
    assert [found.sample for found in compared.mismatches] == [1]
    assert compared.tolerated == {0}


def test_more_small_differences_than_foreseen_are_all_mismatches() -> None:
    got = GOLDEN.copy()
    got[:3, 0] = 1
    compared = compare_output(0, GOLDEN, got, Tolerance(1.0, 0.01))
    assert [found.sample for found in compared.mismatches] == [0, 1, 2]
    assert compared.tolerated == frozenset()


def test_what_is_no_number_must_be_where_it_is_expected() -> None:
    golden = np.array([[np.nan, np.inf, 1.0]], np.float32)
    loose = Tolerance(10.0, 1.0)
    assert compare_output(0, golden, golden + np.float32(0.5), loose).mismatches == ()
    for wrong in ([0.0, np.inf, 1.0], [np.nan, -np.inf, 1.0], [np.nan, 5.0, 1.0], [np.nan, np.inf, np.nan]):
        assert compare_output(0, golden, np.array([wrong], np.float32), loose).mismatches
