#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Resolve python/requirements.in into python/requirements.txt, every package at one version.

    scripts/lock.py python3.10 python3.11

The last interpreter's versions are the ones we test with and apply from its version on; a line with a
marker is added where an older interpreter needs another version. The GPU libraries that PyTorch's plain
package brings are left out: PyTorch pins those itself, and its CPU build has none.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PYTHON = Path(__file__).resolve().parents[1] / "python"
GPU = re.compile(r"^(nvidia|cuda)-|^triton$")


def resolve(interpreter: str) -> tuple[str, dict[str, str]]:
    """Return the interpreter's version ("3.11") and the resolved versions by package name."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        venv = Path(folder) / "venv"
        subprocess.run([interpreter, "-m", "venv", str(venv)], check=True)
        pip = [str(venv / "bin" / "python"), "-m", "pip"]
        subprocess.run([*pip, "install", "--quiet", "--upgrade", "pip"], check=True)
        wanted = ["--dry-run", "--ignore-installed", "--report", str(report), "-r", str(PYTHON / "requirements.in")]
        subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
        resolved = json.loads(report.read_text(encoding="utf-8"))
    version = ".".join(resolved["environment"]["python_full_version"].split(".")[:2])
    packages = (entry["metadata"] for entry in resolved["install"])
    return version, {re.sub(r"[-_.]+", "-", p["name"]).lower(): p["version"].split("+")[0] for p in packages}


def main() -> None:
    resolutions = [resolve(interpreter) for interpreter in sys.argv[1:] or ["python3"]]
    newest, pins = resolutions[-1]
    lines = []
    for name in sorted({name for _, found in resolutions for name in found}):
        if GPU.search(name):
            continue
        older = {version: found[name] for version, found in resolutions[:-1] if name in found}
        if all(found == pins.get(name) for found in older.values()) and len(older) == len(resolutions) - 1:
            lines.append(f"{name}=={pins[name]}")
            continue
        if name in pins:
            lines.append(f'{name}=={pins[name]} ; python_version >= "{newest}"')
        lines += [f'{name}=={found} ; python_version == "{version}"' for version, found in older.items()]
    head = (
        "# Written by scripts/lock.py from requirements.in: every package at the version the project is tested with.\n"
    )
    (PYTHON / "requirements.txt").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
