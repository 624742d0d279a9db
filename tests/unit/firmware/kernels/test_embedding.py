# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from cases import ANY, tensor
from kernel_check import Check
from kernel_library import Output

EMBEDDING = "aten::embedding.out"


@pytest.mark.parametrize("dtype", ANY, ids=str)
def test_rows_of_a_table(check: Check, dtype: torch.dtype) -> None:
    table = tensor((7, 5), dtype)
    for indices in (torch.tensor([3, 0, 6, 3]), torch.tensor(2), torch.zeros(2, 0, dtype=torch.int64)):
        for index_dtype in (torch.int64, torch.int32):
            check(EMBEDDING, table, indices.to(index_dtype))
    check(EMBEDDING, table, torch.tensor([[1, 2], [6, 0]]), 0)
    check(EMBEDDING, tensor((4, 0), dtype), torch.tensor([1]))


def test_indices_outside_of_the_table_are_refused(check: Check) -> None:
    table, out = torch.ones(7, 5), [Output((2, 5), torch.float32)]
    for indices in ([0, 7], [-1, 0], [1 << 40, 0]):
        check.refuses(EMBEDDING, table, torch.tensor(indices), outputs=out)
    check.refuses(EMBEDDING, table, torch.tensor([0, 1], dtype=torch.int8), outputs=out)
    check.refuses(EMBEDDING, table.double(), torch.tensor([0, 1]), outputs=out)
    check.refuses(EMBEDDING, table[0], torch.tensor([0, 1]), outputs=[Output((2,), torch.float32)])
    check.refuses_outputs(EMBEDDING, table, torch.tensor([0, 1, 2]), outputs=out)
