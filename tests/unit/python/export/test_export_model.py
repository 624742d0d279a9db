# SPDX-License-Identifier: Apache-2.0
"""Whole exports: the bundle keeps the promises of bundle.py.

Independent computations confirm its golden outputs.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotlight.bundle import load_model_info
from pilotlight.debug_info import find_debug_info
from pilotlight.errors import ConfigError, ModelError, UnsupportedOperator
from pilotlight.export import ExportOptions, ExportReport, export_model
from pilotlight.export.lowering.emit import check_alignment
from pilotlight.pte import Method, read_program

HERE = Path(__file__).parent / "models"
NPU = "ethos-u55-128"


def only_method(bundle: Path) -> Method:
    methods = read_program((bundle / "model.pte").read_bytes()).methods
    assert list(methods) == ["forward"]
    return methods["forward"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportReport]:
    bundle = tmp_path_factory.mktemp("export") / "digits"
    return bundle, export_model("digits", ExportOptions(NPU), bundle)


@pytest.fixture(scope="module")
def every_layer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportReport]:
    # The name has a blank, which would break Vela's arguments.
    bundle = tmp_path_factory.mktemp("export") / "every layer"
    return bundle, export_model(str(HERE / "every_layer.py"), ExportOptions(NPU, memory_mode="Sram_Only"), bundle)


@pytest.fixture(scope="module")
def arm_script(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportReport]:
    bundle = tmp_path_factory.mktemp("export") / "arm"
    return bundle, export_model(str(HERE / "arm_script.py"), ExportOptions("ethos-u85-256"), bundle)


def arrays(bundle: Path) -> dict[str, Any]:
    with np.load(bundle / "golden.npz") as file:
        return dict(file)


def test_digits_takes_and_gives_int8_and_runs_on_the_npu_alone(digits: tuple[Path, ExportReport]) -> None:
    bundle, report = digits
    info = load_model_info(bundle)
    method = only_method(bundle)
    assert [(tensor.dtype, tensor.shape) for tensor in info.inputs] == [("int8", (1, 1, 8, 8))]
    assert [(tensor.dtype, tensor.shape) for tensor in method.inputs] == [("int8", (1, 1, 8, 8))]
    assert [(tensor.dtype, tensor.shape) for tensor in method.outputs] == [("int8", (1, 10))]
    assert method.operators == ()
    assert report.on_cpu == ()
    assert len(method.delegates) == len(report.delegates) == 1


def test_debug_information_leads_from_commands_to_operators_and_source(digits: tuple[Path, ExportReport]) -> None:
    bundle, report = digits
    pte = (bundle / "model.pte").read_bytes()
    debug = find_debug_info(bundle / "model.pte", pte)
    assert debug is not None and debug.system_config == report.system_config
    (stream,) = debug.streams
    assert stream is not None
    found = [(row.operator, row.module) for row in stream.operators if row.operator != "TRANSPOSE"]
    # The layers of python/models/digits/model.py, in order.
    assert found == [
        ("DEPTHWISE_CONV2D", "features.0"),
        ("CONV2D", "features.2"),
        ("MAX_POOL2D", "features.4"),
        ("CONV2D", "features.5"),
        ("AVG_POOL2D", "features.7"),
        ("CONV2D", "classifier"),
    ]
    assert all("digits/model.py:" in row.where and "features" in row.source for row in stream.operators)
    assert sum(row.vela_cycles for row in stream.operators) == report.total_cycles
    last_of_second = stream.parts[1][0]
    assert stream.operator_of(last_of_second) is stream.operators[1]
    assert stream.operator_of(last_of_second + 4) is stream.operators[2]
    assert find_debug_info(bundle / "model.pte", pte + b"another program") is None


def test_digits_golden_outputs_cover_the_held_out_scans_and_are_right(digits: tuple[Path, ExportReport]) -> None:
    bundle, report = digits
    golden = arrays(bundle)
    assert golden["input_0"].shape == (360, 1, 8, 8)
    assert golden["golden_0"].shape == golden["quantised_0"].shape == golden["fp32_0"].shape == (360, 10)
    assert golden["golden_0"].dtype == golden["quantised_0"].dtype == np.int8
    accuracy = float(np.mean(golden["golden_0"].argmax(axis=1) == golden["labels"]))
    assert report.metric is not None
    assert accuracy == report.metric.golden
    assert abs(accuracy - report.metric.fp32) <= 0.005
    assert report.metric.fp32 >= 0.97


def test_device_inputs_are_the_scans_in_steps_of_the_input_scale(digits: tuple[Path, ExportReport]) -> None:
    from sklearn.datasets import load_digits

    bundle, _ = digits
    (tensor,) = load_model_info(bundle).inputs
    real = (arrays(bundle)["input_0"].astype(np.float64) - tensor.zero_point) * tensor.scale
    scans = {scan.tobytes() for scan in load_digits().images.astype(np.uint8)}
    # Pixels are sixteenths, so the nearest sixteenth is the scan itself.
    back = np.rint(real[:, 0] * 16).astype(np.uint8)
    assert all(scan.tobytes() in scans for scan in back)


def test_golden_is_near_the_float_model_and_the_report_says_how_near(digits: tuple[Path, ExportReport]) -> None:
    bundle, report = digits
    golden = arrays(bundle)
    (tensor,) = load_model_info(bundle).outputs
    real = (golden["golden_0"].astype(np.float64) - tensor.zero_point) * tensor.scale
    noise = float(np.sum((golden["fp32_0"] - real) ** 2))
    signal = float(np.sum(golden["fp32_0"].astype(np.float64) ** 2))
    (output,) = report.outputs
    assert output.sqnr_golden_db == pytest.approx(10 * np.log10(signal / noise))
    assert output.sqnr_golden_db > 30
    assert output.max_error_golden == pytest.approx(np.abs(golden["fp32_0"] - real).max())


def test_report_counts_where_golden_and_quantised_pytorch_differ(every_layer: tuple[Path, ExportReport]) -> None:
    bundle, report = every_layer
    golden = arrays(bundle)
    difference = np.abs(golden["golden_0"].astype(int) - golden["quantised_0"].astype(int))
    agreement = report.outputs[0].agreement
    assert agreement.values == difference.size == 60
    assert agreement.differing == np.count_nonzero(difference)
    # Average pooling rounds ties upwards on the NPU and to even in PyTorch, so a few last bits
    # differ.
    assert agreement.max_difference == difference.max(initial=0) <= 1
    assert agreement.share_equal >= 0.8


def test_every_layer_of_the_third_model_is_delegated_with_its_line(every_layer: tuple[Path, ExportReport]) -> None:
    _, report = every_layer
    assert report.on_cpu == ()
    assert report.memory_mode == "Sram_Only"
    source = (HERE / "every_layer.py").read_text(encoding="utf-8").splitlines()
    by_module = {operator.module: operator for operator in report.operators if operator.module}
    for module in ("strided", "dilated", "far_dilated", "grouped", "depthwise", "grouped_strided", "point", "head"):
        file, _, line = by_module[module].where.rpartition(":")
        assert file == str(HERE / "every_layer.py")
        assert f"self.{module}(" in source[int(line) - 1]


def test_a_file_for_the_arm_script_exports_with_two_inputs_and_two_outputs(
    arm_script: tuple[Path, ExportReport],
) -> None:
    bundle, report = arm_script
    info = load_model_info(bundle)
    assert [tensor.name for tensor in info.inputs] == ["left", "right"]
    assert [tensor.shape for tensor in info.outputs] == [(1, 6), (1, 20)]
    golden = arrays(bundle)
    for index in (0, 1):
        # Without pooling, only the last bit of a rare requantisation may differ.
        difference = np.abs(golden[f"golden_{index}"].astype(int) - golden[f"quantised_{index}"].astype(int))
        assert difference.max() <= 1
        assert np.mean(difference == 0) > 0.9
    assert any("one sample" in note for note in report.notes)


def test_float_io_leaves_the_conversions_to_kernels_of_the_firmware(tmp_path: Path) -> None:
    kernels = [f"quantized_decomposed::{name}_per_tensor.out" for name in ("quantize", "dequantize")]
    bundle = tmp_path / "bundle"
    report = export_model(
        str(HERE / "arm_script.py"), ExportOptions(NPU, float_io=True, require_full_delegation=True), bundle
    )
    info = load_model_info(bundle)
    assert {(tensor.dtype, tensor.scale) for tensor in (*info.inputs, *info.outputs)} == {("float32", 0.0)}
    assert sorted(set(only_method(bundle).operators)) == sorted(kernels)
    assert report.on_cpu == ()  # The conversions for float_io do not count.
    golden = arrays(bundle)
    assert golden["input_0"].dtype == golden["golden_0"].dtype == np.float32
    assert np.abs(golden["golden_0"] - golden["fp32_0"]).max() < 0.05


def test_commands_and_weights_lie_where_the_npu_can_read_them(
    digits: tuple[Path, ExportReport], every_layer: tuple[Path, ExportReport]
) -> None:
    for bundle, _ in (digits, every_layer):
        pte = (bundle / "model.pte").read_bytes()
        for delegate in only_method(bundle).delegates:
            at = pte.index(delegate.blob)
            for block in (b"cmd_data", b"weight_data"):
                assert (at + delegate.blob.index(block.ljust(16, b"\0")) + 32) % 16 == 0


def test_a_blob_off_the_grid_is_refused(digits: tuple[Path, ExportReport]) -> None:
    bundle, _ = digits
    pte = (bundle / "model.pte").read_bytes()
    (delegate,) = only_method(bundle).delegates
    check_alignment(pte, delegate.blob)
    with pytest.raises(RuntimeError, match="no multiple of 16"):
        check_alignment(pte[4:], delegate.blob)


def test_a_delegate_without_constants_is_exported(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    report = export_model(str(HERE / "no_constants.py"), ExportOptions(NPU), bundle)
    assert report.on_cpu == ()
    golden = arrays(bundle)
    assert np.abs(golden["golden_0"].astype(int) - golden["quantised_0"]).max() <= 1


def test_weights_that_also_occur_elsewhere_are_checked_where_they_lie(digits: tuple[Path, ExportReport]) -> None:
    """If the weights are two zeros, the same bytes are all over the blob, even unaligned."""
    bundle, _ = digits
    (delegate,) = only_method(bundle).delegates
    blob = delegate.blob
    at = blob.index(b"weight_data\0")
    size = int.from_bytes(blob[at + 16 : at + 20], "little")
    padded = -(-size // 16) * 16
    short = blob[: at + 16] + (2).to_bytes(4, "little") + blob[at + 20 : at + 32] + bytes(16) + blob[at + 32 + padded :]
    check_alignment(short, short)


def test_report_json_says_what_vela_estimates(digits: tuple[Path, ExportReport]) -> None:
    bundle, report = digits
    saved = json.loads((bundle / "report.json").read_text(encoding="utf-8"))
    (delegate,) = saved["delegates"]
    # By hand: 8*8*16*9 + 8*8*24*16*9 + 4*4*32*24*9 + 128*10 multiplications, and average pooling
    # over 2*2*32 windows of 4.
    assert delegate["macs"] == 9216 + 221184 + 110592 + 1280 + 4 * 2 * 2 * 32 + 16 * 24 * 4
    assert saved["total_cycles"] == delegate["total_cycles"] > delegate["npu_cycles"] > 0
    flash = next(memory for memory in delegate["memories"] if memory["memory"] == "off-chip flash")
    assert flash["used_bytes"] == report.sizes.weight_bytes
    assert saved["sizes"]["pte_bytes"] == (bundle / "model.pte").stat().st_size


def test_terminal_report_shows_accuracy_and_rounding(digits: tuple[Path, ExportReport]) -> None:
    from rich.console import Console

    from pilotlight.export.report.terminal import render

    _, report = digits
    printed = io.StringIO()
    Console(width=200, file=printed).print(render(report))
    assert report.metric is not None
    text = printed.getvalue()
    assert f"golden {100 * report.metric.golden:.2f} %" in text
    assert f"by rounding in {report.outputs[0].agreement.differing:,} of 3,600 values" in text


def test_an_operator_nobody_has_is_named_with_line_and_way_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    told: list[str] = []
    with pytest.raises(UnsupportedOperator) as caught:
        export_model(str(HERE / "sorts.py"), ExportOptions(NPU), out, progress=told.append)
    error = caught.value
    assert "kernels have aten::sort.values:" in str(error)
    assert f"{HERE / 'sorts.py'}:14: x = torch.sort(x)[0]" in str(error)
    assert "aten.add" not in str(error)
    assert "quantize" not in str(error)  # Quantise and dequantise have kernels.
    assert "firmware/kernels" in error.hint
    assert error.exit_code == 11
    assert not out.exists()
    log = tmp_path / "bundle.failed.log"
    assert str(log) in error.hint
    # The log has Vela's output, and the terminal has none of it.
    assert "Network summary" in log.read_text(encoding="utf-8")
    printed = capfd.readouterr()
    assert printed.out == printed.err == ""
    assert told


def test_an_operator_on_a_dtype_that_its_kernel_lacks_is_named_with_dtypes_line_and_way_out(tmp_path: Path) -> None:
    """The build would also refuse the program, but its message would not name the line."""
    with pytest.raises(UnsupportedOperator) as caught:
        export_model(str(HERE / "halves.py"), ExportOptions(NPU), tmp_path / "bundle")
    said = str(caught.value)
    assert "quantize_per_tensor.out on float16; its kernel takes float32, uint8, int8, int16, int32:" in said
    assert f"{HERE / 'halves.py'}:9: return 2 * x.to(torch.float16)" in said
    assert "cast the tensors at these lines" in caught.value.hint and "kernels.yaml" in caught.value.hint
    assert not (tmp_path / "bundle").exists()


def test_full_delegation_fails_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOperator, match=r"full delegation is required(.|\n)*sorts\.py:14"):
        export_model(str(HERE / "sorts.py"), ExportOptions(NPU, require_full_delegation=True), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_forward_that_raises_is_reported_at_its_line_and_keeps_the_old_bundle(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return x @ torch.ones(5, 2)\n"
        "ModelUnderTest = Net()\n"
        "ModelInputs = (torch.ones(1, 4),)\n",
        encoding="utf-8",
    )
    old = tmp_path / "bundle"
    old.mkdir()
    (old / "model.pte").write_bytes(b"old")
    with pytest.raises(ModelError, match=r"net\.py:4: .*RuntimeError"):
        export_model(str(file), ExportOptions(NPU), old)
    assert (old / "model.pte").read_bytes() == b"old"
    found = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert found == {"bundle", "bundle.failed.log", "net.py"}


def test_a_folder_with_anything_else_in_it_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"thesis\.tex"):
        export_model("digits", ExportOptions(NPU), tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_forward_that_branches_on_a_value_is_told_what_to_do_instead(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        if x.sum() > 0:\n"
        "            return x + 1\n"
        "        return x - 1\n"
        "ModelUnderTest = Net()\n"
        "ModelInputs = (torch.ones(1, 4),)\n",
        encoding="utf-8",
    )
    with pytest.raises(ModelError, match=r"net\.py:4: forward branches on the value of a tensor") as caught:
        export_model(str(file), ExportOptions(NPU), tmp_path / "bundle")
    assert "torch.where" in caught.value.hint
