# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from pilotlight.check.compare import classes, compare_sample


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
