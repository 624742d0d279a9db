# SPDX-License-Identifier: Apache-2.0
"""The host board: the image is a program of this computer."""

from __future__ import annotations

from pathlib import Path

from pilotlight.targets.runner import Descriptors, Runner


class Process(Runner):
    name = "process"
    reset_code = 3  # firmware/platform/host/system.cpp
    keeps_dump_in_page = True

    def command(self, image: Path, npu: str, inherited: Descriptors) -> list[str]:
        return [str(image)]

    def environment(self, inherited: Descriptors) -> dict[str, str]:
        return {
            "PILOTLIGHT_CONSOLE_FD": str(inherited.console),
            "PILOTLIGHT_NPU_FD": str(inherited.line),
            "PILOTLIGHT_SHARED_FD": str(inherited.shared),
        }


RUNNER = Process
