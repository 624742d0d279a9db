# SPDX-License-Identifier: Apache-2.0
"""Writes model_<name>.h, .c and .S of each model. Unchanged files are not touched."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pilotlight.boards import Board
from pilotlight.bundle import ELEMENT_BYTES, ModelInfo, TensorInfo, load_model_info
from pilotlight.codegen.arenas import Arenas, plan_arenas
from pilotlight.codegen.fit import LinkedModel, check_fit
from pilotlight.codegen.state import find_state
from pilotlight.codegen.ties import described_ties
from pilotlight.errors import BadProgram, ConfigError
from pilotlight.files import write_if_changed
from pilotlight.pte import Method, Tensor, read_program

RUNTIMES = ("ours", "package")
METHOD = "forward"
MAX_RANK = 8  # PILOTLIGHT_MAX_RANK of descriptor.h

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

# NumPy's name -> enumerator of descriptor.h, C type.
_DTYPES = {
    "uint8": ("PILOTLIGHT_UINT8", "uint8_t"),
    "int8": ("PILOTLIGHT_INT8", "int8_t"),
    "int16": ("PILOTLIGHT_INT16", "int16_t"),
    "int32": ("PILOTLIGHT_INT32", "int32_t"),
    "int64": ("PILOTLIGHT_INT64", "int64_t"),
    "float32": ("PILOTLIGHT_FLOAT32", "float"),
    "bool": ("PILOTLIGHT_BOOL", "bool"),
}


@dataclass(frozen=True)
class GeneratedModel:
    """The files of one model, and the facts that the link step needs."""

    name: str
    header: Path
    source: Path
    assembly: Path
    operators: dict[str, tuple[str, ...]]  # Operator -> dtypes of its tensor arguments.
    arenas: Arenas
    shares_arena: bool
    npu: str  # "": the model has no delegate.


@dataclass(frozen=True)
class _CTensor:
    """A tensor as the templates print it."""

    name: str
    dtype: str
    c_type: str
    shape: tuple[int, ...]
    dim_order: tuple[int, ...]
    elements: int
    size_bytes: int
    scale: str
    zero_point: int

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return tuple(self.shape[axis] for axis in self.dim_order)

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each dimension, in elements."""
        place = {axis: at for at, axis in enumerate(self.dim_order)}
        return tuple(math.prod(self.stored_shape[place[axis] + 1 :]) for axis in range(len(self.shape)))


# Symbol of the memory that several models share; build/link_step.py reserves it.
SHARED_ARENA = "pilotlight_shared_arena"


def generate_models(
    bundles: Sequence[Path], board: Board, runtime: str, out: Path, *, shared_arena: bool = False
) -> tuple[GeneratedModel, ...]:
    """Write the sources for all models of an image, whose bundles are `bundles`, to `out`.

    shared_arena: let the planned buffers and temp pools of the models overlap. State is not shared.

    Raises ConfigError if a bundle is incomplete or two models have the same name; BadProgram if a
    program is malformed or differs from its description; UnsupportedOperator if it needs a backend
    that our firmware does not have; DoesNotFit if a memory region of the board is too small.
    """
    if runtime not in RUNTIMES:
        raise ConfigError(f"no runtime {runtime!r}", hint=" or ".join(RUNTIMES))
    pointer_bytes = 8 if board.cpu.core == "host" else 4
    linked: list[tuple[Path, ModelInfo, LinkedModel]] = []
    for bundle in bundles:
        info, method, pte_bytes = _load(bundle)
        if any(info.name == other.name for _, other, _ in linked):
            raise ConfigError(f"two models of the image are named {info.name}", hint="rename one in its ModelSpec")
        arenas = plan_arenas(method, runtime, pointer_bytes, info.ties)
        shares = shared_arena and not arenas.carries_over
        linked.append((bundle, info, LinkedModel(info.name, method, arenas, pte_bytes, shares)))
    check_fit(board, [model for _, _, model in linked])
    return tuple(_write(bundle, info, model, out) for bundle, info, model in linked)


def union_of_operators(models: Sequence[GeneratedModel]) -> dict[str, tuple[str, ...]]:
    """Return the CPU operators of all models, each with the dtypes that any model uses."""
    union: dict[str, set[str]] = {}
    for model in models:
        for name, dtypes in model.operators.items():
            union.setdefault(name, set()).update(dtypes)
    return {name: tuple(sorted(dtypes)) for name, dtypes in sorted(union.items())}


def _load(bundle: Path) -> tuple[ModelInfo, Method, int]:
    info = load_model_info(bundle)
    if not _IDENTIFIER.fullmatch(info.name):
        raise ConfigError(
            f"{bundle / 'model.json'}: the model's name {info.name!r} is not a C identifier",
            hint="letters, digits and underscores, beginning with a letter",
        )
    path = bundle / "model.pte"
    pte = path.read_bytes()
    program = read_program(pte)
    if METHOD not in program.methods:
        raise BadProgram(f"{path}: no method {METHOD!r}")
    method = program.methods[METHOD]
    _check_tensors("input", info.inputs, method.inputs, path)
    _check_tensors("output", info.outputs, method.outputs, path)
    return info, method, len(pte)


def _write(bundle: Path, info: ModelInfo, model: LinkedModel, out: Path) -> GeneratedModel:
    symbol = f"pilotlight_model_{info.name}"
    operators = model.method.kernel_dtypes
    npu = info.npu if model.method.delegates else ""
    values = {
        "name": info.name,
        "prefix": f"PILOTLIGHT_{info.name.upper()}",
        "symbol": symbol,
        "npu": npu,
        "inputs": [_c_tensor(tensor) for tensor in info.inputs],
        "outputs": [_c_tensor(tensor) for tensor in info.outputs],
        "labels": info.labels,
        "arenas": model.arenas,
        "state": find_state(model.method),
        "ties": described_ties(info),
        "shares_arena": model.shares_arena,
        "arena_symbol": SHARED_ARENA if model.shares_arena else f"{symbol}_arena",
        "pte_path": str((bundle / "model.pte").resolve()),
        "pte_size_bytes": model.pte_bytes,
        "system_config": info.system_config,
        "memory_mode": info.memory_mode,
        "executorch": info.executorch,
        "backends": sorted({delegate.backend for delegate in model.method.delegates}),
        "operators": operators,
        "pte_sha256_text": info.pte_sha256,
        "settings_sha256": info.settings_sha256,
        "pte_sha256": [f"0x{byte:02x}" for byte in bytes.fromhex(info.pte_sha256)],
    }
    # Only the assembler file contains a path of this machine: that of the .pte.
    files = {suffix: out / f"model_{info.name}.{suffix}" for suffix in ("h", "c", "S")}
    for suffix, path in files.items():
        write_if_changed(path, _templates().get_template(f"model.{suffix}.jinja").render(values))
    sources = (files["h"], files["c"], files["S"])
    return GeneratedModel(info.name, *sources, operators, model.arenas, model.shares_arena, npu)


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["c_string"] = _c_string
    return environment


def _check_tensors(side: str, described: tuple[TensorInfo, ...], actual: tuple[Tensor, ...], path: Path) -> None:
    """Raise BadProgram if model.json, which the user's code is compiled against, is wrong."""
    if len(described) != len(actual):
        raise BadProgram(f"{path}: {len(actual)} {side}s, but model.json describes {len(described)}")
    for index, (tensor, value) in enumerate(zip(described, actual, strict=True)):
        if (tensor.dtype, tuple(tensor.shape)) != (value.dtype, value.shape):
            raise BadProgram(
                f"{path}: {side} {index} is {value.dtype}{list(value.shape)}, "
                f"but model.json says {tensor.dtype}{list(tensor.shape)}",
                hint="export the model again",
            )
        if tensor.order != value.dim_order:
            raise BadProgram(
                f"{path}: {side} {index} lies in memory in the order {list(value.dim_order)}, "
                f"but model.json says {list(tensor.order)}",
                hint="export the model again",
            )
        if tensor.dtype not in _DTYPES or len(tensor.shape) > MAX_RANK:
            raise BadProgram(
                f"{path}: {side} {index} is {tensor.dtype}{list(tensor.shape)}, which the firmware does not support",
                hint=f"at most {MAX_RANK} dimensions, of {', '.join(_DTYPES)}",
            )
        if value.memory is None:
            raise BadProgram(
                f"{path}: the memory plan has no place for {side} {index}",
                hint="keep inputs and outputs in the memory plan (ExecuTorch's default); no output may be a constant",
            )


def _c_tensor(tensor: TensorInfo) -> _CTensor:
    enumerator, c_type = _DTYPES[tensor.dtype]
    elements = 1
    for size in tensor.shape:
        elements *= size
    return _CTensor(
        name=tensor.name,
        dtype=enumerator,
        c_type=c_type,
        shape=tuple(tensor.shape),
        dim_order=tensor.order,
        elements=elements,
        size_bytes=elements * ELEMENT_BYTES[tensor.dtype],
        scale=_c_float(tensor.scale),
        zero_point=tensor.zero_point,
    )


def _c_float(value: float) -> str:
    """Return the shortest literal that a compiler reads as the float32 nearest to `value`.

    >>> _c_float(0.018268657848238945), _c_float(0.0), _c_float(1e-7)
    ('0.018268658f', '0.0f', '1e-07f')
    """
    nearest = struct.unpack("<f", struct.pack("<f", value))[0]
    for digits in range(1, 10):
        text = f"{nearest:.{digits}g}"
        if struct.unpack("<f", struct.pack("<f", float(text)))[0] == nearest:
            break
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _c_string(text: str) -> str:
    r"""Return `text` as a C string literal, with octal escapes for bytes outside printable ASCII.

    >>> print(_c_string('say "five"?'), _c_string("\u00e9"))
    "say \"five\"\?" "\303\251"
    """
    escaped = ""
    for byte in text.encode("utf-8"):
        character = chr(byte)
        # Question marks are escaped because two of them begin a trigraph.
        if character in '"\\?':
            escaped += "\\" + character
        else:
            escaped += character if 32 <= byte < 127 else f"\\{byte:03o}"
    return f'"{escaped}"'
