# SPDX-License-Identifier: Apache-2.0
"""The image is a program of this computer, and another program starts it: `env`, or a debugger."""

from __future__ import annotations

from pathlib import Path

from pilotlight.targets.runner import Descriptors
from pilotlight.targets.runners.process import Process


class Wrapped(Process):
    name = "wrapped"

    def command(self, image: Path, npu: str, inherited: Descriptors) -> list[str]:
        assignments = [f"{key}={value}" for key, value in self.emulator.parameters.items()]
        return [str(self.find()), *assignments, str(image)]


RUNNER = Wrapped
