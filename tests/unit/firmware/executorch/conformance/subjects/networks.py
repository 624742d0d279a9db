# SPDX-License-Identifier: Apache-2.0
"""The layers that networks consist of, one family per method."""

from __future__ import annotations

import executorch.kernels.quantized  # noqa: F401  (out variants of quantise and dequantise)
import torch
from executorch.exir import ExecutorchProgramManager
from torch import nn

from .authoring import method, program

IMAGE = torch.rand(1, 2, 6, 6)
TOKENS = torch.tensor([[1, 0, 3]])


def _seeded(layer: nn.Module) -> nn.Module:
    torch.manual_seed(2)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -0.5, 0.5)
    return layer


def convolutions() -> ExecutorchProgramManager:
    return program(
        {
            "plain": method(_seeded(nn.Conv2d(2, 3, 3)), IMAGE),
            "strided": method(_seeded(nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2)), IMAGE),
            "dilated": method(_seeded(nn.Conv2d(2, 2, 3, dilation=2, bias=False)), IMAGE),
            "one_dimension": method(_seeded(nn.Conv1d(2, 3, 3)), torch.rand(1, 2, 7)),
            "transposed": method(_seeded(nn.ConvTranspose2d(2, 2, 3, stride=2)), IMAGE),
        }
    )


def pooling() -> ExecutorchProgramManager:
    return program(
        {
            "maximum": method(nn.MaxPool2d(2), IMAGE),
            "average": method(nn.AvgPool2d(3, stride=2, padding=1), IMAGE),
            "adaptive": method(nn.AdaptiveAvgPool2d(1), IMAGE),
        }
    )


def products() -> ExecutorchProgramManager:
    return program(
        {
            "linear": method(_seeded(nn.Linear(5, 3)), torch.rand(2, 5)),
            "matmul": method(torch.matmul, torch.rand(2, 3), torch.rand(3, 4)),
            "bmm": method(torch.bmm, torch.rand(2, 3, 4), torch.rand(2, 4, 2)),
            "addmm": method(torch.addmm, torch.rand(4), torch.rand(2, 3), torch.rand(3, 4)),
        }
    )


def reductions() -> ExecutorchProgramManager:
    x = torch.rand(2, 3, 4)
    return program(
        {
            "mean": method(lambda x: (x.mean(-1), x.mean((0, 2), keepdim=True)), x),
            "sum": method(lambda x: (x.sum(1), x.sum()), x),
            "extremes": method(lambda x: (x.amax(-1), x.amin((0, 1)), *torch.max(x, 1), *torch.min(x, 2)), x),
            "argmax": method(lambda x: (x.argmax(-1), x.argmin(0)), x),
        }
    )


def normalisation() -> ExecutorchProgramManager:
    x = torch.rand(2, 3, 4)
    return program(
        {
            "softmax": method(lambda x: (x.softmax(-1), x.log_softmax(1)), x),
            "layer_norm": method(_seeded(nn.LayerNorm(4)), x),
            "batch_norm": method(_seeded(nn.BatchNorm2d(2)), IMAGE),
        }
    )


def lookups() -> ExecutorchProgramManager:
    return program(
        {
            "embedding": method(_seeded(nn.Embedding(5, 4)), TOKENS),
            "gather": method(lambda x, i: x.gather(1, i), torch.rand(2, 5), torch.tensor([[0, 1], [2, 3]])),
        }
    )


def layout() -> ExecutorchProgramManager:
    x = torch.rand(2, 3, 4)
    return program(
        {
            "views": method(lambda x: (x.view(6, 4) * 2, x.reshape(-1), x.flatten(1)), x),
            "permute": method(lambda x: (x.permute(2, 0, 1), x.transpose(0, 2)), x),
            "slice": method(lambda x: (x[:, 1:], x[:, ::2, -2:], x.select(1, -1)), x),
            "join": method(lambda x: (torch.cat([x, x * 2], -1), torch.stack([x, x + 1], 1)), x),
            "split": method(lambda x: tuple(part + 1 for part in x.split([1, 3], 2)), x),
            "squeeze": method(lambda x: (x.unsqueeze(0) * 2, x[:1].squeeze(0) * 2), x),
            "expand": method(lambda x: (x[:, :1].expand(2, 5, 4) + 0, x.repeat(1, 2, 1)), x),
            "pad": method(lambda x: nn.functional.pad(x, (1, 2, 0, 1), value=0.5), x),
            "clone": method(lambda x: (x.clone(), x.to(torch.float64)), x),
        }
    )


def quantisation() -> ExecutorchProgramManager:
    def there_and_back(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        quantised = torch.ops.quantized_decomposed.quantize_per_tensor(x, 0.02, 3, -128, 127, torch.int8)
        return quantised, torch.ops.quantized_decomposed.dequantize_per_tensor(
            quantised, 0.02, 3, -128, 127, torch.int8
        )

    return program(method(there_and_back, torch.rand(3, 5)))


CASES = (
    convolutions,
    pooling,
    products,
    reductions,
    normalisation,
    lookups,
    layout,
    quantisation,
)
