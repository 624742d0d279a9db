# SPDX-License-Identifier: Apache-2.0
"""The tables of a text model as the device stores them, and a checksum over them.

The build writes them into the image, and the host computes them again from the same files. Equal
checksums prove that both have the same.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.bundle import ModelInfo, TensorInfo
from pilotlight.errors import ModelError
from pilotlight.generate.text_model import TextModel

# A token's number is a u16 on the line, and 0xFFFF means "none".
MOST_TOKENS = 0xFFFF


@dataclass(frozen=True)
class InputTable:
    """The rows of one input, stored. rows: [tokens or positions, bytes of the input], uint8."""

    input: int
    by_token: bool
    rows: NDArray[np.uint8]


@dataclass(frozen=True)
class Tables:
    """All tables of a model, and the facts that the device needs."""

    inputs: tuple[InputTable, ...]
    vocabulary: tuple[bytes, ...]
    context: int
    logits: int

    @property
    def crc(self) -> int:
        """CRC-32 over everything that the image holds of the text model."""
        crc = zlib.crc32(repr((len(self.vocabulary), self.context, self.logits)).encode())
        for token in self.vocabulary:
            crc = zlib.crc32(len(token).to_bytes(2, "little") + token, crc)
        for table in self.inputs:
            crc = zlib.crc32(repr((table.input, table.by_token, table.rows.shape)).encode(), crc)
            crc = zlib.crc32(table.rows.tobytes(), crc)
        return crc

    def feed(self, token: int, position: int, info: ModelInfo) -> dict[int, NDArray[Any]]:
        """Return the inputs that are not tied, for `token` at `position`."""
        values = {}
        for table in self.inputs:
            tensor = info.inputs[table.input]
            row = table.rows[token if table.by_token else position]
            values[table.input] = tensor.from_memory(row.view(tensor.dtype))
        return values


def make_tables(text: TextModel, info: ModelInfo) -> Tables:
    """Return the stored tables of `text` for the exported model `info`.

    Raises ModelError, with the input, if the tables do not fit the model.
    """
    where = f"{info.source}: text_model()"
    if not 1 <= len(text.vocabulary) < MOST_TOKENS:
        raise ModelError(f"{where}: a vocabulary of {len(text.vocabulary)} tokens", hint=f"1 to {MOST_TOKENS - 1}")
    names = [tensor.name for tensor in info.inputs]
    given = [*text.by_token, *text.by_position]
    tied = {names[tie.input] for tie in info.ties}
    if sorted([*given, *tied]) != sorted(names):
        raise ModelError(
            f"{where} has tables for {', '.join(given)}; the model ties {', '.join(sorted(tied)) or 'nothing'}, and "
            f"its inputs are {', '.join(names)}",
            hint="each input that is not tied needs one table, in by_token or by_position",
        )
    for tie in info.ties:
        target = info.inputs[tie.input]
        slots = 0 if tie.axis is None else target.shape[tie.axis]
        if slots + 1 != text.context:
            raise ModelError(
                f"{where}: by_position has {text.context} positions, but {target.name} has {slots} slots",
                hint="one position more than slots: the newest token is not in the cache",
            )
    logits = info.outputs[text.logits] if 0 <= text.logits < len(info.outputs) else None
    if logits is None or logits.dtype != "int8" or int(np.prod(logits.shape)) != len(text.vocabulary):
        raise ModelError(
            f"{where}: output {text.logits} is "
            f"{'missing' if logits is None else f'{logits.dtype}{list(logits.shape)}'}, not int8 logits of "
            f"{len(text.vocabulary)} tokens",
            hint="name the output with the scores in TextModel.logits; quantise with outputs=int8",
        )
    tables = [
        InputTable(names.index(name), by_token, _stored(rows, count, info.inputs[names.index(name)], where))
        for by_token, group, count in (
            (True, text.by_token, len(text.vocabulary)),
            (False, text.by_position, text.context),
        )
        for name, rows in group.items()
    ]
    return Tables(
        tuple(sorted(tables, key=lambda table: table.input)), tuple(text.vocabulary), text.context, text.logits
    )


def quantised(values: NDArray[Any], tensor: TensorInfo) -> NDArray[Any]:
    """Return real values as `tensor` stores them: rounded to nearest, ties to even, and clamped.

    >>> quantised(np.array([-9.0, 0.25, 0.75]), TensorInfo("x", "int8", (3,), 0.5, 1)).tolist()
    [-17, 1, 3]
    """
    if not tensor.scale:
        return np.asarray(values).astype(tensor.dtype)
    limits = np.iinfo(tensor.dtype)
    # As the quantiser computes it: the reciprocal and the product are float32.
    scaled = np.asarray(values, np.float32) * np.float32(1.0 / tensor.scale)
    stored: NDArray[Any] = np.clip(np.rint(scaled) + tensor.zero_point, limits.min, limits.max).astype(tensor.dtype)
    return stored


def _stored(rows: NDArray[Any], count: int, tensor: TensorInfo, where: str) -> NDArray[np.uint8]:
    if len(rows) != count or int(np.prod(rows.shape[1:])) != int(np.prod(tensor.shape)):
        raise ModelError(
            f"{where}: the table of {tensor.name} is {list(rows.shape)}, not {count} rows of {list(tensor.shape)}",
            hint="one row for each token of by_token, or for each position of by_position",
        )
    if not np.isfinite(rows).all():
        raise ModelError(f"{where}: the table of {tensor.name} has values that are no finite numbers", hint="see it")
    stored = [tensor.in_memory(row).reshape(-1).view(np.uint8) for row in quantised(rows, tensor)]
    return np.stack(stored)
