# SPDX-License-Identifier: Apache-2.0
"""The errors of this package, grouped by cause.

Library code raises; only commands print. The tens digit of the exit code says where to act: 1x the
model, 2x the configuration of the build, 3x the installation of tools, 4x the target, 5x the link
to the target, 6x a wrong or weak result, 7x the firmware sources. The last digit distinguishes the
causes.

>>> error = ToolMissing("qemu-system-arm is not on PATH", hint="apt-get install qemu-system-arm")
>>> print(error.report())
qemu-system-arm is not on PATH
  try: apt-get install qemu-system-arm
"""


class PilotlightError(Exception):
    """Base class. `hint` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def report(self) -> str:
        """Return the message, and the hint on a line of its own."""
        return f"{self}\n  try: {self.hint}" if self.hint else str(self)


class ModelError(PilotlightError):
    """The model file raised an exception or does not follow the conventions.

    Names file and line.
    """

    exit_code = 10


class UnsupportedOperator(ModelError):
    """The model needs an operator, or a dtype of it, that neither the NPU nor a kernel has."""

    exit_code = 11


class BadProgram(ModelError):
    """A .pte, a delegate blob or a command stream is malformed. Names the offset."""

    exit_code = 12


class DoesNotFit(ModelError):
    """The image exceeds a memory region or the stack. Names the excess and its causes."""

    exit_code = 13


class NoRecipeFits(ModelError):
    """No recipe that was tried is within the tolerance and the budget."""

    exit_code = 14


class ConfigError(PilotlightError):
    """A file or an option of the user is wrong. Names file, key and value."""

    exit_code = 20


class WrongNpu(ConfigError):
    """The image was built for another NPU configuration than the target's."""

    exit_code = 21


class ToolMissing(PilotlightError):
    """A required program is not installed. The message names the program and how to install it."""

    exit_code = 30


class CompilerMissing(ToolMissing):
    """No compiler for the board."""

    exit_code = 31


class EmulatorMissing(ToolMissing):
    """No emulator (QEMU or Arm's FVP) for the board."""

    exit_code = 32


class StorageFull(PilotlightError):
    """A file could not be written: the disk, or the user's share of it, is full."""

    exit_code = 33


class TargetError(PilotlightError):
    """The target answered with an error."""

    exit_code = 40


class TargetDied(TargetError):
    """The target (or its emulator) ended, reset or faulted while in use."""

    exit_code = 41


class NpuFault(TargetError):
    """The NPU (simulated or real) stopped with a fault. Carries the decoded status bits."""

    exit_code = 42


class TargetNotRunning(TargetError):
    """No target is powered up, or it runs another build."""

    exit_code = 43


class BadFaultDump(TargetError):
    """The fault dump is damaged or belongs to another build, so it must not be decoded."""

    exit_code = 44


class ConsoleBusy(TargetError):
    """Another program uses the target's console. The target itself may work."""

    exit_code = 45


class LinkTimeout(PilotlightError):
    """The target did not answer in time."""

    exit_code = 50


class LinkCorrupted(PilotlightError):
    """Bytes arrived damaged: bad COBS, bad CRC, or a frame out of order."""

    exit_code = 51


class Mismatch(PilotlightError):
    """The target's output differs from the golden output."""

    exit_code = 60


class WeakCheck(PilotlightError):
    """The target's output equals the golden output, but the check could hardly have failed."""

    exit_code = 61


class NotProved(PilotlightError):
    """The linked image cannot run the model. Names what is missing."""

    exit_code = 71


class BuildFailed(PilotlightError):
    """CMake, the compiler or the linker failed."""

    exit_code = 70


class GrewTooMuch(PilotlightError):
    """The image grew by more than `west size --fail-above` allows."""

    exit_code = 72


def error_classes() -> tuple[type[PilotlightError], ...]:
    """Return all classes with an exit code of their own.

    The exit code of a child process identifies its error.

    >>> next(error for error in error_classes() if error.exit_code == 13).__name__
    'DoesNotFit'
    """
    pending, found = [PilotlightError], []
    while pending:
        error = pending.pop()
        pending += error.__subclasses__()
        if "exit_code" in vars(error):
            found.append(error)
    return tuple(found[1:])
