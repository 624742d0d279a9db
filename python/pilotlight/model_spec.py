# SPDX-License-Identifier: Apache-2.0
"""The description that a model file returns. See python/models/ for examples.

A model file defines one function without arguments that returns a `ModelSpec`. The function may
have any name. Tensors are those that the module takes: torch tensors for a torch module. This file
does not import torch, so that tools that only need the names start quickly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pilotlight.metrics import Metric
from pilotlight.recipe import Recipe, Setting

__all__ = ["LabelledData", "Metric", "ModelSpec", "Recipe", "Setting", "Tied"]


@dataclass(frozen=True)
class LabelledData:
    """A held-out data set, with its labels apart from its inputs.

    inputs: samples in any form that `ModelSpec.calibration` takes: an array [samples, ...], a tuple
        or a dict of such arrays for several inputs, a list, a data loader, or a function that
        yields. As the FP32 model takes them.
    labels: the right answer of each sample, or None. Integers are classes. A metric may take other
        labels: texts, arrays, lists of boxes.
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
    calibration: samples that are representative of real use. A sample is a tensor, a tuple of
        tensors, or a dict by the names of forward's parameters, with or without batch dimension;
        several samples may come as one batch. The source is an array, a list, a tuple or dict of
        arrays, a `torch.utils.data` data set or loader, or a function that yields samples, which
        need not fit into memory. Labels, as in `(inputs, label)`, are left out.
    data_set: held-out samples checked on the device, as `LabelledData`, or as a source of
        `(inputs, label)` or of inputs alone; None checks the example inputs alone.
    metric: the figure for the outputs, given the labels: a name ("top-1", "top-5", "AUC", "mIoU",
        "mAP@0.5", "word error rate", "perplexity", "RMSE", "correlation"), a function of
        `(outputs, labels)`, or a `Metric`. None: top-1 if the labels are classes, else nothing.
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
    calibration: Any
    data_set: Any | None = None
    class_labels: tuple[str, ...] = ()
    npu_options: dict[str, dict[str, str]] = field(default_factory=dict)
    float_io: bool = False
    sequence: bool = False
    depends_on: tuple[str, ...] = ()
    quantisation: Recipe | str | None = None
    metric: str | Callable[[Any, Any], float] | Metric | None = None
    tied: tuple[Tied, ...] = ()
