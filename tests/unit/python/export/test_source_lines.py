# SPDX-License-Identifier: Apache-2.0
"""For a model from an installed package, messages about operators name lines of the package."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from pilotlight.errors import ModelError, UnsupportedOperator
from pilotlight.export import ExportOptions, export_model
from pilotlight.export.graph.source_lines import library_line, user_line
from pilotlight.export.model.model_file import load_model
from pilotlight.export.model.model_modules import importable
from pilotlight.export.quantising.quantise import capture
from pilotlight.export.report.terminal import render

NPU = "ethos-u55-128"

BLOCKS = """\
import torch
from torch import nn

class Gate(nn.Module):
    def forward(self, x):
        return torch.where(x > 0, x, 0.5 * x)

class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.fc = nn.Linear(size, size)
        self.gate = Gate()

    def forward(self, x):
        return self.gate(self.fc(x))

class Sorts(nn.Module):
    def forward(self, x):
        return torch.sort(x)[0]

class Raises(nn.Module):
    def forward(self, x):
        return x @ torch.ones(7, 7)

def stack(size, last=None):
    return nn.Sequential(Block(size), Block(size), *([last] if last else []))
"""

MODEL = """\
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent / "site-packages"))
import torch
from fakezoo import blocks
from pilotlight.model_spec import ModelSpec

class Mine(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = blocks.stack(4{last})

    def forward(self, x):
        return self.net(x)

def spec() -> ModelSpec:
    torch.manual_seed(0)
    samples = torch.randn(8, 1, 4)
    return ModelSpec("zoo", {module}.eval(), (samples[0],), [(x,) for x in samples])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    package = tmp_path / "site-packages" / "fakezoo"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "blocks.py").write_text(BLOCKS)
    with importable(tmp_path):
        yield tmp_path


def write(folder: Path, last: str = "", module: str = "Mine()") -> Path:
    (folder / "model.py").write_text(MODEL.format(last=last, module=module))
    return folder / "model.py"


def line_of(text: str, content: str) -> int:
    return next(number for number, line in enumerate(content.splitlines(), 1) if text in line)


WRAPPER = line_of("return self.net(x)", MODEL)
GATE = line_of("torch.where", BLOCKS)


def test_each_operator_names_its_module_and_the_line_of_the_package(folder: Path) -> None:
    file = write(folder)
    operators = list(capture(load_model(file)).operators.values())
    gates = [operator for operator in operators if operator.name == "where.self"]
    assert [operator.module for operator in gates] == ["net.0.gate", "net.1.gate"]
    for operator in gates:
        assert operator.where == f"{file}:{WRAPPER}"
        assert operator.inner_where == f"{folder}/site-packages/fakezoo/blocks.py:{GATE}"
        assert operator.inner_source == "return torch.where(x > 0, x, 0.5 * x)"
    line = f"where.self at {file}:{WRAPPER}: return self.net(x)"
    assert str(gates[0]) == f"{line} (in net.0.gate, fakezoo/blocks.py:{GATE}: return torch.where(x > 0, x, 0.5 * x))"
    assert gates[0].place == f"{file}:{WRAPPER} (in net.0.gate, fakezoo/blocks.py:{GATE})"


def test_without_a_wrapper_the_line_of_the_package_is_the_place(folder: Path) -> None:
    file = write(folder, module="blocks.stack(4)")
    operators = capture(load_model(file)).operators.values()
    linear = next(operator for operator in operators if operator.name == "linear")
    package = folder / "site-packages" / "fakezoo" / "blocks.py"
    assert linear.where == f"{package}:{line_of('self.gate(self.fc(x))', BLOCKS)}"
    assert linear.module == "0.fc"
    assert linear.inner_where == ""


def test_terminal_and_json_report_lead_into_the_package(folder: Path) -> None:
    progress: list[str] = []
    report = export_model(str(write(folder)), ExportOptions(NPU), folder / "bundle", progress=progress.append)
    printed = io.StringIO()
    Console(width=300, file=printed).print(render(report))
    text = printed.getvalue()
    assert f"in net.0.gate, net.1.gate, fakezoo/blocks.py:{GATE}: return torch.where(x > 0, x, 0.5 * x)\n" in text
    saved = json.loads((folder / "bundle" / "report.json").read_text(encoding="utf-8"))
    wheres = [operator for operator in saved["operators"] if operator["name"] == "aten.where.self"]
    assert [operator["module"] for operator in wheres] == ["net.0.gate", "net.1.gate"]
    assert all(operator["inner_where"].endswith(f"/fakezoo/blocks.py:{GATE}") for operator in wheres)
    debug = json.loads((folder / "bundle" / "debug.json").read_text(encoding="utf-8"))
    inner = {operator["inner_where"] for stream in debug["streams"] for operator in stream["operators"]}
    assert f"{folder}/site-packages/fakezoo/blocks.py:{line_of('self.fc(x)', BLOCKS)}" in inner


def test_an_operator_that_nobody_has_is_named_inside_the_package(folder: Path) -> None:
    with pytest.raises(UnsupportedOperator) as caught:
        export_model(str(write(folder, ", blocks.Sorts()")), ExportOptions(NPU), folder / "bundle")
    assert f"model.py:{WRAPPER}: return self.net(x)\n" in str(caught.value)
    line = line_of("torch.sort", BLOCKS)
    assert f"\n    in net.2, fakezoo/blocks.py:{line}: return torch.sort(x)[0]\n" in str(caught.value)


def test_an_exception_inside_a_package_is_reported_with_its_line(folder: Path) -> None:
    with pytest.raises(ModelError) as caught:
        export_model(str(write(folder, ", blocks.Raises()")), ExportOptions(NPU), folder / "bundle")
    assert f"model.py:{WRAPPER}: " in str(caught.value)
    assert f"\n    fakezoo/blocks.py:{line_of('torch.ones', BLOCKS)}: return x @ torch.ones(7, 7)" in str(caught.value)


def test_without_a_wrapper_an_exception_is_reported_at_the_line_of_the_package(folder: Path) -> None:
    with pytest.raises(ModelError, match=rf"fakezoo/blocks\.py:{line_of('torch.ones', BLOCKS)}: "):
        export_model(str(write(folder, module="blocks.Raises()")), ExportOptions(NPU), folder / "bundle")


def test_frames_of_pytorch_are_no_line_of_a_package() -> None:
    trace = (
        '  File "/home/me/net.py", line 12, in forward\n'
        "    return self.conv(x)\n"
        '  File "/venv/site-packages/torch/nn/modules/conv.py", line 565, in forward\n'
        "    return self._conv_forward(input)\n"
    )
    assert library_line(trace) is None
    called_back = trace.replace("/venv/site-packages/torch/nn/modules", "/venv/site-packages/zoo") + (
        '  File "/home/me/layers.py", line 3, in forward\n    return x + 1\n'
    )
    assert library_line(called_back) is None
    line = user_line(called_back)
    assert line is not None and line.where == "/home/me/layers.py:3"
