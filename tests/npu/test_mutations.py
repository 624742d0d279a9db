# SPDX-License-Identifier: Apache-2.0
"""The fixed cases notice each fault that is put into the simulator."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stream_mutations import ALL_MUTATIONS, PACKAGE, Mutation, apply, run_mutations


@pytest.mark.parametrize("mutation", ALL_MUTATIONS, ids=lambda mutation: mutation.what)
def test_each_mutation_has_its_place_in_the_simulator(mutation: Mutation, tmp_path: Path) -> None:
    (source,) = (PACKAGE / "npu").rglob(mutation.file)
    copy = tmp_path / source.relative_to(PACKAGE)
    copy.parent.mkdir(parents=True)
    shutil.copyfile(source, copy)
    apply(mutation, tmp_path)


@pytest.mark.campaign
def test_the_fixed_cases_notice_every_mutation() -> None:
    assert [mutation.what for mutation in run_mutations()] == []
