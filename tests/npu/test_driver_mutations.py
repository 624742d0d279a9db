# SPDX-License-Identifier: Apache-2.0
"""A test fails for each check that is removed from the driver."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from driver_mutations import DRIVER, MUTATIONS, ROOT, Mutation, apply, run_mutations


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what)
def test_each_mutation_has_its_place_in_the_driver(mutation: Mutation, tmp_path: Path) -> None:
    shutil.copyfile(ROOT / DRIVER / mutation.file, tmp_path / mutation.file)
    apply(mutation, tmp_path)


@pytest.mark.campaign
@pytest.mark.time_limit(3600)
def test_each_check_taken_out_of_the_driver_is_noticed() -> None:
    assert [mutation.what for mutation in run_mutations()] == []
