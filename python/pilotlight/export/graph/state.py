# SPDX-License-Identifier: Apache-2.0
"""State of a model: the buffers that forward changes. The exporter's runs must not change the
state."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from pilotlight.errors import ModelError


class InitialState:
    """A copy of a module's buffers, to restore them later.

    only: the names of the buffers to copy; None copies all.
    """

    def __init__(self, module: Any, only: Collection[str] | None = None) -> None:
        self._held = [
            (path, owner, name, buffer, buffer.detach().clone(), buffer._version)
            for prefix, owner in module.named_modules()
            for name, buffer in owner._buffers.items()
            for path in (f"{prefix}.{name}".lstrip("."),)
            if buffer is not None and (only is None or path in only)
        ]

    def restore(self) -> None:
        """Restore the buffers. Forward may have written into the buffers or replaced them."""
        with torch.no_grad():
            for _, owner, name, buffer, value, _ in self._held:
                buffer.copy_(value)
                owner._buffers[name] = buffer

    def written(self) -> list[str]:
        """Return the names of buffers written or replaced since the copy. Call it before `restore`.

        A buffer counts even if its value is the same.
        """
        return [
            path
            for path, owner, name, buffer, _, version in self._held
            if owner._buffers[name] is not buffer or buffer._version != version
        ]


class Sampling:
    """Runs a module sample by sample.

    Each sample starts with the state that the module had when this object was made. In a sequence,
    only the first sample does.
    """

    def __init__(self, module: Any, *, sequence: bool, only: Collection[str] | None = None) -> None:
        self._module = module
        self._sequence = sequence
        self._initial = InitialState(module, only)

    def __call__(self, *sample: Any) -> Any:
        if not self._sequence:
            self._initial.restore()
        with torch.no_grad():
            return self._module(*sample)

    def rewind(self) -> None:
        """Restore the module's state."""
        self._initial.restore()


def run_once(module: Any, sample: tuple[Any, ...]) -> list[str]:
    """Run `module` once and return the names of the buffers that it changes.

    Exceptions of the module reach the caller.
    """
    initial = InitialState(module)
    with torch.no_grad():
        module(*sample)
    written = initial.written()
    initial.restore()
    return written


def demand_kept(program: Any, buffers: list[str]) -> None:
    """Raise ModelError if the lowered program changes fewer buffers than the model."""
    kept = set(program.graph_signature.buffers_to_mutate.values())
    lost = sorted(set(buffers) - kept)
    if len(kept) < len(buffers):
        raise ModelError(
            f"forward changes {', '.join(buffers)}, but the exported program never writes {', '.join(lost)}",
            hint="write the whole buffer, once, at the end of forward: self.state.copy_(new)",
        )
