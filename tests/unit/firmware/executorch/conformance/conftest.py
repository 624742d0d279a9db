# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import suite


@pytest.fixture(scope="session")
def programs() -> Path:
    return suite.programs()


@pytest.fixture(scope="session")
def probes() -> Path:
    return suite.probes()
