# SPDX-License-Identifier: Apache-2.0
"""Which bytes a command stream accesses, by the simulator's planner: what the driver's own reckoning is held to.

The planner is asked about each operation, and none is executed. Regions lie so far apart that no access that leaves one
reaches another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from pilotlight.npu.arithmetic.scratch import Scratch
from pilotlight.npu.arithmetic.weights import WeightCache, WeightGeometry
from pilotlight.npu.hardware.planner import Machine, Planner
from pilotlight.npu.stream.command_state import CommandState, steps_of
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import BusFault, MalformedStream, NpuStop
from pilotlight.npu.stream.memory import Bytes
from pilotlight.npu.stream.operation_decoder import is_operation, operation_at

_REGIONS = 8
_SPACING = 1 << 62

# What the simulator refuses on its own account, or because the result would be nonsense: nothing a driver has to know.
OF_NO_CONCERN = ("beyond this simulator", "not simulated", "activation function", "clip range")


@dataclass(frozen=True)
class Access:
    """at: byte offset of the operation in the stream."""

    at: int
    region: int
    begin: int
    end: int
    writes: bool


@dataclass(frozen=True)
class Finding:
    """Where the first command stands that is wrong, and why; None when all is well."""

    at: int | None = None
    why: str = ""

    @property
    def concerns_the_driver(self) -> bool:
        return not any(text in self.why for text in OF_NO_CONCERN)


@dataclass
class _Regions:
    """The bus: regions far apart, of which the first is read-only."""

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


class _WorstPlanner(Planner):
    """A core without channels reads what its registers say. Whether hardware does is not known."""

    def _is_idle(self, core: int, channels: int) -> bool:
        return False


class _NoWeights:
    """In place of decoded weights, which no address depends on."""

    def weights(self, _: Any, geometry: WeightGeometry) -> Any:
        return SimpleNamespace(sums=np.zeros(geometry.out_channels))


def follow(
    stream: bytes, configuration: Configuration, weights: bytes, sizes: Mapping[int, int]
) -> tuple[Finding, list[Access]]:
    """Return what is wrong with a stream, and what it accesses up to there.

    sizes: of the regions that can be written; region 0 holds `weights`.
    """
    contents: dict[int, Bytes] = {region: np.zeros(size, np.uint8) for region, size in sizes.items()}
    contents[0] = np.frombuffer(weights, np.uint8)
    regions = _Regions(contents)
    machine = Machine(
        configuration,
        regions,
        np.zeros(configuration.shram_kib * 1024, np.uint8),
        cast(WeightCache, _NoWeights()),
        Scratch(),
    )
    bases = tuple(region * _SPACING for region in range(_REGIONS))
    for step in steps_of(stream, configuration.product, CommandState()):
        command = step.command
        if isinstance(command, MalformedStream):
            return Finding(_word_of(command) * 4, str(command)), regions.accesses
        if is_operation(step):
            regions.at = 4 * command.at
            try:
                _WorstPlanner(machine, bases).plan(operation_at(step, configuration))
            except NpuStop as stop:
                return Finding(regions.at, str(stop)), regions.accesses
    return Finding(), regions.accesses


def _word_of(error: MalformedStream) -> int:
    """ "word 12: ..." """
    return int(str(error).removeprefix("word ").partition(":")[0])
