# SPDX-License-Identifier: Apache-2.0
"""Reads a model without a model file: an exported program `net.pt2` and its data `net.npz`.

    torch.export.save(torch.export.export(module, (example,)), "net.pt2")
    np.savez("net.npz", calibration=some_samples, inputs=held_out_samples, labels=their_labels)

Arrays of net.npz. The first dimension counts samples; a sample has the input's shape without its
batch dimension:

    calibration      samples to quantise with; for several inputs calibration_0, calibration_1, ...
    inputs, labels   held-out samples to check on the device; either may be missing

An array that was saved without a name is the calibration. A program that is already quantised needs
no calibration.
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.errors import ConfigError, ModelError
from pilotlight.export.upstream.reasons import of_failure
from pilotlight.model_spec import LabelledData, ModelSpec

_HELD_OUT = ("inputs", "labels")
_CALIBRATION = re.compile(r"(?:calibration|arr)(?:_(\d+))?")


def program_spec(file: Path, name: str) -> ModelSpec:
    """Return the model that `file` (.pt2) and the .npz beside it describe.

    Raises ModelError if the program cannot be read, ConfigError for missing or wrong data.
    """
    program = _program(file)
    example = _example(program, file)
    data = file.with_suffix(".npz")
    arrays = _arrays(data)
    calibration = _calibration(arrays, example, data)
    if not calibration and _is_quantised(program):
        calibration = [example]
    if not calibration:
        what = "has no array named calibration" if data.is_file() else "is not there"
        raise ConfigError(
            f"{file}: an exported program holds no calibration data, and {data} {what}",
            hint=f'np.savez("{data.name}", calibration=samples) beside it: an array [samples, ...] of real inputs; '
            "docs/MODELS.md lists the other arrays",
        )
    held_out = None
    if "inputs" in arrays:
        held_out = LabelledData(arrays["inputs"], arrays.get("labels"))
    return ModelSpec(name=name, module=program, example_inputs=example, calibration=calibration, data_set=held_out)


def _program(file: Path) -> Any:
    import torch

    try:
        # Python opens the file, because the build's audit hook sees only files that Python opens.
        return torch.export.load(io.BytesIO(file.read_bytes()))
    except Exception as error:
        raise ModelError(
            f"{file}: cannot be read as an exported program: {of_failure(error)}",
            hint="write it with torch.export.save(torch.export.export(module, inputs), file), with this version of "
            f"PyTorch, {torch.__version__}",
        ) from error


def _is_quantised(program: Any) -> bool:
    from pilotlight.export.quantising.prequantised import is_quantised

    return is_quantised(program.graph_module)


def _example(program: Any, file: Path) -> tuple[Any, ...]:
    """Return one sample for each input. A dynamic batch dimension becomes one."""
    import torch
    from torch.export.graph_signature import InputKind

    _, keywords = program.call_spec.in_spec.children()
    if keywords.num_leaves:
        raise ModelError(f"{file}: takes keyword arguments", hint="export it with positional arguments only")
    wanted = {spec.arg.name for spec in program.graph_signature.input_specs if spec.kind == InputKind.USER_INPUT}
    shapes = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted]
    if not all(isinstance(value, torch.Tensor) for value in shapes):
        raise ModelError(f"{file}: takes more than tensors", hint="export it with tensors only")
    given = (
        torch.utils._pytree.tree_leaves(program.example_inputs[0]) if program.example_inputs else [None] * len(shapes)
    )
    examples = []
    for value, like in zip(given, shapes, strict=True):
        is_open = like.dim() > 0 and not isinstance(like.shape[0], int)
        if value is None:
            sizes = [1 if is_open and axis == 0 else int(size) for axis, size in enumerate(like.shape)]
            value = torch.zeros(sizes, dtype=like.dtype)
        examples.append(value[:1] if is_open else value)
    return tuple(examples)


def _arrays(data: Path) -> dict[str, NDArray[Any]]:
    if not data.is_file():
        return {}
    try:
        with np.load(data) as opened:
            arrays = dict(opened)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{data}: cannot be read: {of_failure(error)}", hint="write it with np.savez") from error
    unknown = [name for name in arrays if name not in _HELD_OUT and not _CALIBRATION.fullmatch(name)]
    if unknown:
        raise ConfigError(f"{data}: unknown array {unknown[0]!r}", hint="calibration, inputs, labels")
    return arrays


def _calibration(arrays: dict[str, NDArray[Any]], example: tuple[Any, ...], data: Path) -> list[tuple[Any, ...]]:
    numbered = {
        int(found.group(1) or 0): name for name in arrays if (found := _CALIBRATION.fullmatch(name)) is not None
    }
    if not numbered:
        return []
    if sorted(numbered) != list(range(len(example))):
        names = ", ".join(numbered.values())
        raise ConfigError(
            f"{data}: holds {names}, and the program has {len(example)} inputs",
            hint="calibration_0 for the first input, calibration_1 for the next",
        )
    rows = [_rows(arrays[numbered[index]], like, f"{data}: {numbered[index]}") for index, like in enumerate(example)]
    counts = {len(samples) for samples in rows}
    if len(counts) > 1:
        raise ConfigError(f"{data}: the inputs have different numbers of samples: {sorted(counts)}")
    return list(zip(*rows, strict=True))


def _rows(array: NDArray[Any], like: Any, where: str) -> list[Any]:
    """Return the samples in `array`, each with the shape of the example `like`."""
    import torch

    shape = tuple(like.shape)
    if array.ndim == 0 or tuple(array.shape[1:]) not in (shape, shape[1:] if shape[:1] == (1,) else shape):
        raise ConfigError(
            f"{where} has the shape {array.shape}, and the program takes {shape}",
            hint=f"an array of the shape {('samples', *shape[1:])}".replace("'", ""),
        )
    return [torch.as_tensor(sample).to(like.dtype).reshape(shape) for sample in array]
