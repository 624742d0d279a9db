# SPDX-License-Identifier: Apache-2.0
"""Keeps decoded weights on disk, so that the next process need not decode them again.

Each file has the weights of one operation, in a folder that all processes of a user share. The
name of a file is a hash of the weight streams, of the numbers that order them, and of the decoder's
sources. So another version finds no file of this one. Each file has a checksum of its content. A
file that is missing or damaged counts as none, and a file that cannot be written is left out.

    PILOTLIGHT_WEIGHT_CACHE   folder of the files, or "off" (default: pilotlight/weights in
                              XDG_CACHE_HOME, ~/.cache when that is unset)
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.weight_matrix import Weights

# The files together take at most this. Those that were not used for the longest time go first.
MOST_BYTES = 512 << 20
_SOURCES = (
    "weights.py",
    "weight_matrix.py",
    "weight_order.py",
    "weight_order_u85.py",
    "weight_codec.py",
    "weight_codec_fast.py",
    "weight_store.py",
    "mlw_worker.py",
)
_CHECKSUM_BYTES = 32
# Rows, columns, bytes of a weight, largest sum. The sums of the columns and the weights follow.
_HEAD = struct.Struct("<IIIxxxxQ")
_SUM = np.dtype("<f8")
_INTEGERS: dict[int, np.dtype[Any]] = {1: np.dtype(np.int8), 2: np.dtype("<i2")}


class WeightStore:
    """The files of one folder. Several threads and processes may use it at once."""

    def __init__(self, folder: Path | None, most_bytes: int = MOST_BYTES) -> None:
        """folder: None keeps nothing."""
        self._folder, self._most_bytes = folder, most_bytes
        # The folder is searched for files to remove after this many bytes, and after the first
        # file: most processes write little, and there may be many.
        self._search_after_bytes = most_bytes // 16
        self._written_bytes = self._search_after_bytes

    def key(self, streams: Iterable[bytes], geometry: object) -> str:
        """Return the file name for the weights of `streams`. geometry: has a complete repr()."""
        digest = hashlib.sha256(_decoder().encode())
        for stream in streams:
            digest.update(struct.pack("<Q", len(stream)))
            digest.update(stream)
        digest.update(repr(geometry).encode())
        return digest.hexdigest()

    def load(self, key: str) -> Weights | None:
        """Return the weights with this key, None if there is no whole file of them."""
        if self._folder is None:
            return None
        path = self._folder / key
        try:
            data = path.read_bytes()
        except OSError:
            return None
        content = memoryview(data)[_CHECKSUM_BYTES:]
        if hashlib.sha256(content).digest() != data[:_CHECKSUM_BYTES]:
            return None
        rows, columns, size, largest_sum = _HEAD.unpack_from(content)
        with contextlib.suppress(OSError):
            os.utime(path)  # The time of its last use.
        at = _CHECKSUM_BYTES + _HEAD.size
        sums = np.frombuffer(data, _SUM, columns, at)
        integers: NDArray[Any] = np.frombuffer(data, _INTEGERS[size], offset=at + sums.nbytes)
        return Weights(integers.reshape(rows, columns).astype(np.float32), sums, largest_sum)

    def save(self, key: str, weights: Weights) -> None:
        """Keep weights from -32768 to 32767. Does nothing if that is impossible."""
        if self._folder is None:
            return
        integers = weights.matrix.astype(np.int16)
        small = integers.astype(np.int8)
        kept: NDArray[Any] = small if np.array_equal(small, integers) else integers.astype("<i2")
        head = _HEAD.pack(*integers.shape, kept.itemsize, weights.largest_sum)
        content = head + weights.sums.astype(_SUM).tobytes() + kept.tobytes()
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._folder / key, hashlib.sha256(content).digest() + content)
            self._written_bytes += len(content)
            if self._written_bytes >= self._search_after_bytes:
                self._written_bytes = 0
                self._remove_oldest()

    def _write(self, path: Path, data: bytes) -> None:
        """Write the file as a whole or not at all."""
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _remove_oldest(self) -> None:
        """Remove files until all together are within the limit."""
        assert self._folder is not None
        with os.scandir(self._folder) as entries:
            found = sorted((entry.stat().st_mtime_ns, entry.stat().st_size, entry.path) for entry in entries)
        excess = sum(size for _, size, _ in found) - self._most_bytes
        for _, size, path in found:
            if excess <= 0:
                break
            Path(path).unlink(missing_ok=True)
            excess -= size


@cache
def _decoder() -> str:
    """Return a hash of everything that turns a stream into weights."""
    digest = hashlib.sha256(version("ethos-u-vela").encode())
    for name in _SOURCES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()
