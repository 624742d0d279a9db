# SPDX-License-Identifier: Apache-2.0
"""Checks that the models of an image fit the board's memory, and names the largest contributors.

This runs before anything is compiled. The linker would only know the sum of all sections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pilotlight.boards import Board
from pilotlight.codegen.arenas import Arenas
from pilotlight.errors import DoesNotFit
from pilotlight.pte import Method, Tensor
from pilotlight.pte.ethos_u import parse_blob

_CONTRIBUTORS_NAMED = 6


@dataclass(frozen=True)
class LinkedModel:
    """A model of an image. shares_arena: whether several models share its arena."""

    name: str
    method: Method
    arenas: Arenas
    pte_bytes: int
    shares_arena: bool


@dataclass(frozen=True)
class Part:
    """One contributor to a region: its description and its size in bytes."""

    what: str
    bytes: int


def arena_bytes(models: Sequence[LinkedModel]) -> int:
    """Return the bytes of .tensor_arena: the largest shared arena, all others, and what is kept."""
    shared = max((model.arenas.npu_visible for model in models if model.shares_arena), default=0)
    apart = sum(model.arenas.npu_visible for model in models if not model.shares_arena)
    return shared + apart + sum(model.arenas.kept_bytes for model in models)


def needs_by_role(models: Sequence[LinkedModel], board: Board) -> dict[str, int]:
    """Return the bytes that the models need in each section group. Code is not counted."""
    return {
        "model": sum(model.pte_bytes for model in models),
        "tensor_arena": arena_bytes(models),
        "data": sum(model.arenas.method_pool for model in models),
        "stack": board.budget.stack_bytes,
    }


def check_fit(board: Board, models: Sequence[LinkedModel]) -> None:
    """Raise DoesNotFit if a region is too small, with the excess and the largest contributors."""
    needs = needs_by_role(models, board)
    for name, region in board.memory.items():
        over = sum(needs.get(role, 0) for role in region.holds) - region.size
        if over <= 0:
            continue
        parts = largest_parts(models, region.holds, board)
        listed = "".join(f"\n  {part.bytes:>12,}  {part.what}" for part in parts)
        raise DoesNotFit(
            f"memory.{name} of {board.name} is {over:,} bytes too small: it has {region.size:,}, the image needs at "
            f"least {region.size + over:,}. Largest contributors, in bytes:{listed}",
            hint=_hint(models, region.holds),
        )


def largest_parts(models: Sequence[LinkedModel], roles: Sequence[str], board: Board) -> list[Part]:
    """Return the largest parts in a region that holds `roles`, the largest first.

    Each part is something that the user can change on its own: a delegate's weights, its scratch, a
    constant, or a planned tensor of a CPU operator.
    """
    parts: list[Part] = []
    for model in models:
        if "model" in roles:
            parts += _program_parts(model)
        if "tensor_arena" in roles:
            parts += _arena_parts(model)
        if "data" in roles:
            parts.append(Part(f"{model.name}: method pool", model.arenas.method_pool))
    if "stack" in roles:
        parts.append(Part("stack, [budget] stack_bytes in board.toml", board.budget.stack_bytes))
    return sorted((part for part in parts if part.bytes), key=lambda part: -part.bytes)[:_CONTRIBUTORS_NAMED]


def _program_parts(model: LinkedModel) -> list[Part]:
    parts: list[Part] = []
    for index, delegate in enumerate(model.method.delegates):
        blob = parse_blob(delegate.blob)
        parts.append(Part(f"{model.name}: weights of delegate {index}", len(blob.weights)))
        parts.append(Part(f"{model.name}: commands of delegate {index}", len(blob.commands)))
    for index, value in enumerate(model.method.values):
        if isinstance(value, Tensor) and value.data is not None:
            parts.append(Part(f"{model.name}: constant {index}, {_tensor(value)}", value.size_bytes))
    rest = model.pte_bytes - sum(part.bytes for part in parts)
    return [*parts, Part(f"{model.name}: rest of the program", max(rest, 0))]


def _arena_parts(model: LinkedModel) -> list[Part]:
    shared = " (shared)" if model.shares_arena else ""
    parts = [
        Part(f"{model.name}: NPU scratch of delegate {index}{shared}", parse_blob(delegate.blob).scratch_size_bytes)
        for index, delegate in enumerate(model.method.delegates)
    ]
    if model.arenas.in_place:
        return parts
    for index, value in enumerate(model.method.values):
        if isinstance(value, Tensor) and value.memory is not None:
            kept = value.memory[0] in model.arenas.kept
            what = "state" if value.memory[0] == model.arenas.state_buffer else "tensor"
            end = f"{_end(model.method, index)}{'' if kept else shared}"
            parts.append(Part(f"{model.name}: {what} {index}{end}, {_tensor(value)}", value.size_bytes))
    return parts


def _end(method: Method, index: int) -> str:
    if index in method.input_values:
        return f" (input {method.input_values.index(index)})"
    if index in method.output_values:
        return f" (output {method.output_values.index(index)})"
    return ""


def _tensor(value: Tensor) -> str:
    return f"{value.dtype}[{', '.join(map(str, value.shape))}]"


def _hint(models: Sequence[LinkedModel], roles: Sequence[str]) -> str:
    could_share = sum(not model.shares_arena and not model.arenas.carries_over for model in models) > 1
    if "tensor_arena" in roles and could_share:
        return (
            "let the models share one arena (--shared-arena), use a smaller model or input, or a board with more memory"
        )
    return "use a smaller model or input, or a board with more memory"
