# SPDX-License-Identifier: Apache-2.0
"""An exported program with its data is a model. Nothing is lowered here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pilotlight.builder import exports
from pilotlight.errors import ConfigError, ModelError
from pilotlight.export.model.model_file import find_model_file, load_model
from pilotlight.export.quantising.quantise import capture


class Sum(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


def save(folder: Path, module: nn.Module, *inputs: torch.Tensor, **options: object) -> Path:
    torch.export.save(torch.export.export(module.eval(), inputs, **options), folder / "my-net.pt2")
    return find_model_file(str(folder / "my-net.pt2"))


def test_the_program_and_the_arrays_beside_it_make_a_model(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    file = save(tmp_path, module, torch.ones(1, 3, 8, 8))
    samples = np.random.default_rng(0).normal(size=(5, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "my-net.npz", calibration=samples, inputs=samples[:2], labels=[0, 1])
    spec = load_model(file)
    assert spec.name == "my_net"
    assert np.array_equal(np.concatenate([given.numpy() for (given,) in spec.calibration]), samples)
    assert spec.data_set is not None and list(spec.data_set.labels) == [0, 1]
    x = torch.as_tensor(samples[:1])
    assert torch.equal(capture(spec).graph(x), module(x))


def test_a_batch_of_any_size_becomes_a_batch_of_one(tmp_path: Path) -> None:
    batch = {0: torch.export.Dim("batch")}
    file = save(tmp_path, nn.Linear(4, 2), torch.ones(3, 4), dynamic_shapes=({**batch},))
    np.savez(tmp_path / "my-net.npz", np.ones((5, 4)))
    spec = load_model(file)
    assert [tuple(value.shape) for value in spec.example_inputs] == [(1, 4)]
    assert capture(spec).graph(torch.ones(1, 4)).shape == (1, 2)


def test_each_of_several_inputs_has_its_samples(tmp_path: Path) -> None:
    file = save(tmp_path, Sum(), torch.ones(1, 4), torch.ones(1, 4))
    np.savez(tmp_path / "my-net.npz", calibration_0=np.zeros((3, 4)), calibration_1=np.ones((3, 4)))
    assert [(float(x.max()), float(y.max())) for x, y in load_model(file).calibration] == [(0, 1)] * 3


def test_missing_data_is_told_by_the_name_that_it_should_have(tmp_path: Path) -> None:
    file = save(tmp_path, nn.Linear(4, 2), torch.ones(1, 4))
    with pytest.raises(ConfigError, match=r"no calibration data, and .*my-net\.npz is not there") as caught:
        load_model(file)
    assert 'np.savez("my-net.npz", calibration=samples)' in caught.value.hint
    np.savez(tmp_path / "my-net.npz", inputs=np.ones((5, 4)))
    with pytest.raises(ConfigError, match=r"my-net\.npz has no array named calibration"):
        load_model(file)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"calibration": np.ones((5, 3))}, r"calibration has the shape \(5, 3\), and the program takes \(1, 4\)"),
        ({"calibration": np.float32(1)}, r"calibration has the shape \(\)"),
        ({"calibration": np.ones((5, 4)), "images": np.ones(3)}, "unknown array 'images'"),
        ({"calibration_1": np.ones((5, 4))}, "holds calibration_1, and the program has 1 inputs"),
        ({"calibration": np.array([None])}, "cannot be read"),
    ],
)
def test_wrong_data_is_told_what_is_wrong(tmp_path: Path, arrays: dict[str, np.ndarray], complaint: str) -> None:
    file = save(tmp_path, nn.Linear(4, 2), torch.ones(1, 4))
    np.savez(tmp_path / "my-net.npz", **arrays)
    with pytest.raises(ConfigError, match=complaint):
        load_model(file)


def test_what_is_no_program_is_told_how_to_write_one(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"not a program")
    with pytest.raises(ModelError, match=r"net\.pt2: cannot be read as an exported program") as caught:
        load_model(find_model_file(str(tmp_path / "net.pt2")))
    assert "torch.export.save" in caught.value.hint


def test_program_and_data_are_inputs_of_the_export(tmp_path: Path) -> None:
    file = save(tmp_path, nn.Linear(4, 2), torch.ones(1, 4))
    np.savez(tmp_path / "my-net.npz", calibration=np.ones((5, 4)))
    with exports._record_opened_files() as opened:
        load_model(file)
    assert {file, tmp_path / "my-net.npz"} <= opened
