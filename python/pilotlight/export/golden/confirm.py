# SPDX-License-Identifier: Apache-2.0
"""Runs Vela's streams on the NPU simulator before a device runs them.

Vela has errors (docs/FINDINGS.md lists the known ones): some streams do not compute the model, or
write beyond their buffers. A device would give a wrong answer or corrupt its memory. The export
reports such a stream as an error. Running the streams takes some milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pilotlight.errors import ModelError, NpuFault, UnsupportedOperator
from pilotlight.export.upstream.reasons import shortened
from pilotlight.npu.delegate_runner import DelegateRunner


class Call(Protocol):
    """The inputs of a delegate call and its expected outputs, in the layout of its memory."""

    @property
    def delegate(self) -> int: ...
    @property
    def inputs(self) -> Sequence[NDArray[Any]]: ...
    @property
    def outputs(self) -> Sequence[NDArray[Any]]: ...


class Miscompiled(ModelError):
    """Vela's commands for a delegate are wrong.

    delegate: its index. reason: the text that the report shows for the operator at fault.
    """

    def __init__(self, message: str, delegate: int, reason: str) -> None:
        super().__init__(message, hint="write the layer another way; docs/FINDINGS.md lists known errors of Vela")
        self.delegate = delegate
        self.reason = reason


def confirm(blobs: Sequence[bytes], calls: Sequence[Call]) -> str:
    """Return a note about what could not be confirmed, "" if everything was confirmed.

    blobs: the delegates' blobs in the .pte, by index.

    Raises Miscompiled if a delegate faults, has a hazard, or gives other outputs than `calls` say.
    """
    try:
        runners = [DelegateRunner(blob) for blob in blobs]
    except UnsupportedOperator as error:
        return f"Vela's commands were not confirmed on the simulator: {error}"
    for call in calls:
        answers = [np.empty_like(output) for output in call.outputs]
        try:
            runners[call.delegate].run(call.inputs, answers)
        except NpuFault as error:
            raise Miscompiled(
                f"Vela's commands do not run: on the simulator {error}",
                call.delegate,
                f"Vela's commands for it do not run on the simulator: {shortened(str(error).splitlines()[0])}",
            ) from error
        for index, (answer, expected) in enumerate(zip(answers, call.outputs, strict=True)):
            differing = int(np.count_nonzero(answer != expected))
            if differing:
                furthest = int(np.abs(answer.astype(np.int64) - expected.astype(np.int64)).max())
                raise Miscompiled(
                    f"Vela's commands compute something else: on the simulator output {index} of delegate "
                    f"{call.delegate} differs from the TOSA reference in {differing} of {expected.size} values, "
                    f"by at most {furthest}",
                    call.delegate,
                    f"Vela compiles it into something else: {differing} of {expected.size} values are wrong, "
                    f"by at most {furthest}",
                )
    for delegate, runner in enumerate(runners):
        for hazard in runner.hazards():
            raise Miscompiled(
                f"Vela's commands have a race: {hazard}",
                delegate,
                f"Vela's commands for it have a race: {hazard}",
            )
    return ""
