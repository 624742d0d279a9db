# SPDX-License-Identifier: Apache-2.0
"""Runs what Vela made on the NPU simulator before anybody flashes it.

Vela has errors of its own (python/pilotlight/npu/DESIGN.md lists those we met): streams that compute something
else than the model, or write beyond their buffers. On a device that is a wrong answer or corrupted memory; here
it is an error of the export, and it costs some milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.errors import ModelError, NpuFault, UnsupportedOperator
from pilotlight.npu import Simulator

Sample = tuple[Sequence[NDArray[Any]], Sequence[NDArray[Any]]]
"""Inputs and golden outputs, shaped as the program has them."""

_HINT = "write the layer another way; known errors of Vela and ways round them: python/pilotlight/npu/DESIGN.md"


def confirm(pte: bytes, samples: Sequence[Sample]) -> str:
    """Return a note about what could not be confirmed, "" when all was.

    Raises ModelError when the program faults, leaves an order to luck, or answers other than `samples` say.
    """
    try:
        simulator = Simulator(pte)
    except UnsupportedOperator as error:
        return f"Vela's commands were not confirmed on the simulator: {error}"
    try:
        for number, (inputs, golden) in enumerate(samples):
            answers = simulator.run(inputs).outputs
            for index, (answer, expected) in enumerate(zip(answers, golden, strict=True)):
                differing = int(np.count_nonzero(answer.reshape(-1) != expected.reshape(-1)))
                if differing:
                    raise ModelError(
                        f"Vela's commands do not compute the model: on the simulator output {index} of sample {number} "
                        f"differs from the TOSA reference in {differing} of {expected.size} values",
                        hint=_HINT,
                    )
    except NpuFault as error:
        raise ModelError(f"Vela's commands do not run: on the simulator {error}", hint=_HINT) from error
    hazards = simulator.hazards()
    if hazards:
        raise ModelError(f"Vela's commands leave their result to luck: {hazards[0]}", hint=_HINT)
    return ""
