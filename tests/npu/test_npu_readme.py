# SPDX-License-Identifier: Apache-2.0
"""The examples in the simulator's README run, on the keyword network."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exported import Exported

import pilotlight.npu

README = Path(pilotlight.npu.__file__).with_name("README.md")


def test_the_examples_of_the_readme_run(
    tmp_path: Path, exported_network: Callable[[str], Exported], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.pte").write_bytes(exported_network("keyword").pte)
    np.save(tmp_path / "x.npy", np.random.default_rng(7).integers(-128, 128, (1, 1, 49, 10)).astype(np.int8))
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(README), module_relative=False)
    assert (failed, tried > 10) == (0, True)
