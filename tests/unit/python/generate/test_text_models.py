# SPDX-License-Identifier: Apache-2.0
"""Each text model gets the modules beside its own file."""

from __future__ import annotations

from pathlib import Path

from pilotlight.generate.text_model import load_text_model

TEXT = """\
from letters import LETTERS
from pilotlight.generate.text_model import TextModel

def text_model():
    return TextModel(tuple(letter.encode() for letter in LETTERS), list, {}, {})
"""


def test_two_text_models_may_have_modules_of_one_name(tmp_path: Path) -> None:
    found = []
    for letters in ("ab", "xyz"):
        folder = tmp_path / letters
        folder.mkdir()
        (folder / "text.py").write_text(TEXT, encoding="utf-8")
        (folder / "letters.py").write_text(f"LETTERS = {letters!r}\n", encoding="utf-8")
        found.append(load_text_model(folder / "model.py").vocabulary)
    assert found == [(b"a", b"b"), (b"x", b"y", b"z")]
