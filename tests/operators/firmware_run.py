# SPDX-License-Identifier: Apache-2.0
"""Runs a program on the firmware: the executor runner on the emulated board with Ethos-U85."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.fvp_shim.command import install_executables
from pilotlight.pte import Tensor, read_program

_EXECUTABLE = "FVP_Corstone_SSE-320"
_PART = "mps4_board.subsystem."
_LIMIT_S = 60


class FirmwareError(Exception):
    """The image ended without outputs. The text is its last error line."""


def run_on_firmware(image: Path, npu: str, program: bytes, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the outputs of `program`, as the board computes them.

    image: the executor runner's ELF file. npu: "ethos-u85-256".

    Raises FirmwareError if the image reports an error.
    """
    (method,) = read_program(program).methods.values()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        install_executables(work / "bin")
        (work / "program.pte").write_bytes(program)
        line = "executor_runner -m program.pte -o out"
        for index, value in enumerate(inputs):
            (work / f"i{index}.bin").write_bytes(value.tobytes())
            line += f" -i i{index}.bin"
        parameters = [
            f"{_PART}ethosu.num_macs={npu.rpartition('-')[2]}",
            f"{_PART}cpu0.semihosting-cwd={work}",
            f"{_PART}cpu0.semihosting-cmd_line='{line}'",
        ]
        command = [str(work / "bin" / _EXECUTABLE), "-a", str(image), "--timelimit", str(_LIMIT_S)]
        command += [word for parameter in parameters for word in ("-C", parameter)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * _LIMIT_S, check=False)
        if done.returncode != 0:
            errors = [text for text in done.stdout.splitlines() if text.startswith("E ")]
            raise FirmwareError(errors[-1] if errors else f"the board ended with {done.returncode}")
        outputs = []
        for index, value in enumerate(method.output_values):
            tensor = method.values[value]
            assert isinstance(tensor, Tensor)
            stored = np.fromfile(work / f"out-{index}.bin", tensor.dtype)
            outputs.append(stored.reshape(tensor.shape))
        return outputs
