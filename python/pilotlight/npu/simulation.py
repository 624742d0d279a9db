# SPDX-License-Identifier: Apache-2.0
"""Runs a .pte without firmware: its delegates on the simulated NPU, its CPU operators on the host.

The program's tensors have the places of the memory plan, as on the device. So views, overwritten
inputs and state behave as on the device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.debug_info import find_debug_info
from pilotlight.errors import BadProgram, ConfigError, UnsupportedOperator
from pilotlight.npu.analysis.cycle_model import MEMORY_SPEEDS
from pilotlight.npu.analysis.hazards import Hazard
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.cpu_kernels import CpuKernels
from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.npu.hardware.engine import Executed, count_operations
from pilotlight.npu.layers import Layer
from pilotlight.npu.planned_memory import PlannedMemory
from pilotlight.pte import (
    DelegateCall,
    Instruction,
    JumpFalseCall,
    KernelCall,
    Method,
    MoveCall,
    Program,
    Tensor,
    read_program,
)
from pilotlight.pte.ethos_u import BACKEND

# Called after each operation with the number of finished operations and of all operations.
Progress = Callable[[int, int], None]
# Called after each operation with its layer and a function that reads its output.
Observer = Callable[[Layer, Callable[[], NDArray[Any]]], None]


@dataclass
class Statistics:
    """The work of the NPU in one inference, over all delegates. `cycles` is an estimate."""

    configuration: str
    layers: list[Layer] = field(default_factory=list)

    @property
    def operations(self) -> int:
        return len(self.layers)

    @property
    def cycles(self) -> int:
        return sum(layer.executed.cycles.total for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.executed.work.macs for layer in self.layers)

    @property
    def read_bytes(self) -> int:
        return sum(layer.read_bytes for layer in self.layers)

    @property
    def written_bytes(self) -> int:
        return sum(layer.written_bytes for layer in self.layers)


@dataclass(frozen=True)
class SimulationResult:
    """The result of one inference.

    hazards: those of all delegates, if the caller asked for them; see analysis/hazards.py.
    cpu_calls: for each CPU operator, the number of calls.
    """

    outputs: tuple[NDArray[Any], ...]
    statistics: Statistics
    hazards: tuple[Hazard, ...] = ()
    cpu_calls: Mapping[str, int] = field(default_factory=dict)


class Simulator:
    """A program that can run any number of times. Decoded weights are kept between runs.

    pte: the program as bytes, or the path of its file. If the export's debug.json is beside the
        file, layers name the user's operators.
    config: Arm's name of an NPU that the program must be compiled for; None accepts every NPU.
    method: name of the method to run.

    Raises ConfigError, BadProgram, UnsupportedOperator or WrongNpu if the program cannot run.
    """

    def __init__(self, pte: bytes | Path, config: str | None = None, method: str = "forward") -> None:
        data = pte if isinstance(pte, bytes) else _read(pte)
        self.debug = None if isinstance(pte, bytes) else find_debug_info(pte, data)
        program = read_program(data)
        if method not in program.methods:
            known = ", ".join(program.methods)
            raise ConfigError(f"the program has no method {method!r}", hint=f"its methods are {known}")
        self.method: Method = program.methods[method]
        self._kernels = CpuKernels(self.method)
        self._memory = PlannedMemory(self.method, program.named_data, data)
        weights = WeightCache()
        # The layers of earlier inferences, by number: most inferences execute the same commands.
        self._layers: dict[int, Layer] = {}
        self._delegates = [self._load(program, index, config, weights) for index in range(len(self.method.delegates))]

    def _load(self, program: Program, index: int, config: str | None, weights: WeightCache) -> DelegateRunner:
        delegate = self.method.delegates[index]
        if delegate.backend != BACKEND:
            raise UnsupportedOperator(f"delegate {index} belongs to backend {delegate.backend!r}, not to {BACKEND}")
        speed = None if self.debug is None else MEMORY_SPEEDS.get(self.debug.system_config)
        return DelegateRunner(delegate.blob, config, named_data=program.named_data, weights=weights, memory_speed=speed)

    @cached_property
    def _inputs(self) -> tuple[Tensor, ...]:
        return self.method.inputs

    @cached_property
    def _operation_count(self) -> int:
        streams = (delegate.payload.stream for delegate in self._delegates)
        product = self._delegates[0].configuration.product
        return sum(count_operations(stream, product) for stream in streams)

    @property
    def state_bytes(self) -> int:
        """Bytes of state that an inference passes to the next one."""
        return self._memory.state_bytes

    @property
    def cpu_kernels(self) -> str:
        """Where the kernels of the CPU operators come from; "" if the program needs none."""
        return self._kernels.description

    @property
    def configuration(self) -> str:
        """Arm's name of the NPU; "none" for a program without delegates."""
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

        progress, observer: called after each operation, while memory holds its output.
        continues: start with the state of the previous inference instead of the initial state.

        Raises NpuFault if the NPU stops with a fault, BadProgram if a CPU operator or a delegate
        refuses its arguments, UnsupportedOperator if a shape depends on data, and ConfigError if
        the inputs do not fit the program.
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
            self._kernels.call(instruction, values)

        for chain in self.method.chains:
            _execute(chain, values, call)
        outputs = tuple(self._as_array(values[index]).copy(order="K") for index in self.method.output_values)
        return SimulationResult(outputs, statistics, cpu_calls=dict(calls))

    @staticmethod
    def _as_array(value: Any) -> NDArray[Any]:
        if not isinstance(value, np.ndarray):
            raise BadProgram(f"an output of the program is {value!r}, not a tensor")
        return value

    def _values(self, inputs: Sequence[NDArray[Any]]) -> list[Any]:
        values = list(self._memory.values)
        expected = self._inputs
        if len(inputs) != len(expected):
            raise ConfigError(f"the program takes {len(expected)} inputs, not {len(inputs)}")
        for position, (array, tensor) in enumerate(zip(inputs, expected, strict=True)):
            place = values[self.method.input_values[position]]
            # Two types of one name may differ in byte order. To find a name takes 4 us.
            of_type = array.dtype == place.dtype or array.dtype.name == tensor.dtype
            if not of_type or array.shape != tensor.shape:
                raise ConfigError(
                    f"input {position} is {array.dtype.name}{list(array.shape)}, "
                    f"but the program takes {tensor.dtype}{list(tensor.shape)}"
                )
            place[...] = array
        return values

    def _layer(self, number: int, delegate: int, executed: Executed) -> Layer:
        operation = self._delegates[delegate].operations[executed.at]
        streams = self.debug.streams if self.debug is not None else ()
        debug = streams[delegate] if delegate < len(streams) else None
        operator = None if debug is None else debug.operator_of(operation.offset)
        return Layer(number, delegate, operation, executed, operator)

    def hazards(self) -> tuple[Hazard, ...]:
        """Return the hazards of all delegates; see analysis/hazards.py."""
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
        input_count = len(delegate.blob.inputs)
        places = [*delegate.blob.inputs, *delegate.blob.outputs]
        arguments = call.arguments
        if not input_count:
            # Vela removes inputs that no operator reads, but the call still passes them.
            arguments = arguments[max(0, len(arguments) - len(places)) :]
        arrays = [values[index] for index in arguments]
        if len(arrays) != len(places):
            raise BadProgram(f"delegate {call.delegate} takes {len(places)} tensors, not {len(arrays)}")
        for position, (array, place) in enumerate(zip(arrays, places, strict=True)):
            if not isinstance(array, np.ndarray) or array.nbytes != place.size_bytes:
                raise BadProgram(f"delegate {call.delegate}: argument {position} must have {place.size_bytes} bytes")
        flat = [_storage(array, self.method.values[index]) for array, index in zip(arrays, arguments, strict=True)]

        layers, known = statistics.layers, self._layers

        def on_executed(executed: Executed) -> None:
            number = len(layers) + 1
            layer = known.get(number)
            if layer is None or layer.executed is not executed:
                layer = known[number] = self._layer(number, call.delegate, executed)
            layers.append(layer)
            if observer is not None:
                observer(layer, lambda: delegate.output_of(layer.operation))
            if progress is not None:
                progress(number, self._operation_count)

        delegate.run(flat[:input_count], flat[input_count:], on_executed)


def _storage(array: NDArray[Any], value: Any) -> NDArray[Any]:
    """Return a view of an array in the order of memory. The delegate copies this view byte by
    byte."""
    assert isinstance(value, Tensor)
    return array.transpose(value.dim_order)


# Runs an instruction that calls a kernel or a delegate.
_Call = Callable[[KernelCall | DelegateCall], None]


def _execute(chain: Sequence[Instruction], values: list[Any], call: _Call) -> None:
    """Run a chain of instructions with its jumps."""
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
    """Run one inference of a program. For several inferences, use a `Simulator`.

    pte, config: see `Simulator`.
    inputs: arrays with the program's dtypes and shapes, as the firmware takes them.
    progress, observer: called after each operation of the NPU.
    check_hazards: also find missing waits and reads of unwritten memory.

    Raises ConfigError, BadProgram, UnsupportedOperator or WrongNpu if the program cannot run, and
    NpuFault if the NPU stops with a fault.
    """
    simulator = Simulator(Path(pte) if isinstance(pte, str) else pte, config)
    result = simulator.run(inputs, progress, observer)
    return replace(result, hazards=simulator.hazards()) if check_hazards else result
