# SPDX-License-Identifier: Apache-2.0
"""Compares random operators, through Vela and the simulator, bit for bit with the TOSA reference.

    python tests/npu/campaign.py [--npu u85] [--cases N] [--seed S] [--only FAMILY]

Without --npu, the cases are those of Ethos-U55 and U65. Each case ends in one of these ways.
Deviating, by-design and refused cases are printed.
    equal          every output value equals the reference
    deviating      some values differ, or the simulator fails: a fault of the simulator until
                   explained
    by design      some values differ, and EXPLAINED says how Vela's program differs from TOSA
    known fault    the simulator stops at a known deviation (stream/known_deviations.py); when it
                   is not strict, every value equals the reference
    refused        Vela does not compile it; the reason is Vela's
    unpredictable  TOSA leaves the result open (an accumulator overflows): nothing to compare

Exit code 1: at least one case deviates.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from operator_cases import FAMILIES, Case, make_case
from operator_cases_u85 import ALL_FAMILIES, make_u85_case
from vela_compiler import Refused, captured_output, compile_tosa

from pilotlight.errors import PilotlightError
from pilotlight.npu.delegate_runner import DelegateRunner

KNOWN_DEVIATION = "known deviation"
VALUES_PER_CASE = 32_000
MOST_SAMPLES = 24


class Ending(Enum):
    EQUAL = "equal"
    DEVIATING = "deviating"
    BY_DESIGN = "by design"
    KNOWN_FAULT = "known fault"
    REFUSED = "refused"
    UNPREDICTABLE = "unpredictable"


@dataclass(frozen=True)
class Outcome:
    case: Case
    ending: Ending
    values: int = 0
    detail: str = ""


def _strides_and_padding(case: Case) -> list[tuple[int, int, int, int]]:
    """Return stride, both paddings and size of the input of each axis of a convolution."""
    found = re.search(r"stride \((\d+), (\d+)\), .* padding \[(\d+), (\d+), (\d+), (\d+)\]", case.what)
    if found is None:
        return []
    down, right, top, bottom, left, end = map(int, found.groups())
    return [(down, top, bottom, case.inputs[0].shape[1]), (right, left, end, case.inputs[0].shape[2])]


def _far_steps_over_padding(case: Case) -> bool:
    """Tell whether a convolution has a stride above 3 on an axis with padding at both ends."""
    return any(stride > 3 and before and after for stride, before, after, _ in _strides_and_padding(case))


def _far_steps_over_much_padding(case: Case) -> bool:
    """Tell whether a convolution has a stride above 3, and more padding than input on an axis."""
    axes = _strides_and_padding(case)
    return any(stride > 3 for stride, *_ in axes) and any(max(pad) > size for _, *pad, size in axes)


# Cases that Vela lowers to other arithmetic than TOSA's: (does it apply to a case?, reason).
EXPLAINED: tuple[tuple[Callable[[Case], bool], str], ...] = (
    (
        lambda case: case.family == "matmul_of_slice" and case.what.startswith("first"),
        "Vela 5.1 multiplies the whole tensor where the first operand of MATMUL is a slice of it",
    ),
    (
        lambda case: case.family == "attention" and case.what == "one head",
        "Vela 5.1 gives a convolution another input than its output has, where MATMUL reads its transposed result",
    ),
    (
        lambda case: "u85" in case.npu and _far_steps_over_padding(case),
        "Vela 5.1 takes rows for padding where a convolution on U85 has a stride above 3",
    ),
    (
        lambda case: "u85" in case.npu and _far_steps_over_much_padding(case),
        "Vela 5.1 gives a part of a convolution on U85 an input of a negative size",
    ),
    (
        lambda case: "u85" in case.npu and case.family.startswith("matmul") and "a scale per channel" in case.what,
        "Vela 5.1 gives all channels of a MATMUL on U85 the scale of the first one",
    ),
)


def reference(case: Case, inputs: list[NDArray[Any]]) -> list[NDArray[Any]] | None:
    """Return the reference model's outputs, or None if TOSA leaves them open."""
    import tosa_reference_model

    with captured_output():
        outputs, status = tosa_reference_model.run(case.tosa, inputs)
    if status == tosa_reference_model.GraphStatus.TOSA_UNPREDICTABLE:
        return None
    assert status == tosa_reference_model.GraphStatus.TOSA_VALID, f"{case.name}: {status}"
    return [np.asarray(output) for output in outputs]


def run_case(case: Case, samples: int | None = None) -> Outcome:
    try:
        blob = compile_tosa(case.tosa, case.npu, *case.options)
    except Refused as error:
        return Outcome(case, Ending.REFUSED, detail=str(error))
    if samples is None:
        samples = min(MOST_SAMPLES, max(2, VALUES_PER_CASE // case.values))
    outcome = _compare(case, DelegateRunner(blob, case.npu), samples)
    if KNOWN_DEVIATION not in outcome.detail:
        return outcome
    lenient = _compare(case, DelegateRunner(blob, case.npu, strict=False), samples)
    if lenient.ending is not Ending.EQUAL:
        return lenient
    return Outcome(case, Ending.KNOWN_FAULT, lenient.values, outcome.detail)


def _compare(case: Case, runner: DelegateRunner, samples: int) -> Outcome:
    compared = 0
    for sample in range(samples):
        inputs = case.draw(sample)
        golden = reference(case, inputs)
        if golden is None:
            continue
        outputs = [np.empty_like(expected) for expected in golden]
        try:
            runner.run(inputs, outputs)
        except PilotlightError as error:
            return _wrong(case, f"sample {sample}: {error}")
        for output, expected in zip(outputs, golden, strict=True):
            wrong = np.argwhere(output != expected)
            if len(wrong):
                return _difference(case, output, expected, wrong)
            compared += expected.size
    return Outcome(case, Ending.EQUAL if compared else Ending.UNPREDICTABLE, compared)


def _difference(case: Case, output: NDArray[Any], expected: NDArray[Any], wrong: NDArray[Any]) -> Outcome:
    at = tuple(int(index) for index in wrong[0])
    detail = (
        f"{len(wrong)} of {output.size} values, by at most "
        f"{np.abs(output.astype(np.int64) - expected.astype(np.int64)).max()}; "
        f"at {list(at)} {output[at]} instead of {expected[at]}"
    )
    return _wrong(case, detail)


def _wrong(case: Case, detail: str) -> Outcome:
    for applies, reason in EXPLAINED:
        if applies(case):
            return Outcome(case, Ending.BY_DESIGN, detail=f"{reason} ({detail})")
    return Outcome(case, Ending.DEVIATING, detail=detail)


def run_campaign(
    cases: int, seed: int = 0, only: str | None = None, say: Callable[[str], None] = print, *, u85: bool = False
) -> list[Outcome]:
    """Run cases of all families in turn until `cases` of them were compared.

    Refused and unpredictable cases do not count. u85: the cases of Ethos-U85.
    """
    families = [name for name in (ALL_FAMILIES if u85 else FAMILIES) if only is None or name == only]
    make = make_u85_case if u85 else make_case
    outcomes: list[Outcome] = []
    refused: Counter[str] = Counter()
    counted, turn, start = 0, 0, time.monotonic()
    while counted < cases and turn < 4 * cases:
        family = families[turn % len(families)]
        number = turn // len(families)
        turn += 1
        # If Vela refuses most cases of a family, the family is dropped.
        if refused[family] >= 8 and refused[family] > number // 2:
            if all(refused[name] >= 8 for name in families):
                break
            continue
        outcome = run_case(make(family, number, seed))
        outcomes.append(outcome)
        refused[family] += outcome.ending is Ending.REFUSED
        counted += outcome.ending not in (Ending.REFUSED, Ending.UNPREDICTABLE)
        if outcome.ending in (Ending.DEVIATING, Ending.BY_DESIGN):
            case = outcome.case
            options = " ".join(("", *case.options))
            say(f"{outcome.ending.value}: {case.name} {case.npu}{options}: {outcome.detail}")
        if turn % 50 == 0:
            values = sum(outcome.values for outcome in outcomes)
            say(f"  {counted} of {cases} cases, {values:,} values, {time.monotonic() - start:.0f} s")
    return outcomes


def table(outcomes: list[Outcome]) -> str:
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        row = rows[outcome.case.family]
        row["cases"] += 1
        row["values"] += outcome.values
        row[outcome.ending.value] += 1
    total = Counter[str]()
    for row in rows.values():
        total.update(row)
    columns = ("cases", "values", *(ending.value for ending in Ending))
    lines = [f"{'operator':30}" + "".join(f"{name:>15}" for name in columns)]
    for name, row in [*rows.items(), ("all", total)]:
        lines.append(f"{name:30}" + "".join(f"{row[column]:>15,}" for column in columns))
    npus = Counter(o.case.npu for o in outcomes if o.ending is Ending.EQUAL)
    lines.append("equal, by NPU: " + ", ".join(f"{name} {count}" for name, count in sorted(npus.items())))
    return "\n".join(lines)


def refusals(outcomes: list[Outcome]) -> str:
    """Return one line per refused case, with Vela's reason."""
    return "\n".join(
        f"refused: {o.case.name} ({o.case.what}): {o.detail}" for o in outcomes if o.ending is Ending.REFUSED
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=460, help="how many comparisons (default 460)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(ALL_FAMILIES), help="one family")
    parser.add_argument("--npu", choices=("u55", "u85"), default="u55", help="u55 stands for U55 and U65")
    args = parser.parse_args()
    outcomes = run_campaign(args.cases, args.seed, args.only, u85=args.npu == "u85")
    print(table(outcomes))
    print(refusals(outcomes))
    return int(any(outcome.ending is Ending.DEVIATING for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
