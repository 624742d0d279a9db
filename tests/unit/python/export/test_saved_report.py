# SPDX-License-Identifier: Apache-2.0
"""An export report that is read again is the one that was saved."""

from pathlib import Path

import pytest

from pilotlight.errors import ConfigError
from pilotlight.export.report import (
    REPORT_NAME,
    Agreement,
    DelegateReport,
    ExportReport,
    InputData,
    MemoryTraffic,
    OperatorAgreement,
    OperatorReport,
    OutputAccuracy,
    Sizes,
    SliceAccuracy,
    TopOne,
    load_report,
)

REPORT = ExportReport(
    model="net",
    source="/models/net.py",
    target="ethos-u55-128",
    system_config="Ethos_U55_High_End_Embedded",
    memory_mode="Shared_Sram",
    operators=(OperatorReport("aten.relu.default", "act", "net.py:3", "x.relu()", None, "not there"),),
    delegates=(DelegateReport(4, 16, 32, 1, 9, 5e8, 10, 12, (MemoryTraffic("SRAM", 1, 2, 3, 4, 4e9),)),),
    samples=2,
    outputs=(OutputAccuracy("y", None, 30.5, 0.1, 0.2, Agreement(8, 1, 1.0), (SliceAccuracy(1, 0, 9.5, 2.0, 4, 1),)),),
    top_one=TopOne(1.0, 0.5, 0.5),
    sizes=Sizes(100, 16, 4),
    seconds={"import": 1.5},
    notes=("a note",),
    operator_agreement=OperatorAgreement(3, 2, 1, 1),
    inputs=(InputData("x", 2, 8, -1.0, 1.0, 1, 0.5, 0, 0),),
    warnings=("low",),
    weak=("always the same",),
    depends_on=("/models/*.pt",),
)


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
