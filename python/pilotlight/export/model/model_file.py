# SPDX-License-Identifier: Apache-2.0
"""Finds a model file and turns it into a `ModelSpec`.

A model file follows one of three conventions:

- ours: one function without arguments returns a `ModelSpec`;
- ExecuTorch's Arm compiler script: the variables `ModelUnderTest` and `ModelInputs`;
- an exported program (.pt2) with its data beside it, see `pt2_file.py`.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from pilotlight.errors import ConfigError, ModelError, PilotlightError
from pilotlight.export.graph.source_lines import raised_at, raised_inside, within
from pilotlight.export.model.model_modules import importable
from pilotlight.files import matching
from pilotlight.metrics import Metric, as_metric
from pilotlight.metrics.labels import is_classes
from pilotlight.model_spec import ModelSpec
from pilotlight.paths import MODELS, named_model
from pilotlight.recipe import as_recipe

_CONVENTIONS = (
    "define one function `def model() -> ModelSpec:` (see python/models/digits/model.py), "
    "or the variables ModelUnderTest and ModelInputs"
)


def find_model_file(model: str) -> Path:
    """Return the model file for a name in python/models, a folder with model.py, or a file's path.

    Raises ConfigError if there is none.
    """
    named = named_model(model)
    if named is not None:
        return named
    path = Path(model).expanduser()
    if path.is_dir() and (path / "model.py").is_file():
        return (path / "model.py").resolve()
    if path.is_file():
        if path.suffix in (".py", ".pt2"):
            return path.resolve()
        raise ConfigError(
            f"{model}: not a Python file, nor an exported program (.pt2)",
            hint="name a model file (.py) that builds the model, or what torch.export.save wrote",
        )
    names = sorted(folder.parent.name for folder in MODELS.glob("*/model.py"))
    close = difflib.get_close_matches(model, names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"a path, or one of: {', '.join(names)}"
    raise ConfigError(f"model {model!r}: no such file, and no such folder in {MODELS}", hint=hint)


def load_model(file: Path) -> ModelSpec:
    """Run `file` and return the `ModelSpec` that it describes, after checking it.

    During the run, the file can import modules beside it. Later, `forward` can import these only
    inside `importable(file.parent)`.

    Raises ModelError with file and line if the file raises or follows no convention.
    """
    if file.suffix == ".pt2":
        from pilotlight.export.model.pt2_file import program_spec

        return _checked(program_spec(file, identifier(file.stem)), file)
    with importable(file.parent):
        module = _imported(file)
        if hasattr(module, "ModelUnderTest"):
            spec = _from_arm_script(module, file)
        else:
            function = _spec_function(module, file)
            try:
                spec = function()
            except Exception as error:
                raise _raised(file, error) from error
            if not isinstance(spec, ModelSpec):
                raise ModelError(
                    f"{_place(function)}: {function.__name__}() returned {type(spec).__name__}, not a ModelSpec",
                    hint=_CONVENTIONS,
                )
    return _checked(spec, file)


def _imported(file: Path) -> ModuleType:
    """Run `file` as a module.

    The module stays in sys.modules under a unique name, because its functions may be traced at any
    time.
    """
    name = stem = f"pilotlight_model_{identifier(file.parent.name)}_{identifier(file.stem)}"
    number = 1
    while name in sys.modules:
        number += 1
        name = f"{stem}_{number}"
    module_spec = importlib.util.spec_from_file_location(name, file)
    if module_spec is None or module_spec.loader is None:
        raise ConfigError(f"{file}: cannot be imported")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _raised(file, error) from error
    return module


def _spec_function(module: ModuleType, file: Path) -> Callable[[], Any]:
    functions = [
        function
        for function in vars(module).values()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and _takes_nothing(function)
    ]
    annotated = [function for function in functions if _returns_spec(function)]
    if len(annotated) == 1:
        return annotated[0]
    if len(annotated) > 1:
        names = ", ".join(f"{function.__name__} ({_place(function)})" for function in annotated)
        raise ModelError(f"{file}: several functions return a ModelSpec: {names}", hint="keep one")
    bare = [f for f in functions if "return" not in f.__annotations__ and not f.__name__.startswith("_")]
    if len(bare) == 1:
        return bare[0]
    raise ModelError(f"{file}: no function is marked as returning a ModelSpec", hint=_CONVENTIONS)


def _takes_nothing(function: Callable[..., Any]) -> bool:
    return all(
        parameter.default is not parameter.empty or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for parameter in inspect.signature(function).parameters.values()
    )


def _returns_spec(function: Callable[..., Any]) -> bool:
    returned = getattr(function, "__annotations__", {}).get("return")
    return returned is ModelSpec or (isinstance(returned, str) and returned.split(".")[-1] == "ModelSpec")


def _from_arm_script(module: ModuleType, file: Path) -> ModelSpec:
    if not hasattr(module, "ModelInputs"):
        raise ModelError(f"{file}: defines ModelUnderTest but not ModelInputs", hint=_CONVENTIONS)
    import torch

    from pilotlight.export.model.module_forms import in_eval_mode

    inputs = module.ModelInputs
    example = (inputs,) if isinstance(inputs, torch.Tensor) else tuple(inputs)
    network = in_eval_mode(module.ModelUnderTest)
    return ModelSpec(name=identifier(file.stem), module=network, example_inputs=example, calibration=[example])


def _checked(spec: ModelSpec, file: Path) -> ModelSpec:
    import torch

    from pilotlight.export.model.held_out import HeldOut
    from pilotlight.export.model.module_forms import accepted_module
    from pilotlight.export.model.samples import Samples, Shapes, demand_finite

    def demand(condition: bool, complaint: str, hint: str = "") -> None:
        if not condition:
            raise ModelError(f"{file}: {complaint}", hint=hint)

    demand(bool(re.fullmatch(r"[A-Za-z]\w*", spec.name)), f"name {spec.name!r} is not a C identifier")
    spec = replace(spec, module=accepted_module(spec.module, str(file)))
    demand(isinstance(spec.example_inputs, tuple) and bool(spec.example_inputs), "example_inputs is not a tuple")
    tensors = all(isinstance(value, torch.Tensor) for value in spec.example_inputs)
    demand(tensors, "example_inputs holds more than tensors")
    shapes = Shapes.of(spec.module, spec.example_inputs)
    try:
        calibration = Samples("calibration", spec.calibration, shapes)
        demand_finite(calibration)
        demand(calibration.count() > 0, "calibration is empty", "give some real input samples")
        held_out = None if spec.data_set is None else HeldOut(spec.data_set, shapes)
        metric = _metric(spec, None if held_out is None else held_out.labels)
    except ModelError as error:
        message = str(error)
        raise ModelError(message if message.startswith(str(file)) else f"{file}: {message}", hint=error.hint) from error
    except Exception as error:
        raise _raised(file, error) from error
    spec = replace(spec, calibration=calibration, data_set=held_out, metric=metric)
    for npu, override in spec.npu_options.items():
        unknown = set(override) - {"system_config", "memory_mode"}
        demand(not unknown, f"npu_options[{npu!r}] has unknown keys {sorted(unknown)}", "system_config, memory_mode")
    try:
        as_recipe(spec.quantisation)
    except ConfigError as error:
        raise ModelError(f"{file}: quantisation: {error}", hint=error.hint) from error
    demand(
        isinstance(spec.depends_on, tuple) and all(isinstance(pattern, str) for pattern in spec.depends_on),
        "depends_on is not a tuple of strings",
    )
    for pattern in spec.depends_on:
        found = bool(matching(str(file.parent / pattern)))
        demand(found, f"depends_on: nothing matches {pattern!r}", f"it is relative to {file.parent}")
    return replace(spec, depends_on=tuple(str(file.parent / pattern) for pattern in spec.depends_on))


def _metric(spec: ModelSpec, labels: Any) -> Metric | None:
    """Return the metric of a model; top-1 without one, if the labels are classes."""
    if spec.metric is None:
        return as_metric("top-1") if is_classes(labels) else None
    metric = as_metric(spec.metric)
    if labels is None:
        raise ModelError(
            f"metric {metric.title!r} needs a data set with labels",
            hint="data_set=LabelledData(inputs, labels), or a source of (inputs, label)",
        )
    return metric


def _raised(file: Path, error: BaseException) -> ModelError:
    place = raised_at(error)
    where = place.where if place else str(file)
    line = f"\n    {place.text}" if place and place.text else ""
    inside = raised_inside(error)
    if inside:
        line += f"\n    {within('', inside.where, inside.text)}"
    message = str(error).strip().splitlines()
    return ModelError(
        f"{where}: {type(error).__name__}: {message[0] if message else '(no message)'}{line}",
        hint=(error.hint if isinstance(error, PilotlightError) else "")
        or "the model file raised this; run it with python to see all of it",
    )


def _place(function: Callable[..., Any]) -> str:
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}"


def identifier(text: str) -> str:
    """Return `text` as a C identifier: each other character becomes "_"."""
    name = re.sub(r"\W", "_", text)
    return name if re.match(r"[A-Za-z]", name) else f"m_{name}"
