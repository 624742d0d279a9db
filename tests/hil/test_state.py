# SPDX-License-Identifier: Apache-2.0
"""A model with state runs a sequence beside a model without, in one arena.

Every step is identical.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from elftools.elf.elffile import ELFFile
from workflow import Bench, build, offset_in_file, run

# Offset in pilotlight_model_descriptor_t on a target with 32-bit pointers.
STATE_BUFFER = 100

# The CPU reads and writes the state. The NPU computes features, average and answers.
AVERAGE = """\
import torch
from torch import nn
from pilotlight.model_spec import LabelledData, ModelSpec


class Average(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)
        self.register_buffer("average", torch.tensor([[0.5, 0.0, 0.25, 1.0]]))

    def forward(self, x):
        features = nn.functional.relu(self.conv(x)).mean((2, 3))
        self.average.mul_(0.75).add_(features * 0.25)
        return self.head(self.average)


def spec():
    torch.manual_seed(3)
    samples = torch.randn(56, 1, 8, 8) * torch.linspace(0.2, 2.0, 56).reshape(-1, 1, 1, 1)
    return ModelSpec(
        name="average",
        module=Average().eval(),
        example_inputs=(samples[:1],),
        calibration=[(sample[None],) for sample in samples],
        data_set=LabelledData(samples[8:].numpy()),
        sequence=True,
    )
"""


# State: a window of the last inputs, a GRU on the CPU, and a step count that the NPU increments.
STREAM = """\
import torch
from torch import nn
from pilotlight.model_spec import LabelledData, ModelSpec


class Stream(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(4, 8)
        self.head = nn.Linear(8 + 4 * 6, 3)
        self.register_buffer("window", torch.zeros(1, 4, 6))
        self.register_buffer("hidden", torch.full((1, 8), 0.5))
        self.register_buffer("steps", torch.zeros(1, dtype=torch.int32))

    def forward(self, x):
        self.window.copy_(torch.cat([self.window[:, :, 1:], x], 2))
        self.hidden.copy_(self.cell(x.flatten(1), self.hidden))
        self.steps.add_(1)
        return self.head(torch.cat([self.hidden, self.window.flatten(1)], 1)), self.hidden, self.steps


def spec():
    torch.manual_seed(3)
    samples = torch.randn(72, 4, 1)
    return ModelSpec(
        name="stream",
        module=Stream().eval(),
        example_inputs=(samples[:1],),
        calibration=[(sample[None],) for sample in samples],
        data_set=LabelledData(samples[8:].numpy()),
        sequence=SEQUENCE,
    )
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("state") / "average.py"
    model.write_text(AVERAGE, encoding="utf-8")
    return build("average-and-digits", "-b", "qemu-corstone300", "-m", model, "-m", "digits", "--shared-arena")


def _symbols(elf: Path) -> dict[str, tuple[int, int]]:
    """Return address and size of each symbol."""
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: (symbol["st_value"], symbol["st_size"]) for symbol in table.iter_symbols()}


def test_a_sequence_is_identical_beside_a_model_without_state_that_uses_the_same_arena(built: Path) -> None:
    symbols = _symbols(built / "firmware.elf")
    arena, size = symbols["pilotlight_shared_arena"]
    shared = [name for name, (address, _) in symbols.items() if arena <= address < arena + size]
    assert {"pilotlight_model_average_temp_pool", "pilotlight_model_digits_temp_pool"} <= set(shared)
    assert "pilotlight_model_average_state" not in shared
    assert symbols["pilotlight_model_average_state"][1] == 16
    bench = Bench(built)
    try:
        assert bench.flash().code == 0
        outcome = bench.check("--json")
        # The board was not restarted. This check begins with the initial state too.
        again = bench.check("--json", "--samples", "9")
    finally:
        run("poweroff", "-d", built)
    for checked, identical in ((outcome, [48, 360]), (again, [9, 9])):
        assert checked.code == 0, checked.out + checked.err
        assert [model["model"] for model in checked.json["models"]] == ["average", "digits"]
        assert [model["identical_samples"] for model in checked.json["models"]] == identical


def test_state_that_is_lost_between_two_steps_is_a_mismatch(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("target", "check", "*.o", "*.a", "*.obj"))
    elf = folder / "firmware.elf"
    content = bytearray(elf.read_bytes())
    at = offset_in_file(elf, "pilotlight_model_average") + STATE_BUFFER
    assert content[at : at + 4] == (2).to_bytes(4, "little")
    # Without a state buffer in the descriptor, the state is poisoned like other planned buffers.
    content[at : at + 12] = bytes(12)
    elf.write_bytes(content)
    bench = Bench(folder)
    try:
        assert bench.flash().code == 0
        outcome = bench.check("--json", "--samples", "8")
    finally:
        run("poweroff", "-d", folder)
    assert outcome.code != 0
    average, digits = outcome.json["models"]
    assert (average["verdict"], digits["verdict"]) == ("mismatch", "partial")


@pytest.mark.campaign
@pytest.mark.parametrize("sequence", [False, True])
def test_a_window_a_gru_and_a_count_alone_are_as_pytorch_has_them(sequence: bool, tmp_path: Path) -> None:
    model = tmp_path / "stream.py"
    model.write_text(STREAM.replace("SEQUENCE", str(sequence)), encoding="utf-8")
    folder = build(f"stream-{'sequence' if sequence else 'samples'}", "-b", "qemu-corstone300", "-m", model)
    with np.load(folder / "bundles" / "stream" / "golden.npz") as arrays:
        assert list(arrays["golden_2"].reshape(-1)) == (list(range(1, 65)) if sequence else [1] * 64)
    (report,) = Bench(folder).passes()["models"]
    assert report["identical_samples"] + report["tolerated_samples"] == 64
