# SPDX-License-Identifier: Apache-2.0
"""Shares the records of where a node came from.

PyTorch keeps, for each node, the chain of nodes that it was made from in all passes before. Each
pass copies the whole chain for each node: a quarter of the time of lowering a transformer layer.
Nobody changes a record after it was made, so a copy can be the record itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.fx.traceback import NodeSource


@contextmanager
def shared_provenance() -> Iterator[None]:
    """During the block, `copy.deepcopy` of a NodeSource returns the same NodeSource."""

    def itself(source: Any, memo: Any) -> Any:
        del memo
        return source

    NodeSource.__deepcopy__ = itself
    try:
        yield
    finally:
        del NodeSource.__deepcopy__
