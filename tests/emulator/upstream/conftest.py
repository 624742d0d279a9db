# SPDX-License-Identifier: Apache-2.0
"""The executor runner's image, built once."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_upstream import build_runner


@pytest.fixture(scope="session")
def runner_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_runner(tmp_path_factory.mktemp("runner"))
