# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin: one time limit per test, which ends a hang.

The limit counts on the clock of pilotlight.deadline, which runs more slowly while the machine is
busy. A test therefore needs no limits for the programs that it starts: subprocess.run() ends its
child when the test fails. `@pytest.mark.time_limit(seconds)` sets another limit for one test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pilotlight.deadline import Alarm


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--time-limit", type=float, default=600.0, metavar="S", help="seconds that a test may take")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    marker = item.get_closest_marker("time_limit")
    seconds = float(marker.args[0]) if marker else float(item.config.getoption("time_limit"))

    def end() -> None:
        # Raised at the line where the test hangs, so the report shows what it waited for.
        pytest.fail(f"longer than {seconds:g} s on the clock of pilotlight.deadline")

    alarm = Alarm(seconds, end)
    try:
        return (yield)
    finally:
        alarm.cancel()
