# SPDX-License-Identifier: Apache-2.0
"""Each check of the driver is held by a test."""

from __future__ import annotations

import pytest
from driver_mutations import run_mutations


@pytest.mark.campaign
@pytest.mark.time_limit(3600)
def test_each_check_taken_out_of_the_driver_is_noticed() -> None:
    assert [mutation.what for mutation in run_mutations()] == []
