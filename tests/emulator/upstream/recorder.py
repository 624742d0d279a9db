# SPDX-License-Identifier: Apache-2.0
"""A pytest plug-in for the process that runs a batch of upstream's cases.

The plug-in selects the cases and records each result. PILOTLIGHT_UPSTREAM_BATCH names a file with
one node id per line. PILOTLIGHT_UPSTREAM_RESULTS names a file that gets one JSON line when a case
starts and one when it ends. A case that only started has ended its process.
PILOTLIGHT_UPSTREAM_COMMIT goes into each line.
"""

from __future__ import annotations

import gc
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest


class Recorder:
    def __init__(self) -> None:
        self._ids = Path(os.environ["PILOTLIGHT_UPSTREAM_BATCH"]).read_text(encoding="utf-8").splitlines()
        self._results = Path(os.environ["PILOTLIGHT_UPSTREAM_RESULTS"])
        self._outcome: tuple[str, str] = ("", "")
        self._start = 0.0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        found = {item.nodeid: item for item in items}
        items[:] = [found[each] for each in self._ids if each in found]

    def pytest_collection_finish(self) -> None:
        # PyTorch keeps a million objects in memory. The search of these objects for garbage takes a
        # fifth of a case's time.
        gc.collect()
        gc.freeze()

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._outcome = ("", "")
        self._start = time.monotonic()
        self._write(case=nodeid, outcome="started")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._outcome = _classify(report)

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        outcome, reason = self._outcome
        seconds = round(time.monotonic() - self._start, 2)
        self._write(case=nodeid, outcome=outcome, seconds=seconds, reason=reason)

    def _write(self, **record: object) -> None:
        with self._results.open("a", encoding="utf-8") as results:
            results.write(json.dumps({**record, "commit": os.environ["PILOTLIGHT_UPSTREAM_COMMIT"]}) + "\n")


def _classify(report: pytest.TestReport) -> tuple[str, str]:
    """Return (outcome, reason).

    Upstream decides which failures are expected. We only report whether those cases failed.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    reason = crash.message if crash is not None else str(report.longrepr or "")
    if hasattr(report, "wasxfail"):
        return ("xfailed" if report.outcome == "skipped" else "xpassed"), report.wasxfail
    if "[XPASS(strict)]" in reason:
        return "xpassed", reason
    if report.outcome == "skipped":
        return "skipped", str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else reason
    return report.outcome, reason[-2000:]


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder())
