# SPDX-License-Identifier: Apache-2.0
"""Modules beside a model file can be imported while the model is traced and run.

A model never gets the modules of another model.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pilotlight.export.model.model_file import load_model
from pilotlight.export.model.model_modules import importable
from pilotlight.export.quantising.quantise import capture

MODEL = """\
import torch
from torch import nn
from torch._higher_order_ops.while_loop import while_loop
from pilotlight.model_spec import ModelSpec
from siblings.arithmetic import shifted
import scaling

def twice(t): return t * 2

class Net(nn.Module):
    def forward(self, x):
{forward}

def spec() -> ModelSpec:
    x = (torch.ones(1, 4),)
    return ModelSpec("net", Net().eval(), x, [x])
"""

# Each form computes NUMBER * x for a positive x.
FORWARDS = {
    "a function of the file itself": "return torch.cond(x.sum() > 0, own, twice, (x,))",
    "a function of a sibling": "return torch.cond(x.sum() > 0, scaling.scaled, twice, (x,))",
    "a function that a sibling imports": "return torch.cond(x.sum() > 0, scaling.by_way_of, twice, (x,))",
    "a function of a package beside": "return torch.cond(x.sum() > 0, shifted, twice, (x,))",
    "an import in forward": "from lazy import scaled\n        return scaled(x)",
    "an import in a branch": "return torch.cond(x.sum() > 0, scaling.imports_late, twice, (x,))",
    "a loop": "return while_loop(scaling.is_first, scaling.scaled_once, (torch.tensor(0), x))[1]",
    "a compiled function": 'return torch.compile(scaling.by_way_of, backend="eager")(x)',
}

SCALING = """\
from siblings import arithmetic
NUMBER = {number}.0
def scaled(t): return t * NUMBER
def by_way_of(t): return arithmetic.shifted(t)
def imports_late(t):
    import lazy
    return lazy.scaled(t)
def is_first(i, t): return i < 1
def scaled_once(i, t): return i + 1, scaled(t)
"""


@pytest.fixture
def model(tmp_path: Path) -> Callable[[int, str], Path]:
    """Return a function that writes a model whose siblings multiply by a number."""

    def write(number: int, forward: str) -> Path:
        folder = tmp_path / str(number) / "net"
        (folder / "siblings").mkdir(parents=True)
        (folder / "siblings" / "__init__.py").write_text("")
        (folder / "siblings" / "arithmetic.py").write_text(f"def shifted(t): return t * {number}.0\n")
        (folder / "scaling.py").write_text(SCALING.format(number=number))
        (folder / "lazy.py").write_text(f"def scaled(t): return t * {number}.0\n")
        text = MODEL.format(forward="        " + forward) + f"\ndef own(t): return twice(t) * {number / 2}\n"
        (folder / "model.py").write_text(text)
        return folder / "model.py"

    return write


@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
def test_a_model_is_traced_with_its_own_siblings(model: Callable[[int, str], Path], forward: str) -> None:
    before = set(sys.modules), list(sys.path)
    x = torch.full((1, 4), 0.5)
    for number in (3, 5):
        file = model(number, forward)
        with importable(file.parent):
            spec = load_model(file)
            assert spec.module(x)[0, 0] == number / 2
            assert capture(spec).graph(x)[0, 0] == number / 2
    left = {name for name in set(sys.modules) - before[0] if not name.startswith("pilotlight_model_net_model")}
    assert not left & {"scaling", "lazy", "siblings", "siblings.arithmetic"}
    assert sys.path == before[1]


def test_a_module_of_the_caller_with_the_name_of_a_sibling_is_set_aside(
    model: Callable[[int, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scaling.py").write_text("mine = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import scaling  # type: ignore[import-not-found]

    file = model(3, FORWARDS["a function of a sibling"])
    with importable(file.parent):
        assert load_model(file).module(torch.ones(1, 4))[0, 0] == 3
    assert sys.modules["scaling"] is scaling
    monkeypatch.delitem(sys.modules, "scaling")


def test_a_sibling_never_takes_the_place_of_an_installed_module(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise RuntimeError\n")
    installed = sys.modules["numpy"]
    with importable(tmp_path):
        assert sys.modules["numpy"] is installed
    assert sys.modules["numpy"] is installed


def test_what_a_model_file_puts_on_the_path_is_gone_with_its_modules(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number)
        (folder / "models").mkdir(parents=True)
        (folder / "above.py").write_text(f"NAME = 'above{number}'\n")
        (folder / "models" / "net.py").write_text(
            "import sys\n"
            "from pathlib import Path\n"
            "sys.path.insert(0, str(Path(__file__).parents[1]))\n"
            "import torch\n"
            "from above import NAME\n"
            "from pilotlight.model_spec import ModelSpec\n"
            "x = (torch.ones(1, 4),)\n"
            "def spec() -> ModelSpec:\n"
            "    return ModelSpec(NAME, torch.nn.Linear(4, 4).eval(), x, [x])\n"
        )
        assert load_model(folder / "models" / "net.py").name == f"above{number}"
