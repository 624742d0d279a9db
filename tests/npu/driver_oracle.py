# SPDX-License-Identifier: Apache-2.0
"""The bytes that a command stream accesses, as the simulator's planner computes them.

Tests compare the driver's own computation with these bytes. The planner plans each operation and
executes none. Regions lie so far apart that an access beyond one region cannot reach another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from pilotlight.npu.arithmetic.parallel import Cores
from pilotlight.npu.arithmetic.weight_order import WeightGeometry
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.hardware.operand_memory import Machine, OperandMemory
from pilotlight.npu.hardware.planner import plan
from pilotlight.npu.stream.command_state import CommandState, steps_of
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import BusFault, MalformedStream, NpuStop
from pilotlight.npu.stream.memory import Bytes
from pilotlight.npu.stream.operation_decoder import is_operation, operation_at

_REGIONS = 8
_SPACING = 1 << 62

# Refusals that are the simulator's own limits, or whose reason is a meaningless result. A driver
# need not know them.
OF_NO_CONCERN = (
    "beyond this simulator",
    "not simulated",
    "activation function",
    "clip range",
    "of a scalar",
    "of two scalars",
    "a pool without an input",
    "has no micro-block",
    "a product of two feature maps with a kernel",
)


@dataclass(frozen=True)
class Access:
    """An access to bytes `begin` to `end` of a region. at: the operation's offset in the stream."""

    at: int
    region: int
    begin: int
    end: int
    writes: bool


@dataclass(frozen=True)
class Finding:
    """Byte offset of the first wrong command, and what is wrong; None if the stream is good."""

    at: int | None = None
    why: str = ""

    @property
    def concerns_the_driver(self) -> bool:
        return not any(text in self.why for text in OF_NO_CONCERN)


@dataclass
class _Regions:
    """The bus. Regions lie far apart; region 0 is read-only."""

    contents: Mapping[int, Bytes]
    at: int = 0
    accesses: list[Access] = field(default_factory=list)

    def view(self, address: int, size_bytes: int, *, writable: bool) -> Bytes:
        region, offset = divmod(address + _SPACING // 2, _SPACING)
        offset -= _SPACING // 2
        content = self.contents.get(region)
        if content is None or offset < 0 or offset + size_bytes > len(content) or (writable and region == 0):
            raise BusFault(f"region {region}: bytes {offset} to {offset + size_bytes}, writable {writable}")
        self.accesses.append(Access(self.at, region, offset, offset + size_bytes, writable))
        return content[offset : offset + size_bytes]


class _WorstMemory(OperandMemory):
    """Lets a core without channels read the streams that its registers describe.

    No document says whether hardware reads these streams.
    """

    def is_idle(self, core: int, active_cores: int) -> bool:
        return False


class _NoWeights:
    """Replaces decoded weights. No address depends on them."""

    def weights(self, _: Any, geometry: WeightGeometry) -> Any:
        return SimpleNamespace(sums=np.zeros(geometry.out_channels), largest_sum=0)


def follow(
    stream: bytes, configuration: Configuration, weights: bytes, sizes: Mapping[int, int]
) -> tuple[Finding, list[Access]]:
    """Return what is wrong with a stream, and its accesses up to there.

    sizes: bytes of the writable regions. Region 0 holds `weights`.
    """
    contents: dict[int, Bytes] = {region: np.zeros(size, np.uint8) for region, size in sizes.items()}
    contents[0] = np.frombuffer(weights, np.uint8)
    regions = _Regions(contents)
    machine = Machine(
        configuration,
        regions,
        np.zeros(configuration.shram_kib * 1024, np.uint8),
        cast(WeightCache, _NoWeights()),
        Cores(),
        strict=False,  # An operation with a wrong result has the same accesses.
    )
    bases = tuple(region * _SPACING for region in range(_REGIONS))
    for step in steps_of(stream, configuration.product, CommandState()):
        command = step.command
        if isinstance(command, MalformedStream):
            return Finding(_word_of(command) * 4, str(command)), regions.accesses
        if is_operation(step):
            regions.at = 4 * command.at
            try:
                plan(_WorstMemory(machine, bases), operation_at(step, configuration))
            except NpuStop as stop:
                return Finding(regions.at, str(stop)), regions.accesses
    return Finding(), regions.accesses


def _word_of(error: MalformedStream) -> int:
    """Return N of a message "word N: ..."."""
    return int(str(error).removeprefix("word ").partition(":")[0])
