# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

from kernel_check import schemas


def test_every_operator_of_kernels_yaml_has_a_case_here() -> None:
    cases = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert [operator for operator in schemas() if f'"{operator}"' not in cases] == []
