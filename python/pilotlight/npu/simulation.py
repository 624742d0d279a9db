# SPDX-License-Identifier: Apache-2.0
"""Runs a .pte without firmware: its delegates on a `Device`, its CPU operators on the host.

Each region of a delegate is placed by itself, with nothing around it: an access that leaves its region faults even
where firmware would have had other memory there. The program's own tensors lie where the memory plan puts them, as on
the device, so views and state are what they are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.debug_info import DebugInfo, StreamDebug, find_debug_info
from pilotlight.errors import BadProgram, ConfigError, NpuFault, UnsupportedOperator, WrongNpu
from pilotlight.npu import cpu_operators, primitives
from pilotlight.npu.analysis.cycle_model import MEMORY_SPEEDS, MemorySpeed
from pilotlight.npu.analysis.hazards import Extent, Hazard, find_hazards
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.hardware.device import Device
from pilotlight.npu.hardware.engine import Executed, count_operations
from pilotlight.npu.hardware.registers import CMD_RESET_VALUE, FAULTS, REGIONS, Cmd, Reg, Status, describe_status
from pilotlight.npu.layers import Layer
from pilotlight.npu.planned_memory import PlannedMemory
from pilotlight.npu.stream.configurations import Configuration, configuration, configuration_of
from pilotlight.npu.stream.memory import MappedMemory
from pilotlight.npu.stream.operation_decoder import operations_of
from pilotlight.npu.stream.operations import Operation
from pilotlight.pte import (
    DelegateCall,
    Instruction,
    JumpFalseCall,
    KernelCall,
    Method,
    MoveCall,
    Program,
    Tensor,
    TensorList,
    read_program,
)
from pilotlight.pte.ethos_u import BACKEND, IoTensor, parse_blob, parse_payload

# Address of region i is (i + 1) * this; the command stream comes after the regions.
_REGION_SPACING = 1 << 28
_STREAM_ADDRESS = (REGIONS + 1) * _REGION_SPACING
_SCRATCH = 1
# The fast scratch area of U65. A blob does not say how much of it the stream uses.
_FAST_SCRATCH = 2
_FAST_SCRATCH_BYTES = 4 << 20
# Region 0 is served by the second AXI port, as Arm's driver has it.
_REGIONCFG = 3

# Called after each operation: how many are done, of how many.
Progress = Callable[[int, int], None]
# Called after each operation with what it was, and with a function that reads what it wrote.
Observer = Callable[[Layer, Callable[[], NDArray[Any]]], None]


@dataclass
class Statistics:
    """What the NPU did, added up over the delegates of one inference. cycles is an estimate; see DESIGN.md."""

    configuration: str
    cycles: int = 0
    macs: int = 0
    operations: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    layers: list[Layer] = field(default_factory=list)

    def add(self, layer: Layer) -> None:
        executed = layer.executed
        self.cycles += executed.cycles.total
        self.macs += executed.work.macs
        self.operations += 1
        self.read_bytes += sum(executed.work.read_bytes.values())
        self.written_bytes += sum(executed.work.written_bytes.values())
        self.layers.append(layer)


@dataclass(frozen=True)
class SimulationResult:
    """hazards: what the streams leave to luck, when that was asked for; see hazards.py.

    cpu_calls: how often each CPU operator was called.
    """

    outputs: tuple[NDArray[Any], ...]
    statistics: Statistics
    hazards: tuple[Hazard, ...] = ()
    cpu_calls: Mapping[str, int] = field(default_factory=dict)


class DelegateRunner:
    """A delegate's blob placed in memory, with a device of its own. `Simulator` makes one for each delegate."""

    def __init__(
        self,
        blob: bytes,
        config: str | None = None,
        *,
        named_data: Mapping[str, bytes] | None = None,
        weights: WeightCache | None = None,
        memory_speed: MemorySpeed | None = None,
    ) -> None:
        self.blob = parse_blob(blob, named_data)
        self.payload = parse_payload(self.blob.commands)
        self.configuration = _choose(self.payload.config, config)
        if max(self.blob.scratch_size_bytes, len(self.blob.weights)) > _REGION_SPACING:
            raise BadProgram(f"a delegate needs a region of more than {_REGION_SPACING} bytes")
        for tensor in (*self.blob.inputs, *self.blob.outputs):
            if tensor.region != _SCRATCH:
                raise BadProgram(
                    f"an input or output of a delegate lies in region {tensor.region}, not in the scratch area"
                )
        self._scratch = np.zeros(self.blob.scratch_size_bytes, np.uint8)
        self._on_executed: Callable[[Executed], None] = lambda _: None
        self._memory = memory = MappedMemory()
        constants = np.frombuffer(self.blob.weights, np.uint8)
        memory.add(_REGION_SPACING, constants, writable=False, name="region 0")
        memory.add(2 * _REGION_SPACING, self._scratch, writable=True, name="region 1")
        if self.configuration.product.has_fast_scratch:
            fast = np.zeros(_FAST_SCRATCH_BYTES, np.uint8)
            memory.add(3 * _REGION_SPACING, fast, writable=True, name="region 2")
        stream = np.frombuffer(self.payload.stream, np.uint8)
        memory.add(_STREAM_ADDRESS, stream, writable=False, name="command stream")
        self.device = Device(
            self.configuration.name,
            memory,
            weights=weights,
            on_executed=lambda executed: self._on_executed(executed),
            memory_speed=memory_speed,
        )

    def run(
        self,
        inputs: Sequence[NDArray[Any]],
        outputs: Sequence[NDArray[Any]],
        on_executed: Callable[[Executed], None] = lambda _: None,
    ) -> None:
        """Run once. Fills `outputs`, contiguous arrays of the right size. Raises NpuFault."""
        self._on_executed = on_executed
        # What an inference leaves behind must not reach the next one.
        self._scratch[:] = 0
        for place, array in zip(self.blob.inputs, inputs, strict=True):
            self._bytes(place)[:] = np.frombuffer(array.tobytes(), np.uint8)
        device = self.device
        device.write(Reg.RESET, 0)
        device.write(Reg.QBASE, _STREAM_ADDRESS & 0xFFFF_FFFF)
        device.write(Reg.QBASE_HI, _STREAM_ADDRESS >> 32)
        device.write(Reg.QSIZE, len(self.payload.stream))
        device.write(Reg.REGIONCFG, _REGIONCFG)
        for region in range(REGIONS):
            device.write(Reg.BASEP0 + 8 * region, (region + 1) * _REGION_SPACING)
        device.write(Reg.CMD, CMD_RESET_VALUE | Cmd.RUN)
        status = device.read(Reg.STATUS)
        if status & FAULTS or not status & Status.CMD_END_REACHED:
            raise NpuFault(
                f"{device.last_fault or 'the NPU did not reach the end of the stream'}\n"
                f"  {describe_status(status)}, QREAD {device.read(Reg.QREAD)}",
                hint="export the model again; if it faults again, `pilotlight disassemble` shows the stream",
            )
        for place, array in zip(self.blob.outputs, outputs, strict=True):
            array.reshape(-1).view(np.uint8)[:] = self._bytes(place)

    @cached_property
    def operations(self) -> dict[int, Operation]:
        """What the stream's commands are, by word index."""
        described = operations_of(self.payload.stream, self.configuration)
        return {operation.at: operation for operation in described}

    def output_of(self, operation: Operation) -> NDArray[Any]:
        """Copy the output map of an operation, height x width x channels, as memory holds it now."""
        target = operation.ofm
        if target is None:
            raise ConfigError(f"{operation.name} at byte {operation.offset} copies bytes; it has no feature map")
        placed = replace(target.map, region_base=(target.map.region + 1) * _REGION_SPACING)
        return placed.read(self._memory, target.shape).copy()

    def hazards(self) -> list[Hazard]:
        """Look for missing waits and reads of what nothing wrote, without running."""
        writable = {_SCRATCH: self.blob.scratch_size_bytes}
        if self.configuration.product.has_fast_scratch:
            writable[_FAST_SCRATCH] = _FAST_SCRATCH_BYTES
        inputs, outputs = (
            [Extent(place.region, place.offset, place.size_bytes) for place in places]
            for places in (self.blob.inputs, self.blob.outputs)
        )
        return find_hazards(self.payload.stream, self.configuration, writable, inputs, outputs)

    def _bytes(self, place: IoTensor) -> NDArray[np.uint8]:
        return self._scratch[place.offset : place.offset + place.size_bytes]


def _choose(config_word: int, config: str | None) -> Configuration:
    compiled_for = configuration_of(config_word)
    if config is None:
        return compiled_for
    chosen = configuration(config)
    if chosen != compiled_for:
        raise WrongNpu(
            f"the program was compiled for {compiled_for.name}, not for {chosen.name}",
            hint=f"export it with target {chosen.name}, or simulate {compiled_for.name}",
        )
    return chosen


class Simulator:
    """A program, ready to run any number of times. Decoded weights are kept between runs.

    pte: the program, or the path of the file; beside a file, the export's debug.json is picked up.
    """

    def __init__(self, pte: bytes | Path, config: str | None = None, method: str = "forward") -> None:
        data = pte if isinstance(pte, bytes) else _read(pte)
        self.debug = None if isinstance(pte, bytes) else find_debug_info(pte, data)
        program = read_program(data)
        if method not in program.methods:
            known = ", ".join(program.methods)
            raise ConfigError(f"the program has no method {method!r}", hint=f"its methods are {known}")
        self.method: Method = program.methods[method]
        self._kernels, self.cpu_kernels = _find_kernels(self.method)
        self._memory = PlannedMemory(self.method, program.named_data, data)
        weights = WeightCache()
        self._delegates = [self._load(program, index, config, weights) for index in range(len(self.method.delegates))]

    def _load(self, program: Program, index: int, config: str | None, weights: WeightCache) -> DelegateRunner:
        delegate = self.method.delegates[index]
        if delegate.backend != BACKEND:
            raise UnsupportedOperator(f"delegate {index} belongs to backend {delegate.backend!r}, not to {BACKEND}")
        speed = None if self.debug is None else MEMORY_SPEEDS.get(self.debug.system_config)
        return DelegateRunner(delegate.blob, config, named_data=program.named_data, weights=weights, memory_speed=speed)

    @cached_property
    def _operation_count(self) -> int:
        streams = (delegate.payload.stream for delegate in self._delegates)
        product = self._delegates[0].configuration.product
        return sum(count_operations(stream, product) for stream in streams)

    @property
    def state_bytes(self) -> int:
        """What one inference leaves to the next."""
        return self._memory.state_bytes

    @property
    def configuration(self) -> str:
        return self._delegates[0].configuration.name if self._delegates else "none"

    def run(
        self,
        inputs: Sequence[NDArray[Any]],
        progress: Progress | None = None,
        observer: Observer | None = None,
        *,
        continues: bool = False,
    ) -> SimulationResult:
        """Run one inference.

        observer: told of each operation right after it, while memory holds its output.
        continues: with the state that the last inference left; otherwise with the initial one.

        Raises NpuFault when the NPU stops with a fault, ConfigError when inputs do not fit the program.
        """
        if not continues:
            self._memory.reset()
        values = self._values(inputs)
        statistics = Statistics(self.configuration)
        calls: Counter[str] = Counter()

        def call(instruction: KernelCall | DelegateCall) -> None:
            if isinstance(instruction, DelegateCall):
                return self._call(instruction, values, statistics, progress, observer)
            calls[instruction.operator] += 1
            self._call_kernel(instruction, values)

        for chain in self.method.chains:
            _execute(chain, values, call)
        outputs = tuple(self._as_array(values[index]).copy(order="K") for index in self.method.output_values)
        return SimulationResult(outputs, statistics, cpu_calls=dict(calls))

    def _call_kernel(self, instruction: KernelCall, values: list[Any]) -> None:
        arguments = self._arguments(instruction, values)
        if instruction.operator not in primitives.NAMES:
            self._kernels[instruction.operator](arguments)
        elif (result := primitives.call(instruction.operator, arguments)) is not None:
            values[instruction.arguments[-1]] = result

    def _arguments(self, instruction: KernelCall, values: list[Any]) -> list[Any]:
        """Return the arguments of a kernel, lists with what their items refer to."""
        found: list[Any] = []
        for index in instruction.arguments:
            value = values[index]
            if isinstance(value, TensorList):
                value = [None if item < 0 else values[item] for item in value.items]
            elif self.method.value_types[index] == "IntList":
                value = [self._item(values, item) for item in value]
            elif self.method.value_types[index] == "BoolList":
                value = [bool(item) for item in value]
            elif isinstance(value, tuple):
                value = list(value)
            found.append(value)
        return found

    @staticmethod
    def _item(values: list[Any], index: int) -> int:
        if not 0 <= index < len(values) or not isinstance(values[index], int):
            raise BadProgram(f"a list of integers refers to value {index}, which is none")
        return int(values[index])

    @staticmethod
    def _as_array(value: Any) -> NDArray[Any]:
        if not isinstance(value, np.ndarray):
            raise BadProgram(f"an output of the program is {value!r}, not a tensor")
        return value

    def _values(self, inputs: Sequence[NDArray[Any]]) -> list[Any]:
        values = list(self._memory.values)
        expected = self.method.inputs
        if len(inputs) != len(expected):
            raise ConfigError(f"the program takes {len(expected)} inputs, not {len(inputs)}")
        for position, (array, tensor) in enumerate(zip(inputs, expected, strict=True)):
            if array.dtype.name != tensor.dtype or array.shape != tensor.shape:
                raise ConfigError(
                    f"input {position} is {array.dtype.name}{list(array.shape)}, "
                    f"but the program takes {tensor.dtype}{list(tensor.shape)}"
                )
            values[self.method.input_values[position]][...] = array
        return values

    def hazards(self) -> tuple[Hazard, ...]:
        """What the streams of all delegates leave to luck; see hazards.py."""
        return tuple(hazard for delegate in self.hazards_by_delegate() for hazard in delegate)

    def hazards_by_delegate(self) -> tuple[tuple[Hazard, ...], ...]:
        return tuple(tuple(delegate.hazards()) for delegate in self._delegates)

    def _call(
        self,
        call: DelegateCall,
        values: list[Any],
        statistics: Statistics,
        progress: Progress | None,
        observer: Observer | None,
    ) -> None:
        delegate = self._delegates[call.delegate]
        arrays = [values[index] for index in call.arguments]
        input_count = len(delegate.blob.inputs)
        places = [*delegate.blob.inputs, *delegate.blob.outputs]
        if len(arrays) != len(places):
            raise BadProgram(f"delegate {call.delegate} takes {len(places)} tensors, not {len(arrays)}")
        for position, (array, place) in enumerate(zip(arrays, places, strict=True)):
            if not isinstance(array, np.ndarray) or array.nbytes != place.size_bytes:
                raise BadProgram(f"delegate {call.delegate}: argument {position} has not {place.size_bytes} bytes")
        flat = [_storage(array, self.method.values[index]) for array, index in zip(arrays, call.arguments, strict=True)]

        operations = delegate.operations
        stream_debug = _stream_debug(self.debug, call.delegate)

        def on_executed(executed: Executed) -> None:
            operation = operations[executed.at]
            operator = None if stream_debug is None else stream_debug.operator_of(operation.offset)
            layer = Layer(statistics.operations + 1, call.delegate, operation, executed, operator)
            statistics.add(layer)
            if observer is not None:
                observer(layer, lambda: delegate.output_of(operation))
            if progress is not None:
                progress(statistics.operations, self._operation_count)

        delegate.run(flat[:input_count], flat[input_count:], on_executed)


def _stream_debug(debug: DebugInfo | None, delegate: int) -> StreamDebug | None:
    return debug.streams[delegate] if debug is not None and delegate < len(debug.streams) else None


def _storage(array: NDArray[Any], value: Any) -> NDArray[Any]:
    """View an array in the order of its elements in memory, which the delegate copies byte by byte."""
    assert isinstance(value, Tensor)
    return array.transpose(value.dim_order)


# Does what an instruction that calls somebody says.
_Call = Callable[[KernelCall | DelegateCall], None]


def _execute(chain: Sequence[Instruction], values: list[Any], call: _Call) -> None:
    """Run a chain of instructions, jumps included."""
    at = 0
    while at < len(chain):
        instruction = chain[at]
        at += 1
        if isinstance(instruction, KernelCall | DelegateCall):
            call(instruction)
        elif isinstance(instruction, MoveCall):
            values[instruction.destination] = values[instruction.source]
        elif isinstance(instruction, JumpFalseCall):
            condition = values[instruction.condition]
            if not np.all(condition):
                at = instruction.destination


def _find_kernels(method: Method) -> tuple[dict[str, Callable[[Sequence[Any]], None]], str]:
    """Return what runs each CPU operator of `method`, and in words whose kernels these are.

    Quantise and dequantise at the borders are NumPy's; PyTorch is loaded for nothing less than another operator.
    """
    names = [name for name in method.operators if name not in primitives.NAMES]
    found: dict[str, Callable[[Sequence[Any]], None]] = {
        name: partial(cpu_operators.call, name) for name in names if name in cpu_operators.NAMES
    }
    others = [name for name in names if name not in found]
    if not others:
        return found, "NumPy" if found else ""
    try:
        from pilotlight.npu.cpu_pytorch import DESCRIPTION, PyTorchOperator
    except ImportError as error:
        raise UnsupportedOperator(
            f"method {method.name} calls the CPU operator {others[0]}, which PyTorch runs here: {error}",
            hint="install torch and executorch, as scripts/demo.sh does",
        ) from error
    found |= {name: PyTorchOperator(name) for name in others}
    return found, DESCRIPTION


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="give the path of a .pte file") from error


def simulate(
    pte: bytes | str | Path,
    inputs: Sequence[NDArray[Any]],
    config: str | None = None,
    *,
    progress: Progress | None = None,
    observer: Observer | None = None,
    check_hazards: bool = False,
) -> SimulationResult:
    """Run one inference of a program. For several, keep a `Simulator`.

    pte: the program as bytes, or the path of its file.
    inputs: arrays of the program's dtypes and shapes, as firmware would take them.
    config: the NPU's name; by default the one that the program was compiled for.
    progress, observer: called after each operation of the NPU.
    check_hazards: also look for missing waits and reads of what nothing wrote.

    Raises ConfigError, BadProgram, UnsupportedOperator or WrongNpu for what cannot be run, NpuFault when the NPU stops.
    """
    simulator = Simulator(Path(pte) if isinstance(pte, str) else pte, config)
    result = simulator.run(inputs, progress, observer)
    return replace(result, hazards=simulator.hazards()) if check_hazards else result
