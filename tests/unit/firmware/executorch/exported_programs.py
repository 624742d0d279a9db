# SPDX-License-Identifier: Apache-2.0
"""Exports programs with upstream's exporter: `python exported_programs.py <folder>` writes
<name>.pte files.

A process of its own, because it imports torch. There is no delegate, so every operator stays a call
whose arguments the probe prints.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from executorch.exir import ExecutorchBackendConfig, to_edge
from executorch.exir.passes import MemoryPlanningPass


class Accumulator(torch.nn.Module):
    """A mutable buffer with an initial state, constants, and a list of tensors."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(4, 4).requires_grad_(False)
        self.register_buffer("total", torch.arange(4, dtype=torch.float32))
        self.register_buffer("count", torch.zeros(1, dtype=torch.int32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(self.linear(x)[0])
        self.count.add_(1)
        return torch.cat([self.total.unsqueeze(0), x * 2, torch.ones(1, 4)], dim=0)


class Indexing(torch.nn.Module):
    """Optional tensors in a list, lists of integers, channels-last memory, two outputs."""

    def forward(self, image: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        picked = image[:, :, rows]
        last = (image + 1.5).contiguous(memory_format=torch.channels_last)
        return picked.permute(0, 2, 3, 1).reshape(2, -1), last


class Encode(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.softmax(x, dim=-1).to(torch.int8)


class Decode(torch.nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x.to(torch.float32) * y


class Dynamic(torch.nn.Module):
    """Shapes with an upper bound. The program has the sizes of these shapes as numbers, and views
    that use these numbers."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, int]:
        rows = x.shape[0]
        return x.reshape(rows * 2, 3) + x.shape[0], rows * 3 // 2


class Branches(torch.nn.Module):
    """Control flow: jumps, moves, and a number read from a tensor."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, lambda a: a + 1, lambda a: a - 1, (x,))


class BranchesOnShape(torch.nn.Module):
    """A jump on the result of a comparison. The exporter stores the integer 0 for this result."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.shape[0] > 3, lambda a: a + 1, lambda a: a - 1, (x,))


class Rounds(torch.nn.Module):
    """A loop: jumps back, and results that grow in each round."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from functorch.experimental.control_flow import map as control_flow_map

        return control_flow_map(lambda row, y: row + y, x, torch.ones(4))


def main(folder: Path) -> None:
    config = ExecutorchBackendConfig(emit_mutable_buffer_names=True)
    borrowed = ExecutorchBackendConfig(
        memory_planning_pass=MemoryPlanningPass(alloc_graph_input=False, alloc_graph_output=False)
    )
    accumulator = torch.export.export(Accumulator(), (torch.ones(2, 4),))
    indexing = torch.export.export(Indexing(), (torch.ones(1, 2, 4, 4), torch.tensor([2, 0])))
    rows = torch.export.Dim("rows", min=1, max=10)
    dynamic = torch.export.export(Dynamic(), (torch.ones(4, 6),), dynamic_shapes={"x": {0: rows}})
    on_shape = torch.export.export(BranchesOnShape(), (torch.ones(4, 6),), dynamic_shapes={"x": {0: rows}})
    two = {
        "encode": torch.export.export(Encode(), (torch.ones(3, 5),)),
        "decode": torch.export.export(Decode(), (torch.ones(3, 5, dtype=torch.int8), torch.ones(5))),
    }
    results = {
        "accumulator": to_edge(accumulator).to_executorch(config),
        "indexing": to_edge(indexing).to_executorch(),
        "indexing_in_memory_of_the_caller": to_edge(indexing).to_executorch(borrowed),
        "dynamic": to_edge(dynamic).to_executorch(),
        "dynamic_in_memory_of_the_caller": to_edge(dynamic).to_executorch(borrowed),
        "branches": to_edge(torch.export.export(Branches(), (torch.ones(2, 4),))).to_executorch(),
        "branches_on_shape": to_edge(on_shape).to_executorch(),
        "rounds": to_edge(torch.export.export(Rounds(), (torch.ones(3, 4),))).to_executorch(),
        "two_methods": to_edge(two).to_executorch(),
    }
    for name, program in results.items():
        (folder / f"{name}.pte").write_bytes(program.buffer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
