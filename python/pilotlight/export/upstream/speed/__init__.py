# SPDX-License-Identifier: Apache-2.0
"""Makes ExecuTorch's lowering faster, with the same program as result.

Each module here replaces one costly function of the upstream libraries during a block. See
"Speed" in ../../DESIGN.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pilotlight.export.upstream.speed.garbage import rare_collections
from pilotlight.export.upstream.speed.lazy_code import code_on_demand
from pilotlight.export.upstream.speed.operator_lists import listed_once
from pilotlight.export.upstream.speed.provenance import shared_provenance
from pilotlight.export.upstream.speed.replay import remembered_values

__all__ = ["quick_lowering"]


@contextmanager
def quick_lowering() -> Iterator[None]:
    """During the block, ExecuTorch lowers a program in less time. The result is the same."""
    with ExitStack() as stack:
        for speedup in (rare_collections, code_on_demand, listed_once, shared_provenance, remembered_values):
            stack.enter_context(speedup())
        yield
