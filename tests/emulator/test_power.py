# SPDX-License-Identifier: Apache-2.0
"""The supervisor with real emulators.

Which boards stay on, which end, and what their state says afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bounded import wait_until
from probe_bench import Bench, Wire, kill, make_build

from pilotlight import targets
from pilotlight.errors import TargetNotRunning
from pilotlight.targets.state import process_ended


def test_a_board_stays_on_between_clients(bench: Bench) -> None:
    bench.power_up()
    bench.wire.ask("w 0x2c 5")
    bench.wire.close()
    time.sleep(0.3)
    bench.wire = Wire(targets.status(bench.folder).console_port)
    assert int(bench.wire.ask("r 0x2c"), 16) == 5


def test_a_second_client_is_turned_away_and_the_first_is_not_disturbed(bench: Bench) -> None:
    state = bench.power_up()
    second = Wire(state.console_port)
    assert "another program has this console" in second.ask("r 0")
    with pytest.raises((EOFError, ConnectionError)):
        second.ask("r 0")
    assert bench.wire.ask("a") == "alive"


def test_two_builds_run_side_by_side(probe_image: Callable[[str], Path], tmp_path: Path) -> None:
    image = probe_image("qemu-corstone300")
    benches = [Bench(make_build(tmp_path / name, "qemu-corstone300", image)) for name in ("one", "two")]
    try:
        for value, each in enumerate(benches):
            each.power_up()
            each.wire.ask(f"w 0x2c {value}")
        assert [int(each.wire.ask("r 0x2c"), 16) for each in benches] == [0, 1]
    finally:
        for each in benches:
            targets.power_off(each.folder)


def test_power_off_ends_every_process(bench: Bench) -> None:
    state = bench.power_up()
    assert targets.power_off(bench.folder) is True
    assert all(map(process_ended, (state.supervisor_pid, state.emulator_pid, state.npu_pid)))
    assert targets.status(bench.folder).reason == "powered off"
    assert targets.power_off(bench.folder) is False
    with pytest.raises(TargetNotRunning, match="powered off"):
        targets.connect(bench.folder)


def test_powering_up_again_replaces_what_ran(bench: Bench) -> None:
    before = bench.power_up()
    after = bench.power_up()
    assert all(map(process_ended, (before.supervisor_pid, before.emulator_pid, before.npu_pid)))
    assert after.emulator_pid != before.emulator_pid
    assert bench.wire.ask("a") == "alive"


def test_a_killed_emulator_is_a_dead_target_with_the_reason(bench: Bench) -> None:
    state = bench.power_up()
    bench.wire.send("i 5000")
    kill(state.emulator_pid)
    ended = bench.wait_until(lambda s: not s.running)
    assert ended.reason == "the emulator ended: killed by SIGKILL"
    with pytest.raises(TargetNotRunning, match="killed by SIGKILL"):
        targets.connect(bench.folder)
    with pytest.raises((EOFError, ConnectionError)):
        bench.wire.read_line()
    assert process_ended(state.npu_pid)


def test_a_killed_supervisor_leaves_no_orphans(bench: Bench) -> None:
    state = bench.power_up()
    kill(state.supervisor_pid)
    orphans = (state.emulator_pid, state.npu_pid)
    wait_until(lambda: all(map(process_ended, orphans)), "the end of emulator and simulator")
    assert "supervisor was killed" in bench.wait_until(lambda s: not s.running).reason
    bench.power_up()
    assert bench.wire.ask("a") == "alive"


def test_a_board_that_nobody_uses_switches_itself_off(bench: Bench) -> None:
    bench.power_up(idle_limit_s=1)
    time.sleep(1.5)
    assert bench.wire.ask("a") == "alive"  # A connected but silent client counts as use.
    bench.wire.close()
    ended = bench.wait_until(lambda s: not s.running)
    assert ended.reason == "idle for 1 s"


def test_a_new_build_under_a_running_target_is_not_mistaken_for_it(bench: Bench) -> None:
    bench.power_up()
    info = bench.folder / "build_info.json"
    info.write_text(info.read_text(encoding="utf-8").replace("0123456789abcdef", "f" * 16), encoding="utf-8")
    with pytest.raises(TargetNotRunning, match="built again"):
        targets.connect(bench.folder)
