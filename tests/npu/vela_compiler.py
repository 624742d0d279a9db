# SPDX-License-Identifier: Apache-2.0
"""Vela in this process: some milliseconds per graph.

Starting Vela's command would take a second.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


class Refused(Exception):
    """Vela does not compile the graph. The message is Vela's."""


def compile_tosa(tosa: bytes, npu: str, *options: str) -> bytes:
    """Return the graph as a delegate's blob. Raises Refused."""
    from ethosu.vela import vela

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.tosa")
        path.write_bytes(tosa)
        arguments = [f"--accelerator-config={npu}", "--output-format=raw", f"--output-dir={folder}", *options]
        with captured_output() as captured:
            try:
                vela.main([*arguments, str(path)])
            except (Exception, SystemExit) as error:
                failure: BaseException | None = error
            else:
                failure = None
        result = Path(folder, "graph_vela.npz")
        if failure is not None or not result.exists():
            raise Refused(_reason(captured.text, failure))
        with np.load(result, allow_pickle=False) as arrays:
            return _blob(arrays)


def _reason(text: str, failure: BaseException | None) -> str:
    marked = [line.strip() for line in text.splitlines() if "rror" in line or "nsupported" in line]
    return " ".join(marked[:2]) or f"{failure!r}"


def _blob(arrays: Any) -> bytes:
    """Return the blocks that ExecuTorch's backend packs, in its order."""
    if "cmd_data" not in arrays:
        raise Refused("the graph compiles to no command stream")
    blocks = {
        "vela_bin_stream": b"",
        "cmd_data": arrays["cmd_data"].tobytes(),
        "weight_data": arrays["weight_data"].tobytes(),
        "scratch_size": struct.pack("<I", int(arrays["scratch_shape"][0])),
        "inputs": _places(arrays, "input"),
        "outputs": _places(arrays, "output"),
        "vela_end_stream": b"",
    }
    return b"".join(
        struct.pack("<16sIB11x", name.encode(), len(data), 0) + data + bytes(-len(data) % 16)
        for name, data in blocks.items()
    )


def _places(arrays: Any, kind: str) -> bytes:
    shapes = arrays[f"{kind}_shape"]
    numbers = [len(shapes)]
    for index, shape in enumerate(shapes):
        place = (int(arrays[f"{kind}_{name}"][index]) for name in ("elem_size", "offset", "region"))
        numbers += [*(int(size) for size in shape), *place]
    return struct.pack(f"<{len(numbers)}i", *numbers)


class Captured:
    text = ""


@contextlib.contextmanager
def captured_output() -> Iterator[Captured]:
    """Capture what Python and native code print. Nothing reaches the terminal."""
    captured, printed = Captured(), io.StringIO()
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with tempfile.TemporaryFile() as file:
        try:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                yield captured
        finally:
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)
            file.seek(0)
            captured.text = file.read().decode(errors="replace") + printed.getvalue()
