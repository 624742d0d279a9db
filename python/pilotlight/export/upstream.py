# SPDX-License-Identifier: Apache-2.0
"""PyTorch and ExecuTorch as an export needs them: imported when it starts, and kept to one thread."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from pilotlight.errors import ToolMissing
from pilotlight.paths import HOW_TO_SET_UP


@cache
def import_upstream() -> None:
    """Load what takes seconds, and prints: not when this module is imported, and into the log.

    The import makes some 500,000 objects that stay. The garbage collector looks for no garbage among them, neither
    now nor later, which saves a fifth of a small export's processor time. Only the first call in a process does it.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        from pilotlight.export import golden, lower, quantise  # noqa: F401
    except ModuleNotFoundError as error:
        raise ToolMissing(f"the Python package {error.name!r} is not installed", hint=HOW_TO_SET_UP) from error
    finally:
        gc.freeze()
        if collects:
            gc.enable()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep PyTorch to one thread: on a busy machine its thread pool makes small models forty times slower."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
