# SPDX-License-Identifier: Apache-2.0
"""Runs one delegate of a .pte on a `Device`, without firmware.

Each region has a block of memory of its own, with nothing around it. So an access outside its
region faults, even where the firmware would have other memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.errors import BadProgram, ConfigError, NpuFault, WrongNpu
from pilotlight.npu.analysis.cycle_model import MemorySpeed
from pilotlight.npu.analysis.hazards import Extent, Hazard, find_hazards
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.hardware.device import Device
from pilotlight.npu.hardware.engine import Executed
from pilotlight.npu.hardware.registers import CMD_RESET_VALUE, FAULTS, REGIONS, Cmd, Reg, Status, describe_status
from pilotlight.npu.stream.configurations import Configuration, configuration, configuration_of
from pilotlight.npu.stream.memory import MappedMemory
from pilotlight.npu.stream.operation_decoder import operations_of
from pilotlight.npu.stream.operations import Operation
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import IoTensor, parse_blob

# Region i starts at address (i + 1) * _REGION_SPACING. The command stream follows the regions.
_REGION_SPACING = 1 << 28
_STREAM_ADDRESS = (REGIONS + 1) * _REGION_SPACING
_SCRATCH = 1
# The fast scratch area of U65. A blob does not say how much of this area the stream uses.
_FAST_SCRATCH = 2
_FAST_SCRATCH_BYTES = 4 << 20
# Regions of inputs and outputs, if Vela gave them regions of their own.
_SEPARATE_TENSORS = (3, 4)
# The second AXI port serves region 0, as in Arm's driver.
_REGIONCFG = 3
# As integers: an operator of a flag takes 0.7 us.
_RUN, _FAULTS, _END_REACHED = int(CMD_RESET_VALUE | Cmd.RUN), int(FAULTS), int(Status.CMD_END_REACHED)


class DelegateRunner:
    """A delegate's blob in memory, with a device of its own.

    config: Arm's name of an NPU that the program must be compiled for; None accepts every NPU.
    named_data: the named data of the program that the blob belongs to.
    weights: decoded weights, to share between delegates.
    memory_speed: for the estimate of cycles; None stands for the usual memories of the NPU.
    strict: see Device.

    Raises BadProgram for a blob that is malformed or too large, ConfigError for an NPU that is not
    simulated, and WrongNpu if `config` names another NPU than the blob.
    """

    def __init__(
        self,
        blob: bytes,
        config: str | None = None,
        *,
        named_data: Mapping[str, bytes] | None = None,
        weights: WeightCache | None = None,
        memory_speed: MemorySpeed | None = None,
        strict: bool = True,
    ) -> None:
        self.blob = parse_blob(blob, named_data)
        self.payload = parse_payload(self.blob.commands)
        self.configuration = _choose(self.payload.config, config)
        if max(self.blob.scratch_size_bytes, len(self.blob.weights)) > _REGION_SPACING:
            raise BadProgram(f"a delegate needs a region of more than {_REGION_SPACING} bytes")
        self._regions = {_SCRATCH: np.zeros(self.blob.scratch_size_bytes, np.uint8), **self._separate_regions()}
        if self.configuration.product.has_fast_scratch:
            self._regions[_FAST_SCRATCH] = np.zeros(_FAST_SCRATCH_BYTES, np.uint8)
        self._memory = memory = MappedMemory()
        constants = np.frombuffer(self.blob.weights, np.uint8)
        memory.add(_REGION_SPACING, constants, writable=False, name="region 0")
        for region, content in self._regions.items():
            memory.add((region + 1) * _REGION_SPACING, content, writable=True, name=f"region {region}")
        stream = np.frombuffer(self.payload.stream, np.uint8)
        memory.add(_STREAM_ADDRESS, stream, writable=False, name="command stream")
        self.device = Device(
            self.configuration.name,
            memory,
            weights=weights,
            memory_speed=memory_speed,
            strict=strict,
        )

    def run(
        self,
        inputs: Sequence[NDArray[Any]],
        outputs: Sequence[NDArray[Any]],
        on_executed: Callable[[Executed], None] = lambda _: None,
    ) -> None:
        """Run once and write the result to `outputs`.

        inputs, outputs: arrays with the sizes of the blob's tensors; outputs are contiguous.
        on_executed: called after each operation.

        Raises NpuFault if the NPU stops with a fault.
        """
        self.device.on_executed = on_executed
        # An inference must not see data of the previous one.
        for content in (self._regions[region] for region in self._regions if region != _FAST_SCRATCH):
            content[:] = 0
        for place, array in zip(self.blob.inputs, inputs, strict=True):
            self._bytes(place)[:] = np.frombuffer(array.tobytes(), np.uint8)
        device = self.device
        device.write(Reg.RESET, 0)
        for setup in self.configuration.product.setup:
            for index in range(setup.count):
                device.write(setup.offset + 4 * index, setup.value)
        device.write(Reg.QBASE, _STREAM_ADDRESS & 0xFFFF_FFFF)
        device.write(Reg.QBASE_HI, _STREAM_ADDRESS >> 32)
        device.write(Reg.QSIZE, len(self.payload.stream))
        device.write(Reg.REGIONCFG, _REGIONCFG)
        for region in range(REGIONS):
            device.write(Reg.BASEP0 + 8 * region, (region + 1) * _REGION_SPACING)
        device.write(Reg.CMD, _RUN)
        status = device.read(Reg.STATUS)
        if status & _FAULTS or not status & _END_REACHED:
            raise NpuFault(
                f"{device.last_fault or 'the NPU did not reach the end of the stream'}\n"
                f"  {describe_status(status)}, QREAD {device.read(Reg.QREAD)}",
                hint="export the model again; if it faults again, `pilotlight disassemble` shows the stream",
            )
        for place, array in zip(self.blob.outputs, outputs, strict=True):
            array.reshape(-1).view(np.uint8)[:] = self._bytes(place)

    @cached_property
    def operations(self) -> dict[int, Operation]:
        """The operations of the stream, by word index."""
        described = operations_of(self.payload.stream, self.configuration)
        return {operation.at: operation for operation in described}

    def output_of(self, operation: Operation) -> NDArray[Any]:
        """Return a copy of an operation's output in memory, height x width x channels.

        Raises ConfigError for a copy, which has no feature map.
        """
        target = operation.ofm
        if target is None:
            raise ConfigError(f"{operation.name} at byte {operation.offset} copies bytes; it has no feature map")
        placed = replace(target.map, region_base=(target.map.region + 1) * _REGION_SPACING)
        stored = placed.read(self._memory, target.stored_shape)
        return target.as_computed(stored).copy()

    def region_content(self, region: int) -> NDArray[np.uint8]:
        """Return the memory of a writable region, such as the scratch area (1), to look or to
        change."""
        return self._regions[region]

    def hazards(self) -> list[Hazard]:
        """Find missing waits and reads of unwritten memory, without running the stream."""
        writable = {region: len(content) for region, content in self._regions.items()}
        inputs, outputs = (
            [Extent(place.region, place.offset, place.size_bytes) for place in places]
            for places in (self.blob.inputs, self.blob.outputs)
        )
        return find_hazards(self.payload.stream, self.configuration, writable, inputs, outputs)

    def _separate_regions(self) -> dict[int, NDArray[np.uint8]]:
        """Return memory for the regions of inputs and outputs outside the scratch area."""
        sizes: dict[int, int] = {}
        for tensor in (*self.blob.inputs, *self.blob.outputs):
            if tensor.region == _SCRATCH:
                continue
            if tensor.region not in _SEPARATE_TENSORS:
                raise BadProgram(
                    f"an input or output of a delegate lies in region {tensor.region}, which is not for tensors"
                )
            sizes[tensor.region] = max(sizes.get(tensor.region, 0), tensor.offset + tensor.size_bytes)
        if max(sizes.values(), default=0) > _REGION_SPACING:
            raise BadProgram(f"a delegate needs a region of more than {_REGION_SPACING} bytes")
        return {region: np.zeros(size, np.uint8) for region, size in sizes.items()}

    def _bytes(self, place: IoTensor) -> NDArray[np.uint8]:
        return self._regions[place.region][place.offset : place.offset + place.size_bytes]


def _choose(config_word: int, config: str | None) -> Configuration:
    compiled_for = configuration_of(config_word)
    if config is None:
        return compiled_for
    chosen = configuration(config)
    if chosen != compiled_for:
        raise WrongNpu(
            f"the program was compiled for {compiled_for.name}, not for {chosen.name}",
            hint=f"export it for {chosen.name}, or simulate {compiled_for.name}",
        )
    return chosen
