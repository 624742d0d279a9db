# SPDX-License-Identifier: Apache-2.0
"""Looks for unreachable objects less often.

A lowering makes many objects and keeps most of them. Python's collector then searches ever more
live objects in vain.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New objects, less freed ones, between two collections; Python's own number is 700 or 2,000.
_OBJECTS = 100_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """During the block, the collector runs after 100,000 new objects."""
    thresholds = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
