# SPDX-License-Identifier: Apache-2.0
"""The description that a model file returns. See python/models/ for examples.

A model file defines one function without arguments that returns a `ModelSpec`. The function may
have any name. Tensors are those that the module takes: torch tensors for a torch module. This file
does not import torch, so that tools that only need the names start quickly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pilotlight.recipe import Recipe, Setting

__all__ = ["LabelledData", "ModelSpec", "Recipe", "Setting", "Tied"]


@dataclass(frozen=True)
class LabelledData:
    """A held-out data set.

    inputs: one array [samples, ...]; each `inputs[i]` has the shape of the model's only input
        without its batch dimension. float32, as the FP32 model takes them.
    labels: integer array [samples], the correct class of each, or None.
    """

    inputs: Any
    labels: Any | None = None


@dataclass(frozen=True)
class Tied:
    """An output that the next inference takes as (a part of) an input, such as a cache.

    output, input: index, or name. Inputs have the names of forward's arguments; outputs are
        "output_0", "output_1", ..., or "output" if there is only one.
    axis: the output is a row: it has the input's shape, but size 1 along this axis. The app writes
        it into one slot of the input. None: the output has the input's shape, and replaces it.

    Both have the same scale and zero point, so that the loop only copies. The export proves it.
    """

    output: int | str
    input: int | str
    axis: int | None = None


@dataclass(frozen=True)
class ModelSpec:
    """A model with everything that is needed to quantise it and to check it on the device.

    name: C identifier; names the generated header and symbols.
    module: `torch.nn.Module` in eval mode with loaded weights, or a `torch.export.ExportedProgram`,
        or the result of `convert_pt2e`, whose ranges are kept.
    example_inputs: tuple of tensors, batch size 1; fixes shapes and dtypes.
    calibration: sequence of input tuples like `example_inputs`; representative of real use.
    data_set: held-out samples checked on the device; None checks the example inputs alone.
    class_labels: names of the classes in index order, empty when the model does not classify.
    npu_options: options for Vela per NPU, such as {"ethos-u55-128": {"memory_mode": "Sram_Only"}}.
    sequence: the samples of calibration and data_set follow each other in time. Buffers that
        forward changes are carried from one sample to the next. If false, each sample starts with
        the values of these buffers in `module`.
    float_io: keep float32 inputs and outputs on the device (quantised by CPU operators there).
    quantisation: a `Recipe`, or its text ("a16w8:matmul=int8"). None: int8, weights per channel. A
        model that comes quantised takes no recipe.
    tied: outputs that the next inference takes as inputs, each a `Tied`.
    depends_on: files, folders and patterns ("weights/*.bin"), relative to the model file, whose
        change causes a new export. Files that Python opens and files in the model file's folder are
        found without it.
    """

    name: str
    module: Any
    example_inputs: tuple[Any, ...]
    calibration: Sequence[tuple[Any, ...]]
    data_set: LabelledData | None = None
    class_labels: tuple[str, ...] = ()
    npu_options: dict[str, dict[str, str]] = field(default_factory=dict)
    float_io: bool = False
    sequence: bool = False
    depends_on: tuple[str, ...] = ()
    quantisation: Recipe | str | None = None
    tied: tuple[Tied, ...] = ()
