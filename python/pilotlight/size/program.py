# SPDX-License-Identifier: Apache-2.0
"""Splits the bytes of a .pte into weights and commands by layer, constants, and the rest."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePath

from pilotlight.debug_info import DebugInfo, StreamDebug
from pilotlight.errors import ConfigError
from pilotlight.npu.stream.configurations import configuration_of
from pilotlight.npu.stream.operation_decoder import operations_of
from pilotlight.npu.stream.operations import Operation
from pilotlight.pte import Delegate, DelegateCall, KernelCall, Method, Program, Tensor, read_program
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import BACKEND, EthosUBlob, parse_blob
from pilotlight.size.record import Layer

WEIGHTS = "weights"
CONSTANTS = "constants of CPU operators"
COMMANDS = "NPU commands"
REST = "rest of the program"

# Number of the weights' region in the command stream.
_WEIGHTS_REGION = 0


@dataclass
class _Row:
    """The sums of a layer so far. outputs: (region, address, bytes)."""

    name: str
    where: str
    weights: int = 0
    commands: int = 0
    outputs: set[tuple[int, int, int]] = field(default_factory=set)


def parts_of_program(pte: bytes, debug: DebugInfo | None) -> tuple[dict[str, int], tuple[Layer, ...]]:
    """Return the parts of a .pte by name, and its layers in the order in which they run.

    The parts add up to the size of the .pte. Bytes that several layers or delegates use count for
    the first. debug: names of the user's modules and lines. Raises BadProgram.
    """
    program = read_program(pte)
    sizes: Counter[str] = Counter()
    rows: list[_Row] = []
    seen_blobs: set[bytes] = set()
    seen_constants: set[bytes] = set()
    for method in program.methods.values():
        for chain in method.chains:
            for step in chain:
                if isinstance(step, KernelCall):
                    rows.append(_kernel_row(step, method, seen_constants))
                    sizes[CONSTANTS] += rows[-1].weights
                elif isinstance(step, DelegateCall):
                    delegate = method.delegates[step.delegate]
                    if delegate.backend == BACKEND and delegate.blob not in seen_blobs:
                        rows += _delegate_rows(delegate, program, _stream_debug(debug, step.delegate), sizes)
                    seen_blobs.add(delegate.blob)
    sizes[REST] = len(pte) - sizes.total()
    order = (WEIGHTS, CONSTANTS, COMMANDS, REST)
    return {name: sizes[name] for name in order if sizes[name]}, _layers(rows)


def _stream_debug(debug: DebugInfo | None, delegate: int) -> StreamDebug | None:
    return debug.streams[delegate] if debug is not None and delegate < len(debug.streams) else None


def _layers(rows: list[_Row]) -> tuple[Layer, ...]:
    seen: Counter[str] = Counter()
    layers = []
    for row in rows:
        seen[row.name] += 1
        name = row.name if seen[row.name] == 1 else f"{row.name} #{seen[row.name]}"
        output = sum(size for _, _, size in row.outputs)
        layers.append(Layer(name, row.where, row.weights, row.commands, output))
    return tuple(layers)


def _kernel_row(call: KernelCall, method: Method, seen: set[bytes]) -> _Row:
    row = _Row(f"CPU {call.operator.rpartition('::')[2]}", "")
    for value in (method.values[index] for index in call.arguments):
        if isinstance(value, Tensor) and value.data and value.data not in seen:
            seen.add(value.data)
            row.weights += len(value.data)
    # The last argument of an out variant is its result.
    result = method.values[call.arguments[-1]] if call.arguments else None
    if isinstance(result, Tensor):
        row.outputs.add((-1, 0, result.size_bytes))
    return row


def _delegate_rows(delegate: Delegate, program: Program, debug: StreamDebug | None, sizes: Counter[str]) -> list[_Row]:
    blob = parse_blob(delegate.blob, program.named_data)
    payload = parse_payload(blob.commands)
    sizes[WEIGHTS] += len(blob.weights)
    sizes[COMMANDS] += len(blob.commands)
    try:
        operations = operations_of(payload.stream, configuration_of(payload.config))
    except ConfigError:  # An NPU whose commands we cannot read.
        return [_Row("NPU", "", len(blob.weights), len(blob.commands))]
    return _rows_of_stream(operations, blob, debug, len(payload.stream))


def _rows_of_stream(
    operations: tuple[Operation, ...], blob: EthosUBlob, debug: StreamDebug | None, stream_bytes: int
) -> list[_Row]:
    rows: dict[int, _Row] = {}
    taken = bytearray(len(blob.weights))
    at = 0
    for number, operation in enumerate(operations):
        operator = debug.operator_of(operation.offset) if debug is not None else None
        if operator is None or debug is None:
            row = rows.setdefault(-1 - number, _Row(f"NPU command {number + 1} {operation.name}", ""))
        else:
            name = f"{operator.module} {operator.operator}".strip()
            # Compare identity: Vela may schedule operators with equal fields, which are different
            # layers.
            key = next(index for index, known in enumerate(debug.operators) if known is operator)
            row = rows.setdefault(key, _Row(name, _short(operator.inner_where or operator.where)))
        row.weights += _take(operation, taken)
        row.commands += operation.offset + 4 - at
        at = operation.offset + 4
        if operation.ofm is not None:
            place = operation.ofm.map
            size = math.prod(operation.ofm.shape) * place.dtype.itemsize
            row.outputs.add((place.region, place.bases[0], size))
    shared = len(taken) - sum(taken)
    rest = _Row("(of no layer)", "", shared, len(blob.commands) - at)
    return [*rows.values(), rest]


def _take(operation: Operation, taken: bytearray) -> int:
    """Mark the weights that the operation reads. Return the bytes that no earlier operation
    reads."""
    found = 0
    for constant in (*operation.constants, *(operand.extent for operand in operation.inputs)):
        if constant.region == _WEIGHTS_REGION:
            start, end = constant.start, min(constant.start + constant.size, len(taken))
            found += taken.count(0, start, end)
            taken[start:end] = b"\1" * max(0, end - start)
    return found


def _short(where: str) -> str:
    """Shorten "/home/me/nets/digits/model.py:38" to the last folder, file and line."""
    return "/".join(PurePath(where).parts[-2:]) if where else ""
