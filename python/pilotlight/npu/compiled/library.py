# SPDX-License-Identifier: Apache-2.0
"""Compiles loops.c when it is first needed, and keeps the library for other processes.

The library's file is named after everything that it depends on, and after its own content. So a
file of another version, compiler or processor is not found, and a damaged file is compiled again.

    PILOTLIGHT_COMPILED_LOOPS   folder of the files, or "off" (default: pilotlight/loops in
                                XDG_CACHE_HOME, ~/.cache when that is unset)
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from pilotlight.user_cache import compiled_loops

SOURCE = Path(__file__).with_name("loops.c")
# No contraction: a fused multiply-add rounds once where NumPy rounds twice. The other two options
# let the compiler vectorise floor() and the clip.
_OPTIONS = ("-O3", "-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC")
_NATIVE = {"x86_64": "-march=native", "aarch64": "-mcpu=native"}
_LIMIT_S = 60
# Old files are removed when there are more than these.
_MOST_FILES = 16
_DIGITS = 16


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled loops. None without a compiler, or if they are switched off."""
    folder, compiler = compiled_loops(), shutil.which(os.environ.get("CC") or "cc")
    if folder is None or compiler is None:
        return None
    # Whatever happens here, NumPy computes the same.
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return _load(folder, _key(compiler), compiler)
    return None


def _key(compiler: str) -> str:
    """Return a hash of everything that the library's code depends on."""
    found = Path(compiler).resolve().stat()
    parts = [compiler, str(found.st_size), str(found.st_mtime_ns), *_options(), platform.machine(), _processor()]
    return hashlib.sha256("\n".join(parts).encode() + SOURCE.read_bytes()).hexdigest()[:_DIGITS]


def _options() -> tuple[str, ...]:
    native = _NATIVE.get(platform.machine())
    return _OPTIONS if native is None else (*_OPTIONS, native)


def _processor() -> str:
    """Return what the processor can do, because a home folder may belong to several machines."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return platform.processor()


def _load(folder: Path, key: str, compiler: str) -> ctypes.CDLL:
    for path in folder.glob(f"{key}-*.so"):
        if path.name == _name(key, path.read_bytes()):
            return ctypes.CDLL(str(path))
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".so")
    os.close(descriptor)
    try:
        command = [compiler, *_options(), "-o", temporary, str(SOURCE), "-lm"]
        subprocess.run(command, check=True, capture_output=True, timeout=_LIMIT_S, stdin=subprocess.DEVNULL)
        path = folder / _name(key, Path(temporary).read_bytes())
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    _remove_oldest(folder)
    return ctypes.CDLL(str(path))


def _name(key: str, content: bytes) -> str:
    return f"{key}-{hashlib.sha256(content).hexdigest()[:_DIGITS]}.so"


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.so"), key=lambda path: path.stat().st_mtime_ns)
    for path in files[:-_MOST_FILES]:
        path.unlink(missing_ok=True)
