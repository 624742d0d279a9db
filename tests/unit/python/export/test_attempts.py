# SPDX-License-Identifier: Apache-2.0
"""Operators that do not compile for the NPU stay on the CPU, and no others."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from executorch.backends.arm._passes.rewrite_avg_pool2d_pass import RewriteAvgPool2dPass
from executorch.backends.arm.ethosu import EthosUBackend, backend
from torch import nn

from pilotlight.errors import ModelError
from pilotlight.export.attempts import Attempt, Attempts
from pilotlight.export.golden.golden import GoldenModel, quantised_values
from pilotlight.export.lowering import lower
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.lowering.reuse import key_of
from pilotlight.export.model.steps import Steps
from pilotlight.export.quantising.quantise import capture
from pilotlight.export.upstream import vela
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.model_spec import ModelSpec
from pilotlight.npu.analysis.hazards import Hazard
from pilotlight.npu.delegate_runner import DelegateRunner

# Returns the attempt, all attempts, and the lines that the user was told.
Place = Callable[..., tuple[Attempt, Attempts, list[str]]]


class Squashed(nn.Module):
    """The lowering of this model fails in ExecuTorch 1.5.1, because an average pool follows tanh
    directly."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=2, dilation=2)
        self.second = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.avg_pool2d(torch.tanh(self.first(x)), 2)
        return nn.functional.max_pool2d(torch.sigmoid(self.second(x)), 2)


class FusedProjections(nn.Module):
    """Vela 5.1 multiplies the whole of linear(x) if MATMUL's first operand is a slice of it."""

    def __init__(self) -> None:
        super().__init__()
        self.projections = nn.Linear(16, 48)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, _ = self.projections(x).chunk(3, dim=-1)
        return torch.matmul(q, k.transpose(1, 2))


class WritesAside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolution(x)
        y[:, 0] = 1.0
        return y


@pytest.fixture
def place(tmp_path: Path) -> Place:
    def run(module: nn.Module, *example: torch.Tensor) -> tuple[Attempt, Attempts, list[str]]:
        spec = ModelSpec("m", module.eval(), example, [example])
        told: list[str] = []
        steps = Steps(NoiseLog(tmp_path / "log"), told.append)
        compile_spec = lower.compile_spec_for(resolve("ethos-u55-128", None, None))
        attempts = Attempts(capture(spec), spec, compile_spec, False, tmp_path / "work", steps, [example])
        return attempts.run(), attempts, told

    torch.manual_seed(0)
    return run


def kept(attempts: Attempts) -> list[str]:
    return [attempts.captured.operators[number].name for number in attempts.kept]


def test_an_average_pool_after_tanh_is_delegated(place: Place) -> None:
    attempt, attempts, _ = place(Squashed(), torch.randn(1, 3, 16, 16))
    assert len(attempt.lowered.delegates) == 1
    assert attempt.lowered.on_cpu == ()
    assert kept(attempts) == []


def test_the_operator_at_which_upstream_raises_stays_on_the_cpu_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, op: Any, args: Any, kwargs: Any, meta: Any, updated: bool = False) -> Any:
        if op in self.target_ops:
            raise ValueError("no average today")
        return super(RewriteAvgPool2dPass, self).call_operator(op, args, kwargs, meta, updated)

    monkeypatch.setattr(RewriteAvgPool2dPass, "call_operator", refuse)
    attempt, attempts, told = place(Squashed(), torch.randn(1, 3, 16, 16))
    assert kept(attempts) == ["avg_pool2d"]
    pool = next(operator for operator in attempt.lowered.on_cpu if operator.name == "aten.avg_pool2d.default")
    assert pool.reason == "ExecuTorch cannot lower it: no average today"
    assert pool.source == "x = nn.functional.avg_pool2d(torch.tanh(self.first(x)), 2)"
    assert pool.where.startswith(__file__)
    assert len(attempt.lowered.delegates) == 2
    assert any("avg_pool2d at" in line for line in told)


class Halves(nn.Module):
    """Two parts for the NPU, with softplus on the CPU between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.second = nn.Conv2d(4, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.softplus(self.first(x))
        return nn.functional.avg_pool2d(torch.relu(self.second(x)), 2)


def test_a_delegate_that_does_not_change_is_not_compiled_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[list[str]] = []

    def refuse(self: Any, op: Any, args: Any, kwargs: Any, meta: Any, updated: bool = False) -> Any:
        if op in self.target_ops:
            raise ValueError("no average today")
        return super(RewriteAvgPool2dPass, self).call_operator(op, args, kwargs, meta, updated)

    def count(program: Any, compile_specs: Any) -> Any:
        compiled.append([str(node.target) for node in program.graph.nodes if "convolution" in str(node.target)])
        return preprocess(program, compile_specs)

    preprocess = EthosUBackend.preprocess
    monkeypatch.setattr(RewriteAvgPool2dPass, "call_operator", refuse)
    monkeypatch.setattr(EthosUBackend, "preprocess", staticmethod(count))
    x, module = torch.randn(1, 3, 16, 16), Halves()
    attempt, attempts, _ = place(module, x)
    assert kept(attempts) == ["avg_pool2d"]
    assert attempts.compiled.reused == 1
    # The first part once, the second part with the pool and without it.
    assert [len(convolutions) for convolutions in compiled] == [1, 1, 1]

    shutil.rmtree(tmp_path / "work")
    monkeypatch.setattr(lower, "key_of", lambda *_: str(len(compiled)))
    afresh, again, _ = place(module, x)
    assert again.compiled.reused == 0 and len(compiled) == 3 + 4
    blobs, others = ([d.compilation.blob for d in one.lowered.delegates] for one in (attempt, afresh))
    assert len(blobs) == 2 and blobs == others


def test_the_key_of_a_delegate_depends_on_all_that_upstream_reads() -> None:
    def program(scale: float = 1.0, name: str = "x", size: int = 4, offset: float = 0.0) -> Any:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("weight", torch.arange(4.0) * scale)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x * self.weight + offset

        exported = torch.export.export(Net(), (torch.zeros(size, 4),))
        for node in exported.graph.nodes:
            node.meta.pop("stack_trace", None)
            node.meta["note"] = name
        return exported

    specs = [SimpleNamespace(key="a", value=b"b")]
    keys = {
        key_of(program(), specs),
        key_of(program(scale=2.0), specs),
        key_of(program(name="y"), specs),
        key_of(program(size=5), specs),
        key_of(program(offset=1.0), specs),
        key_of(program(), [SimpleNamespace(key="a", value=b"c")]),
    }
    assert len(keys) == 6
    assert key_of(program(), specs) in keys


def test_what_vela_miscompiles_is_found_by_halving_and_stays_on_the_cpu(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vela, "copied_operands", contextlib.nullcontext)
    x = torch.randn(1, 9, 16)
    module = FusedProjections()
    attempt, attempts, told = place(module, x)
    # With either end of the slice on the CPU, the commands are right.
    assert kept(attempts) in (["chunk"], ["matmul"])
    (why,) = attempts.kept.values()
    assert why.startswith("Vela's commands for it do not run on the simulator: OFM channel, region 1: ")
    # A chunk on the CPU divides what is left, and a product at the end does not.
    assert len(attempt.lowered.delegates) == (2 if kept(attempts) == ["chunk"] else 1)
    assert any("looking for" in line for line in told)
    assert torch.allclose(attempt.quantised.module(x), module(x), atol=0.1)


class Taps(nn.Module):
    """Each convolution's result feeds the next one and may be an output."""

    def __init__(self, order: tuple[int, ...], strides: tuple[int, ...], across: bool = False) -> None:
        super().__init__()
        channels = (3, *(8 for _ in strides))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride, 1)
            for before, after, stride in zip(channels, channels[1:], strides, strict=False)
        )
        self.order, self.across = order, across

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        taps = []
        for convolution in self.convolutions:
            x = torch.relu(convolution(x))
            taps.append(x)
        if self.across:
            x = self.convolutions[1](torch.sort(x, -1)[0]) + taps[0]
        return (*(taps[index] for index in self.order), x)


@pytest.mark.parametrize(
    ("order", "strides", "across"),
    [
        ((0,), (1, 2), False),
        ((1, 0), (1, 1, 1), False),
        ((0, 1), (1, 1, 1), False),
        ((0,), (1, 1), True),
    ],
)
def test_every_output_of_a_delegate_is_there_and_in_its_place(
    place: Place, order: tuple[int, ...], strides: tuple[int, ...], across: bool
) -> None:
    """The outputs may have equal sizes. The simulator's answers are compared one by one."""
    module = Taps(order, strides, across)
    x = torch.randn(1, 3, 8, 8)
    attempt, attempts, _ = place(module, x)
    assert kept(attempts) == []
    assert len(attempt.lowered.delegates) == (2 if across else 1)
    golden = GoldenModel(attempt.lowered, sequence=False)
    boundary = attempt.lowered.boundary
    for answer, info, expected in zip(
        golden(quantised_values((x,), boundary.input_quantisation)), boundary.outputs, module(x), strict=True
    ):
        assert torch.allclose((answer.int() - info.zero_point) * info.scale, expected, atol=0.1)


def test_equal_operators_fail_once_and_the_rest_of_a_large_model_stays_on_the_npu(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven operators fail. One attempt for each would take too long."""

    def refuse(self: Any, op: Any, args: Any, kwargs: Any, meta: Any, updated: bool = False) -> Any:
        if op in self.target_ops:
            raise ValueError(f"no average of {args[0].data.shape}")
        return super(RewriteAvgPool2dPass, self).call_operator(op, args, kwargs, meta, updated)

    monkeypatch.setattr(RewriteAvgPool2dPass, "call_operator", refuse)
    layers = [nn.Sequential(nn.Conv2d(2, 2, 1), nn.AvgPool2d(3, 1, 1)) for _ in range(5)]
    shrinking = [nn.Sequential(nn.Conv2d(2, 2, 1), nn.AvgPool2d(2)) for _ in range(2)]
    attempt, attempts, told = place(nn.Sequential(*layers, *shrinking), torch.randn(1, 2, 8, 8))
    assert kept(attempts) == ["avg_pool2d"] * 7
    # The equal operators fail once, the operator of another shape fails once, and then all
    # operators of that name stay on the CPU.
    assert sum("does not compile" in line for line in told) <= 3
    assert sum("convolution" in operator.name for operator in attempt.lowered.operators) == 7
    assert not any("convolution" in operator.name for operator in attempt.lowered.on_cpu)


def test_a_sum_of_few_values_is_delegated(place: Place) -> None:
    """Vela copies sixteen bytes where the tensor has four."""

    class Sums(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum()

    attempt, _, _ = place(Sums(), torch.randn(1, 4))
    assert attempt.lowered.on_cpu == ()


def _refuse(*args: Any, **options: Any) -> Any:
    raise ValueError("no such pool")


def _races(self: Any) -> list[Hazard]:
    return [Hazard(7, "POOL", "reads what nothing wrote before: 1 bytes")]


@pytest.mark.parametrize(
    ("where", "name", "broken", "reason"),
    [
        (backend, "vela_compile", _refuse, "Vela refuses it: no such pool"),
        (
            DelegateRunner,
            "hazards",
            _races,
            "Vela's commands for it have a race: word 7: POOL reads what nothing wrote before: 1 bytes",
        ),
    ],
)
def test_the_reason_tells_a_refusal_by_vela_from_a_hazard(
    place: Place, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, broken: Any, reason: str
) -> None:
    monkeypatch.setattr(where, name, broken)
    attempt, attempts, _ = place(nn.ReLU(), torch.randn(1, 4))
    assert list(attempts.kept.values()) == [reason]
    assert [operator.reason for operator in attempt.lowered.on_cpu if "relu" in operator.name] == [reason]


def test_when_nothing_compiles_all_is_left_to_the_cpu(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> Any:
        raise SystemExit("Vela has a day off")

    monkeypatch.setattr(backend, "vela_compile", refuse)
    attempt, attempts, _ = place(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), torch.randn(1, 4))
    assert attempt.lowered.delegates == ()
    assert sorted(kept(attempts)) == ["linear", "relu"]
    # Input and output are still int8. Everything between them is float.
    conversions = [o.name for o in attempt.lowered.on_cpu if o.name.startswith("quantized_decomposed")]
    assert conversions == [f"quantized_decomposed.{way}quantize_per_tensor.default" for way in ("de", "")]


def test_a_write_into_part_of_a_tensor_is_not_lost(place: Place) -> None:
    x = torch.randn(1, 3, 8, 8)
    module = WritesAside()
    attempt, _, _ = place(module, x)
    assert torch.allclose(attempt.quantised.module(x), module(x), atol=0.05)


def test_a_model_that_depends_on_chance_is_refused(place: Place) -> None:
    class Chance(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.rand(4)

    with pytest.raises(ModelError, match="computes something else"):
        place(Chance(), torch.randn(1, 4))


@pytest.mark.parametrize(
    ("numbers", "expected"), [((3,), "add at net.py:4"), ((3, 5), "2 operators, from add at net.py:4")]
)
def test_progress_names_the_first_of_several_operators(numbers: tuple[int, ...], expected: str) -> None:
    attempts: Any = SimpleNamespace(captured=SimpleNamespace(operators={3: "add at net.py:4", 5: "mul at net.py:5"}))
    assert Attempts._listed(attempts, dict.fromkeys(numbers, "reason")) == expected
