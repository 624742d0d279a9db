# SPDX-License-Identifier: Apache-2.0
"""Start-up, console, clock and stack of the platform, on every board that can run here."""

from __future__ import annotations

import time

from bounded import wait_until
from probe_bench import Bench


def test_the_image_starts_with_its_data_its_constructors_and_a_new_boot_id(bench: Bench) -> None:
    bench.power_up()
    greetings = []
    for _ in range(3):
        bench.wire.send("z")
        greetings.append(bench.wire.read_until("probe boot"))
    # The constructor adds one to initialised data. 1235 needs both, in this order.
    assert all(line.endswith("constructed 1235") for line in greetings)
    assert len(set(greetings)) == 3


def test_the_console_passes_every_byte_both_ways(bench: Bench) -> None:
    bench.power_up()
    every_byte = bytes(range(256)) * 8
    bench.wire.send(f"e {len(every_byte)}")
    bench.wire.send_bytes(every_byte)
    assert bench.wire.read_bytes(len(every_byte)) == every_byte


def test_the_console_loses_nothing_of_a_burst(bench: Bench) -> None:
    bench.power_up()
    bench.wire.send("d 20000")
    bench.wire.send_bytes(bytes(20000))
    answer = bench.wire.read_until("20000 bytes", timeout_s=30)
    assert answer.endswith(", 0 lost")
    print(f"{bench.folder}: {answer}")


def test_a_millisecond_of_the_board_is_a_millisecond(bench: Bench) -> None:
    bench.power_up()
    bench.wire.ask("r 0")

    def measured() -> bool:
        start = time.monotonic()
        answer = bench.wire.ask("i 500")
        took_s = time.monotonic() - start
        assert answer.startswith("none after")
        waited_s = int(answer.split()[2]) / 1e6
        assert 0.5 <= waited_s <= 1.001 * took_s, "the board's clock runs too fast"
        # On a busy machine the answer may come late; then the test measures again. A clock that
        # runs too slowly fails every time.
        return took_s < 1.3 * waited_s

    wait_until(measured, "a wait that took the board and the host the same time")


def test_stack_use_is_a_small_part_of_the_stack(qemu_bench: Bench) -> None:
    qemu_bench.power_up()
    used, _, size = qemu_bench.wire.ask("s").split()
    assert int(size) == 32768
    assert 300 < int(used) < 8192


def test_a_failed_check_names_its_line_after_the_reset(bench: Bench) -> None:
    bench.power_up()
    bench.wire.send("f check")
    bench.wire.read_until("probe boot")
    report = bench.wire.read_until("fault")
    assert report.startswith("fault kind 6")
    assert report.endswith("text probe.cpp: kind == nullptr")
    bench.wire.send("z")
    bench.wire.read_until("probe boot")
    assert bench.wire.ask("a") == "alive"  # The failure was not reported a second time.
