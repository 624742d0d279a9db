# SPDX-License-Identifier: Apache-2.0
"""A wrong program from Vela is noticed. test_attempts.py tests what happens then."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pilotlight.export import ExportOptions, export_model
from pilotlight.export.golden.confirm import Miscompiled, confirm
from pilotlight.pte import read_program


@dataclass(frozen=True)
class Call:
    """One call of digits' only delegate, whose inputs and outputs are the program's."""

    inputs: Sequence[NDArray[Any]]
    outputs: Sequence[NDArray[Any]]
    delegate: int = 0


def test_a_delegate_that_answers_otherwise_is_refused_and_a_right_one_is_not(tmp_path: Path) -> None:
    export_model("digits", ExportOptions("ethos-u55-128"), tmp_path / "bundle")
    (delegate,) = read_program((tmp_path / "bundle" / "model.pte").read_bytes()).methods["forward"].delegates
    arrays = np.load(tmp_path / "bundle" / "golden.npz")
    inputs, golden = arrays["input_0"][0].reshape(1, 1, 8, 8), arrays["golden_0"][0].reshape(1, 10)
    assert confirm([delegate.blob], [Call([inputs], [golden])]) == ""
    wrong = golden ^ np.array([0, 0, 0, 1, 0, 0, 0, 0, 0, 0], np.int8)
    with pytest.raises(Miscompiled, match="differs from the TOSA reference in 1 of 10 values") as raised:
        confirm([delegate.blob], [Call([inputs], [wrong])])
    off = abs(int(wrong[0, 3]) - int(golden[0, 3]))
    assert raised.value.reason == (f"Vela compiles it into something else: 1 of 10 values are wrong, by at most {off}")
