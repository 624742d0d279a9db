# SPDX-License-Identifier: Apache-2.0
"""Reads what the registers of both generations describe in the same way."""

from __future__ import annotations

import numpy as np

from pilotlight.npu.stream.command_state import CommandState
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import Channel, MalformedStream
from pilotlight.npu.stream.feature_map import FeatureMap, Shape
from pilotlight.npu.stream.isa import ElementwiseMode, Fields, Instruction, PoolingMode
from pilotlight.npu.stream.kernel import Kernel
from pilotlight.npu.stream.operations import Kind, Range, number

KINDS = {f"OP_{kind.value}": kind for kind in Kind}


def mode_of(command: Instruction) -> PoolingMode | ElementwiseMode | None:
    """Return the mode of a pool or an elementwise operation."""
    if "pooling_mode" in command.fields:
        return PoolingMode(command.fields["pooling_mode"])
    if "elementwise_mode" in command.fields:
        return ElementwiseMode(command.fields["elementwise_mode"])
    return None


class RegisterReader:
    """The registers before an operation."""

    def __init__(self, state: CommandState, configuration: Configuration) -> None:
        self._state = state
        self.configuration = configuration

    def fields(self, name: str) -> Fields:
        return self._state.fields(f"SET_{name}")

    def value(self, name: str) -> int:
        """Return the value of a register with a single field."""
        instruction = self._state.registers.get(f"SET_{name}")
        return 0 if instruction is None else instruction.first

    def ofm_shape(self) -> Shape:
        return self.value("OFM_HEIGHT_M1") + 1, self.value("OFM_WIDTH_M1") + 1, self.value("OFM_DEPTH_M1") + 1

    def block(self) -> Shape:
        height, width, depth = (self.value(f"OFM_BLK_{axis}_M1") + 1 for axis in ("HEIGHT", "WIDTH", "DEPTH"))
        return height, width, depth

    def microblock(self) -> Shape:
        number_of_it = self.fields("ACC_FORMAT")["microblock"]
        found = self.configuration.microblocks.get(number_of_it)
        if found is None:
            raise MalformedStream(f"{self.configuration.name} has no micro-block {number_of_it}")
        return found

    def kernel(self) -> Kernel:
        word = self.fields("KERNEL_STRIDE")
        dilation_y, dilation_x = word["dilation_y"] + 1, word["dilation_x"] + 1
        return Kernel(
            height=self.value("KERNEL_HEIGHT_M1") // dilation_y + 1,
            width=self.value("KERNEL_WIDTH_M1") // dilation_x + 1,
            stride_y=1 + word["stride_y_lsb"] + 2 * word["stride_y_msb"],
            stride_x=1 + word["stride_x_lsb"] + 2 * word["stride_x_msb"],
            dilation_y=dilation_y,
            dilation_x=dilation_x,
            pad_top=self.value("IFM_PAD_TOP"),
            pad_left=self.value("IFM_PAD_LEFT"),
            pad_bottom=self.value("IFM_PAD_BOTTOM"),
            pad_right=self.value("IFM_PAD_RIGHT"),
            part_kernel_first=bool(word["weight_order"]),
        )

    def place(self, prefix: str) -> FeatureMap:
        """Return the place of IFM, IFM2 or OFM in its region."""
        precision = self.fields(f"{prefix}_PRECISION")
        signed = bool(precision["type"])
        base0, base1, base2, base3 = (self.value(f"{prefix}_BASE{tile}") for tile in range(4))
        return FeatureMap(
            channel=Channel.OFM if prefix == "OFM" else Channel.IFM,
            region=self.value(f"{prefix}_REGION"),
            region_base=0,
            bases=(base0, base1, base2, base3),
            stride_y=self.value(f"{prefix}_STRIDE_Y"),
            stride_x=self.value(f"{prefix}_STRIDE_X"),
            stride_c=self.value(f"{prefix}_STRIDE_C"),
            height0=self.value(f"{prefix}_HEIGHT0_M1") + 1,
            height1=self.value(f"{prefix}_HEIGHT1_M1") + 1,
            width0=self.value(f"{prefix}_WIDTH0_M1") + 1,
            dtype=np.dtype(f"<{'i' if signed else 'u'}{1 << precision['precision']}"),
            bricks=bool(precision["format"]),
            zero_point=number(self.value(f"{prefix}_ZERO_POINT"), signed),
        )

    def streams(self, kind: str, count: int) -> tuple[Range, ...]:
        """Return the first `count` streams of weights or scales."""
        region = self.value(f"{kind}_REGION")
        names = [f"{kind}{core or ''}" for core in range(count)]
        return tuple(Range(region, self.value(f"{name}_BASE"), self.value(f"{name}_LENGTH")) for name in names)
