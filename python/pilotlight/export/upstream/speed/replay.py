# SPDX-License-Identifier: Apache-2.0
"""Remembers the values of operators while ExecuTorch's passes replay the graph.

A pass of ExecuTorch runs the whole graph on fake tensors, which have a shape and a dtype but no
elements, and so makes a new graph. Lowering a transformer does this about fifty times, and nearly
all operators are the same as the time before. `_fx` is the method of a pass that computes one
operator's value and makes its new node. Its replacement computes no value twice:

- An operator with the same arguments, the same objects, has the value of the time before.
- If a new value differs in nothing from the value that the node had before the pass, the old object
  stays. So the operators that follow have the same arguments as before, too.

No object becomes the value of two nodes of a graph, because a pass could take these for aliases.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from executorch.exir.dialects.edge._ops import EdgeOpOverload
from executorch.exir.pass_base import ProxyValue, _ExportPassBase
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx import traceback
from torch.fx.proxy import _COPY_META_FIELDS

# Arguments that are equal if they have the same type and value.
_LITERALS = frozenset(
    {int, float, bool, str, type(None), torch.dtype, torch.device, torch.layout, torch.memory_format},
)


@contextmanager
def remembered_values() -> Iterator[None]:
    """During the block, passes take the values of operators from a memory that the block owns."""
    replace = _ExportPassBase._fx
    memory = _Memory()

    def replay(
        replayed: Any, kind: str, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any], meta: Any
    ) -> ProxyValue:
        if kind == "call_function" and _is_function(target):
            try:
                call = _Call(target, args, kwargs)
            except _Unknown:
                pass
            else:
                value = memory.value(replayed, call, meta.data.get("val"))
                if type(value) is FakeTensor:
                    return _with_node(replayed.tracer, call, meta.data, value)
        return replace(replayed, kind, target, args, kwargs, meta)

    _ExportPassBase._fx = replay
    try:
        yield
    finally:
        _ExportPassBase._fx = replace


def _is_function(target: Any) -> bool:
    """Whether the target is an operator whose value depends on its arguments alone."""
    return isinstance(target, (EdgeOpOverload, OpOverload)) and not target._schema.is_mutable


class _Unknown(Exception):
    """An argument has a type that this module does not know."""


class _Call:
    """An operator with its arguments in three forms.

    args, kwargs: the values. node_args, node_kwargs: the nodes that have these values.
    key: equal for calls with the same objects as arguments.
    tensors: ids of the tensors among the values.
    """

    def __init__(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.target = target
        self.tensors: list[int] = []
        self.args, self.node_args, args_key = self._forms(args)
        self.kwargs, self.node_kwargs, kwargs_key = self._forms(kwargs)
        self.key = (target, args_key, kwargs_key)

    def _forms(self, argument: Any) -> tuple[Any, Any, Any]:
        """Return value, nodes and key of an argument. Raises _Unknown."""
        kind = type(argument)
        if kind is ProxyValue:
            if type(argument.data) is not FakeTensor:
                raise _Unknown
            self.tensors.append(id(argument.data))
            return argument.data, argument.proxy.node, id(argument.data)
        if kind in _LITERALS:
            return argument, argument, (kind, argument)
        if isinstance(argument, (tuple, list)):
            forms = [self._forms(item) for item in argument]
            shape = tuple if isinstance(argument, tuple) else list
            key = (shape, *[key for _, _, key in forms])
            return shape(form[0] for form in forms), shape(form[1] for form in forms), key
        if isinstance(argument, dict):
            named = {name: self._forms(item) for name, item in argument.items()}
            key = tuple((name, form[2]) for name, form in named.items())
            return {name: form[0] for name, form in named.items()}, {n: form[1] for n, form in named.items()}, key
        raise _Unknown


class _Memory:
    """The values that were computed, and those that the current replay has given to a node."""

    def __init__(self) -> None:
        # The arguments are kept with the value: while they live, no other object gets their ids.
        self._values: dict[Any, list[tuple[FakeTensor, tuple[Any, ...]]]] = {}
        self._tracer: Any = None
        self._given: set[int] = set()

    def value(self, replayed: Any, call: _Call, old: Any) -> Any:
        """Return the call's value. `old`: the value of the node that the pass replays."""
        if self._tracer is not replayed.tracer:  # Each replay has its own tracer.
            self._tracer = replayed.tracer
            self._given.clear()
        mode = replayed.tracer.fake_tensor_mode
        key = (call.key, id(mode), torch.is_grad_enabled())
        known = self._values.setdefault(key, [])
        value = next((value for value, _ in known if id(value) not in self._given), None)
        if value is None:
            value = replayed.interpreter.call_function(call.target, call.args, call.kwargs)
            if not _is_plain(value) or id(value) in call.tensors:
                return value
            if _is_plain(old) and id(old) not in self._given and _are_equal(value, old):
                value = old
            known.append((value, (call.args, call.kwargs, mode)))
        self._given.add(id(value))
        return value


def _is_plain(value: Any) -> bool:
    """Whether the value is one fake tensor: its sizes are numbers, its elements unknown."""
    return type(value) is FakeTensor and value.constant is None and all(type(size) is int for size in value.shape)


def _are_equal(one: FakeTensor, other: FakeTensor) -> bool:
    """Whether nothing can tell the two fake tensors apart, except that they are two."""
    return bool(
        one.dtype == other.dtype
        and one.shape == other.shape
        and one.layout == other.layout
        and one.device == other.device
        and one.fake_mode is other.fake_mode
        and one.requires_grad == other.requires_grad
        and one.stride() == other.stride()
        and one.storage_offset() == other.storage_offset()
        and one.is_conj() == other.is_conj()
        and one.is_neg() == other.is_neg()
    )


def _with_node(tracer: Any, call: _Call, given: dict[str, Any], value: FakeTensor) -> ProxyValue:
    """Add a node for the call to the new graph, with the metadata that upstream's tracer gives."""
    packet = getattr(call.target, "overloadpacket", None) if isinstance(call.target, OpOverload) else None
    name = None if packet is None else tracer.graph._target_to_str(packet.__name__)
    node = tracer.graph.create_node("call_function", call.target, call.node_args, call.node_kwargs, name)
    if traceback.has_preserved_node_meta():
        current = traceback.get_current_meta()
        if current.get("stack_trace"):
            node.meta["stack_trace"] = current["stack_trace"]
        for field in _COPY_META_FIELDS:
            if field in current and field not in given:
                node.meta[field] = copy.copy(current[field])
    node.meta.update(given)
    node.meta["val"] = value
    node.meta["tensor_meta"] = None
    return ProxyValue(value, tracer.proxy(node))
