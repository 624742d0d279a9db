# SPDX-License-Identifier: Apache-2.0
"""Decodes operations of U55 and U65 from their registers."""

from __future__ import annotations

from typing import Any

from pilotlight.npu.stream.command_state import CommandState
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.feature_map import Shape
from pilotlight.npu.stream.isa import (
    ClipRange,
    ElementwiseMode,
    Instruction,
    PoolingMode,
    RoundMode,
    ScaleMode,
    Upscale,
)
from pilotlight.npu.stream.kernel import stored_size
from pilotlight.npu.stream.operations import (
    INTERNAL,
    Copy,
    CopyEnd,
    Factor,
    Kind,
    Operand,
    OperandScales,
    Operation,
    Range,
    Table,
    limits_of,
    number,
)
from pilotlight.npu.stream.register_reader import KINDS, RegisterReader, mode_of

_ACCUMULATOR_BITS = {0: 32, 1: 40, 2: 16}
_TANH, _SIGMOID, _FIRST_TABLE = 3, 4, 16
_TABLE_SLOT_BYTES = 256
_FORCED_CLIP = {
    ClipRange.FORCE_UINT8: limits_of(8, False),
    ClipRange.FORCE_INT8: limits_of(8, True),
    ClipRange.FORCE_INT16: limits_of(16, True),
}


class FirstDecoder:
    """Decodes one operation. state: the registers before it."""

    def __init__(self, state: CommandState, configuration: Configuration) -> None:
        self._read = RegisterReader(state, configuration)

    def operation(self, command: Instruction) -> Operation:
        """Return the operation that a command starts. Raises MalformedStream."""
        read, kind, mode = self._read, KINDS[command.command.name], mode_of(command)
        if kind is Kind.COPY:
            return Operation(command.at, kind, copy=self._copy())
        height, width, depth = shape = read.ofm_shape()
        summing = mode is PoolingMode.REDUCE_SUM
        kernel = None if kind is Kind.ELEMENTWISE or summing else read.kernel()
        upscale = Upscale.NONE if kernel is None else Upscale(read.value("IFM_UPSCALE"))
        in_depth = read.value("IFM_DEPTH_M1") + 1 if kind is Kind.CONVOLUTION or summing else depth
        if kernel is not None:
            rows, columns = kernel.input_size(height, width)
            height, width = stored_size(rows, upscale), stored_size(columns, upscale)
        weighted = kind in (Kind.CONVOLUTION, Kind.DEPTHWISE)
        precision = read.fields("OFM_PRECISION")
        scaled_globally = bool(precision["scale_mode"])
        scale, rounding = read.fields("OFM_SCALE"), RoundMode(precision["round_mode"])
        cores = read.configuration.cores if read.value("PARALLEL_MODE") else 1
        limits, table = self._activation()
        return Operation(
            at=command.at,
            kind=kind,
            mode=mode,
            ifm=Operand((height, width, in_depth), read.place("IFM")),
            ofm=Operand(shape, read.place("OFM")),
            kernel=kernel,
            upscale=upscale,
            active_cores=min(cores, depth),
            weights=read.streams("WEIGHT", cores) if weighted else (),
            scales=read.streams("SCALE", cores) if weighted or (kind is Kind.POOL and not scaled_globally) else (),
            scale=Factor(scale["scale"], scale["shift"], rounding) if scaled_globally else None,
            rounding=Factor(rounding=rounding),
            limits=limits,
            table=table,
            block=read.block(),
            microblock=read.microblock(),
            accumulator_bits=_ACCUMULATOR_BITS[read.value("ACC_FORMAT")],
            divides=kernel is not None and kernel.padded,
            blockdep=read.value("BLOCKDEP"),
            **(self._second_operand(mode, shape) if isinstance(mode, ElementwiseMode) else {}),
        )

    def _second_operand(self, mode: ElementwiseMode, shape: Shape) -> dict[str, Any]:
        if mode.unary:
            return {}
        read = self._read
        broadcast, precision, opa = (read.fields(name) for name in ("IFM2_BROADCAST", "IFM_PRECISION", "OPA_SCALE"))
        found: dict[str, Any] = {
            "swapped": bool(broadcast["operand_order"]),
            "operand_scales": OperandScales(
                mode=ScaleMode(precision["scale_mode"]),
                rounding=RoundMode(precision["round_mode"]),
                a_scale=opa["scale"],
                a_shift=opa["shift"],
                b_scale=read.value("OPB_SCALE"),
            ),
        }
        if broadcast["broadcast_constant"]:
            signed = bool(read.fields("IFM2_PRECISION")["type"])
            scalar, zero_point = read.value("IFM2_SCALAR"), read.value("IFM2_ZERO_POINT")
            return found | {"constant": number(scalar, signed) - number(zero_point, signed)}
        height, width, depth = (
            1 if broadcast[f"broadcast_{axis}"] else size for axis, size in zip("hwc", shape, strict=True)
        )
        return found | {"ifm2": Operand((height, width, depth), read.place("IFM2"))}

    def _activation(self) -> tuple[tuple[int, int] | None, Table | None]:
        """Return the clip limits, None without a clip, and the table."""
        read = self._read
        word, dtype = read.fields("ACTIVATION"), read.place("OFM").dtype
        function, in_bytes = word["function"], dtype.itemsize
        if word["clip_range"] not in list(ClipRange):
            raise MalformedStream(f"clip range {word['clip_range']} does not exist")
        clip_range = ClipRange(word["clip_range"])
        forced = _FORCED_CLIP.get(clip_range)
        signed = dtype.kind == "i" if forced is None else forced[0] < 0
        table = None
        if function >= _FIRST_TABLE:
            narrow = in_bytes == 1 or clip_range in (ClipRange.FORCE_UINT8, ClipRange.FORCE_INT8)
            table = Table((function - _FIRST_TABLE) * _TABLE_SLOT_BYTES, not narrow, signed, in_bytes)
        elif function in (_TANH, _SIGMOID):
            raise MalformedStream("activation function: the TANH and SIGMOID units are not simulated")
        elif function:
            raise MalformedStream(f"activation function {function} does not exist")
        if in_bytes > 2 and forced is None and table is None:
            return None, None
        # The values that can be stored, or that index the table.
        lowest, highest = forced or limits_of(8 * min(in_bytes, 2), dtype.kind == "i" or in_bytes > 2)
        low, high = (number(read.value(f"ACTIVATION_{end}"), signed) for end in ("MIN", "MAX"))
        return (min(max(low, lowest), highest), max(min(high, highest), lowest)), table

    def _copy(self) -> Copy:
        read = self._read
        size = read.value("DMA0_LEN")
        ends = []
        for end in ("SRC", "DST"):
            word = read.fields(f"DMA0_{end}_REGION")
            if word["stride_mode"]:
                raise MalformedStream("2D and 3D copies are not simulated")
            region = INTERNAL if word["region_mode"] else word["region"]
            ends.append(CopyEnd(Range(region, read.value(f"DMA0_{end}"), size)))
        return Copy(ends[0], ends[1])
