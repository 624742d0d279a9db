# SPDX-License-Identifier: Apache-2.0
"""In an app with an operating system, its mutex, semaphore and clock replace the defaults."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import serial
from door_panel import answer
from workflow import ROOT, run

from pilotlight.targets import connect, power_off

EXAMPLE = ROOT / "firmware" / "examples" / "bare_metal"

# A minimal operating system. The tick comes from SysTick at 1 kHz and not from the board's timer.
_SYSTEM = """
#include <stdbool.h>
static volatile uint32_t ticks_ms, waits, signals, locks, unlocks;
static volatile bool raised;
void tick(void);
void tick(void) { ++ticks_ms; }
static void lock(void* c) { (void)c; ++locks; }
static void unlock(void* c) { (void)c; ++unlocks; }
static uint64_t now_us(void* c) { (void)c; return (uint64_t)ticks_ms * 1000u; }
static void signal_(void* c) { (void)c; ++signals; raised = true; }
static void wait_(void* c, uint64_t deadline_us) {
  ++waits;
  while (!raised && now_us(c) < deadline_us) __asm volatile("wfi");
  raised = false;
}
"""
_INIT = """
  *(volatile uint32_t*)0xE000E014 = 32000 - 1;
  *(volatile uint32_t*)0xE000E018 = 0;
  *(volatile uint32_t*)0xE000E010 = 7;
  const pilotlight_options_t options = {
      .hooks = {.lock = lock, .unlock = unlock, .wait = wait_, .signal = signal_, .now_us = now_us}};
  (void)pilotlight_init(&options);
"""
_COUNTS = """
    if (strcmp(line, "counts") == 0) {
      const int counts[] = {(int)waits,   (int)signals, (int)locks,
                            (int)unlocks, (int)(now_us(NULL) / 1000), (int)pilotlight_stats(&digits).cpu_cycles};
      for (int i = 0; i < 6; ++i) {
        uart_print_number(counts[i]);
        uart_print(i == 5 ? "\\n" : " ");
      }
      continue;
    }
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with hooks, and with a command that prints how often they were called."""
    folder = shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("hooks") / "app")
    _replace(
        folder / "main.c",
        ("static pilotlight_model_t digits;", _SYSTEM + "static pilotlight_model_t digits;"),
        ("(void)pilotlight_init(NULL);", _INIT),
        ("uart_read_line(line, sizeof line);", "uart_read_line(line, sizeof line);" + _COUNTS),
    )
    _replace(
        folder / "startup.c",
        ("static void default_handler", "void tick(void);\nstatic void default_handler"),
        ("[2 ... 15] = default_handler,", "[2 ... 14] = default_handler,\n    [15] = tick,"),
        (
            "[16 + PILOTLIGHT_TIMER_VECTOR] = pilotlight_timer_interrupt,",
            "[16 + PILOTLIGHT_TIMER_VECTOR] = default_handler,",
        ),
    )
    return folder


def _replace(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for before, after in pairs:
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


def test_inference_waits_and_locks_through_the_apps_hooks(app: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    outcome = run("build", "-s", app, "-b", "qemu-corstone300", "-d", build)
    assert outcome.code == 0, outcome.out + outcome.err
    assert run("flash", "-d", build).code == 0
    try:
        golden = np.load(build / "bundles" / "digits" / "golden.npz")
        with serial.serial_for_url(connect(build)) as port:
            before = _counts(port)
            for image, scores in zip(golden["input_0"][:5], golden["golden_0"][:5], strict=True):
                port.write(b"digit " + image.tobytes().hex().encode() + b"\n")
                assert [int(score) for score in answer(port).partition(": ")[2].split()] == scores.ravel().tolist()
            after = _counts(port)
    finally:
        power_off(build)
    waits, signals, locks, unlocks, time_ms, _ = (b - a for a, b in zip(before, after, strict=True))
    assert signals >= 5, "one interrupt of the NPU for each inference"
    assert waits >= 1
    assert locks == unlocks == 5
    assert time_ms > 0
    assert after[-1] > 0, "the CPU cycles of an inference do not need the board's timer"


def _counts(port: serial.SerialBase) -> list[int]:
    port.write(b"counts\n")
    return [int(number) for number in answer(port).split()]
