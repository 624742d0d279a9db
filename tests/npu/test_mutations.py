# SPDX-License-Identifier: Apache-2.0
"""The fixed cases are worth something: they notice each fault put into the simulator."""

from __future__ import annotations

import pytest
from stream_mutations import run_mutations


@pytest.mark.campaign
def test_the_fixed_cases_notice_every_mutation() -> None:
    assert [mutation.what for mutation in run_mutations()] == []
