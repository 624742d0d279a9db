# SPDX-License-Identifier: Apache-2.0
"""Records the commands of a simulated NPU, for `ethosu.extra_args="--pmu-trace FILE"`."""

from __future__ import annotations

from pathlib import Path

from pilotlight.npu import Device
from pilotlight.npu.hardware.engine import Executed
from pilotlight.npu.hardware.registers import Reg
from pilotlight.npu.layers import Layer
from pilotlight.npu.simulation import Statistics
from pilotlight.npu.stream.memory import Memory
from pilotlight.npu.stream.operation_decoder import operations_of
from pilotlight.npu.stream.operations import Operation
from pilotlight.npu.trace import write_trace


class PmuTrace:
    """The commands of all runs of `device`, with their estimated cycles.

    A delegate is a command stream: delegate 0 is the stream that ran first.
    """

    def __init__(self, device: Device, memory: Memory) -> None:
        self._device, self._memory = device, memory
        self._statistics = Statistics(device.configuration.name)
        self._streams: dict[bytes, tuple[int, dict[int, Operation]]] = {}
        device.on_executed = self._add

    def _add(self, executed: Executed) -> None:
        address = self._device.read(Reg.QBASE) | self._device.read(Reg.QBASE_HI) << 32
        stream = self._memory.view(address, self._device.read(Reg.QSIZE), writable=False).tobytes()
        if stream not in self._streams:
            operations = {operation.at: operation for operation in operations_of(stream, self._device.configuration)}
            self._streams[stream] = (len(self._streams), operations)
        delegate, operations = self._streams[stream]
        layers = self._statistics.layers
        layers.append(Layer(len(layers) + 1, delegate, operations[executed.at], executed, None))

    def write(self, path: Path) -> None:
        """Write what was recorded so far, as `pilotlight simulate --trace` does."""
        write_trace(self._statistics, path)
