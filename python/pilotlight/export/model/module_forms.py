# SPDX-License-Identifier: Apache-2.0
"""Checks the module of a model file, and says what to do about forms that cannot be exported.

Accepted are an nn.Module in eval mode, a `torch.export.ExportedProgram`, the module of one, and the
result of `convert_pt2e`. The last three are graphs. A graph has no modes: its operators were
captured either in training or in eval mode.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from pilotlight.errors import ModelError
from pilotlight.export.graph.source_lines import user_line

# Packages whose modules quantise, or simulate it, in ways that torch.export cannot capture.
_QUANTISED_MODULES = (
    "torch.ao.nn.",
    "torch.ao.quantization.fake_quantize",
    "torch.ao.quantization.observer",
    "torch.ao.quantization.stubs",
    "torchao.quantization.qat",
)
_PT2E_OBSERVERS = ("torchao.quantization.pt2e.",)
# The packages of `torch.ao.nn` whose modules are float: fused layers, attention with observers.
_FLOAT_MODULES = ("torch.ao.nn.intrinsic.modules", "torch.ao.nn.quantizable")

_QUANTISE_HERE = (
    "give the float module, and Pilotlight quantises it with your calibration samples; or train it the PT2E way "
    "(prepare_qat_pt2e, convert_pt2e), whose ranges are kept: docs/MODELS.md"
)


def accepted_module(given: Any, where: str) -> Any:
    """Return `given` as a module that can be exported. where: the model's place, for messages.

    Raises ModelError for a form that cannot be exported.
    """
    if isinstance(given, torch.export.ExportedProgram):
        given = _module_of(given, where)
    if not isinstance(given, torch.nn.Module):
        raise ModelError(
            f"{where}: module is {type(given).__name__}, not a torch.nn.Module",
            hint="an nn.Module, an exported program (torch.export), or what convert_pt2e returns",
        )
    if isinstance(given, torch.jit.ScriptModule):
        raise ModelError(
            f"{where}: module is a TorchScript program, which torch.export does not take",
            hint="give the nn.Module that it was made from, or a program that torch.export.save wrote",
        )
    _refuse_quantised(given, where)
    _refuse_training(given, where)
    return given


def in_eval_mode(given: Any) -> Any:
    """Put a plain nn.Module into eval mode. Return anything else unchanged."""
    plain = isinstance(given, torch.nn.Module) and not any(map(is_exported, given.modules()))
    return given.eval() if plain else given


def is_exported(module: Any) -> bool:
    """Whether `module` is a graph of ATen operators."""
    return isinstance(module, torch.fx.GraphModule) and any(_is_operator(node) for node in module.graph.nodes)


def _is_operator(node: Any) -> bool:
    return node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload)


def _module_of(program: Any, where: str) -> Any:
    if program.dialect not in ("ATEN", "TRAINING"):
        raise ModelError(
            f"{where}: the exported program is lowered already ({program.dialect})",
            hint="give the program that torch.export.export returned, before to_edge",
        )
    return program.module(check_guards=False)


def _refuse_quantised(module: Any, where: str) -> None:
    """Raise ModelError if a module was quantised or prepared by another method than PT2E."""
    for path, part in module.named_modules():
        name = f"{type(part).__module__}.{type(part).__qualname__}"
        place = f"module {path} is" if path else "module is"
        if any(_is_from(base, _PT2E_OBSERVERS) for base in type(part).__mro__):
            raise ModelError(
                f"{where}: {place} {name}: the module was prepared for quantisation and not converted",
                hint="move_exported_model_to_eval(module), then convert_pt2e(module); "
                "both are in torchao.quantization.pt2e, see docs/MODELS.md",
            )
        if any(
            _is_from(base, _QUANTISED_MODULES) and not _is_from(base, _FLOAT_MODULES) for base in type(part).__mro__
        ):
            raise ModelError(f"{where}: {place} {name}, of eager-mode quantisation", hint=_QUANTISE_HERE)
    for path, value in (*module.named_parameters(), *module.named_buffers()):
        if value.is_quantized or is_traceable_wrapper_subclass(value):
            raise ModelError(f"{where}: {path} is quantised ({type(value).__name__})", hint=_QUANTISE_HERE)


def _is_from(base: type, packages: tuple[str, ...]) -> bool:
    return base.__module__.startswith(packages)


def _refuse_training(module: Any, where: str) -> None:
    for part in module.modules():
        for node in part.graph.nodes if is_exported(part) else ():
            if _is_operator(node) and _trains(node):
                line = user_line(node.meta.get("stack_trace"))
                raise ModelError(
                    f"{line.where if line else where}: {node.target} was captured in training mode"
                    + (f"\n    {line.text}" if line and line.text else ""),
                    hint="call .eval() on the module before it is exported, or move_exported_model_to_eval "
                    "(torchao.quantization.pt2e) on the graph",
                )
    if _is_in_training_mode(module):
        raise ModelError(f"{where}: module is in training mode", hint="call .eval() on it")


def _is_in_training_mode(module: Any) -> bool:
    """Whether a module that is not a graph is in training mode.

    A module that contains a graph cannot be put into eval mode, because the graph refuses. For such
    a module, only the modes of its other parts count.
    """
    if is_exported(module):
        return False
    if any(map(is_exported, module.modules())):
        return any(map(_is_in_training_mode, module.children()))
    return bool(module.training)


def _trains(node: Any) -> bool:
    """Whether an operator drops values or computes statistics of its batch, as in training."""
    given = dict(node.kwargs)
    given.update(
        {argument.name: value for argument, value in zip(node.target._schema.arguments, node.args, strict=False)}
    )
    drops_nothing = any(given.get(name) == 0 for name in ("p", "dropout"))
    return any(given.get(name) is True for name in ("train", "training")) and not drops_nothing
