# SPDX-License-Identifier: Apache-2.0
"""Keeps compiled delegates, because a later attempt often has equal ones.

What upstream and Vela make of a delegate follows from its program alone. The key is a hash of all
that they can read there: nodes, arguments, metadata and constants. Metadata of an unknown type has
its address in the key, so such a program is compiled again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from pilotlight.export.upstream.vela import Compilation

# Metadata that no pass of the lowering reads: where a node came from, and the number of its
# delegate in this attempt.
_NOT_READ = frozenset({"debug_handle", "delegation_tag", "from_node", "seq_nr"})


@dataclass(frozen=True)
class Compiled:
    """What upstream returned for a delegate, and Vela's compilation."""

    result: Any
    compilation: Compilation


@dataclass
class CompiledDelegates:
    """The delegates that the attempts of one export compiled. reused: how often one was found."""

    reused: int = 0
    _known: dict[str, Compiled] = field(default_factory=dict)

    def find(self, key: str) -> Compiled | None:
        found = self._known.get(key)
        self.reused += found is not None
        return found

    def add(self, key: str, compiled: Compiled) -> None:
        self._known[key] = compiled


def key_of(program: Any, compile_specs: Any) -> str:
    """Return a key that is equal for programs of equal content.

    program: the ExportedProgram of a delegate. compile_specs: upstream's list.
    """
    digest = hashlib.sha256(repr([(spec.key, bytes(spec.value)) for spec in compile_specs]).encode())
    digest.update(repr(program.graph_signature).encode())
    # Sorted, because the partitioner orders independent nodes by chance.
    for line in sorted(map(_described, program.graph.nodes)):
        digest.update(line.encode())
    for name, constant in sorted({**program.state_dict, **program.constants}.items()):
        digest.update(f"{name}={_text(constant)}".encode())
        if isinstance(constant, torch.Tensor):
            digest.update(constant.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _described(node: Any) -> str:
    meta = (f"{name}={_text(node.meta[name])}" for name in sorted(node.meta.keys() - _NOT_READ))
    return repr((node.op, node.name, str(node.target), _text(node.args), _text(node.kwargs), *meta))


def _text(value: Any) -> str:
    """Describe a value; for a tensor its layout, not its elements."""
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} {tuple(value.shape)} {value.stride()} {value.device}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_text, value))})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key!r}: {_text(item)}" for key, item in value.items()) + "}"
    return repr(value)
