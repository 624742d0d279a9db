# SPDX-License-Identifier: Apache-2.0
"""Rows of an array in a temporary file, so that a data set need not fit into memory."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RowFile:
    """An array that grows row by row. Its file disappears with it.

    >>> rows = RowFile()
    >>> rows.add(np.array([1, 2], np.int8))
    >>> rows.add(np.array([3, 4], np.int8))
    >>> np.array(rows.array())
    array([[1, 2],
           [3, 4]], dtype=int8)
    """

    def __init__(self) -> None:
        # The file is the array's memory and lives as long as it does.
        self._file = tempfile.TemporaryFile(prefix="pilotlight-rows-")  # noqa: SIM115
        self._rows = 0
        self._row: NDArray[Any] | None = None

    def add(self, row: NDArray[Any]) -> None:
        """Append a row. All rows have one shape and dtype."""
        if self._row is None:
            self._row = np.empty_like(row)
        assert (row.shape, row.dtype) == (self._row.shape, self._row.dtype)
        self._file.write(np.ascontiguousarray(row).tobytes())
        self._rows += 1

    def array(self) -> NDArray[Any]:
        """Return all rows, [rows, ...], read from the file when they are used."""
        assert self._row is not None
        self._file.flush()
        shape = (self._rows, *self._row.shape)
        if not self._row.size:
            return np.empty(shape, self._row.dtype)
        return np.memmap(self._file, self._row.dtype, "r", shape=shape)
