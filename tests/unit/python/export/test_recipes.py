# SPDX-License-Identifier: Apache-2.0
"""A recipe decides the widths and ranges of the quantised graph, and the NPU computes it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from executorch.backends.arm._passes.insert_table_ops import InsertTableOpsPass
from executorch.backends.arm.quantizer import get_symmetric_quantization_config
from torch import nn
from torchao.quantization.pt2e import HistogramObserver, MinMaxObserver

from pilotlight.errors import ConfigError, ModelError
from pilotlight.export import ExportOptions, export_model
from pilotlight.export.attempts import Attempt, Attempts
from pilotlight.export.graph.constants import fold_constants
from pilotlight.export.lowering import lower
from pilotlight.export.lowering.npu_choice import resolve
from pilotlight.export.model.model_file import load_model
from pilotlight.export.model.steps import Steps
from pilotlight.export.quantising.activations import QUANTISE
from pilotlight.export.quantising.annotations import Choice, Choices, configuration
from pilotlight.export.quantising.observers import PercentileObserver, SquareErrorObserver
from pilotlight.export.quantising.quantise import capture, observed, quantise
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.model_spec import ModelSpec
from pilotlight.paths import MODELS
from pilotlight.recipe import Recipe

NPU, U85 = "ethos-u55-128", "ethos-u85-256"
_PER_CHANNEL = torch.ops.quantized_decomposed.dequantize_per_channel.default
_PER_TENSOR = torch.ops.quantized_decomposed.dequantize_per_tensor.default


class Block(nn.Module):
    """A transformer's block, with attention written out and residual sums of no module."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(8), nn.LayerNorm(8)
        self.mixing, self.out = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.before(x)
        x = x + (y @ self.mixing(y).transpose(-2, -1)).softmax(-1) @ y
        return x + self.out(nn.functional.gelu(self.after(x))) + 1.0


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.headline = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.headline(self.head(x))


def samples(*shape: int, count: int = 8) -> list[tuple[torch.Tensor, ...]]:
    generator = torch.Generator().manual_seed(3)
    return [(torch.randn(shape, generator=generator),) for _ in range(count)]


ROWS = samples(1, 4, 8)


def spec_of(module: nn.Module, recipe: str, data: list[tuple[torch.Tensor, ...]] = ROWS) -> ModelSpec:
    return ModelSpec("m", module.eval(), data[0], data, quantisation=recipe)


def converted(module: nn.Module, recipe: str, data: list[tuple[torch.Tensor, ...]] = ROWS, npu: str = U85) -> Any:
    """Return the quantised graph module, not lowered."""
    spec = spec_of(module, recipe, data)
    captured = capture(spec)
    fold_constants(captured.graph)
    return quantise(captured, spec, lower.compile_spec_for(resolve(npu, None, None))).module


def widths(graph_module: Any) -> dict[str, str]:
    """Return operator -> the dtypes of its values, without weights, and that of its result:
    "int8+int16>int16"."""
    found = {}
    for node in graph_module.graph.nodes:
        if node.op != "call_function" or "quantize_per" in str(node.target):
            continue
        takes = [str(source.args[5]).removeprefix("torch.") for source in node.all_input_nodes if is_real(source)]
        gives = [str(user.args[5]).removeprefix("torch.") for user in node.users if user.target is QUANTISE]
        found[node.name] = f"{'+'.join(dict.fromkeys(takes))}>{'+'.join(dict.fromkeys(gives))}"
    return found


def is_real(node: Any) -> bool:
    return node.op == "call_function" and node.target is _PER_TENSOR and node.args[0].op != "get_attr"


def weights(graph_module: Any) -> list[tuple[bool, int]]:
    """Return, for each 8-bit weight, whether it has a scale for each channel, and its largest
    integer."""
    found = []
    for node in graph_module.graph.nodes:
        if node.target in (_PER_CHANNEL, _PER_TENSOR) and node.args[0].op == "get_attr":
            tensor = getattr(graph_module, node.args[0].target)
            if tensor.dtype is torch.int8 and tensor.dim() == 2:
                found.append((node.target is _PER_CHANNEL, int(tensor.abs().max())))
    return found


def sqnr_db(module: nn.Module, graph_module: Any, data: list[tuple[torch.Tensor, ...]]) -> float:
    with torch.no_grad():
        exact = torch.stack([module(*sample) for sample in data])
        error = torch.stack([graph_module(*sample) for sample in data]) - exact
    return float(10 * torch.log10(exact.square().sum() / error.square().sum()))


@pytest.fixture(autouse=True)
def _same_weights() -> None:
    torch.manual_seed(0)


def test_the_default_recipe_is_upstreams_default() -> None:
    ours, upstream = configuration(Choice("int8", "histogram"), Recipe()), get_symmetric_quantization_config()
    for name in ("input_activation", "output_activation", "weight"):
        got, want = getattr(ours, name), getattr(upstream, name)
        assert repr(got) == repr(want)
        assert got.observer_or_fake_quant_ctr().eps == want.observer_or_fake_quant_ctr().eps
    assert ours.bias is upstream.bias


@pytest.mark.parametrize(
    ("recipe", "dtype", "expected_weights"),
    [
        ("int8", "int8", [(True, 127)]),
        ("int8-per-tensor", "int8", [(False, 127)]),
        ("a16w8", "int16", [(True, 127)]),
        ("a16w8-per-tensor", "int16", [(False, 127)]),
        ("a8w4", "int8", [(True, 7)]),
        ("a8w4-per-tensor", "int8", [(False, 7)]),
    ],
)
def test_a_precision_sets_dtypes_and_weights(recipe: str, dtype: str, expected_weights: list[Any]) -> None:
    graph = converted(nn.Linear(8, 8), recipe)
    assert widths(graph) == {"linear": f"{dtype}>{dtype}"}
    assert weights(graph) == expected_weights
    integers = [node.args[1:5] for node in graph.graph.nodes if node.target is QUANTISE]
    bounds = {"int8": (-128, 127), "int16": (-32767, 32767)}[dtype]
    assert all(way[2:] == bounds for way in integers)


def test_a_setting_reaches_its_operators_and_no_others() -> None:
    plain = widths(converted(Block(), "int8"))
    assert set(plain.values()) == {"int8>int8"}
    for recipe, changed in (
        ("int8+a16-softmax", {"sub", "exp", "sum", "reciprocal", "mul"}),
        ("int8:gelu=a16:matmul=a16:type.Linear=a16", {"gelu", "bmm", "linear"}),
        ("int8+a16-norms", {"sum", "mul", "sub", "add", "rsqrt"}),
    ):
        found = widths(converted(Block(), recipe))
        wide = {name.rstrip("_0123456789") for name, width in found.items() if width == "int16>int16"}
        # Operators that move or choose values have the width of a neighbour.
        assert wide - {"view", "_unsafe_view", "expand", "transpose", "reshape", "amax"} == changed, recipe


def test_residual_sums_are_those_of_two_values_with_one_origin() -> None:
    spec = spec_of(Block(), "int8+a16-residuals")
    captured = capture(spec)
    choices = Choices(Recipe.parse("int8+a16-residuals"), captured.graph, captured.operators)
    chosen = [node.name for node in captured.graph.graph.nodes if choices.of(node).precision == "a16w8"]
    # add_2 adds a number, and the sums inside the norms are no operators of the user.
    assert chosen == ["add", "add_1"]


def test_what_settings_can_reach_is_listed() -> None:
    captured = capture(spec_of(Block(), "int8"))
    choices = Choices(Recipe(), captured.graph, captured.operators)
    reached = ("linear", "matmul", "add", "softmax", "norms", "activations", "residuals", "inputs", "outputs")
    assert choices.words == reached
    assert choices.modules == ("before", "mixing", "after", "out")
    for word in reached:
        assert Choices(Recipe(settings={word: "a16"}), captured.graph, captured.operators).notes() == []


def test_a_sum_of_two_inputs_is_no_residual() -> None:
    class Sum(nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return x * 2 + mask

    data = [(sample[0], sample[0] * 3) for sample in ROWS]
    captured = capture(spec_of(Sum(), "int8", data))
    choices = Choices(Recipe.parse("int8+a16-residuals"), captured.graph, captured.operators)
    assert all(choices.of(node).precision == "int8" for node in captured.graph.graph.nodes)
    assert choices.notes() == ["the recipe's residuals=a16w8 applies to no operator of this model"]


@pytest.mark.parametrize(
    ("where", "wide"),
    [
        ("name.head", {"linear"}),
        ("name.head*", {"linear", "linear_1"}),
        ("name.*line", {"linear_1"}),
        ("type.torch.nn.modules.linear.Linear", {"linear", "linear_1"}),
    ],
)
def test_a_module_is_named_exactly_unless_there_is_a_star(where: str, wide: set[str]) -> None:
    found = widths(converted(Two(), f"int8:{where}=a16"))
    assert {name for name, width in found.items() if width.startswith("int16")} == wide


def test_the_last_setting_that_applies_wins() -> None:
    wide_head = widths(converted(Two(), "int8:linear=int8:name.head=a16"))
    assert wide_head["linear"].startswith("int16") and wide_head["linear_1"].startswith("int8")
    assert set(widths(converted(Two(), "int8:name.head=a16:linear=int8")).values()) == {"int8>int8"}


def test_parts_of_attention_are_set_apart() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.scaled_dot_product_attention(x, x, x)

    found = widths(converted(Attention(), "a16w8:matmul=int8", samples(1, 2, 4, 8)))
    assert {width for name, width in found.items() if name.startswith(("matmul", "bmm"))} == {"int8>int8"}
    assert found["exp"].startswith("int16")


def test_inputs_and_outputs_have_their_own_width() -> None:
    graph = converted(nn.Linear(8, 8), "a16w8:inputs=int8:outputs=int8")
    placeholder = next(node for node in graph.graph.nodes if node.op == "placeholder")
    assert [user.args[5] for user in placeholder.users] == [torch.int8]
    output = graph.graph.output_node()
    assert [value.args[5] for value in output.all_input_nodes] == [torch.int8]
    assert widths(graph)["linear"].startswith("int16")


@pytest.mark.parametrize(
    ("text", "observer"),
    [
        ("minmax", MinMaxObserver),
        ("histogram", HistogramObserver),
        ("percentile", PercentileObserver),
        ("mse", SquareErrorObserver),
    ],
)
def test_a_recipe_sets_the_observers(text: str, observer: type) -> None:
    spec = spec_of(Two(), f"int8:observer={text}:name.headline=minmax:percentile=99")
    graph = observed(capture(spec), spec, lower.compile_spec_for(resolve(NPU, None, None)))
    found = [module for name, module in graph.named_modules() if name.startswith("activation_post_process")]
    kinds = [type(module) for module in found if module.qscheme is torch.per_tensor_affine]
    assert kinds.count(observer) == (3 if text == "minmax" else 2)
    assert {module.percentile for module in found if isinstance(module, PercentileObserver)} <= {99.0}


SPIKED = torch.cat([torch.randn(3, 2000, generator=torch.Generator().manual_seed(5)), torch.full((3, 1), 40.0)], 1)


def seen(observer: Any, rows: torch.Tensor = SPIKED) -> tuple[float, int]:
    for row in rows:
        observer(row)
    scale, zero_point = observer.calculate_qparams()
    return float(scale), int(zero_point)


def test_the_percentile_is_that_of_all_samples() -> None:
    affine = {"dtype": torch.int8, "quant_min": -128, "quant_max": 127, "eps": 2.0**-16}
    scale, _ = seen(PercentileObserver(percentile=99.0, qscheme=torch.per_tensor_affine, **affine))
    low, high = np.percentile(SPIKED.numpy(), [0.5, 99.5])
    assert scale == pytest.approx((high - low) / 255, rel=0.01)
    wide = {"dtype": torch.int16, "quant_min": -32767, "quant_max": 32767, "eps": 2.0**-20}
    scale, zero_point = seen(PercentileObserver(percentile=99.0, qscheme=torch.per_tensor_symmetric, **wide))
    assert scale == pytest.approx(np.percentile(np.abs(SPIKED.numpy()), 99) / 32767, rel=0.01)
    assert zero_point == 0


def test_all_values_are_the_extremes() -> None:
    affine = {"dtype": torch.int8, "quant_min": -128, "quant_max": 127, "qscheme": torch.per_tensor_affine}
    assert seen(PercentileObserver(percentile=100.0, eps=2.0**-16, **affine)) == seen(
        MinMaxObserver(eps=2.0**-16, **affine)
    )


def test_the_least_square_error_is_less_than_that_of_all_values() -> None:
    # With few steps, leaving out the outermost values is worth more.
    affine = {"dtype": torch.int8, "quant_min": -8, "quant_max": 7, "qscheme": torch.per_tensor_affine}
    values = SPIKED.clamp(max=8).numpy().astype(np.float64)

    def error(scale: float, zero_point: float) -> float:
        steps = np.clip(np.round(values / scale) + zero_point, -8, 7)
        return float(((steps - zero_point) * scale - values).__pow__(2).sum())

    found = error(*seen(SquareErrorObserver(eps=2.0**-16, **affine), SPIKED.clamp(max=8)))
    # A search of its own over both ends, in NumPy.
    ends = [(low, high) for low in np.linspace(values.min(), 0, 40, endpoint=False) for high in np.linspace(1, 8, 80)]
    best = min(error(s := (high - low) / 15, -8 - round(low / s)) for low, high in ends)
    assert found <= 1.1 * best
    assert found < 0.9 * error(*seen(MinMaxObserver(eps=2.0**-16, **affine), SPIKED.clamp(max=8)))


def test_the_epsilon_is_the_smallest_scale_of_a_layer() -> None:
    class Quiet(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(x * 1e-3) * x * 1e-2

    found = {text: sqnr_db(Quiet(), converted(Quiet(), text), ROWS) for text in ("a16w8", "a16w8:epsilon=2^-12")}
    assert found["a16w8"] > 60 and found["a16w8:epsilon=2^-12"] < 50
    scales = [node.args[1] for node in converted(Quiet(), "a16w8:epsilon=2^-12").graph.nodes if node.target is QUANTISE]
    assert min(scales) == 2.0**-12


class Pooling(nn.Module):
    """Attention pooling after a layer norm with a large mean: two known traps."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.score, self.value = nn.LayerNorm(8), nn.Linear(8, 1), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x + 40)
        return ((self.score(y) * 6).softmax(1) * self.value(y)).sum(1)


def test_16_bits_repair_a_known_trap() -> None:
    data, module = samples(1, 32, 8), Pooling().eval()
    narrow, mixed, wide = (
        sqnr_db(module, converted(module, text, data), data) for text in ("int8", "int8+a16-norms+a16-softmax", "a16w8")
    )
    assert narrow < 28 < wide and narrow < mixed and wide > narrow + 15


@pytest.mark.parametrize(
    ("module", "recipe", "npu", "complaint", "hints"),
    [
        (
            Block(),
            "a16w8",
            NPU,
            "16-bit product of matrices: it multiplies matrices in 8 bits alone\n  matmul at ",
            ["'a16w8:matmul=int8'", "'a16w8:matmul=float' (on the CPU)", "--npu ethos-u85-256"],
        ),
        (Block(), "int8:name.*=a16", "ethos-u65-256", "recipe 'int8:name.*=a16w8' cannot run on ethos-u65-256", []),
        (
            nn.ConvTranspose2d(4, 8, 2, stride=2),
            "a16w8",
            NPU,
            "16-bit transposed convolution: Vela does not compile it",
            ["'a16w8:conv_transpose2d=int8'", "--npu ethos-u85-256"],
        ),
        (
            nn.ConvTranspose2d(4, 8, 2, stride=2),
            "a8w4",
            U85,
            "takes the scales of the wrong axis",
            ["'a8w4:conv_transpose2d=a8w4-per-tensor'"],
        ),
    ],
)
def test_what_an_npu_cannot_run_is_refused_with_alternatives(
    module: nn.Module, recipe: str, npu: str, complaint: str, hints: list[str]
) -> None:
    data = ROWS if isinstance(module, Block) else samples(1, 4, 4, 4)
    with pytest.raises(ConfigError) as error:
        converted(module, recipe, data, npu)
    assert complaint in str(error.value)
    assert all(hint in error.value.hint for hint in hints)


def test_the_alternatives_are_not_refused() -> None:
    for recipe in ("a16w8:matmul=int8", "int8+a16-softmax+a16-norms+a16-residuals"):
        converted(Block(), recipe, npu=NPU)
    for recipe in ("a8w4:conv_transpose2d=a8w4-per-tensor", "a8w4:conv_transpose2d=int8"):
        converted(nn.ConvTranspose2d(4, 8, 2, stride=2), recipe, samples(1, 4, 4, 4), NPU)


@pytest.mark.parametrize(
    ("setting", "complaint", "hint"),
    [
        (
            "name.heat=a16",
            "the model has no module with the path 'heat'",
            "did you mean 'head'? it has: head, headline",
        ),
        ("type.Liner=a16", "the model has no module of the class 'Liner'", "did you mean 'Linear'?"),
        ("linaer=a16", "the model has no operator 'linaer'", "did you mean 'linear'? it has: linear"),
        ("gelu=a16", "the model has no operator 'gelu'", "it has: linear"),
    ],
)
def test_a_setting_for_what_the_model_does_not_have_is_refused(setting: str, complaint: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        converted(Two(), f"int8:{setting}w8")
    assert complaint in str(error.value) and hint in error.value.hint


Run = Callable[[nn.Module, str, str, list[tuple[torch.Tensor, ...]]], tuple[Attempt, Attempts]]


@pytest.fixture
def attempt(tmp_path: Path) -> Run:
    """Quantise, lower, compare with PyTorch, and confirm on the simulator, as an export does."""

    def run(module: nn.Module, recipe: str, npu: str, data: list[tuple[torch.Tensor, ...]]) -> tuple[Attempt, Attempts]:
        spec = spec_of(module, recipe, data)
        captured = capture(spec)
        fold_constants(captured.graph)
        compile_spec = lower.compile_spec_for(resolve(npu, None, None))
        steps = Steps(NoiseLog(tmp_path / "log"), lambda _: None)
        in_float = Choices(Recipe.parse(recipe), captured.graph, captured.operators).in_float()
        work = tmp_path / "work"
        attempts = Attempts(captured, spec, compile_spec, False, work, steps, data[:1], in_float, set(in_float))
        return attempts.run(), attempts

    return run


class Curves(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.softmax(self.layer(x) * 10, -1)


def test_16_bit_results_are_within_the_bounds_of_their_tables_and_multipliers(attempt: Run) -> None:
    found, attempts = attempt(Curves(), "a16w8", NPU, ROWS)
    assert not attempts.kept and not found.unconfirmed
    assert len(found.lowered.delegates) == 1 and not found.lowered.on_cpu
    agreement = found.comparison.agreement()
    assert agreement.compared == agreement.results >= 8
    # The straight lines of a table leave the curve by many steps, and the bound knows by how many.
    tables = [result for result in found.comparison.results if result.counterpart.tensor.origin.operator == "TABLE"]
    assert len(tables) == 2 and all(result.furthest <= result.bound < 300 for result in tables)
    assert max(result.furthest for result in tables) > 10
    others = [result for result in found.comparison.results if result not in tables]
    assert all(result.furthest <= 1 and result.bound < 10 for result in others)


def test_a_wrong_table_of_16_bits_is_found(attempt: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    generate = InsertTableOpsPass.generate_16_bit_table_values

    def shifted(operator: Any, before: Any, after: Any) -> Any:
        values, shift = generate(operator, before, after)
        return (values.to(torch.int32) - 3).clamp(-32768, 32767).to(torch.int16), shift

    monkeypatch.setattr(InsertTableOpsPass, "generate_16_bit_table_values", staticmethod(shifted))
    _, attempts = attempt(nn.Sigmoid(), "a16w8", NPU, ROWS)
    (why,) = attempts.kept.values()
    assert "steps from quantised PyTorch" in why


class Heads(nn.Module):
    """Attention of two heads. Its values go past the softmax, from one delegate to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Linear(8, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part.reshape(1, 4, 2, 4).transpose(1, 2) for part in self.projection(x).chunk(3, -1))
        return (q @ k.transpose(-2, -1)).softmax(-1) @ v


def test_a_value_that_passes_a_float_operator_is_rounded_by_the_delegate_that_computes_it(attempt: Run) -> None:
    found, attempts = attempt(Heads(), "int8:softmax=float", NPU, ROWS)
    assert list(attempts.kept.values()) == ["the recipe keeps it in float"]
    assert len(found.lowered.delegates) == 2


def test_only_the_quantise_after_a_delegated_operator_joins_its_delegate() -> None:
    """The partitioner's choice differs from run to run, so its result is written by hand here."""
    graph = torch.fx.Graph()
    way = (0.5, 0, -128, 127, torch.int8)
    given = graph.call_function(QUANTISE, (graph.placeholder("x"), *way))
    computed = graph.call_function(torch.ops.aten.relu.default, (graph.call_function(_PER_TENSOR, (given, *way)),))
    after = graph.call_function(QUANTISE, (computed, *way))
    on_cpu = graph.call_function(torch.ops.aten.sort.default, (graph.call_function(_PER_TENSOR, (after, *way)),))
    after_cpu = graph.call_function(QUANTISE, (on_cpu, *way))
    computed.meta["delegation_tag"] = "tag0"
    lower._quantise_where_computed(graph)
    tags = [node.meta.get("delegation_tag") for node in (given, computed, after, after_cpu)]
    assert tags == [None, "tag0", "tag0", None]


ATTENDS = """\
import torch
from torch import nn

from pilotlight.model_spec import ModelSpec, Recipe


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.head = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        y = (self.query(x) @ x.transpose(-2, -1)).softmax(-1) @ x
        return self.head(nn.functional.gelu(x + y))


def model() -> ModelSpec:
    torch.manual_seed(0)
    data = [(torch.randn(1, 4, 8),) for _ in range(8)]
    return ModelSpec("attends", Attends().eval(), data[0], data, quantisation=RECIPE)
"""


def test_attention_in_16_bits_is_exported_for_u85_as_the_model_file_says(tmp_path: Path) -> None:
    file = tmp_path / "attends.py"
    file.write_text(ATTENDS.replace("RECIPE", 'Recipe("a16w8")'), encoding="utf-8")
    report = export_model(str(file), ExportOptions(U85), tmp_path / "bundle")
    assert report.recipe == "a16w8"
    assert not report.on_cpu and len(report.delegates) == 1
    (output,) = report.outputs
    assert output.sqnr_golden_db is not None and output.sqnr_golden_db > 45
    assert report.operator_agreement is not None
    assert report.operator_agreement.compared == report.operator_agreement.results
    from pilotlight.bundle import load_model_info

    info = load_model_info(tmp_path / "bundle")
    assert [tensor.dtype for tensor in (*info.inputs, *info.outputs)] == ["int16", "int16"]
    assert [tensor.zero_point for tensor in (*info.inputs, *info.outputs)] == [0, 0]
    with np.load(tmp_path / "bundle" / "golden.npz") as arrays:
        assert arrays["input_0"].dtype == arrays["golden_0"].dtype == np.int16
    from pilotlight.export.report.report import load_report

    assert load_report(tmp_path / "bundle") == report


def test_an_option_replaces_the_model_files_recipe_and_float_stays_on_the_cpu(tmp_path: Path) -> None:
    file = tmp_path / "attends.py"
    file.write_text(ATTENDS.replace("RECIPE", '"a16w8"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot run on ethos-u55-128"):
        export_model(str(file), ExportOptions(NPU), tmp_path / "bundle")
    options = ExportOptions(NPU, quantisation="int8:gelu=float:norms=a16")
    told: list[str] = []
    report = export_model(str(file), options, tmp_path / "bundle", progress=told.append)
    assert report.recipe == "int8:gelu=float:norms=a16w8"
    assert {operator.reason for operator in report.on_cpu if not operator.name.startswith("quantized_decomposed")} == {
        "the recipe keeps it in float"
    }
    assert any("gelu" in operator.name for operator in report.on_cpu)
    assert "the recipe's norms=a16w8 applies to no operator of this model" in report.notes
    assert any("quantising to int8:gelu=float:norms=a16w8 with 8 calibration samples" in line for line in told)


@pytest.mark.parametrize("given", ['"a16w9"', "16"])
def test_a_wrong_recipe_in_a_model_file_is_an_error_of_the_file(tmp_path: Path, given: str) -> None:
    file = tmp_path / "attends.py"
    file.write_text(ATTENDS.replace("RECIPE", given), encoding="utf-8")
    with pytest.raises(ModelError) as error:
        load_model(file)
    assert str(error.value).startswith(f"{file}: quantisation: ")
    assert "a16w8" in error.value.hint


def test_a_wrong_recipe_on_the_command_line_is_refused_before_anything_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no precision 'int9'"):
        export_model("digits", ExportOptions(NPU, quantisation="int9"), tmp_path / "bundle")


def test_the_trained_model_keeps_its_own_ranges_of_4_bits(tmp_path: Path) -> None:
    file = MODELS / "digits" / "qat_model.py"
    with pytest.raises(ConfigError, match="digits_qat came quantised, and keeps its own ranges"):
        export_model(str(file), ExportOptions(NPU, quantisation="int8"), tmp_path / "bundle")
    spec = load_model(file)
    largest = [int(value.abs().max()) for value in spec.module.state_dict().values() if value.dtype is torch.int8]
    assert largest == [7, 7, 7, 7]
    assert spec.data_set is not None and spec.data_set.labels is not None
    with torch.no_grad():
        found = [int(spec.module(x).argmax()) for (x,) in spec.data_set]
    assert np.mean(np.array(found) == spec.data_set.labels) > 0.99


def test_the_training_script_writes_a_program_of_4_bit_weights(tmp_path: Path) -> None:
    checkpoint = tmp_path / "short.pt2"
    code = f"import pathlib, qat; qat.EPOCHS = 1; qat.CHECKPOINT = pathlib.Path({str(checkpoint)!r}); qat.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=MODELS / "digits", timeout=300, capture_output=True, text=True, check=True
    )
    before, after = (re.search(rf"{when}.* (\d+\.\d+)%", done.stdout) for when in ("without training", "after 1 epoch"))
    assert before is not None and after is not None
    assert float(before[1]) > 95 and float(after[1]) > 95
    program = torch.export.load(checkpoint)
    largest = [int(value.abs().max()) for value in program.state_dict.values() if value.dtype is torch.int8]
    assert largest == [7, 7, 7, 7]
    assert str(tmp_path.parent) not in done.stdout and b"/python/models/" not in checkpoint.read_bytes()
