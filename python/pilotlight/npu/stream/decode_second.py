# SPDX-License-Identifier: Apache-2.0
"""Decodes operations of U85 from their registers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pilotlight.npu.stream.command_state import CommandState
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.feature_map import FeatureMap, Shape
from pilotlight.npu.stream.isa import ElementwiseMode, Fields, Instruction, PoolingMode, RoundMode, Upscale
from pilotlight.npu.stream.kernel import stored_size
from pilotlight.npu.stream.operations import (
    CHAINS,
    INTERNAL,
    Copy,
    CopyEnd,
    CopyIndex,
    Factor,
    Kind,
    Operand,
    OperandFactors,
    Operation,
    Range,
    Resize,
    ResizeAxis,
    SecondInput,
    Table,
    limits_of,
    number,
)
from pilotlight.npu.stream.register_reader import KINDS, RegisterReader, mode_of

_ROUND_MODES = (
    RoundMode.DOUBLE,
    RoundMode.NATURAL,
    RoundMode.DOUBLE_UP,
    RoundMode.SYMMETRIC,
    RoundMode.TRUNCATE,
    RoundMode.DOWN,
)
_ACCUMULATOR_BITS = (32, 48)
_FROM_KEPT, _FROM_IFM2 = 1, 2
_SCALAR = 8
_TILES_3X1, _CHAINED, _NONE = 1, 2, 3
# The axes of the stored map by OFM_PRECISION.transpose; 0: rows, 1: columns, 2: channels.
_ORDERS = {0: (0, 1, 2), 1: (1, 0, 2), 2: (0, 2, 1), 3: (1, 2, 0), 6: (2, 0, 1), 7: (2, 1, 0)}
# (indexed by 16 bits?, signed index?, bytes of a result) by ACTIVATION.function.
_TABLES = {
    1: (False, False, 1),
    4: (False, True, 1),
    5: (False, True, 2),
    7: (False, True, 4),
    8: (True, True, 2),
    9: (True, True, 4),
}
_TANH, _SIGMOID = 10, 11
_BILINEAR, _REPLICATE = 0, 1
_ONE_DIMENSION, _TWO_DIMENSIONS = 0, 1
_INDEX_BYTES = 4
# Neighbouring output channels whose weights are in one stream.
_CORE_CHANNELS = 4


class SecondDecoder:
    """Decodes one operation. state: the registers before it."""

    def __init__(self, state: CommandState, configuration: Configuration) -> None:
        self._read = RegisterReader(state, configuration)

    def operation(self, command: Instruction) -> Operation:
        """Return the operation that a command starts. Raises MalformedStream."""
        read, kind, mode = self._read, KINDS[command.command.name], mode_of(command)
        if kind is Kind.COPY:
            return Operation(command.at, kind, copy=self._copy())
        shape = read.ofm_shape()
        accumulators, precision = read.fields("ACC_FORMAT"), read.fields("OFM_PRECISION")
        rounding = self._factor("OFM_SCALE")
        weights_are_map = kind is Kind.CONVOLUTION and bool(command.fields["weights_ifm2"])
        weighted = kind is Kind.DEPTHWISE or (kind is Kind.CONVOLUTION and not weights_are_map)
        scaled_globally = bool(precision["scale_mode"])
        limits, table, wraps = self._activation()
        weight_format = read.fields("WEIGHT_FORMAT")
        fast = bool(weight_format["weight_format"])
        cores = 1 if fast else read.configuration.cores
        return Operation(
            at=command.at,
            kind=kind,
            mode=mode,
            ofm=self._output(shape, precision, kept=bool(accumulators["acc_output"])),
            weights=read.streams("WEIGHT", cores) if weighted else (),
            active_cores=min(cores, -(-min(shape[2], read.block()[2]) // _CORE_CHANNELS)),
            scales=read.streams("SCALE", 1) if weighted or not (scaled_globally or weights_are_map) else (),
            fast_weights=fast,
            sparse_weights=bool(weight_format["weight_sparsity"]),
            scale=rounding if scaled_globally or weights_are_map else None,
            rounding=rounding,
            limits=limits,
            wraps=wraps,
            table=table,
            block=read.block(),
            microblock=read.microblock(),
            accumulator_bits=_ACCUMULATOR_BITS[accumulators["acc_format"]],
            continues=accumulators["acc_input"] == _FROM_KEPT,
            keeps=bool(accumulators["acc_output"]),
            divides=mode is PoolingMode.AVERAGE,
            blockdep=read.value("BLOCKDEP"),
            **self._inputs(command, shape, weights_are_map=weights_are_map),
        )

    def _inputs(self, command: Instruction, shape: Shape, *, weights_are_map: bool) -> dict[str, Any]:
        read, kind, mode = self._read, KINDS[command.command.name], mode_of(command)
        if isinstance(mode, ElementwiseMode):
            return self._elementwise(mode, shape)
        height, width, depth = shape
        if mode is PoolingMode.NONE:
            if read.fields("ACC_FORMAT")["acc_input"] == _FROM_IFM2:
                return {"ifm": self._operand("IFM2", shape)}
            raise MalformedStream("a pool without an input")
        crosses_depth = kind is Kind.CONVOLUTION or mode is PoolingMode.REDUCE_SUM
        in_depth = read.value("IFM_DEPTH_M1") + 1 if crosses_depth else depth
        found: dict[str, Any] = {}
        if kind is Kind.RESIZE:
            height, width = read.value("KERNEL_HEIGHT_M1") + 1, read.value("KERNEL_WIDTH_M1") + 1
            found["resize"] = self._resize(command.fields["resize_mode"])
        elif mode is not PoolingMode.REDUCE_SUM:
            kernel, upscale = read.kernel(), Upscale(read.value("IFM_UPSCALE"))
            rows, columns = kernel.input_size(height, width)
            height, width = stored_size(rows, upscale), stored_size(columns, upscale)
            found |= {"kernel": kernel, "upscale": upscale}
        found["ifm"] = self._operand("IFM", (height, width, in_depth))
        if weights_are_map:
            found |= {"ifm2": self._operand("IFM2", (1, depth, in_depth)), "second": SecondInput.WEIGHTS}
        if read.fields("ACC_FORMAT")["acc_input"] == _FROM_IFM2:
            if weights_are_map:
                raise MalformedStream("IFM2 cannot be both weights and accumulators")
            found |= {"ifm2": self._operand("IFM2", shape), "second": SecondInput.ACCUMULATORS}
        return found

    def _elementwise(self, mode: ElementwiseMode, shape: Shape) -> dict[str, Any]:
        """Return the operands. If the first one is a scalar, the operands change places."""
        factors = OperandFactors(self._factor("IFM_SCALE"), self._factor("IFM2_SCALE"))
        first = self._map_or_scalar("IFM", shape)
        if mode.unary:  # The registers of IFM2 hold what an earlier operation needed.
            if isinstance(first, int):
                raise MalformedStream(f"{mode.name} of a scalar")
            return {"ifm": first, "operand_scales": factors}
        second = self._map_or_scalar("IFM2", shape)
        if isinstance(first, Operand):
            kind = "constant" if isinstance(second, int) else "ifm2"
            return {"ifm": first, kind: second, "operand_scales": factors}
        if isinstance(second, int):
            raise MalformedStream(f"{mode.name} of two scalars")
        changed = OperandFactors(factors.ifm2, factors.ifm)
        return {"ifm": second, "constant": first, "swapped": True, "operand_scales": changed}

    def _map_or_scalar(self, prefix: str, shape: Shape) -> Operand | int:
        """Return an elementwise operand: a map, or a number minus its zero point."""
        mode = self._read.value(f"{prefix}_BROADCAST")
        if mode == _SCALAR:
            return self._read.value("OP_SCALAR") - self._read.place(prefix).zero_point
        height, width, depth = (1 if mode >> axis & 1 else size for axis, size in enumerate(shape))
        return self._operand(prefix, (height, width, depth))

    def _output(self, shape: Shape, precision: Fields, *, kept: bool) -> Operand:
        if kept:  # Nothing is written, so there may be no place.
            return Operand(shape, self._read.place("OFM"))
        flipped = precision["reverse"] - 1 if precision["reverse"] else None
        found = replace(self._operand("OFM", shape), order=_ORDERS[precision["transpose"]], flipped=flipped)
        if found.is_chained and found.is_reordered:
            raise MalformedStream("OFM: a chained map that is transposed or reversed")
        return found

    def _operand(self, prefix: str, shape: Shape) -> Operand:
        storage = self._read.fields(f"{prefix}_PRECISION")["storage"]
        place = self._read.place(prefix)
        if storage == _TILES_3X1:
            raise MalformedStream(f"{prefix}: tiles of 3x1 are not simulated")
        if storage == _NONE:
            raise MalformedStream(f"{prefix}: an operand without storage")
        if storage == _CHAINED:
            place = _chained(place, shape)
        return Operand(shape, place)

    def _factor(self, name: str) -> Factor:
        word = self._read.fields(name)
        return Factor(word["scale"], word["shift"], _ROUND_MODES[word["round_mode"]], word["dbl_rnd"])

    def _activation(self) -> tuple[tuple[int, int] | None, Table | None, bool]:
        """Return the clip limits, None without a clip; the table; and whether results wrap."""
        read = self._read
        word, dtype = read.fields("ACTIVATION"), read.place("OFM").dtype
        function, clips, signed = word["function"], not word["clip_range"], dtype.kind == "i"
        table = None
        if function in (_TANH, _SIGMOID):
            raise MalformedStream("activation function: the TANH and SIGMOID units are not simulated")
        if function:
            wide, signed, result_bytes = _TABLES[function]
            if result_bytes != dtype.itemsize:
                raise MalformedStream(f"activation function {function} has no results of {dtype.itemsize} bytes")
            table = Table(0, wide, signed, result_bytes)
            table = replace(table, start=word["table"] * table.size_bytes)
        if not clips:
            # Nothing is known about an index that the table does not have. Here it saturates.
            return (None, None, True) if table is None else (table.index_limits, table, False)
        low, high = (number(read.value(f"ACTIVATION_{end}"), signed) for end in ("MIN", "MAX"))
        if table is not None:
            lowest, highest = table.index_limits
        else:
            lowest, highest = limits_of(8 * min(dtype.itemsize, 2), signed)
        return (min(max(low, lowest), highest), max(min(high, highest), lowest)), table, False

    def _resize(self, mode: int) -> Resize:
        read = self._read
        if mode == _REPLICATE:
            raise MalformedStream("resize mode REPLICATE is not simulated")
        axes = []
        for axis in "YX":
            step, denominator = read.fields(f"RESIZE_{axis}_STEP"), read.value(f"RESIZE_{axis}_SCALE_N_M1") + 1
            numerator = step["one_step_int"] * denominator + step["one_step_mod"]
            axes.append(ResizeAxis(numerator, denominator, read.value(f"RESIZE_{axis}_OFFSET")))
        return Resize(axes[0], axes[1], mode == _BILINEAR)

    def _copy(self) -> Copy:
        read = self._read
        size = read.value("DMA0_LEN")
        source, target = read.fields("DMA0_SRC_REGION"), read.fields("DMA0_DST_REGION")
        dimensions = source["stride_mode"]
        rows = 1 if dimensions == _ONE_DIMENSION else read.value("DMA0_SIZE0")
        planes = 1 if dimensions in (_ONE_DIMENSION, _TWO_DIMENSIONS) else read.value("DMA0_SIZE1")
        ends = []
        for end, word in (("SRC", source), ("DST", target)):
            region = INTERNAL if word["region_mode"] else word["region"]
            strides = (read.value(f"DMA0_{end}_STRIDE{axis}") for axis in range(2))
            ends.append(CopyEnd(Range(region, read.value(f"DMA0_{end}"), size), *strides))
        index = None
        if source["idx_mode"] or target["idx_mode"]:
            if source["idx_mode"] and target["idx_mode"]:
                raise MalformedStream("a copy with an index at both ends")
            place = Range(read.value("DMA0_IDX_REGION"), read.value("DMA0_IDX"), _INDEX_BYTES)
            gap, largest = read.value("DMA0_IDX_SKIP1"), read.value("DMA0_IDX_MAX")
            index = CopyIndex(bool(source["idx_mode"]), place, gap, largest)
        return Copy(ends[0], ends[1], rows, planes, index)


def _chained(place: FeatureMap, shape: Shape) -> FeatureMap:
    """Return the place in a chain buffer. The region's number is the buffer's."""
    height, width, depth = shape
    item = place.dtype.itemsize
    return replace(
        place,
        region=CHAINS + place.region,
        bases=(0, 0, 0, 0),
        stride_y=width * depth * item,
        stride_x=depth * item,
        stride_c=0,
        height0=height,
        height1=height,
        width0=width,
        bricks=False,
    )
