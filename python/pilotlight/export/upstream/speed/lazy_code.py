# SPDX-License-Identifier: Apache-2.0
"""Generates a graph module's Python code only when something reads or calls it.

PyTorch generates and compiles the code of `forward` whenever a graph module is made or changed.
Passes read the graph, so most of this code is replaced before anything runs it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.fx.graph import _PyTreeCodeGen
from torch.fx.graph_module import GraphModule


@contextmanager
def code_on_demand() -> Iterator[None]:
    """During the block, `GraphModule.recompile` only marks the code as stale, and returns None.

    Whatever next reads `code` or `forward` generates it, also after the block. It gets the code of
    the graph as it is then.
    """
    recompile = GraphModule.recompile

    def mark_stale(module: Any) -> None:
        codegen = module._graph._codegen
        if isinstance(codegen, _PyTreeCodeGen):
            module._in_spec = codegen.pytree_info.in_spec
            module._out_spec = codegen.pytree_info.out_spec
        # Each graph module has a class of its own.
        type(module).forward = _StaleForward(module, recompile)

    GraphModule.recompile = mark_stale
    try:
        yield
    finally:
        GraphModule.recompile = recompile


class _StaleForward:
    """The attribute `forward` of a module with stale code, which `inspect.signature` also reads.

    Generating the code puts the real method in its place.
    """

    def __init__(self, module: Any, recompile: Callable[[Any], Any]) -> None:
        self._module = weakref.ref(module)
        self._recompile = recompile

    def generate(self) -> None:
        module: Any = self._module()
        # Generating reads the code that it has just written, which is not stale.
        del type(module).forward
        try:
            self._recompile(module)
        except BaseException:
            type(module).forward = self
            raise

    def __get__(self, module: Any, owner: type) -> Any:
        self.generate()
        holder: Any = owner if module is None else module
        return holder.forward


class _Code:
    """The attribute `_code` of graph modules: the source of `forward`."""

    def __get__(self, module: Any, owner: type) -> Any:
        if module is None:
            return self
        forward = vars(type(module)).get("forward")
        if isinstance(forward, _StaleForward):
            forward.generate()
        try:
            return module.__dict__["_code"]
        except KeyError:
            raise AttributeError("_code") from None

    def __set__(self, module: Any, code: str) -> None:
        module.__dict__["_code"] = code


# It stays for good, because a module may outlive the block with stale code.
GraphModule._code = _Code()
