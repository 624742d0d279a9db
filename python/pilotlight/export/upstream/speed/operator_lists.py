# SPDX-License-Identifier: Apache-2.0
"""Collects PyTorch's decomposable operators once for each lowering.

`torch.export` lists them again for each of its decompositions. The list follows from the loaded
operator libraries alone, and none is loaded during a lowering.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch._export import utils


@contextmanager
def listed_once() -> Iterator[None]:
    """During the block, the operators of a namespace are collected at the first request only."""
    collect = utils._collect_all_valid_cia_ops_for_namespace

    @functools.cache
    def collected(namespace: Any) -> Any:
        return collect(namespace)

    def copied(namespace: Any) -> Any:
        return collected(namespace).copy()

    utils._collect_all_valid_cia_ops_for_namespace = copied
    try:
        yield
    finally:
        utils._collect_all_valid_cia_ops_for_namespace = collect
