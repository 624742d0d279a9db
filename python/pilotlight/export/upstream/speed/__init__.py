# SPDX-License-Identifier: Apache-2.0
"""Makes quantising and lowering faster, with the same program as result.

Each module here replaces one costly function of the upstream libraries during a block. See
"Speed" in ../../DESIGN.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pilotlight.export.upstream.speed.garbage import rare_collections
from pilotlight.export.upstream.speed.histogram_search import quick_histogram_search
from pilotlight.export.upstream.speed.lazy_code import code_on_demand
from pilotlight.export.upstream.speed.operator_lists import listed_once
from pilotlight.export.upstream.speed.provenance import shared_provenance
from pilotlight.export.upstream.speed.replay import remembered_values

__all__ = ["quick_upstream"]


@contextmanager
def quick_upstream() -> Iterator[None]:
    """During the block, upstream quantises, lowers and emits in less time.

    The results are the same.
    """
    with (
        rare_collections(),
        code_on_demand(),
        listed_once(),
        shared_provenance(),
        remembered_values(),
        quick_histogram_search(),
    ):
        yield
