# SPDX-License-Identifier: Apache-2.0
"""The clock of all waits.

The clock runs in real time on an idle machine, and at a tenth of real time or faster on a busy one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from bounded import wait_until

from pilotlight import deadline
from pilotlight.deadline import Alarm, Clock, Deadline, waited_for_processor_s


class Machine:
    """A machine whose real time and waiting time the test sets."""

    def __init__(self) -> None:
        self.real_s = 100.0
        self.waited_s = 7.0
        self.clock = Clock(lambda: self.real_s, lambda: self.waited_s)

    def passes(self, real_s: float, waited_s: float) -> float:
        """Let this much time pass. Return how far the clock moved."""
        before = self.clock.now()
        self.real_s += real_s
        self.waited_s += waited_s
        return self.clock.now() - before


def test_an_idle_machine_counts_every_second() -> None:
    assert Machine().passes(12.0, waited_s=0.0) == pytest.approx(12.0)


def test_time_in_which_tasks_waited_for_a_processor_does_not_count() -> None:
    assert Machine().passes(12.0, waited_s=7.5) == pytest.approx(4.5)


def test_a_machine_that_is_busy_all_the_time_still_counts_a_tenth() -> None:
    machine = Machine()
    assert sum(machine.passes(1.0, waited_s=1.0) for _ in range(50)) == pytest.approx(5.0)


@pytest.mark.parametrize("waited_s", [-3.0, 30.0], ids=["counter that starts again", "counter that jumps"])
def test_the_clock_never_runs_backwards_nor_faster_than_real_time(waited_s: float) -> None:
    assert 0.0 < Machine().passes(2.0, waited_s) <= 2.0


def test_without_the_kernels_counters_real_time_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("_PRESSURE", "_STAT"):
        monkeypatch.setattr(deadline, name, tmp_path / "missing")
    assert waited_for_processor_s() == 0.0


@pytest.mark.parametrize("text", ["", "some\n", "some avg10=0.00 total=many\n"])
def test_counters_in_another_form_count_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text, encoding="ascii")
    for name in ("_PRESSURE", "_STAT"):
        monkeypatch.setattr(deadline, name, tmp_path / "file")
    assert waited_for_processor_s() == 0.0


def test_pressure_and_stolen_time_are_read_in_seconds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "pressure").write_text(
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 total=0\n"
    )
    ticks = 4 * os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1)
    (tmp_path / "stat").write_text(f"cpu  1 2 3 4 5 6 7 {ticks} 9 10\ncpu0 1 2 3\n")
    monkeypatch.setattr(deadline, "_PRESSURE", tmp_path / "pressure")
    monkeypatch.setattr(deadline, "_STAT", tmp_path / "stat")
    assert waited_for_processor_s() == pytest.approx(6.5)


@pytest.mark.skipif(not Path("/proc/pressure/cpu").exists(), reason="this kernel does not count waiting time")
def test_busy_loops_on_every_processor_are_seen() -> None:
    loops = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * len(os.sched_getaffinity(0)))
    ]
    try:
        before = waited_for_processor_s()
        wait_until(lambda: waited_for_processor_s() > before + 0.2, "waiting time")
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_a_deadline_within_another_ends_with_the_earlier_one() -> None:
    whole = Deadline(1000)
    assert whole.within(2000) is whole
    assert whole.within(5).remaining <= 5
    assert Deadline(0).passed and not whole.passed


def test_a_signal_whose_handler_asks_for_the_time_may_come_while_the_time_is_read() -> None:
    inner: list[float] = []
    interrupts = iter([True])

    def real_s() -> float:
        if next(interrupts, False):
            signal.raise_signal(signal.SIGUSR1)
        return time.monotonic()

    started = iter([False])
    clock = Clock(lambda: time.monotonic() if next(started, True) is False else real_s(), lambda: 0.0)
    before = signal.signal(signal.SIGUSR1, lambda number, frame: inner.append(clock.now()))
    try:
        reader = clock.now()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(inner) == 1 and 0.0 <= inner[0] <= reader


def test_an_alarm_rings_once_its_time_has_passed() -> None:
    rung = threading.Event()
    alarm = Alarm(0.05, rung.set)
    try:
        start = time.monotonic()
        wait_until(rung.is_set, "the alarm")
        assert time.monotonic() - start >= 0.05
    finally:
        alarm.cancel()


def test_an_alarm_that_was_cancelled_does_not_ring_and_leaves_the_signal_as_it_was() -> None:
    before = signal.getsignal(signal.SIGALRM)
    alarm = Alarm(0.01, lambda: pytest.fail("it rang"))
    alarm.cancel()
    time.sleep(0.05)
    assert signal.getsignal(signal.SIGALRM) is before
