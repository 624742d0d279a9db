# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of runtime, delegate and driver on the emulated board.

With QEMU's `-icount`, each instruction advances virtual time by a fixed amount. The board's counter
follows virtual time, so the firmware in firmware/ can read how many instructions something took.
The counts are exact and the same each time. Two loops of known length calibrate the counts, and the
cost of reading the counter is subtracted.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from images import BENCH, BOARD

from pilotlight.boards import load_board
from pilotlight.errors import TargetError
from pilotlight.targets.child import start_child
from pilotlight.targets.runners import runner_of

_HERE = Path(__file__).resolve().parent
_DEADLINE_S = 120.0
_BUILD_DEADLINE_S = 600.0
# Each instruction takes 2^shift ns of virtual time. 10 is QEMU's largest shift. The firmware counts
# in units of the board's instruction_ns, so one instruction counts as 16.
_SHIFT = 10
_LAST_LINE = "bench end"
# The same value as in programs.py, which is not imported because it loads PyTorch.
_COUNT = 16
_LOOPS = (1000, 2000)
_INSTRUCTIONS_A_TURN = 2


@dataclass(frozen=True)
class Instructions:
    """Numbers of instructions, except the ticks and `method_pool_bytes`.

    ticks_per_instruction: measured with the loops.
    expected_ticks_per_instruction: follows from QEMU's option and the board.
    load_program, load_method: the digits; load_method includes the delegate's own work.
    load_method_runtime: load_method without the delegate's work.
    load_method_per_operator, per_operator: one operator whose kernel does nothing.
    per_delegate: one delegate call whose backend does nothing.
    execute: the digits, with an NPU that answers at once, and inputs and outputs in place as in an
        image.
    execute_copied: the same with a separate temp pool, so inputs and outputs are copied.
    execute_runtime: the same without delegate and driver.
    """

    ticks_per_instruction: float
    expected_ticks_per_instruction: float
    load_program: int
    load_method: int
    load_method_runtime: int
    load_method_per_operator: float
    per_operator: float
    per_delegate: float
    execute: int
    execute_copied: int
    execute_runtime: int
    method_pool_bytes: int


def count_instructions(digits: Path) -> Instructions:
    """Measure with the .pte of the build folder `digits`.

    Raises TargetError when a build fails or the emulator does not finish.
    """
    image = _build(digits / "bundles" / "digits" / "model.pte")
    said = _run(image)
    nothing = said["clock nothing"]
    short, long = (said[f"clock loop_{turns}"] for turns in _LOOPS)
    per_instruction = (long - short) / ((_LOOPS[1] - _LOOPS[0]) * _INSTRUCTIONS_A_TURN)

    def instructions(key: str) -> float:
        return (said[key] - nothing) / per_instruction

    def each(what: str, kind: str) -> float:
        """Return the cost of one more call."""
        return (instructions(f"{kind}-{2 * _COUNT} {what}") - instructions(f"{kind}-{_COUNT} {what}")) / _COUNT

    emulator = load_board(BOARD).emulator
    assert emulator is not None
    return Instructions(
        ticks_per_instruction=per_instruction,
        expected_ticks_per_instruction=(1 << _SHIFT) / emulator.instruction_ns,
        load_program=round(instructions("digits program")),
        load_method=round(instructions("digits load_method")),
        load_method_runtime=round(instructions("digits-runtime load_method")),
        load_method_per_operator=round(each("load_method", "kernels"), 1),
        per_operator=round(each("execute", "kernels"), 1),
        per_delegate=round(each("execute", "delegates"), 1),
        execute=round(instructions("digits execute")),
        execute_copied=round(instructions("digits-copied execute")),
        execute_runtime=round(instructions("digits-runtime execute")),
        method_pool_bytes=said["digits method_pool_bytes"],
    )


def _build(digits_pte: Path) -> Path:
    programs, folder = BENCH / "programs", BENCH / "instructions"
    generator = _HERE / "programs.py"
    made = programs / f"kernels-{2 * _COUNT}.pte"
    if not made.exists() or made.stat().st_mtime < generator.stat().st_mtime:
        _call([sys.executable, str(generator), str(programs)])
    if not (programs / "digits.pte").exists() or (programs / "digits.pte").read_bytes() != digits_pte.read_bytes():
        shutil.copyfile(digits_pte, programs / "digits.pte")
    source = str(_HERE / "firmware")
    _call(["cmake", "-G", "Ninja", "-S", source, "-B", str(folder), f"-DBOARD={BOARD}", f"-DPROGRAMS={programs}"])
    _call(["cmake", "--build", str(folder)])
    return folder / "firmware.elf"


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        raise TargetError(f"{' '.join(command)} took more than {_BUILD_DEADLINE_S:g} s") from None
    if done.returncode:
        raise TargetError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def _run(image: Path) -> dict[str, int]:
    """Run the bench until it prints its last line. Return its numbers by name."""
    board = load_board(BOARD)
    assert board.emulator is not None
    console, log = image.with_name("console.txt"), image.with_name("emulator.log")
    console.unlink(missing_ok=True)
    command = [
        *(str(runner_of(board).find()), "-machine", str(board.emulator.machine)),
        *("-icount", f"shift={_SHIFT},sleep=off"),
        *("-display", "none", "-monitor", "none", "-serial", f"file:{console}"),
        *("-kernel", str(image)),
    ]
    emulator = start_child(command, log=log)
    try:
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            lines = console.read_text(encoding="ascii").splitlines() if console.exists() else []
            if lines and lines[-1].startswith(_LAST_LINE):
                break
            if emulator.poll() is not None or time.monotonic() > deadline:
                last = lines[-1] if lines else "nothing"
                raise TargetError(
                    f"the bench did not finish within {_DEADLINE_S:g} s; the last it said: {last}", hint=f"see {log}"
                )
            time.sleep(0.05)
    finally:
        emulator.kill()
        emulator.wait()
    numbers = {}
    for line in lines:
        name, _, value = line.rpartition(" ")
        numbers[name] = int(value)
    return numbers
