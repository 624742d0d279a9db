# SPDX-License-Identifier: Apache-2.0
"""Prevents ExecuTorch's lowering from slicing the wrong elements.

ExecuTorch moves `view` before a slice of one element, `x[:, 1].reshape(8, 4)`. ExecuTorch then
slices the dimension that the view joined from several. If the joined dimension also includes a
dimension from before the slice, the elements are not adjacent: for x of 4 x 3 x 2 x 4, it takes
rows 4 to 7 instead of rows 1, 4, 7 and 10. With a batch of one, no dimension before the slice has
several elements.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from executorch.backends.transforms.dim_maps import ViewMap


@contextmanager
def sound_slices() -> Iterator[None]:
    """During the block, a view stays after a slice of one element if moving it would be wrong."""
    remap = ViewMap.remap_unit_slice

    def remap_where_sound(self: Any, producer_shape: Sequence[Any], slice_dim: int, *interval: Any) -> Any:
        if _is_mixed(self, slice_dim):
            return None
        return remap(self, producer_shape, slice_dim, *interval)

    ViewMap.remap_unit_slice = remap_where_sound
    try:
        yield
    finally:
        ViewMap.remap_unit_slice = remap


def _is_mixed(view: Any, slice_dim: int) -> bool:
    """Whether the view joins dimensions from before and after the sliced one."""
    targets = view.source_to_target_axes()
    at = slice_dim % len(targets)
    before = {axis for axes in targets[:at] for axis in axes}
    after = {axis for axes in targets[at + 1 :] for axis in axes}
    return bool(before & after)
