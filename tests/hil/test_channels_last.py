# SPDX-License-Identifier: Apache-2.0
"""A model with a channels-last example input takes and gives NHWC, as the NPU reads and writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from workflow import BUILDS, Bench, build, run

from pilotlight.pte import Tensor, read_program

# Height, width and channels differ, so that a wrong order is noticed. One output has one channel.
MODEL = """\
import torch
from pilotlight.model_spec import LabelledData, ModelSpec


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.map = torch.nn.Conv2d(8, 1, 1)

    def forward(self, x):
        features = torch.relu(self.features(x))
        every = (features, self.map(features), features.mean((2, 3)))
        return every[:OUTPUTS]


def spec() -> ModelSpec:
    torch.manual_seed(3)
    samples = torch.randn(20, 3, 16, 24)
    return ModelSpec(
        name="NAME",
        module=Net().eval(),
        example_inputs=(samples[:1].to(memory_format=torch.MEMORY_FORMAT),),
        calibration=[(sample[None],) for sample in samples[:8]],
        data_set=LabelledData(inputs=samples[8:].numpy()),
    )
"""
NHWC, NCHW = (0, 2, 3, 1), (0, 1, 2, 3)


def _model(name: str, memory_format: str, outputs: int) -> Path:
    path = BUILDS / f"{name}-model" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = MODEL.replace("NAME", name).replace("MEMORY_FORMAT", memory_format).replace("OUTPUTS", str(outputs))
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def nhwc() -> Path:
    return build("nhwc", "-b", "qemu-corstone300", "-m", _model("nhwc", "channels_last", 3))


@pytest.fixture(scope="module")
def nchw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = tmp_path_factory.mktemp("export") / "nchw"
    outcome = run("export", _model("nchw", "contiguous_format", 1), "--npu", "ethos-u55-128", "-o", bundle)
    assert outcome.code == 0, outcome.err
    return bundle


def _tensors(bundle: Path) -> dict[str, tuple[Tensor, ...]]:
    method = read_program((bundle / "model.pte").read_bytes()).methods["forward"]
    assert method.operators == () and len(method.delegates) == 1, "something is left to the CPU"
    return {"INPUT": method.inputs, "OUTPUT": method.outputs}


def _layers(bundle: Path, tmp_path: Path) -> str:
    sample = tmp_path / f"{bundle.name}.npy"
    np.save(sample, np.load(bundle / "golden.npz")["input_0"][:1])
    outcome = run("simulate", bundle / "model.pte", "--input", sample, "--layers")
    assert outcome.code == 0, outcome.err
    return outcome.out


def _npu_cycles(layers: str) -> int:
    found = re.search(r"about ([\d,]+) cycles", layers)
    assert found is not None
    return int(found[1].replace(",", ""))


def test_nothing_is_transposed_or_copied_for_nhwc(nhwc: Path, nchw: Path, tmp_path: Path) -> None:
    bundle = nhwc / "bundles" / "nhwc"
    assert [tensor.dim_order for tensors in _tensors(bundle).values() for tensor in tensors][:2] == [NHWC, NHWC]
    (model,) = json.loads((nhwc / "build_info.json").read_text(encoding="utf-8"))["models"]
    assert model["memory"]["in_place"]
    as_it_is = _layers(bundle, tmp_path)
    assert "CONV2D" in as_it_is and "TRANSPOSE" not in as_it_is

    # In PyTorch's own layout, a smaller model costs the NPU transposes at both ends, and the CPU
    # nothing.
    assert {tensor.dim_order for tensor in _tensors(nchw)["INPUT"]} == {NCHW}
    transposed = _layers(nchw, tmp_path)
    assert transposed.count("TRANSPOSE") > 2
    assert _npu_cycles(transposed) > _npu_cycles(as_it_is)


def test_the_header_says_where_each_element_lies(nhwc: Path) -> None:
    header = (nhwc / "generated" / "model_nhwc.h").read_text(encoding="utf-8")
    assert "int8_t[1][3][16][24], in memory [1][16][24][3] */" in header
    for side, tensors in _tensors(nhwc / "bundles" / "nhwc").items():
        for index, tensor in enumerate(tensors):
            stored = np.empty([tensor.shape[axis] for axis in tensor.dim_order], np.int8)
            by_axis = dict(zip(tensor.dim_order, stored.strides, strict=True))
            for axis, size in enumerate(tensor.shape):
                found = re.search(rf"#define PILOTLIGHT_NHWC_{side}_{index}_STRIDE_{axis} (\d+)$", header, re.MULTILINE)
                assert found is not None
                assert size == 1 or int(found[1]) == by_axis[axis], (side, index, axis)


def test_the_device_answers_bit_for_bit_in_nhwc(nhwc: Path) -> None:
    (model,) = Bench(nhwc).passes()["models"]
    assert model["identical_samples"] == model["samples"] == 12
