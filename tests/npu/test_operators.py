# SPDX-License-Identifier: Apache-2.0
"""Single operators and small graphs, compared bit for bit with the TOSA reference model.

A fixed set, and the campaign.
"""

from __future__ import annotations

import pytest
from campaign import Ending, run_campaign, run_case, table
from fixed_cases import FIXED, MIS_COMPILED
from operator_cases import make_case


@pytest.mark.parametrize("name", FIXED)
def test_operator_answers_what_the_reference_answers(name: str) -> None:
    family, number = name.rsplit("-", 1)
    outcome = run_case(make_case(family, int(number)), samples=3)
    assert outcome.ending is Ending.EQUAL, outcome.detail


@pytest.mark.xfail(strict=True, reason="Vela 5.1 multiplies the whole tensor where MATMUL's first operand is a slice")
@pytest.mark.parametrize("name", MIS_COMPILED)
def test_operator_that_vela_gets_wrong_answers_what_the_reference_answers(name: str) -> None:
    test_operator_answers_what_the_reference_answers(name)


@pytest.mark.campaign
def test_campaign_of_ten_million_values_finds_no_deviation() -> None:
    outcomes = run_campaign(cases=1000)
    print(table(outcomes))
    assert [f"{o.case.name}: {o.detail}" for o in outcomes if o.ending is Ending.DEVIATING] == []
    equal = [outcome for outcome in outcomes if outcome.ending is Ending.EQUAL]
    assert len(equal) >= 400
    assert sum(outcome.values for outcome in equal) >= 10_000_000
