# SPDX-License-Identifier: Apache-2.0
"""Known networks export without help, and the NPU computes them as well as quantised PyTorch."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import run_zoo

# Small networks that need only the tests' own packages. They run before each change lands.
SMALL = ("dlrm", "unet_bilinear")


def _packages_of(name: str) -> list[str]:
    text = (run_zoo.MODELS / f"{name}.py").read_text(encoding="utf-8")
    return [package for package in ("timm", "torchvision", "transformers") if package in text]


def _judge(name: str, folder: Path) -> None:
    missing = [package for package in _packages_of(name) if find_spec(package) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed; scripts/setup.sh --campaign does it")
    entry = run_zoo.judge(name, run_zoo.NPU, folder / name)
    said = "\n".join(run_zoo.table([entry]))
    print(said)
    assert entry.passed, said
    assert entry.whole, said


@pytest.mark.parametrize("name", SMALL)
def test_a_small_network_is_computed_by_the_npu(name: str, tmp_path: Path) -> None:
    _judge(name, tmp_path)


@pytest.mark.campaign
@pytest.mark.time_limit(7200)
@pytest.mark.parametrize("name", sorted(set(run_zoo.names()) - set(SMALL)))
def test_a_network_is_computed_by_the_npu(name: str, tmp_path: Path) -> None:
    _judge(name, tmp_path)


def test_a_network_that_loses_accuracy_or_differs_does_not_pass() -> None:
    good = run_zoo.Entry("m", delegates=1, quantised_db=30.0, golden_db=29.5, loss_db=0.5, agrees=True)
    assert good.passed and good.whole
    assert not run_zoo.Entry("m", delegates=1, loss_db=1.5, agrees=True).passed
    assert not run_zoo.Entry("m", delegates=1, agrees=False).passed
    assert not run_zoo.Entry("m", delegates=1, loss_db=float("nan"), agrees=True).passed
    assert not run_zoo.Entry("m", error="refused", agrees=True).passed
    assert not run_zoo.Entry("m", delegates=1, on_cpu={"0 aten.add": "why"}, agrees=True).whole


def test_an_output_without_a_ratio_counts_by_its_error() -> None:
    exact = {"sqnr_quantised_db": None, "sqnr_golden_db": None, "max_error_quantised": 0.0, "max_error_golden": 0.0}
    assert run_zoo.accuracy(exact)[2] == 0.0
    assert run_zoo.accuracy({**exact, "max_error_golden": 0.1})[2] > run_zoo.LOSS_LIMIT_DB
    assert (
        run_zoo.accuracy({**exact, "sqnr_quantised_db": 0.0, "sqnr_golden_db": -0.5, "max_error_golden": 1.0})[2] == 0.5
    )
