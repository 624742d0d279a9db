# SPDX-License-Identifier: Apache-2.0
"""Two processes with models of their own share one search."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from trap_models import write_model


@pytest.mark.campaign
def test_two_commands_with_one_storage_share_the_trials(tmp_path: Path) -> None:
    model, trials = write_model("boxes_beside_scores", tmp_path), 8
    storage = tmp_path / "shared.journal"
    command = [sys.executable, "-m", "pilotlight", "tune", str(model), "--storage", str(storage)]
    command += ["--trials", str(trials), "--json", "--out"]
    processes = [
        subprocess.Popen([*command, str(tmp_path / f"out{name}")], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0]
    journal = [json.loads(line) for line in storage.read_text(encoding="utf-8").splitlines()]
    results = [line["user_attr"]["result"] for line in journal if "result" in line.get("user_attr", {})]
    recipes = [result["recipe"] for result in results]
    assert len(recipes) == len(set(recipes)) == trials
    workers = {line["user_attr"]["worker"]["pid"] for line in journal if "worker" in line.get("user_attr", {})}
    assert len(workers) == 2


@pytest.mark.campaign
def test_jobs_share_the_trials_of_one_command(tmp_path: Path) -> None:
    model, out = write_model("boxes_beside_scores", tmp_path), tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "pilotlight",
        "tune",
        str(model),
        "--trials",
        "6",
        "--jobs",
        "2",
        "--out",
        str(out),
    ]
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
    trials = [one["trial"]["recipe"] for one in json.loads((out / "tune.json").read_text(encoding="utf-8"))["trials"]]
    assert len(trials) == len(set(trials)) == 6
