# SPDX-License-Identifier: Apache-2.0
"""The facts of a board.toml as classes. The fields have the names of the keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# board: a real board's clock. instructions: the emulator counts instructions; while the CPU waits
# for a simulated NPU, host time passes. host: the firmware is a process and uses host time.
# emulator: the emulator's own time model.
CLOCKS = ("board", "instructions", "host", "emulator")

HOST_CORE = "host"

# Section groups of firmware/platform/link/image.ld, and the role of the mailbox page.
BARE_METAL_ROLES = ("vectors", "code", "data", "stack", "model", "tensor_arena")
HOST_ROLES = ("model", "tensor_arena")
MAILBOX_ROLE = "npu_mailbox"

# Armv8-M ARM, "Protected Memory System Architecture, PMSAv8".
MPU_GRANULE_BYTES = 32
# Regions in firmware/platform/corstone300/mpu.cpp: code, constants, model, RAM, arena, stack, and
# one for the app.
MPU_REGIONS_FOR_MEMORY = 7


@dataclass(frozen=True)
class Cpu:
    core: str
    clock_hz: int
    data_cache: bool = False
    mpu_regions: int = 0
    """Number of regions of the memory protection unit; 0 if there is none."""
    mpu_granule_bytes: int = MPU_GRANULE_BYTES
    """Regions start and end at multiples of this: the architecture's granule or a larger one."""
    boot_address: int = 0
    """Address where the vector table must be."""

    @property
    def bare_metal(self) -> bool:
        """False if the firmware is a process of this computer."""
        return self.core != HOST_CORE


@dataclass(frozen=True)
class Timer:
    """A 64-bit counter with a comparator: Arm's system counter and SYSTIMER."""

    counter_base: int
    base: int
    clock_hz: int
    irq: int


@dataclass(frozen=True)
class Uart:
    base: int
    clock_hz: int
    irq_receive: int


@dataclass(frozen=True)
class Console:
    uart: str
    baud: int


@dataclass(frozen=True)
class Npu:
    """The board's NPU.

    config: the NPU that the board has. configurable: NPUs that its emulator can have instead.
    port: "bus": registers at `base`, interrupt `irq`. "mailbox": registers in the memory region
        that holds npu_mailbox, doorbell on `doorbell_uart` (none on the host).
    visible: names of the memory regions that the NPU can reach, at the same addresses as the CPU.
    """

    config: str
    port: str
    visible: tuple[str, ...]
    system_config: str
    memory_mode: str
    configurable: tuple[str, ...] = ()
    base: int | None = None
    irq: int | None = None
    doorbell_uart: str | None = None


@dataclass(frozen=True)
class MemoryRegion:
    origin: int
    size: int
    holds: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        return self.origin + self.size


@dataclass(frozen=True)
class SharedMemory:
    """The file through which the NPU simulator sees an emulated board's memory."""

    origin: int
    size: int


@dataclass(frozen=True)
class Budget:
    stack_bytes: int
    code_bytes: int | None = None
    """Limit of .vectors + .text + .rodata; the link fails above it."""


@dataclass(frozen=True)
class Emulator:
    kind: str
    executable: str | None = None
    debian_package: str | None = None
    machine: str | None = None
    instruction_ns: int = 0
    """Board time of one instruction in ns; 0 if the emulator does not count instructions."""
    macs_parameter: str | None = None
    """Of an FVP: the parameter that sets the number of the NPU's multipliers."""
    terminal: str | None = None
    """Of an FVP: the terminal of the console, as the FVP names it."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of an FVP: further parameters."""


@dataclass(frozen=True)
class Board:
    """The facts of a board.toml, checked. Fields are None if the board lacks the part."""

    name: str
    folder: Path
    platform: str
    cpu: Cpu
    npu: Npu
    memory: Mapping[str, MemoryRegion]
    budget: Budget
    uart: Mapping[str, Uart]
    console: Console | None
    timer: Timer | None
    shared_memory: SharedMemory | None
    emulator: Emulator | None
    never_run: bool = False
    """Images for the board were only built and linked so far."""

    @property
    def clock(self) -> str:
        """The meaning of this board's times and CPU cycles: one of CLOCKS."""
        if self.emulator is None:
            return "board"
        if self.emulator.instruction_ns:
            return "instructions"
        return "emulator" if self.cpu.bare_metal else "host"

    def region_of(self, role: str) -> tuple[str, MemoryRegion]:
        """Return name and region that hold section group `role`. Raises KeyError if none does."""
        for name, region in self.memory.items():
            if role in region.holds:
                return name, region
        raise KeyError(role)
