# SPDX-License-Identifier: Apache-2.0
"""Paths in a checkout."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BOARDS = ROOT / "boards"
MODELS = ROOT / "python" / "models"

# For hints. The paths are absolute, because in a west workspace the user is in another folder.
_SETUP, _ACTIVATE = (shlex.quote(str(ROOT / place)) for place in ("scripts/setup.sh", ".venv/bin/activate"))
HOW_TO_SET_UP = f"{_SETUP}, then: . {_ACTIVATE}"


def named_model(model: str) -> Path | None:
    """Return the file of a model under python/models; None for a path or an unknown name."""
    file = MODELS / model / "model.py"
    return file if re.fullmatch(r"[\w-]+", model) and file.is_file() else None
