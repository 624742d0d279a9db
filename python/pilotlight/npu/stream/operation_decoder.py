# SPDX-License-Identifier: Apache-2.0
"""Decodes operations from registers.

No other code reads the registers of operands, kernels, scales and copies.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pilotlight.npu.stream.command_state import CommandState, Step, steps_of
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import Channel, MalformedStream
from pilotlight.npu.stream.feature_map import FeatureMap, Shape
from pilotlight.npu.stream.isa import ElementwiseMode, Instruction, PoolingMode, RoundMode, ScaleMode, Upscale
from pilotlight.npu.stream.kernel import Kernel, stored_size
from pilotlight.npu.stream.operations import (
    INTERNAL,
    Activation,
    Copy,
    Kind,
    Operand,
    OperandScales,
    Operation,
    Range,
    number,
)

_ACCUMULATOR_BITS = {0: 32, 1: 40, 2: 16}
_KINDS = {f"OP_{kind.value}": kind for kind in Kind}


@lru_cache(maxsize=64)
def operations_of(stream: bytes, configuration: Configuration) -> tuple[Operation, ...]:
    """Return the operations of a stream up to OP_STOP or the first malformed command.

    All registers are 0 at the start. So the operations are wrong for a stream that relies on
    registers of the previous stream. Compilers write all registers that they use.
    """
    found: list[Operation] = []
    for step in steps_of(stream, configuration.product, CommandState()):
        if isinstance(step.command, MalformedStream):
            break
        if step.name in _KINDS:
            try:
                found.append(operation_at(step, configuration))
            except MalformedStream:  # Execution faults here and reports the reason.
                break
    return tuple(found)


def is_operation(step: Step) -> bool:
    """Tell whether the step's command computes or copies."""
    return step.name in _KINDS


def name_of(command: Instruction) -> str:
    """Return `Operation.name` without decoding the operands."""
    mode = _mode(command)
    kind = _KINDS[command.command.name]
    return kind.value if mode is None else f"{kind.value} {mode.name}"


def operation_at(step: Step, configuration: Configuration) -> Operation:
    """Decode the operation that a step starts. Raises MalformedStream."""
    found: Operation | None = step.operations.get(configuration.name)
    if found is None:
        assert isinstance(step.command, Instruction)
        found = _Decoder(step.state, configuration).operation(step.command)
        step.operations[configuration.name] = found
    return found


def _mode(command: Instruction) -> PoolingMode | ElementwiseMode | None:
    if "pooling_mode" in command.fields:
        return PoolingMode(command.fields["pooling_mode"])
    if "elementwise_mode" in command.fields:
        return ElementwiseMode(command.fields["elementwise_mode"])
    return None


class _Decoder:
    def __init__(self, state: CommandState, configuration: Configuration) -> None:
        self._fields, self._registers = state.fields, state.registers
        self._configuration = configuration

    def _value(self, name: str) -> int:
        """Return the value of a register with a single field."""
        instruction = self._registers.get(f"SET_{name}")
        return 0 if instruction is None else instruction.first

    def operation(self, command: Instruction) -> Operation:
        kind, mode = _KINDS[command.command.name], _mode(command)
        if kind is Kind.COPY:
            return Operation(command.at, kind, copy=self._copy())
        height, width, depth = shape = self._ofm_shape()
        summing = mode is PoolingMode.REDUCE_SUM
        kernel = None if kind is Kind.ELEMENTWISE or summing else self._kernel()
        upscale = Upscale.NONE if kernel is None else Upscale(self._value("IFM_UPSCALE"))
        in_depth = self._value("IFM_DEPTH_M1") + 1 if kind is Kind.CONVOLUTION or summing else depth
        if kernel is None:
            ifm = self._operand("IFM", (height, width, in_depth))
        else:
            rows, columns = kernel.input_size(height, width)
            ifm = self._operand("IFM", (stored_size(rows, upscale), stored_size(columns, upscale), in_depth))
        weighted = kind in (Kind.CONVOLUTION, Kind.DEPTHWISE)
        precision = self._fields("SET_OFM_PRECISION")
        scaled_globally = bool(precision["scale_mode"])
        scale = self._fields("SET_OFM_SCALE")
        operation = Operation(
            at=command.at,
            kind=kind,
            mode=mode,
            ifm=ifm,
            ofm=self._operand("OFM", shape),
            kernel=kernel,
            upscale=upscale,
            weights=self._streams("WEIGHT") if weighted else (),
            scales=self._streams("SCALE") if weighted or (kind is Kind.POOL and not scaled_globally) else (),
            scale=(scale["scale"], scale["shift"]) if scaled_globally else None,
            rounding=RoundMode(precision["round_mode"]),
            activation=self._activation(),
            block=(
                self._value("OFM_BLK_HEIGHT_M1") + 1,
                self._value("OFM_BLK_WIDTH_M1") + 1,
                self._value("OFM_BLK_DEPTH_M1") + 1,
            ),
            accumulator_bits=_ACCUMULATOR_BITS[self._value("ACC_FORMAT")],
            blockdep=self._value("BLOCKDEP"),
            **(self._second_operand(mode, shape) if isinstance(mode, ElementwiseMode) else {}),
        )
        return operation

    def _second_operand(self, mode: ElementwiseMode, shape: Shape) -> dict[str, Any]:
        if mode.unary:
            return {}
        broadcast = self._fields("SET_IFM2_BROADCAST")
        precision, opa = self._fields("SET_IFM_PRECISION"), self._fields("SET_OPA_SCALE")
        found: dict[str, Any] = {
            "swapped": bool(broadcast["operand_order"]),
            "operand_scales": OperandScales(
                mode=ScaleMode(precision["scale_mode"]),
                rounding=RoundMode(precision["round_mode"]),
                a_scale=opa["scale"],
                a_shift=opa["shift"],
                b_scale=self._value("OPB_SCALE"),
            ),
        }
        if broadcast["broadcast_constant"]:
            signed = bool(self._fields("SET_IFM2_PRECISION")["type"])
            scalar, zero_point = self._value("IFM2_SCALAR"), self._value("IFM2_ZERO_POINT")
            return found | {"constant": number(scalar, signed) - number(zero_point, signed)}
        height, width, depth = (
            1 if broadcast[f"broadcast_{axis}"] else size for axis, size in zip("hwc", shape, strict=True)
        )
        return found | {"ifm2": self._operand("IFM2", (height, width, depth))}

    def _ofm_shape(self) -> Shape:
        return self._value("OFM_HEIGHT_M1") + 1, self._value("OFM_WIDTH_M1") + 1, self._value("OFM_DEPTH_M1") + 1

    def _kernel(self) -> Kernel:
        word = self._fields("SET_KERNEL_STRIDE")
        dilation_y, dilation_x = word["dilation_y"] + 1, word["dilation_x"] + 1
        return Kernel(
            height=self._value("KERNEL_HEIGHT_M1") // dilation_y + 1,
            width=self._value("KERNEL_WIDTH_M1") // dilation_x + 1,
            stride_y=1 + word["stride_y_lsb"] + 2 * word["stride_y_msb"],
            stride_x=1 + word["stride_x_lsb"] + 2 * word["stride_x_msb"],
            dilation_y=dilation_y,
            dilation_x=dilation_x,
            pad_top=self._value("IFM_PAD_TOP"),
            pad_left=self._value("IFM_PAD_LEFT"),
            pad_bottom=self._value("IFM_PAD_BOTTOM"),
            pad_right=self._value("IFM_PAD_RIGHT"),
            part_kernel_first=bool(word["weight_order"]),
        )

    def _operand(self, prefix: str, shape: Shape) -> Operand:
        precision = self._fields(f"SET_{prefix}_PRECISION")
        signed = bool(precision["type"])
        base0, base1, base2, base3 = (self._value(f"{prefix}_BASE{tile}") for tile in range(4))
        place = FeatureMap(
            channel=Channel.OFM if prefix == "OFM" else Channel.IFM,
            region=self._value(f"{prefix}_REGION"),
            region_base=0,
            bases=(base0, base1, base2, base3),
            stride_y=self._value(f"{prefix}_STRIDE_Y"),
            stride_x=self._value(f"{prefix}_STRIDE_X"),
            stride_c=self._value(f"{prefix}_STRIDE_C"),
            height0=self._value(f"{prefix}_HEIGHT0_M1") + 1,
            height1=self._value(f"{prefix}_HEIGHT1_M1") + 1,
            width0=self._value(f"{prefix}_WIDTH0_M1") + 1,
            dtype=np.dtype(f"<{'i' if signed else 'u'}{1 << precision['precision']}"),
            bricks=bool(precision["format"]),
            zero_point=number(self._value(f"{prefix}_ZERO_POINT"), signed),
        )
        return Operand(shape, place)

    def _streams(self, kind: str) -> tuple[Range, ...]:
        region = self._value(f"{kind}_REGION")
        cores = self._configuration.cores if self._value("PARALLEL_MODE") else 1
        names = [f"{kind}{core or ''}" for core in range(cores)]
        return tuple(Range(region, self._value(f"{name}_BASE"), self._value(f"{name}_LENGTH")) for name in names)

    def _activation(self) -> Activation:
        word = self._fields("SET_ACTIVATION")
        low, high = self._value("ACTIVATION_MIN"), self._value("ACTIVATION_MAX")
        return Activation(word["function"], word["clip_range"], low, high)

    def _copy(self) -> Copy:
        size = self._value("DMA0_LEN")
        ends, modes = [], []
        for end in ("SRC", "DST"):
            word = self._fields(f"SET_DMA0_{end}_REGION")
            ends.append(Range(INTERNAL if word["region_mode"] else word["region"], self._value(f"DMA0_{end}"), size))
            modes.append(word["stride_mode"])
        return Copy(ends[0], ends[1], (modes[0], modes[1]))
