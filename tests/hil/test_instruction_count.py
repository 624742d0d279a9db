# SPDX-License-Identifier: Apache-2.0
"""The emulated CPU's instructions are counted.

The count is the same in each inference and each run, even on a busy machine.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from workflow import Bench


def _checked(bench: Bench) -> dict[str, Any]:
    assert bench.flash().code == 0
    outcome = bench.check("--samples", "40", "--json")
    assert outcome.code == 0, outcome.out + outcome.err
    return outcome.json


def test_an_inference_takes_the_same_instructions_in_each_run(digits: Bench) -> None:
    quiet = _checked(digits)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        loaded = _checked(digits)
    finally:
        for each in busy:
            each.kill()
            each.wait()
    counts = [report["models"][0]["latency"]["cpu_cycles"] for report in (quiet, loaded)]
    assert counts[0] == counts[1]
    assert counts[0]["lowest"] == counts[0]["highest"]
    assert 1_000 < counts[0]["median"] < 20_000, "ten operators in one delegate: the driver's work, not the wait"
    assert quiet["clock"] == "instructions"
