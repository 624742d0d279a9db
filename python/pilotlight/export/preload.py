# SPDX-License-Identifier: Apache-2.0
"""Imports PyTorch and ExecuTorch when an export starts, and limits PyTorch to one thread."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from pilotlight.errors import ToolMissing
from pilotlight.paths import HOW_TO_SET_UP


@cache
def import_upstream() -> None:
    """Import the upstream libraries. The imports take seconds and print text; the caller redirects
    the output.

    The import makes about 500,000 objects that stay in memory. Freezing hides them from the garbage
    collector, which saves a fifth of a small export's processor time. Only the first call in a
    process does anything. Raises ToolMissing if a package is missing.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        from pilotlight.export.golden import golden  # noqa: F401
        from pilotlight.export.lowering import emit, lower  # noqa: F401
        from pilotlight.export.quantising import quantise  # noqa: F401
    except ModuleNotFoundError as error:
        raise ToolMissing(f"the Python package {error.name!r} is not installed", hint=HOW_TO_SET_UP) from error
    finally:
        gc.freeze()
        if collects:
            gc.enable()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit PyTorch to one thread. On a busy machine, PyTorch's thread pool makes small models
    slow."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
