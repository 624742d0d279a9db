# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import kernel_library
from kernel_check import Check


@pytest.fixture(scope="session")
def check() -> Check:
    # test_sanitized.py runs these tests again with other sanitizers.
    return Check(kernel_library.build(os.environ.get("PILOTLIGHT_KERNEL_SANITIZERS", "undefined")))
