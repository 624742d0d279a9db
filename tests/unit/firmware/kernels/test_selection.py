# SPDX-License-Identifier: Apache-2.0
"""An image contains only the operators and dtypes of its program. The tests compile for the
Cortex-M55, as a build of an image does."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench"))

from kernel_footprint import kernel_size


def test_an_image_grows_by_the_operators_and_dtypes_that_it_has(tmp_path: Path) -> None:
    def size(selection: str) -> int:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        return kernel_size(selection, folder).kernels

    one = size("aten::add.out float32")
    assert one < 3000
    assert 0 < size("aten::add.out float32; aten::mul.out float32") - one < 300
    assert 0 < size("aten::add.out float32 int64") - one < 1000
