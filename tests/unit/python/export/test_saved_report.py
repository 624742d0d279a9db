# SPDX-License-Identifier: Apache-2.0
"""An export report that is saved and loaded is the same report."""

from pathlib import Path

import pytest
from sample_report import REPORT

from pilotlight.errors import ConfigError
from pilotlight.export.report.report import REPORT_NAME, load_report


def test_it_is_the_same_after_saving(tmp_path: Path) -> None:
    REPORT.save(tmp_path)
    assert load_report(tmp_path) == REPORT


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model": "net"}', "\N{REPLACEMENT CHARACTER}"])
def test_a_damaged_one_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / REPORT_NAME).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        load_report(tmp_path)
    assert str(tmp_path / REPORT_NAME) in str(caught.value)


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=REPORT_NAME):
        load_report(tmp_path)
