# SPDX-License-Identifier: Apache-2.0
"""Prevents ExecuTorch's lowering from moving a permutation onto the wrong operand.

ExecuTorch moves a permutation before an elementwise operator of which only one operand has
dimensions to permute. The other is a scalar, as in `0.25 - x`. ExecuTorch always puts the
permutation before the first operand. Before a scalar, a permutation has no effect, so the
permutation is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from executorch.backends.transforms.fuse_identical_input_transforms_pass import FuseIdenticalInputTransformsPass
from executorch.backends.transforms.propagate_view_copy_permute_pass import PropagateViewCopyPermuteUpPass


@contextmanager
def sound_permutes() -> Iterator[None]:
    """During the block, a permutation stays after an operator whose first operand is a scalar."""
    can_move = PropagateViewCopyPermuteUpPass._can_move_through_elementwise

    def can_move_where_sound(self: Any, moving: Any, frontier: Any, crossed: Any) -> bool:
        return not _first_is_scalar(crossed) and bool(can_move(self, moving, frontier, crossed))

    PropagateViewCopyPermuteUpPass._can_move_through_elementwise = can_move_where_sound
    try:
        yield
    finally:
        PropagateViewCopyPermuteUpPass._can_move_through_elementwise = can_move


def _first_is_scalar(operator: Any) -> bool:
    """Whether the first of several operands has no dimensions that a permutation could swap."""
    operands = operator.all_input_nodes
    if len(operands) < 2:
        return False
    rank = len(operator.meta["val"].shape)
    return bool(FuseIdenticalInputTransformsPass.is_layout_invariant(operands[0], rank))
