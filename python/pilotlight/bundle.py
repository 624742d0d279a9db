# SPDX-License-Identifier: Apache-2.0
"""The bundle: the folder that `export` writes, and that code generation, check and simulator read.

model.pte      the program
model.json     `ModelInfo`: name, NPU, inputs and outputs with scales, labels, hash of the .pte
golden.npz     input_<i> [samples, ...]   inputs for the device: its dtype, the model's shape
               golden_<i> [samples, ...]  expected outputs: equal, or within the `Tolerance`
               quantised_<i>              outputs of quantised PyTorch, in the same dtype
               fp32_<i>                   outputs of the float model, float32
               labels [samples, ...]      the data set's labels, if they are arrays of one shape
labels.json    the labels, if they are anything else (labels.py); both are absent without labels
report.json    the export report
debug.json     operators and source lines behind the NPU's commands, see debug_info.py
export.log     what upstream libraries printed
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilotlight.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pilotlight.metrics import Metric

SCHEMA = 2
# NumPy's names of the dtypes.
_INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
ELEMENT_BYTES = {
    "bool": 1,
    **{name: int(name.strip("uint")) // 8 for name in _INTEGERS},
    **{f"float{bits}": bits // 8 for bits in (16, 32, 64)},
}
DTYPES = tuple(ELEMENT_BYTES)


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of the program as the device sees it.

    dtype: NumPy's name ("int8", "float32", ...).
    scale, zero_point: real = (stored - zero_point) * scale. Scale 0.0: the tensor is not quantised.
    dim_order: dimensions from outermost to innermost in the device's memory; (0, 2, 3, 1) is
        channels-last (NHWC). Empty: the order of the shape.

    >>> import numpy as np
    >>> image = TensorInfo("x", "int8", (1, 2, 1, 2), 1.0, 0, (0, 2, 3, 1))
    >>> image.in_memory(np.array([[[1, 2]], [[3, 4]]], np.int8)).tobytes()
    b'\\x01\\x03\\x02\\x04'
    >>> image.from_memory(np.array([1, 3, 2, 4], np.int8)).tolist()
    [[[[1, 2]], [[3, 4]]]]
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    dim_order: tuple[int, ...] = ()

    @property
    def order(self) -> tuple[int, ...]:
        """The dimension order, even if `dim_order` is empty."""
        return self.dim_order or tuple(range(len(self.shape)))

    def in_memory(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return `values` in the device's order.

        `values` have this shape, with or without the batch.
        """
        import numpy as np  # Here, because most users of this module need no arrays.

        return np.ascontiguousarray(values.reshape(self.shape).transpose(self.order))

    def from_memory(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return values in the device's order as an array of this shape."""
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        return stored.reshape([self.shape[axis] for axis in self.order]).transpose(inverse)


@dataclass(frozen=True)
class Tolerance:
    """Allowed difference from the golden output, because CPU operators may round differently.

    max_difference: limit for each value, as stored (steps of the scale, or real); 0: bit-identical.
    max_share: largest share of values, over all samples, that may differ at all.
    """

    max_difference: float
    max_share: float


EXACT = Tolerance(0.0, 0.0)


@dataclass(frozen=True)
class MetricInfo:
    """The model's metric. built_in: the metric of this name; else a function of the model file."""

    name: str
    higher_is_better: bool
    built_in: bool

    @classmethod
    def of(cls, metric: Metric) -> MetricInfo:
        from pilotlight.metrics import BUILT_IN  # Here, because most users need no metrics.

        return cls(metric.title, metric.higher_is_better, BUILT_IN.get(metric.title) == metric)


@dataclass(frozen=True)
class Tie:
    """An output that the next inference takes as an input, or as one slot of it (`ModelSpec.tied`).

    axis: the input's axis along which its slots lie; None: the output replaces the whole input.
    """

    output: int
    input: int
    axis: int | None


@dataclass(frozen=True)
class TieBlocks:
    """What a step copies in memory: `count` blocks of `bytes` bytes, contiguous in the output.

    In the input they lie `slots * bytes` apart. The first lies at the slot's number times `bytes`.
    """

    slots: int
    bytes: int
    count: int


def tie_blocks(tie: Tie, source: TensorInfo, target: TensorInfo) -> TieBlocks:
    """Return the copy that writes output `source` into one slot of input `target`.

    >>> cache = TensorInfo("k", "int8", (1, 4, 7, 8), 0.5, 0)
    >>> row = TensorInfo("output_1", "int8", (1, 4, 1, 8), 0.5, 0)
    >>> tie_blocks(Tie(1, 0, 2), row, cache)
    TieBlocks(slots=7, bytes=8, count=4)

    Raises ValueError if the shapes do not fit, or if the values are in another order in memory.
    """
    if source.dtype != target.dtype or target.dtype not in ELEMENT_BYTES:
        raise ValueError(f"one is {source.dtype}, the other {target.dtype}")
    rank = len(target.shape)
    if tie.axis is not None and not 0 <= tie.axis < rank:
        raise ValueError(f"axis {tie.axis} is none of the {rank} axes")
    wanted = tuple(1 if axis == tie.axis else size for axis, size in enumerate(target.shape))
    if source.shape != wanted:
        raise ValueError(f"the output is {list(source.shape)}, the input takes {list(wanted)}")

    def moving(order: tuple[int, ...]) -> list[int]:
        """Return the axes whose order matters."""
        return [axis for axis in order if wanted[axis] > 1]

    if moving(source.order) != moving(target.order):
        raise ValueError(f"in memory one has the order {list(source.order)}, the other {list(target.order)}")
    element = ELEMENT_BYTES[target.dtype]
    if tie.axis is None:
        return TieBlocks(1, math.prod(target.shape) * element, 1)
    place = target.order.index(tie.axis)
    inner = math.prod(target.shape[axis] for axis in target.order[place + 1 :])
    outer = math.prod(target.shape[axis] for axis in target.order[:place])
    return TieBlocks(target.shape[tie.axis], inner * element, outer)


@dataclass(frozen=True)
class ModelInfo:
    """The contents of model.json. tolerances: one per output, see `tolerance_of`."""

    name: str
    source: str
    npu: str
    system_config: str
    memory_mode: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    labels: tuple[str, ...]
    pte_sha256: str
    executorch: str = ""
    """Version of the ExecuTorch that exported the program. The runtime's version must be equal."""
    settings_sha256: str = ""
    """Hash of the export's settings: NPU, Vela's settings, input and output types, versions."""
    tolerances: tuple[Tolerance, ...] = ()
    sequence: bool = False
    """The samples are one sequence: each starts with the state after the one before.

    If false, each starts with the initial state.
    """
    warnings: tuple[str, ...] = ()
    """The export's findings about problems that ruin this program's outputs."""
    weak: tuple[str, ...] = ()
    """The export's reasons why a check can hardly fail, so that equal outputs prove little."""
    metric: MetricInfo | None = None
    ties: tuple[Tie, ...] = ()
    """Outputs that the next inference takes as inputs."""

    def tolerance_of(self, output: int) -> Tolerance:
        """Return the tolerance of an output; EXACT if the model has none."""
        return self.tolerances[output] if self.tolerances else EXACT

    def save(self, folder: Path) -> None:
        """Write model.json to `folder`."""
        text = json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2)
        (folder / "model.json").write_text(text + "\n", encoding="utf-8")


def _tensor(raw: dict[str, Any]) -> TensorInfo:
    return TensorInfo(**{**raw, "shape": tuple(raw["shape"]), "dim_order": tuple(raw.get("dim_order", ()))})


def _problem(info: ModelInfo) -> str:
    """Return the problem with the values, which may have any JSON type; "" if there is none."""
    if info.tolerances and len(info.tolerances) != len(info.outputs):
        return f"has {len(info.tolerances)} tolerances for {len(info.outputs)} outputs"
    texts = (info.name, info.source, info.npu, info.system_config, info.memory_mode, info.pte_sha256)
    if not all(isinstance(text, str) for text in (*texts, *info.labels, *info.warnings, *info.weak)):
        return "a text field is not a string"
    metric = info.metric
    if metric is not None and not (isinstance(metric.name, str) and type(metric.built_in) is bool):
        return "the metric has no name"
    for side, tensors in (("input", info.inputs), ("output", info.outputs)):
        for index, tensor in enumerate(tensors):
            if wrong := _wrong_field(tensor):
                return f"{side} {index}: {wrong} = {getattr(tensor, wrong)!r} is not possible"
    for tie in info.ties:
        if wrong := _wrong_tie(tie, info):
            return f"{tie}: {wrong}"
    tied = [tie.input for tie in info.ties]
    return "two outputs are tied to one input" if len(set(tied)) < len(tied) else ""


def _wrong_tie(tie: Tie, info: ModelInfo) -> str:
    if not all(type(number) is int for number in (tie.output, tie.input, tie.axis or 0)):
        return "a field is not a whole number"
    if not (0 <= tie.output < len(info.outputs) and 0 <= tie.input < len(info.inputs)):
        return "no such output or input"
    source, target = info.outputs[tie.output], info.inputs[tie.input]
    if (source.scale, source.zero_point) != (target.scale, target.zero_point):
        return "the output has another scale or zero point than the input"
    try:
        tie_blocks(tie, source, target)
    except ValueError as error:
        return str(error)
    return ""


def _wrong_field(tensor: TensorInfo) -> str:
    def whole(value: Any) -> bool:
        return type(value) is int

    rank = len(tensor.shape)
    right = {
        "name": isinstance(tensor.name, str),
        "dtype": tensor.dtype in DTYPES,
        "shape": all(whole(size) and 0 <= size < 2**31 for size in tensor.shape),
        "scale": isinstance(tensor.scale, float) and 0.0 <= tensor.scale < math.inf,
        "zero_point": whole(tensor.zero_point),
        "dim_order": not tensor.dim_order or sorted(tensor.dim_order) == list(range(rank)),
    }
    return next((field for field, is_right in right.items() if not is_right), "")


def expectations_sha256(folder: Path) -> str:
    """Return a hash of the data that a check compares with: samples, golden outputs, tolerances.

    Raises ConfigError if a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in ("model.json", "golden.npz", "labels.json"):
        if name == "labels.json" and not (folder / name).exists():
            continue
        try:
            digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
        except OSError as error:
            raise ConfigError(f"{folder / name}: {error.strerror}", hint="west build") from error
    return digest.hexdigest()


def load_model_info(folder: Path) -> ModelInfo:
    """Read model.json and check that it describes model.pte.

    Raises ConfigError if a file is missing, unreadable, of another schema or of another export.
    """
    path = folder / "model.json"
    hint = "export the model again: delete the folder, then run the same command"
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        digest = hashlib.sha256((folder / "model.pte").read_bytes()).hexdigest()
        if raw.pop("schema") != SCHEMA:
            raise ConfigError(f"{path}: written by another version of pilotlight", hint=hint)
        for side in ("inputs", "outputs"):
            raw[side] = tuple(_tensor(tensor) for tensor in raw[side])
        raw["labels"] = tuple(raw["labels"])
        for sentences in ("warnings", "weak"):
            raw[sentences] = tuple(raw.get(sentences, ()))
        raw["ties"] = tuple(Tie(**tie) for tie in raw.get("ties", ()))
        raw["tolerances"] = tuple(Tolerance(**tolerance) for tolerance in raw.get("tolerances", ()))
        raw["metric"] = MetricInfo(**raw["metric"]) if raw.get("metric") else None
        info = ModelInfo(**raw)
        if problem := _problem(info):
            raise ConfigError(f"{path}: {problem}", hint=hint)
    except FileNotFoundError as error:
        raise ConfigError(f"{error.filename} does not exist", hint=hint) from error
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be read: {error.strerror}", hint=hint) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a model description ({error})", hint=hint) from error
    if digest != info.pte_sha256:
        raise ConfigError(f"{folder / 'model.pte'}: not the file that model.json describes", hint=hint)
    return info
