# SPDX-License-Identifier: Apache-2.0
"""The primitive operators against those in the wheel's runtime: the same values, the same answers.

differential/primitives.cpp is linked with either; its prints are compared line by line.
"""

from __future__ import annotations

import subprocess
from pathlib import Path


def _calls(program: Path) -> dict[str, str]:
    """Return what came of each call, by the call."""
    result = subprocess.run([str(program)], check=True, capture_output=True)
    lines = result.stdout.decode().splitlines()
    return {f"{number} {line.partition(' = ')[0]}": line.partition(" = ")[2] for number, line in enumerate(lines)}


def test_primitives_give_the_wheels_results_and_errors(differential_build: Path) -> None:
    ours, wheel = _calls(differential_build / "primitives_ours"), _calls(differential_build / "primitives_wheel")
    assert ours.keys() == wheel.keys()
    assert len(ours) > 4000
    wrong = []
    for call, theirs in wheel.items():
        mine = ours[call]
        # What the wheel's abort on, ours refuse, or calculate where there is a result.
        if mine == "crashed" or (mine != theirs and theirs != "crashed"):
            wrong.append(f"{call}: ours {mine}, wheel {theirs}")
    assert not wrong, "\n".join(wrong)
