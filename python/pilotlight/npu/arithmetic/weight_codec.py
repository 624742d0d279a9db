# SPDX-License-Identifier: Apache-2.0
"""Decodes weight streams with Vela's codec in another process.

The codec calls exit() on a damaged stream, which would also end the simulator. So the codec runs in
a worker process (mlw_worker.py). The worker starts at the first use and is restarted if it ended.
The worker ends when its standard input closes, which also happens if this process is killed.
"""

from __future__ import annotations

import select
import struct
import subprocess
import sys
import threading
import weakref
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from pilotlight.deadline import Deadline
from pilotlight.npu.stream.faults import BadWeights

_WORKER = Path(__file__).with_name("mlw_worker.py")
# Decoding takes some 16 ns a weight; the largest streams hold a few million.
_DEADLINE_S = 60.0


class WeightCodec:
    """A worker process. Threads may share it; see `shared_codec`."""

    def __init__(self) -> None:
        self._worker: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def decode(self, stream: bytes) -> NDArray[np.int16]:
        """Return the weights in stream order. Raises BadWeights if the stream does not decode."""
        if not stream:
            return np.empty(0, np.int16)
        with self._lock:
            try:
                return self._ask(stream)
            except (OSError, EOFError, TimeoutError) as error:
                self._stop()
                raise BadWeights(f"a weight stream of {len(stream)} bytes does not decode") from error

    def _ask(self, stream: bytes) -> NDArray[np.int16]:
        if self._worker is None or self._worker.poll() is not None:
            self._worker = subprocess.Popen(
                [sys.executable, str(_WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
            weakref.finalize(self, _end, self._worker)
        worker = self._worker
        assert worker.stdin is not None and worker.stdout is not None
        deadline = Deadline(_DEADLINE_S)
        worker.stdin.write(struct.pack("<I", len(stream)))
        worker.stdin.write(stream)
        (count,) = struct.unpack("<I", _read(worker.stdout, 4, deadline))
        return np.frombuffer(_read(worker.stdout, 2 * count, deadline), np.int16)

    def _stop(self) -> None:
        if self._worker is not None:
            _end(self._worker)
            self._worker = None


@cache
def shared_codec() -> WeightCodec:
    """Return the default codec of this process."""
    return WeightCodec()


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.communicate()


def _read(pipe: IO[bytes], size_bytes: int, deadline: Deadline) -> bytes:
    data = bytearray()
    while len(data) < size_bytes:
        ready, _, _ = select.select([pipe], [], [], deadline.remaining)
        if not ready:
            if deadline.passed:
                raise TimeoutError("the weight decoder does not answer")
            continue
        piece = pipe.read(size_bytes - len(data))
        if not piece:
            raise EOFError("the weight decoder ended")
        data += piece
    return bytes(data)
