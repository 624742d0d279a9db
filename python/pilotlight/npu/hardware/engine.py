# SPDX-License-Identifier: Apache-2.0
"""Runs command streams: plans each operation when it is first reached, and executes the plans.

Operations run completely and in order. So waits and block dependencies have no effect.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pilotlight.npu.analysis.cycle_model import NO_CYCLES, Cycles, Work
from pilotlight.npu.arithmetic.blas import OneBlasThread
from pilotlight.npu.arithmetic.parallel import Cores
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.hardware.operand_memory import Machine, OperandMemory
from pilotlight.npu.hardware.output import Run
from pilotlight.npu.hardware.planner import plan
from pilotlight.npu.stream.command_state import CommandState, Step, block_of, next_block, steps_of
from pilotlight.npu.stream.configurations import Configuration
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.isa import Instruction, Product
from pilotlight.npu.stream.memory import Memory
from pilotlight.npu.stream.operation_decoder import is_operation, name_of, operation_at

# Number of sequences whose plans are kept. A program has one per delegate, and another one for the
# first run after a reset.
_KEPT_SEQUENCES = 32

_RESET = CommandState()

# A limit of this simulator, not of the hardware: a short stream of large operations must not take
# minutes. The unit is an element of output. The numbers below are MACs and bytes moved that take
# about as long. 15 GMACs are half of the limit.
MOST_WORK = 1 << 30
_BRANCH_COST = 1 << 16
_MACS_OF_AN_ELEMENT = 32
_BYTES_OF_AN_ELEMENT = 16


@dataclass(frozen=True)
class Executed:
    """An executed command, for traces and counters.

    at: word index in the stream.
    estimate: computes `cycles`. The device sets it, because the engine does not know the memories.
    """

    at: int
    name: str
    work: Work
    estimate: Callable[[], Cycles] = field(default=lambda: NO_CYCLES, compare=False, repr=False)

    @cached_property
    def cycles(self) -> Cycles:
        """An estimate. Most inferences do not ask for it."""
        return self.estimate()


@dataclass(frozen=True)
class Stopped:
    """The stream reached OP_STOP.

    mask: for STATUS.irq_history_mask. position: byte offset after OP_STOP.
    """

    mask: int
    position: int


def count_operations(stream: bytes, product: Product) -> int:
    """Return the number of operations up to OP_STOP or the first malformed command."""
    return sum(is_operation(step) for step in steps_of(stream, product, CommandState()))


@dataclass(frozen=True)
class Planned:
    """A planned operation: the function that executes it, and the object that reports each
    execution.

    cost: the operation's share of MOST_WORK.
    """

    run: Run
    executed: Executed
    cost: int


def cost_of(work: Work) -> int:
    """Return the share of MOST_WORK of an operation."""
    moved = sum(work.read_bytes.values()) + sum(work.written_bytes.values())
    return work.elements + work.macs // _MACS_OF_AN_ELEMENT + moved // _BYTES_OF_AN_ELEMENT


@dataclass
class PlannedBlock:
    """The steps up to a branch or the end, at fixed base addresses and initial registers.

    operations: the operations that were planned so far, by index of their step.
    """

    steps: Sequence[Step]
    bases: tuple[int, ...]
    operations: dict[int, Planned] = field(default_factory=dict)


class Engine:
    """The part of the NPU that executes streams.

    weights: decoded weights, to share between engines.
    strict: see Machine.
    on_executed: called after each operation.
    on_interrupt: called for each OP_IRQ with its mask.
    """

    def __init__(
        self,
        configuration: Configuration,
        memory: Memory,
        *,
        weights: WeightCache | None = None,
        strict: bool = True,
        on_executed: Callable[[Executed], None] = lambda _: None,
        on_interrupt: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._configuration = configuration
        self.shram = np.zeros(configuration.shram_kib * 1024, np.uint8)
        self._machine = Machine(configuration, memory, self.shram, weights or WeightCache(), Cores(), strict=strict)
        self._on_executed = on_executed
        self._on_interrupt = on_interrupt
        self._sequences: OrderedDict[Hashable, PlannedBlock] = OrderedDict()
        self.position = 0
        self.pmu_enabled = False
        self.reset()

    def reset(self) -> None:
        self.state = _RESET
        self.shram[...] = 0
        self._machine.kept.values = None
        self._machine.flag.value = False

    def run(self, stream: bytes, bases: tuple[int, ...]) -> Stopped:
        """Execute a stream up to OP_STOP. bases: the address of each region.

        Raises NpuStop. `position` is then the byte offset of the faulty command.
        """
        if len(stream) % 4 != 0:
            raise MalformedStream(f"a stream of {len(stream)} bytes is not a whole number of words")
        self._left = MOST_WORK
        start: int | None = 0
        with OneBlasThread():
            while start is not None:
                block = self._block(stream, bases, start)
                stopped = self._run(block)
                start = self._after(block.steps[-1]) if stopped is None else None
        assert stopped is not None
        return stopped

    def _after(self, branch: Step) -> int:
        self._spend(_BRANCH_COST, branch.at, branch.name)
        return next_block(branch, self.result_flag)

    @property
    def result_flag(self) -> bool:
        """What a conditional branch looks at: the last result of the last comparison."""
        return self._machine.flag.value

    def _spend(self, cost: int, at: int, name: str) -> None:
        self._left -= cost
        if self._left < 0:
            raise MalformedStream(f"word {at}: {name}: the work of this stream is beyond this simulator")

    def _block(self, stream: bytes, bases: tuple[int, ...], start: int) -> PlannedBlock:
        key = (stream, bases, self.state.key, start)
        sequence = self._sequences.get(key)
        if sequence is None:
            steps = block_of(stream, self._configuration.product, self.state, start)
            sequence = self._sequences[key] = PlannedBlock(steps, bases)
            if len(self._sequences) > _KEPT_SEQUENCES:
                self._sequences.popitem(last=False)
        self._sequences.move_to_end(key)
        return sequence

    def _run(self, sequence: PlannedBlock) -> Stopped | None:
        """Execute a block. Returns None if it ends with a branch."""
        operations, on_executed = sequence.operations, self._on_executed
        for index, step in enumerate(sequence.steps):
            self.position = step.position
            self.state = step.state
            operation = operations.get(index)
            command = step.command
            if operation is None and isinstance(command, Instruction) and is_operation(step):
                operation = operations[index] = self._plan(step, command, sequence.bases)
            if operation is not None:
                self._spend(operation.cost, operation.executed.at, operation.executed.name)
                operation.run()
                on_executed(operation.executed)
            elif isinstance(command, MalformedStream):
                raise type(command)(*command.args)
            elif step.name == "OP_STOP":
                return Stopped(command.fields["mask"], self.position + 4)
            elif step.name == "OP_IRQ":
                self._on_interrupt(command.fields["mask"])
            elif step.name == "OP_PMU_MASK":
                self.pmu_enabled = bool(command.fields["enable"])
        return None

    def _plan(self, step: Step, command: Instruction, bases: tuple[int, ...]) -> Planned:
        memory, name = OperandMemory(self._machine, bases), name_of(command)
        try:
            planned = plan(memory, operation_at(step, self._configuration))
        except MalformedStream as error:
            raise MalformedStream(f"word {command.at}: {name}: {error}") from None
        work = Work(planned.macs, planned.elements, memory.read_bytes, memory.written_bytes)
        return Planned(planned.run, Executed(command.at, name, work), cost_of(work))
