# SPDX-License-Identifier: Apache-2.0
"""Settings of every test."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["time_limit"]

# By default, hypothesis fails an example that takes 0.2 s, and warns of examples that are made
# slowly. Both depend on the machine rather than on the code. tests/time_limit.py ends a hang.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Folders with the longest test files. They start first: one that starts last would keep one worker
# busy while the others have nothing left to do.
_SLOW = ("hil", "fuzz", "emulator", "npu", "lowering")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return _SLOW.index(folder) if folder in _SLOW else len(_SLOW)

    items.sort(key=place)
