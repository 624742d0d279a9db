# SPDX-License-Identifier: Apache-2.0
"""CPU operators of a program on the host compute what PyTorch and the wheel's runtime compute.

The programs are upstream's exports without a delegate. Neither reference knows the simulator.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pilotlight.cli import run_command
from pilotlight.errors import ConfigError, UnsupportedOperator
from pilotlight.npu import Simulator, primitives, simulate_command


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(16, 4, batch_first=True)
        self.norm = nn.LayerNorm(16)

    def forward(self, x: Any) -> Any:
        return self.norm(x + self.layer(x, x, x, need_weights=False)[0])


class Several(nn.Module):
    """Uses lists of tensors, several results, integers and booleans."""

    def forward(self, x: Any) -> Any:
        a, b = torch.split(x, [2, 3], 1)
        values, places = torch.topk(b, 2, dim=1)
        return torch.cat([a, values], 1), places, (x > 0).any(1), torch.stack([x, x + 1]).sum((0, 2), keepdim=True)


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 6)
        self.cell = nn.LSTM(6, 5, batch_first=True)

    def forward(self, words: Any) -> Any:
        return self.cell(self.table(words))[0]


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Any) -> Any:
        return self.pool(self.conv(x.to(memory_format=torch.channels_last))).flatten(1)


class Branches(nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.cond(x.sum() > 0, lambda x: x * 2.0, lambda x: x - 1.0, [x])


class Views(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.view(3, 4).transpose(0, 1).reshape(2, 6)[:, 1:5].unsqueeze(0) * 2


class Half(nn.Module):
    def forward(self, x: Any) -> Any:
        return torch.softmax(x.to(torch.float16), -1).to(torch.float32), x.to(torch.int32), torch.full_like(x, 2.5)


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x: Any) -> Any:
        self.total.add_(x)
        return self.total * 1.0


PROGRAMS: dict[str, tuple[nn.Module, Any]] = {
    "attention": (Attention(), torch.randn(1, 5, 16)),
    "several": (Several(), torch.randn(2, 5)),
    "words": (Words(), torch.randint(0, 10, (1, 7))),
    "channels-last": (ChannelsLast(), torch.randn(1, 3, 8, 8)),
    "branches": (Branches(), torch.tensor([1.0, 2.0])),
    "other-branch": (Branches(), torch.tensor([1.0, -2.0])),
    "views": (Views(), torch.randn(12)),
    "half": (Half(), torch.randn(2, 6) * 5),
}


def program(module: nn.Module, example: Any) -> bytes:
    from executorch.exir import to_edge

    exported = torch.export.export(module.eval(), (example,), strict=False)
    return bytes(to_edge(exported).to_executorch().buffer)


def flat(values: Any) -> list[Any]:
    found = values if isinstance(values, list | tuple) else [values]
    return [value.detach().numpy() for value in found]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_on_the_cpu_computes_what_pytorch_and_the_wheel_s_runtime_do(name: str) -> None:
    from executorch.extension.pybindings.portable_lib import _load_for_executorch_from_buffer

    module, example = PROGRAMS[name]
    pte = program(module, example)
    simulator = Simulator(pte)
    assert simulator.cpu_kernels == f"PyTorch {torch.__version__}"
    with torch.no_grad():
        expected = flat(module(example))
    wheel = flat(_load_for_executorch_from_buffer(pte).forward([example]))
    for _ in range(2):
        result = simulator.run([example.numpy()])
        assert [output.shape for output in result.outputs] == [value.shape for value in expected]
        for output, value, other in zip(result.outputs, expected, wheel, strict=True):
            np.testing.assert_allclose(output, value, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(output, other, rtol=1e-3 if name == "half" else 1e-5, atol=1e-5)


def test_state_is_carried_only_when_asked_for() -> None:
    simulator = Simulator(program(Counts(), torch.ones(3)))
    step = np.array([1.0, 2.0, 3.0], np.float32)

    def total(*, continues: bool) -> list[float]:
        return list(simulator.run([step], continues=continues).outputs[0])

    assert total(continues=False) == [1, 2, 3]
    assert total(continues=True) == [2, 4, 6]
    assert total(continues=True) == [3, 6, 9]
    assert total(continues=False) == [1, 2, 3]


def simulate(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    simulate_command.add_parser(parser.add_subparsers(required=True))
    return run_command(parser.parse_args(["simulate", *map(str, arguments)]))


def test_a_sequence_on_the_command_line_carries_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.pte").write_bytes(program(Counts(), torch.ones(3)))
    np.save(tmp_path / "x.npy", np.ones((4, 3), np.float32))
    files = ("--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy")
    assert simulate(tmp_path / "m.pte", *files, "--sequence", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["inferences"] == 4 and said["delegates"] == 0
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy")[:, 0], [1, 2, 3, 4])

    assert simulate(tmp_path / "m.pte", *files) == ConfigError.exit_code
    assert "takes float32[3]" in capsys.readouterr().err
    np.save(tmp_path / "x.npy", np.float32(1))
    assert simulate(tmp_path / "m.pte", *files, "--sequence") == ConfigError.exit_code
    assert "counts inferences" in capsys.readouterr().err
    assert simulate(tmp_path / "m.pte", "--sequence") == ConfigError.exit_code
    assert "without an input" in capsys.readouterr().err


def test_the_output_says_whose_kernels_played_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.pte").write_bytes(program(Views(), torch.randn(12)))
    np.save(tmp_path / "x.npy", np.ones(12, np.float32))
    assert simulate(tmp_path / "m.pte", "--input", tmp_path / "x.npy") == 0
    said = capsys.readouterr().out
    assert f"by PyTorch {torch.__version__}" in said and "mul" in said
    assert "as the golden outputs are computed" in said


def test_an_operator_that_pytorch_does_not_have_is_named() -> None:
    pte = program(Half(), torch.randn(2, 6))
    assert pte.count(b"aten::_softmax\0") == 1
    with pytest.raises(UnsupportedOperator, match=r"no CPU operator aten::_softmay\.out"):
        Simulator(pte.replace(b"aten::_softmax\0", b"aten::_softmay\0"))


@pytest.mark.parametrize("name", ["aten::from_file.out", "load_library::__call__", "aten::__class__", "nobody::x.out"])
def test_what_is_no_kernel_is_no_operator(name: str) -> None:
    from pilotlight.npu.cpu_pytorch import PyTorchOperator

    with pytest.raises(UnsupportedOperator, match="no CPU operator"):
        PyTorchOperator(name)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("executorch_prim::floordiv.Scalar", (-7, 2), -4),
        ("executorch_prim::floordiv.int", (-7, 2), -3),
        ("executorch_prim::mod.int", (-7, 2), -1),
        ("executorch_prim::truediv.Scalar", (7, 2), 3.5),
        ("executorch_prim::round.Scalar", (2.5,), 2),
        ("executorch_prim::sym_ite.Scalar", (False, 1, 2), 2),
        ("executorch_prim::ge.Scalar", (2, 2), True),
        ("aten::_local_scalar_dense", (np.array(3),), 3),
        ("aten::sym_size.int", (np.zeros((2, 5)), 1), 5),
        ("aten::sym_numel", (np.zeros((2, 5)),), 10),
    ],
)
def test_a_primitive_gives_what_the_firmware_s_does(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    assert primitives.call(name, [*arguments, None]) == expected


def test_the_simulator_has_every_primitive_of_the_firmware() -> None:
    from pilotlight.kernels.kernel_list import read_kernels

    assert {kernel.operator for kernel in read_kernels().values() if kernel.primitive} == primitives.NAMES
