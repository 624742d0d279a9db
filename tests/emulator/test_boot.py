# SPDX-License-Identifier: Apache-2.0
"""Start-up, console, clock, stack and faults of the platform, on every board that can run here."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from probe_bench import Bench


def test_the_image_starts_with_its_data_its_constructors_and_a_new_boot_id(bench: Bench) -> None:
    bench.power_up()
    greetings = []
    for _ in range(3):
        bench.wire.send("z")
        greetings.append(bench.wire.read_until("probe boot"))
    # The constructor adds one to initialised data, so 1235 needs both, in this order.
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
    start = time.monotonic()
    answer = bench.wire.ask("i 500")
    took_s = time.monotonic() - start
    assert answer.startswith("none after")
    assert 500_000 <= int(answer.split()[2]) < 700_000
    assert 0.49 < took_s < 1.0


def test_stack_use_is_a_small_part_of_the_stack(qemu_bench: Bench) -> None:
    qemu_bench.power_up()
    used, _, size = qemu_bench.wire.ask("s").split()
    assert int(size) == 32768
    assert 300 < int(used) < 8192


# kind, then the bit of CFSR that the architecture sets (Armv8-M ARM, "Configurable Fault Status Register").
@pytest.mark.parametrize(
    ("what", "kind", "cfsr_bit"),
    [
        ("undefined", 4, 1 << 16),  # UNDEFINSTR
        ("bus", 3, 1 << 9),  # PRECISERR
        ("overflow", 4, 1 << 20),  # STKOF
        ("interrupt", 7, 0),
    ],
)
def test_a_fault_is_recorded_and_reported_by_the_next_boot(
    qemu_bench: Bench, what: str, kind: int, cfsr_bit: int
) -> None:
    qemu_bench.power_up()
    qemu_bench.wire.send(f"f {what}")
    qemu_bench.wire.read_until("probe boot")
    words = qemu_bench.wire.read_until("fault").split()
    assert int(words[2]) == kind
    assert int(words[6], 16) & cfsr_bit == cfsr_bit
    function = _function_at(qemu_bench.folder / "firmware.elf", words[4])
    assert function in ("main", "(anonymous namespace)::Fault", "(anonymous namespace)::Overflow")

    qemu_bench.wire.send("z")
    qemu_bench.wire.read_until("probe boot")
    assert qemu_bench.wire.ask("a") == "alive"  # and no second report of the same fault in between


def test_a_failed_check_names_its_line_after_the_reset(bench: Bench) -> None:
    bench.power_up()
    bench.wire.send("f check")
    bench.wire.read_until("probe boot")
    report = bench.wire.read_until("fault")
    assert report.startswith("fault kind 6")
    assert report.endswith("text probe.cpp: kind == nullptr")


def _function_at(image: Path, address: str) -> str:
    command = ["arm-none-eabi-addr2line", "-fCie", str(image), address]
    # Innermost first; the probe's functions may have been inlined into main().
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return lines[0].split("(char")[0].split("(unsigned")[0]
