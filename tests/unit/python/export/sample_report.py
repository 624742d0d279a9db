# SPDX-License-Identifier: Apache-2.0
"""An export report in which every field has a value."""

from __future__ import annotations

from pilotlight.export.report.report import (
    Agreement,
    DelegateReport,
    ExportReport,
    InputData,
    MemoryTraffic,
    MetricReport,
    OperatorAgreement,
    OperatorReport,
    OutputAccuracy,
    Sizes,
    SliceAccuracy,
)
from pilotlight.metrics.changes import ChangedSample, Changes

REPORT = ExportReport(
    model="net",
    source="/models/net.py",
    npu="ethos-u55-128",
    system_config="Ethos_U55_High_End_Embedded",
    memory_mode="Shared_Sram",
    operators=(OperatorReport("aten.relu.default", "act", "net.py:3", "x.relu()", None, "not there"),),
    delegates=(DelegateReport(4, 16, 32, 1, 9, 5e8, 10, 12, (MemoryTraffic("SRAM", 1, 2, 3, 4, 4e9),)),),
    samples=2,
    outputs=(OutputAccuracy("y", None, 30.5, 0.1, 0.2, Agreement(8, 1, 1.0), (SliceAccuracy(1, 0, 9.5, 2.0, 4, 1),)),),
    metric=MetricReport("top-1", True, 1.0, 0.5, 0.5, Changes("class", 2, 1, (ChangedSample(1, "cat", "dog", "cat"),))),
    sizes=Sizes(100, 16, 4),
    seconds={"import": 1.5},
    notes=("a note",),
    operator_agreement=OperatorAgreement(3, 2, 1, 1),
    inputs=(InputData("x", 2, 8, -1.0, 1.0, 1, 0.5, 0, 0),),
    warnings=("low",),
    weak=("always the same",),
    depends_on=("/models/*.pt",),
    recipe="int8:gelu=a16w8",
)
