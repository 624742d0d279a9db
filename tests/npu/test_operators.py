# SPDX-License-Identifier: Apache-2.0
"""Single operators and small graphs, compared bit for bit with the TOSA reference model.

Fixed sets for U55 and U65, and for U85, and a campaign for each.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from campaign import Ending, Outcome, run_campaign, run_case, table
from fixed_cases import FIXED, FIXED_U85, MIS_COMPILED, MIS_COMPILED_U85, REFUSED_U85
from operator_cases_u85 import case_of
from vela_compiler import compile_tosa

from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.npu.stream.operations import Kind, Operation, SecondInput


@pytest.mark.parametrize("name", [*FIXED, *FIXED_U85])
def test_operator_answers_what_the_reference_answers(name: str) -> None:
    outcome = run_case(case_of(name), samples=3)
    assert outcome.ending is Ending.EQUAL, outcome.detail


@pytest.mark.xfail(strict=True, reason="Vela 5.1 compiles them to another computation (campaign.EXPLAINED)")
@pytest.mark.parametrize("name", [*MIS_COMPILED, *MIS_COMPILED_U85])
def test_operator_that_vela_gets_wrong_answers_what_the_reference_answers(name: str) -> None:
    test_operator_answers_what_the_reference_answers(name)


@pytest.mark.parametrize("name", REFUSED_U85)
def test_a_known_deviation_is_a_fault_and_equals_the_reference_without_strictness(name: str) -> None:
    outcome = run_case(case_of(name), samples=2)
    assert outcome.ending is Ending.KNOWN_FAULT, outcome.detail
    assert outcome.values > 0
    assert "not verified on silicon" in outcome.detail


def test_the_fixed_cases_of_u85_use_all_that_vela_was_seen_to_use() -> None:
    npus, names, kinds, uses, orders, tables = (set[object]() for _ in range(6))
    for npu, operation in _operations(FIXED_U85):
        npus.add(npu)
        names.add(operation.name)
        kinds.add((operation.kind, operation.accumulator_bits))
        uses |= _uses(operation)
        if operation.ofm is not None:
            orders |= {operation.ofm.order, operation.ofm.flipped}
        if operation.table is not None:
            tables.add((operation.table.wide, operation.table.result_bytes, operation.table.start > 0))
    assert npus == {f"ethos-u85-{macs}" for macs in (128, 256, 512, 1024, 2048)}
    elementwise = "ADD SUB MUL MIN MAX ABS CLZ NOT SHL SHR LSR DIV AND OR XOR AND_NOT CMP_EQ CMP_NE CMP_GE CMP_GT"
    pools = "MAX MIN AVERAGE SUM REDUCE_SUM NONE ARGMAX_X"
    assert names == {
        *("CONV", "DEPTHWISE", "RESIZE", "DMA_START"),
        *(f"ELEMENTWISE {mode}" for mode in elementwise.split()),
        *(f"POOL {mode}" for mode in pools.split()),
    }
    assert {(Kind.CONVOLUTION, 48), (Kind.DEPTHWISE, 48), (Kind.RESIZE, 48), (Kind.POOL, 48)} <= kinds
    assert orders == {(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0), None, 0, 1, 2}
    assert tables == {(False, 1, False), (False, 1, True), (True, 2, False), (True, 4, False)}
    assert uses == {
        *("chained input", "chained second input", "chained output", "scalar", "scalar first", "both repeated"),
        *("kept accumulators", "continued accumulators", "product of maps", "wraps", "scale per channel"),
        *("fast weights", "sparse weights", "part kernel first", "divides", "rolling input", "rolling output"),
        *("gather", "gather of planes"),
    }


def _operations(names: tuple[str, ...]) -> Iterator[tuple[str, Operation]]:
    for name in names:
        case = case_of(name)
        runner = DelegateRunner(compile_tosa(case.tosa, case.npu, *case.options), case.npu)
        for operation in runner.operations.values():
            yield case.npu, operation


def _uses(operation: Operation) -> set[str]:
    """Return what an operation uses that not each one does."""
    if (copy := operation.copy) is not None:
        found = {"gather": copy.index is not None, "gather of planes": copy.index is not None and copy.planes > 1}
        return {use for use, used in found.items() if used}
    ifm, ifm2, ofm, kernel = operation.ifm, operation.ifm2, operation.ofm, operation.kernel
    assert ifm is not None and ofm is not None
    elementwise = operation.kind is Kind.ELEMENTWISE and ifm2 is not None
    found = {
        "chained input": ifm.is_chained,
        "chained second input": ifm2 is not None and ifm2.is_chained,
        "chained output": ofm.is_chained,
        "scalar": operation.constant is not None,
        "scalar first": operation.constant is not None and operation.swapped,
        "both repeated": elementwise and ifm2 is not None and ifm.shape != ofm.shape != ifm2.shape,
        "kept accumulators": operation.keeps,
        "continued accumulators": operation.continues,
        "product of maps": operation.second is SecondInput.WEIGHTS,
        "wraps": operation.wraps,
        "scale per channel": operation.scale is None,
        "fast weights": operation.fast_weights and bool(operation.weights),
        "sparse weights": operation.sparse_weights and bool(operation.weights),
        "part kernel first": kernel is not None and kernel.part_kernel_first and bool(operation.weights),
        "divides": operation.divides,
        "rolling input": ifm.map.height0 < ifm.stored_shape[0] and not ifm.is_chained,
        "rolling output": ofm.map.height0 < ofm.stored_shape[0] and not ofm.is_chained,
    }
    return {use for use, used in found.items() if used}


@pytest.mark.campaign
def test_campaign_of_ten_million_values_finds_no_deviation() -> None:
    _assert_enough(run_campaign(cases=1000))


@pytest.mark.campaign
def test_campaign_of_ten_million_values_on_u85_finds_no_deviation() -> None:
    outcomes = run_campaign(cases=1500, u85=True)
    _assert_enough(outcomes)
    assert len({outcome.case.npu for outcome in outcomes if outcome.ending is Ending.EQUAL}) == 5
    int16 = [o for o in outcomes if o.ending is Ending.EQUAL and any(x.dtype == "int16" for x in o.case.inputs)]
    assert sum(outcome.values for outcome in int16) >= 1_000_000


def _assert_enough(outcomes: list[Outcome]) -> None:
    print(table(outcomes))
    assert [f"{o.case.name}: {o.detail}" for o in outcomes if o.ending is Ending.DEVIATING] == []
    equal = [outcome for outcome in outcomes if outcome.ending is Ending.EQUAL]
    assert len(equal) >= 400
    assert sum(outcome.values for outcome in equal) >= 10_000_000
