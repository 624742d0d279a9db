# SPDX-License-Identifier: Apache-2.0
"""Programs for the instruction counts: `python tests/bench/programs.py OUT`.

Each kind exists with COUNT and with twice COUNT calls in one method. The difference of the two
measurements is then the cost of the calls alone.

    kernels-N.pte    N calls of aten::neg.out, each on the result of the one before
    delegates-N.pte  N calls of a delegate of BenchBackend, with one input and one output
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from executorch.exir import to_edge
from executorch.exir.backend.backend_api import to_backend
from executorch.exir.backend.backend_details import BackendDetails, PreprocessResult
from torch import nn

COUNT = 16
NAMES = tuple(f"{kind}-{count}" for kind in ("kernels", "delegates") for count in (COUNT, 2 * COUNT))

_EXAMPLE = (torch.zeros(4),)


class BenchBackend(BackendDetails):  # type: ignore[misc]
    """Compiles nothing. The firmware's backend of this name does nothing either."""

    @staticmethod
    def preprocess(edge_program: Any, compile_specs: Any) -> Any:
        return PreprocessResult(processed_bytes=b"nothing")


class _Negate(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.neg(x)


class _Chain(nn.Module):
    def __init__(self, link: nn.Module, count: int) -> None:
        super().__init__()
        self.link, self.count = link, count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.count):
            x = self.link(x)
        return x


def _program(module: nn.Module) -> bytes:
    return bytes(to_edge(torch.export.export(module, _EXAMPLE)).to_executorch().buffer)


def write_programs(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    delegate = to_backend(
        BenchBackend.__name__, to_edge(torch.export.export(_Negate(), _EXAMPLE)).exported_program(), []
    )
    for count in (COUNT, 2 * COUNT):
        (folder / f"kernels-{count}.pte").write_bytes(_program(_Chain(_Negate(), count)))
        (folder / f"delegates-{count}.pte").write_bytes(_program(_Chain(delegate, count)))


if __name__ == "__main__":
    write_programs(Path(sys.argv[1]))
