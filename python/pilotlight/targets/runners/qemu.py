# SPDX-License-Identifier: Apache-2.0
"""QEMU: a board with our NPU simulator behind the mailbox."""

from __future__ import annotations

from pathlib import Path

from pilotlight.targets.runner import Descriptors, Runner

# QEMU prints this if a core faults in its fault handler, or before it has one.
_LOCKUP = "Lockup"


class Qemu(Runner):
    name = "qemu"

    def command(self, image: Path, npu: str, inherited: Descriptors) -> list[str]:
        assert self.board.shared_memory is not None
        monitor = ("-chardev", f"socket,id=monitor,fd={inherited.monitor}", "-mon", "chardev=monitor,mode=control")
        # QEMU counts instructions only for the supervisor, which provides a monitor. Counting slows
        # QEMU down, and the stand-in for the FVP shows no counts.
        counting = ("-icount", f"shift={self.emulator.instruction_ns.bit_length() - 1},sleep=on,align=off")
        return [
            str(self.find()),
            *("-machine", f"{self.emulator.machine},memory-backend=shared"),
            "-object",
            f"memory-backend-file,id=shared,size={self.board.shared_memory.size},"
            f"mem-path=/proc/self/fd/{inherited.shared},share=on",
            *("-display", "none", "-monitor", "none"),
            *(monitor if inherited.monitor >= 0 else ()),
            # Board time is counted in instructions. While the CPU sleeps, board time follows host
            # time (sleep=on), because the CPU then waits for the NPU simulator, which is another
            # process.
            *(counting if inherited.monitor >= 0 else ()),
            *("-chardev", f"socket,id=console,fd={inherited.console}", "-serial", "chardev:console"),
            *("-chardev", f"socket,id=npu,fd={inherited.line}", "-serial", "chardev:npu"),
            *("-kernel", str(image)),
        ]

    def explain_end(self, said: str) -> str | None:
        if _LOCKUP not in said:
            return None
        return f"the core locked up: a fault occurred in or before the fault handler: {said}"


RUNNER = Qemu
