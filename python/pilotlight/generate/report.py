# SPDX-License-Identifier: Apache-2.0
"""What was generated, and what a token cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from pilotlight.export.report.report import load_report
from pilotlight.generate.messages import End, Generated, Step


@dataclass(frozen=True)
class TokenTraffic:
    """Bytes that one token moves through a memory, by Vela's estimate."""

    memory: str
    read_bytes: int
    written_bytes: int


@dataclass(frozen=True)
class TokenCost:
    """The cost of one token: the mean over all steps, prompt included.

    tokens_per_second: of the NPU alone, at `npu_clock_hz`. cpu_cycles: of the whole step; an
        emulator counts instructions instead.
    copied_bytes: bytes of tied inputs that the CPU copies into the NPU's scratch.
    """

    npu_cycles: float
    npu_clock_hz: float
    tokens_per_second: float
    macs: int
    traffic: tuple[TokenTraffic, ...]
    cpu_cycles: float
    copied_bytes: int


@dataclass(frozen=True)
class GenerateReport:
    """The report of `west generate`.

    is_emulated: the board is an emulator. verified: equal to the reference; None: not compared.
    """

    board: str
    npu: str
    is_emulated: bool
    prompt: str
    prompt_tokens: int
    tokens: tuple[int, ...]
    text: str
    end: str
    context_used: int
    context: int
    cost: TokenCost
    stack_used_bytes: int
    stack_size_bytes: int
    verified: bool | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Estimate:
    """The facts of the export report that the cost of a token needs."""

    macs: int
    clock_hz: float
    traffic: tuple[TokenTraffic, ...]


def load_estimate(bundle: Path) -> Estimate:
    """Read Vela's estimate from the bundle's report. Raises ConfigError if it cannot be read."""
    delegates = load_report(bundle).delegates
    totals: dict[str, list[int]] = {}
    for memory in (memory for delegate in delegates for memory in delegate.memories):
        total = totals.setdefault(memory.memory, [0, 0])
        total[0] += memory.read_bytes
        total[1] += memory.written_bytes
    return Estimate(
        macs=sum(delegate.macs for delegate in delegates),
        clock_hz=max((delegate.clock_hz for delegate in delegates), default=0.0),
        traffic=tuple(TokenTraffic(name, *total) for name, total in totals.items()),
    )


def token_cost(steps: Sequence[Step], estimate: Estimate, copied_bytes: int) -> TokenCost:
    """Return the mean cost of `steps`."""
    cycles = mean(step.npu_cycles for step in steps)
    return TokenCost(
        npu_cycles=cycles,
        npu_clock_hz=estimate.clock_hz,
        tokens_per_second=estimate.clock_hz / cycles if cycles else 0.0,
        macs=estimate.macs,
        traffic=estimate.traffic,
        cpu_cycles=mean(step.cpu_cycles for step in steps),
        copied_bytes=copied_bytes,
    )


def end_text(done: Generated) -> str:
    """Return why the text ended, in words."""
    return {
        End.COUNT: "all tokens sampled",
        End.STOP_TOKEN: "stop token",
        End.CONTEXT_FULL: "the context is full",
        End.FAILED: "a step failed",
    }[done.end]
