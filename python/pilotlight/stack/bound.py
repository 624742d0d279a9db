# SPDX-License-Identifier: Apache-2.0
"""Computes the stack bound: the costliest call chains from start-up and from each interrupt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pilotlight.elf import Image, Symbol, demangle
from pilotlight.errors import ConfigError
from pilotlight.stack.calls import NO_FUNCTION, DeclaredCalls, load_declared_calls
from pilotlight.stack.frames import CompiledFunction, read_frames
from pilotlight.stack.machine_code import LinkedFunction, read_functions

SCHEMA = 1

_START = "StartInCpp"
_FAULT = "FaultInCpp"
_FAULT_STACK = "fault_stack"
_NO_HANDLERS = ("Reset_Handler", "FaultEntry")

# The core's exception frame: 26 words with floating point, and alignment (Armv8-M ARM).
EXCEPTION_FRAME_BYTES = 112


@dataclass(frozen=True)
class Chain:
    """A chain of calls, outermost first: each function and its stack bytes."""

    calls: tuple[tuple[str, int], ...]

    @property
    def bytes(self) -> int:
        return sum(size for _, size in self.calls)

    def lines(self) -> list[str]:
        """Return a line per call: bytes and function."""
        return [f"{size:6,}  {without_parameters(name)}" for name, size in self.calls]


def without_parameters(name: str) -> str:
    """
    >>> without_parameters("pilotlight::(anonymous namespace)::Serve(int, char) const")
    'pilotlight::(anonymous namespace)::Serve'
    """
    hidden = name.replace("(anonymous namespace)", "<anonymous>")
    return hidden.partition("(")[0].replace("<anonymous>", "(anonymous namespace)")


@dataclass(frozen=True)
class StackBound:
    """The bound, and everything that it does not cover.

    interrupts: the costliest chain of each handler. All handlers have the same priority, so only
        one runs at a time.
    fault, fault_reserved_bytes: the fault handler, which has its own stack.
    unresolved: functions that call through a pointer, and for which firmware/indirect_calls.toml
        names no function of the image.
    recursive: cycles of calls without a declared depth; each counts once.
    unsized: functions whose stack use depends on values at run time.
    """

    main: Chain
    interrupts: tuple[Chain, ...]
    fault: Chain
    reserved_bytes: int
    fault_reserved_bytes: int
    unresolved: tuple[str, ...]
    recursive: tuple[tuple[str, ...], ...]
    unsized: tuple[str, ...]

    @property
    def bytes(self) -> int:
        """Bytes of main's chain, the deepest interrupt on top, and a fault on top of that."""
        interrupt = max((chain.bytes + EXCEPTION_FRAME_BYTES for chain in self.interrupts), default=0)
        return self.main.bytes + interrupt + EXCEPTION_FRAME_BYTES

    @property
    def is_complete(self) -> bool:
        """Whether the bound covers every path."""
        return not self.unresolved and not self.recursive and not self.unsized

    def save(self, path: Path) -> None:
        """Write stack.json."""
        record = {"schema": SCHEMA, "bytes": self.bytes, "is_complete": self.is_complete, **asdict(self)}
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def load_bound(path: Path) -> StackBound | None:
    """Read a build folder's stack.json; None if there is none, as for boards/host.

    Raises ConfigError if it is damaged.
    """
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return StackBound(
            main=_chain(raw["main"]),
            interrupts=tuple(_chain(chain) for chain in raw["interrupts"]),
            fault=_chain(raw["fault"]),
            reserved_bytes=int(raw["reserved_bytes"]),
            fault_reserved_bytes=int(raw["fault_reserved_bytes"]),
            unresolved=tuple(raw["unresolved"]),
            recursive=tuple(tuple(cycle) for cycle in raw["recursive"]),
            unsized=tuple(raw["unsized"]),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a stack report ({error!r})", hint="build again") from error


def _chain(raw: dict[str, Any]) -> Chain:
    return Chain(tuple((str(name), int(size)) for name, size in raw["calls"]))


def compute_bound(folder: Path, elf: Path, declared: DeclaredCalls | None = None) -> StackBound:
    """Compute the bound for `elf`, whose object files are below `folder`.

    Raises CompilerMissing; BuildFailed if the code cannot be disassembled; ConfigError if the file
    is not an Arm ELF file, or lacks the vector table or the symbols of the stack.
    """
    image = Image.load(elf, for_arm=True)
    vectors = _vectors(image)
    reserved_bytes = _symbol(image, "__stack_top").address - _symbol(image, "__stack_limit").address
    graph = _Graph(read_frames(folder), read_functions(elf), declared or load_declared_calls())
    handlers = {int.from_bytes(vectors[at : at + 4], "little") & ~1 for at in range(4, len(vectors), 4)}
    interrupts = [
        name
        for name, function in sorted(graph.functions.items())
        if function.address in handlers and name not in _NO_HANDLERS
    ]
    chains = [graph.deepest(root) for root in (_START, _FAULT, *interrupts)]
    fault_stack = next((symbol for symbol in image.symbols if symbol.name.endswith(f"{_FAULT_STACK}E")), None)
    return StackBound(
        main=graph.named(chains[0]),
        fault=graph.named(chains[1]),
        interrupts=tuple(graph.named(chain) for chain in chains[2:]),
        reserved_bytes=reserved_bytes,
        fault_reserved_bytes=fault_stack.size_bytes if fault_stack else 0,
        unresolved=tuple(sorted(graph.names[name] for name in graph.unresolved)),
        recursive=tuple(tuple(graph.names[name] for name in cycle) for cycle in graph.recursive),
        unsized=tuple(sorted(graph.names[name] for name in graph.unsized)),
    )


def _vectors(image: Image) -> memoryview:
    section = image.section(".vectors")
    if section is None:
        raise _lacks(image, "section .vectors")
    return section.content


def _symbol(image: Image, name: str) -> Symbol:
    symbol = image.symbol(name)
    if symbol is None:
        raise _lacks(image, f"symbol {name}")
    return symbol


def _lacks(image: Image, what: str) -> ConfigError:
    return ConfigError(
        f"{image.path} has no {what}, so its stack cannot be bounded",
        hint="pilotlight_bound_stack() is for images with our start-up code and linker script, not stripped",
    )


class _Graph:
    """The functions of an image and their calls. Finds the costliest chain from a root."""

    def __init__(
        self, frames: dict[str, CompiledFunction], functions: dict[str, LinkedFunction], declared: DeclaredCalls
    ) -> None:
        self.functions = functions
        self._frames = frames
        self._declared = declared
        self.names = dict(zip(functions, demangle(list(functions)), strict=True))
        self.unresolved: set[str] = set()
        self.unsized: set[str] = set()
        self.recursive: list[tuple[str, ...]] = []
        self._costliest: dict[str, tuple[tuple[str, int], ...]] = {}

    def named(self, chain: Iterable[tuple[str, int]]) -> Chain:
        return Chain(tuple((self.names[name], size) for name, size in chain))

    def deepest(self, root: str) -> tuple[tuple[str, int], ...]:
        """Return the costliest chain from `root`, and record what the bound does not cover."""
        if root not in self.functions:
            return ()
        if root not in self._costliest:
            # A cycle comes after everything that it calls, so the costs of its callees are known.
            for cycle in _cycles(root, self._callees):
                self._settle(cycle)
        return self._costliest[root]

    def _settle(self, cycle: tuple[str, ...]) -> None:
        inside = set(cycle)
        callees = {callee for name in cycle for callee in self._callees(name)}
        onwards = max((self._costliest[callee] for callee in callees - inside), key=_cost, default=())
        rounds = 1
        if callees & inside:
            depths = [
                entry.depth
                for entry in self._declared.recursion
                for name in cycle
                if entry.function.match(self.names[name])
            ]
            rounds = max(depths, default=1)
            if not depths:
                self.recursive.append(cycle)
        own = tuple((name, self._bytes(name)) for name in cycle) * rounds
        for name in cycle:
            first = [call for call in own if call[0] == name][:1]
            self._costliest[name] = (*first, *_without(own, first), *onwards)

    def _bytes(self, name: str) -> int:
        frame = self._frames.get(name)
        if frame is None:
            # A library function or an alias: count all its pushes, as if it never popped.
            function = self.functions[name]
            if function.moves_stack_pointer:
                self.unsized.add(name)
            return function.pushed_bytes
        if not frame.is_bounded:
            self.unsized.add(name)
        return frame.bytes

    def _callees(self, name: str) -> set[str]:
        function = self.functions[name]
        callees = {callee for callee in function.callees if callee in self.functions}
        frame = self._frames.get(name)
        if frame.calls_through_pointer if frame else function.calls_through_pointer:
            entries = [entry for entry in self._declared.indirect if entry.callers.match(self.names[name])]
            if not entries:
                self.unresolved.add(name)
            for entry in entries:
                declared = {callee for callee, shown in self.names.items() if entry.callees.match(shown)}
                # A function that was renamed or moved no longer matches its entry.
                if not declared and not entry.callees.match(NO_FUNCTION):
                    self.unresolved.add(name)
                callees |= declared
        return callees


def _cost(chain: tuple[tuple[str, int], ...]) -> int:
    return sum(size for _, size in chain)


def _without(calls: tuple[tuple[str, int], ...], first: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    rest = list(calls)
    for call in first:
        rest.remove(call)
    return tuple(rest)


def _cycles(root: str, callees: Any) -> Iterator[tuple[str, ...]]:
    """Yield the strongly connected components reachable from `root`, callees first.

    Tarjan's algorithm, without recursion.
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    waiting: list[str] = []
    is_waiting: set[str] = set()
    work: list[tuple[str, Iterator[str]]] = []

    def enter(name: str) -> None:
        order[name] = lowest[name] = len(order)
        waiting.append(name)
        is_waiting.add(name)
        work.append((name, iter(sorted(callees(name)))))

    enter(root)
    while work:
        name, rest = work[-1]
        callee = next(rest, None)
        if callee is None:
            work.pop()
            if work:
                lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[name])
            if lowest[name] == order[name]:
                at = waiting.index(name)
                cycle = tuple(waiting[at:])
                del waiting[at:]
                is_waiting.difference_update(cycle)
                yield cycle
        elif callee not in order:
            enter(callee)
        elif callee in is_waiting:
            lowest[name] = min(lowest[name], order[callee])
