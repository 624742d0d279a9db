# SPDX-License-Identifier: Apache-2.0
"""Model files follow one of several conventions, and each mistake has one clear message.

Nothing is exported here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from pilotlight.errors import ConfigError, ModelError
from pilotlight.export.model.model_file import find_model_file, load_model
from pilotlight.paths import MODELS

IMPORTS = "import torch\nfrom pilotlight.model_spec import LabelledData, ModelSpec\n"
NET = "net = torch.nn.Linear(4, 2).eval()\nx = (torch.ones(1, 4),)\n"


def write(folder: Path, text: str, name: str = "net.py") -> Path:
    file = folder / name
    file.write_text(dedent(text), encoding="utf-8")
    return file


def test_a_name_finds_the_folder_in_models() -> None:
    assert find_model_file("digits") == MODELS / "digits" / "model.py"


def test_a_folder_stands_for_the_model_py_in_it(tmp_path: Path) -> None:
    file = write(tmp_path, "", "model.py")
    assert find_model_file(str(tmp_path)) == file


def test_a_misspelt_name_is_answered_with_the_closest() -> None:
    with pytest.raises(ConfigError) as caught:
        find_model_file("digts")
    assert "'digits'" in caught.value.hint


def test_a_serialised_model_is_refused_with_what_to_name_instead(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"not a Python file"):
        find_model_file(str(write(tmp_path, "", "net.pt")))


def test_the_function_is_found_by_its_annotation_among_others(tmp_path: Path) -> None:
    text = (
        IMPORTS
        + NET
        + "def train(): raise SystemExit\ndef mine() -> ModelSpec:\n    return ModelSpec('a', net, x, [x])\n"
    )
    assert load_model(write(tmp_path, text)).name == "a"


def test_the_annotation_may_be_a_string(tmp_path: Path) -> None:
    text = "from __future__ import annotations\n" + IMPORTS + NET
    text += "def mine() -> ModelSpec:\n    return ModelSpec('a', net, x, [x])\ndef other(): pass\n"
    assert load_model(write(tmp_path, text)).name == "a"


def test_one_function_without_annotation_is_enough(tmp_path: Path) -> None:
    text = IMPORTS + NET + "def mine():\n    return ModelSpec('a', net, x, [x])\n"
    assert load_model(write(tmp_path, text)).name == "a"


def test_two_annotated_functions_are_named_with_their_lines(tmp_path: Path) -> None:
    text = IMPORTS + "def one() -> ModelSpec: ...\ndef two() -> ModelSpec: ...\n"
    with pytest.raises(ModelError, match=r"one \(.*net\.py:3\), two \(.*net\.py:4\)"):
        load_model(write(tmp_path, text))


def test_a_file_of_neither_convention_is_told_both(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(write(tmp_path, "import torch\nmodel = torch.nn.Linear(1, 1)\n"))
    assert "ModelSpec" in caught.value.hint
    assert "ModelUnderTest" in caught.value.hint


def test_the_arm_script_convention_gives_module_and_inputs(tmp_path: Path) -> None:
    text = "import torch\nModelUnderTest = torch.nn.Linear(4, 2)\nModelInputs = (torch.ones(1, 4),)\n"
    spec = load_model(write(tmp_path, text, "my-net.py"))
    assert spec.name == "my_net"
    assert not spec.module.training
    assert spec.calibration.count() == 1


def test_arm_script_model_without_inputs_says_which_variable_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="ModelInputs"):
        load_model(write(tmp_path, "import torch\nModelUnderTest = torch.nn.Linear(4, 2)\n"))


def test_a_model_that_raises_is_reported_at_the_users_line_not_at_pytorchs(tmp_path: Path) -> None:
    text = IMPORTS + "def mine() -> ModelSpec:\n    torch.zeros(2) @ torch.zeros(3)\n"
    file = write(tmp_path, text)
    with pytest.raises(ModelError) as caught:
        load_model(file)
    assert str(caught.value).startswith(f"{file}:4: RuntimeError:")
    assert "torch.zeros(2) @ torch.zeros(3)" in str(caught.value)


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"net\.py:2: SyntaxError"):
        load_model(write(tmp_path, "import torch\ndef mine(:\n"))


def test_missing_weights_name_the_file_and_the_line_that_reads_it(tmp_path: Path) -> None:
    text = IMPORTS + "def mine() -> ModelSpec:\n    return torch.load('weights.pt')\n"
    with pytest.raises(ModelError, match=r"net\.py:4: FileNotFoundError: .*weights\.pt"):
        load_model(write(tmp_path, text))


def test_a_file_that_exits_is_an_error_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"net\.py:1: SystemExit"):
        load_model(write(tmp_path, "raise SystemExit('no GPU')\n"))


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("None", "returned NoneType, not a ModelSpec"),
        ("ModelSpec('1a', net, x, [x])", "not a C identifier"),
        ("ModelSpec('a', 'net', x, [x])", "not a torch.nn.Module"),
        ("ModelSpec('a', net.train(), x, [x])", "training mode"),
        ("ModelSpec('a', net, x, [])", "calibration is empty"),
        ("ModelSpec('a', net, x, [(torch.ones(1, 5),)])", "calibration, sample 0: input 'input' has the shape .1, 5."),
        ("ModelSpec('a', net, x, [x], LabelledData(torch.ones(3, 5)))", "data set, sample 0: input 'input' has"),
        ("ModelSpec('a', net, x, [x], LabelledData(torch.ones(3, 4), [1]))", "data set: has 1 labels for 3 samples"),
        ("ModelSpec('a', net, x, [x], npu_options={'ethos-u55-128': {'mode': ''}})", "unknown keys"),
        ("ModelSpec('a', net, x, [x], depends_on='weights.bin')", "depends_on is not a tuple"),
        ("ModelSpec('a', net, x, [x], depends_on=('weights/*.bin',))", r"nothing matches 'weights/\*\.bin'"),
    ],
)
def test_a_wrong_spec_is_told_what_is_wrong(tmp_path: Path, spec: str, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        load_model(write(tmp_path, IMPORTS + NET + f"def mine() -> ModelSpec:\n    return {spec}\n"))


def test_what_a_model_depends_on_is_relative_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"")
    spec = "    return ModelSpec('a', net, x, [x], depends_on=('*.bin',))\n"
    loaded = load_model(write(tmp_path, IMPORTS + NET + "def mine() -> ModelSpec:\n" + spec))
    assert loaded.depends_on == (str(tmp_path / "*.bin"),)


def test_siblings_can_be_imported_and_do_not_leak_into_the_next_model(tmp_path: Path) -> None:
    names = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder, f"NAME = 'sibling{number}'\n", "pilotlight_test_sibling.py")
        text = IMPORTS + NET + "from pilotlight_test_sibling import NAME\n"
        text += "def mine() -> ModelSpec:\n    return ModelSpec(NAME, net, x, [x])\n"
        names.append(load_model(write(folder, text)).name)
    assert names == ["sibling1", "sibling2"]
    assert "pilotlight_test_sibling" not in sys.modules
