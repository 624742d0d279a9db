# SPDX-License-Identifier: Apache-2.0
"""The parts of the bench. Each measures something and returns figures. README.md explains them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from footprint import DATA, OF_THE_RUNTIME, Use, by_component, runtime_code_elsewhere, sections_of
from images import BENCH, digits_image
from results import Figure
from rich.console import Console

if TYPE_CHECKING:
    from simulator_speed import Speed

_CORE_GOAL_BYTES = 16 * 1024
_VERIFIER_GOAL_BYTES = 12 * 1024
_RAM_GOAL_BYTES = {"digits": 4 * 1024, "MobileNetV2": 26 * 1024}
# The components that count as the runtime's RAM, independent of the board and the app.
_OF_THE_RUNTIME = (*OF_THE_RUNTIME, "kernels", "delegate", "driver")
_METHOD_POOL_GOAL_BYTES = 4 * 1024
_DISPATCH_GOAL_INSTRUCTIONS = 150
_LOAD_GOAL = 0.5
_SPEED_GOAL = 8.0
_DIGITS_SPEED_GOAL = 3.0
_FLOAT_GOAL = 3.0
_COMMAND_GOAL_US = 10.0
_VIT_GOAL_S = 0.010
_WARM_GOAL, _COLD_GOAL = 6.0, 25.0
_FIRST_RUNS = {"cold": "it decodes the weights", "warm": "decoded weights are on disk"}
# 1 is linear. The part above 1 is a margin for other work on the machine.
_GROWTH_GOAL = 1.1
_CHECKED_SAMPLES = 8


def footprint(console: Console) -> list[Figure]:
    int8, float_io = digits_image(console), digits_image(console, float_io=True)
    return [
        *_runtime(),
        *_driver(),
        *_code(int8, "int8"),
        *_code(float_io, "float I/O"),
        *_runtime_ram(int8),
        *_ram(int8),
        *_pools(int8),
        *_pool(float_io),
    ]


def _runtime() -> list[Figure]:
    from runtime_footprint import runtime_footprint

    sizes = runtime_footprint()
    return [
        Figure("runtime by itself: core", sizes.core, "bytes", at_most=_CORE_GOAL_BYTES, note=".text and .rodata, -Os"),
        Figure("runtime by itself: verifier", sizes.verifier, "bytes", at_most=_VERIFIER_GOAL_BYTES),
        Figure("runtime by itself: messages", sizes.messages, "bytes", note="texts, their formatting, and calls"),
    ]


def _driver() -> list[Figure]:
    from driver_footprint import driver_footprints

    figures = []
    for sizes in driver_footprints():
        figures.append(Figure(f"stream verifier for {sizes.npus}", sizes.verifier, "bytes"))
        figures.append(Figure(f"delegate and driver for {sizes.npus}", sizes.driver, "bytes"))
    return figures


def _runtime_ram(digits: Path) -> list[Figure]:
    from runtime_footprint import method_pool_of
    from simulator_speed import mobilenet_program

    uses = by_component(digits / "firmware.map")
    static = sum(uses[name].ram for name in _OF_THE_RUNTIME if name in uses)
    programs = {
        "digits": (digits / "bundles" / "digits" / "model.pte").read_bytes(),
        "MobileNetV2": mobilenet_program(),
    }
    figures = []
    for name, pte in programs.items():
        pool = method_pool_of(pte)
        note = f"{static:,} of runtime, delegate and driver; method pool {pool:,}"
        goal = _RAM_GOAL_BYTES[name]
        figures.append(Figure(f"RAM beside planned buffers: {name}", static + pool, "bytes", at_most=goal, note=note))
    return figures


def _code(folder: Path, image: str) -> list[Figure]:
    linker_map = folder / "firmware.map"
    uses = by_component(linker_map)
    uses.setdefault("kernels", Use(0, 0))  # A line for the kernels even if there are none.
    figures = []
    for name, use in uses.items():
        figures.append(Figure(f"code, {image}: {name}", use.code, "bytes"))
    total = sum(use.code for use in uses.values())
    inline = runtime_code_elsewhere(linker_map)
    figures.append(Figure(f"code, {image}: all", total, "bytes", note=f"{inline:,} are ExecuTorch's inline functions"))
    return figures


def _ram(folder: Path) -> list[Figure]:
    uses = by_component(folder / "firmware.map")
    figures = [
        Figure(f"RAM, int8: {name}", use.ram, "bytes")
        for name, use in sorted(uses.items(), key=lambda item: -item[1].ram)
        if use.ram
    ]
    sizes = sections_of(folder / "firmware.elf")
    total = sum(sizes.get(name, 0) for name in DATA) + sizes.get(".method_pool", 0)
    figures.append(Figure("RAM, int8: all beyond planned buffers", total, "bytes", note="with method pool; no stack"))
    return figures


def _pools(folder: Path) -> list[Figure]:
    """Return the computed sizes, and the sizes that a check on the powered board used."""
    from pilotlight import targets
    from pilotlight.check.run import run_check

    targets.power_up(folder, idle_limit_s=60)
    try:
        report = run_check(folder, samples=_CHECKED_SAMPLES, timeout_s=300)
    finally:
        targets.power_off(folder)
    if report.failure:
        raise report.failure
    memory = report.models[0].memory
    assert memory is not None
    return [
        Figure("method pool, int8: computed", memory.method_pool_size, "bytes", at_most=_METHOD_POOL_GOAL_BYTES),
        Figure(
            "method pool, int8: used",
            memory.method_pool_used,
            "bytes",
            at_most=_METHOD_POOL_GOAL_BYTES,
            note=f"high-water mark of a check ({_CHECKED_SAMPLES} samples)",
        ),
        Figure("temp pool, int8: used", memory.temp_pool_used, "bytes", note=f"of {memory.temp_pool_size:,}"),
        Figure("stack, int8: used", memory.stack_used, "bytes", note=f"of {memory.stack_size:,}"),
    ]


def _pool(folder: Path) -> list[Figure]:
    size = sections_of(folder / "firmware.elf")[".method_pool"]
    return [Figure("method pool, float I/O: computed", size, "bytes", at_most=_METHOD_POOL_GOAL_BYTES)]


def instructions(console: Console) -> list[Figure]:
    from instructions import count_instructions

    counted = count_instructions(digits_image(console))
    unit = "instructions"
    return [
        Figure(
            "calibration: an instruction of a known loop",
            counted.ticks_per_instruction,
            "ticks",
            note=f"QEMU's option says {counted.expected_ticks_per_instruction:g}",
        ),
        Figure("digits: Program::load", counted.load_program, unit, note="verifies the whole file"),
        Figure("digits: load_method", counted.load_method, unit),
        Figure("digits: load_method, runtime alone", counted.load_method_runtime, unit, note="delegate does nothing"),
        Figure("load_method, each further operator", counted.load_method_per_operator, unit),
        Figure(
            "execute, each operator call",
            counted.per_operator,
            unit,
            at_most=_DISPATCH_GOAL_INSTRUCTIONS,
            note="kernel does nothing",
        ),
        Figure("execute, each delegate call", counted.per_delegate, unit, note="backend does nothing"),
        Figure("digits: execute", counted.execute, unit, note="NPU answers at once: all of the CPU's work"),
        Figure("digits: execute, inputs and outputs copied", counted.execute_copied, unit, note="64 and 10 bytes"),
        Figure("digits: execute, runtime alone", counted.execute_runtime, unit, note="delegate does nothing"),
    ]


def load(console: Console) -> list[Figure]:
    from load_speed import OPERATORS, measure_loads

    with console.status("loading programs"):
        loads = measure_loads()
    figures = [
        Figure(
            "load_method: our time over the wheel's", loads.worst_ratio, "x", at_most=_LOAD_GOAL, note="worst of all"
        ),
        Figure(
            "both together: our time over the wheel's",
            loads.worst_ratio_with_verification,
            "x",
            note="ours verifies the file in full, the wheel's default does not",
        ),
        Figure(
            "load_method: exponent of our time over operators", loads.exponent, "", at_most=_GROWTH_GOAL, note="fit"
        ),
    ]
    for count in OPERATORS:
        note = f"{loads.ratio(count):.2f} of the wheel's {loads.method['wheel'][count] / 1000:,.1f} us"
        us = loads.method["ours"][count] / 1000
        figures.append(Figure(f"load_method, {count} operators", us, "us", orientation=True, note=note))
        note = f"verified in full; the wheel, which does not: {loads.program['wheel'][count] / 1000:,.1f} us"
        us = loads.program["ours"][count] / 1000
        figures.append(Figure(f"Program::load, {count} operators", us, "us", orientation=True, note=note))
    return figures


def simulator(console: Console) -> list[Figure]:
    from simulator_speed import (
        convolution_growth,
        digits_speed,
        mobilenet_speed,
        transformer_commands,
        vision_transformer_commands,
    )

    from pilotlight.export.upstream.noise import NoiseLog

    # Exporter and reference model print a lot.
    noise = NoiseLog(BENCH / "simulator.log")
    speeds: list[Speed] = []
    for measure in (mobilenet_speed, digits_speed, partial(mobilenet_speed, "ethos-u85-256")):
        with noise.captured():  # No spinner, which would end up in the log.
            speeds.append(measure())
    with noise.captured():
        growth, vit = convolution_growth(), vision_transformer_commands()
        transformers = [transformer_commands(npu) for npu in ("ethos-u55-128", "ethos-u85-256")]
    noise.close()
    mobilenet, digits, mobilenet_u85 = speeds
    figures = _speed(mobilenet, _SPEED_GOAL)
    if mobilenet.float_s is not None and mobilenet.float_ratio is not None:
        name = f"{mobilenet.network}: our time over PyTorch's float32"
        note = "one thread each"
        figures.insert(1, Figure(name, mobilenet.float_ratio, "x", at_most=_FLOAT_GOAL, note=note))
        for first, first_s, goal in (("warm", mobilenet.warm_s, _WARM_GOAL), ("cold", mobilenet.cold_s, _COLD_GOAL)):
            name = f"{mobilenet.network}: first run over PyTorch's float32, {first}"
            figures.insert(2, Figure(name, first_s / mobilenet.float_s, "x", at_most=goal, note=_FIRST_RUNS[first]))
        figures.append(Figure(f"{mobilenet.network}: PyTorch, float32", mobilenet.float_s, "s", orientation=True))
        both = mobilenet.one_core_s / mobilenet.simulated_s
        figures.append(Figure(f"{mobilenet.network}: one core's time over that of all", both, "x"))
    figures += _speed(digits, _DIGITS_SPEED_GOAL)
    figures += _speed(mobilenet_u85, _SPEED_GOAL)
    for macs, seconds in growth.seconds.items():
        name = f"convolution of {macs / 1e6:,.1f} M products"
        figures.append(Figure(name, seconds, "s", orientation=True, note=f"{macs / seconds / 1e9:.1f} G a second"))
    figures.append(
        Figure("convolutions: exponent of time over products", growth.exponent, "", at_most=_GROWTH_GOAL, note="fit")
    )
    for small in transformers:
        each_us = small.seconds / small.commands * 1e6
        note = f"{small.commands} commands, {small.macs:,} products"
        name = f"{small.network}: time per command"
        figures.append(Figure(name, each_us, "us", at_most=_COMMAND_GOAL_US, orientation=True, note=note))
    note = f"{vit.commands} commands, {vit.macs:,} products"
    name = f"{vit.network}: simulated"
    figures.append(Figure(name, vit.seconds, "s", at_most=_VIT_GOAL_S, orientation=True, note=note))
    return figures


def _speed(speed: Speed, goal: float | None = None) -> list[Figure]:
    name, runs = speed.network, f"fastest of {speed.runs}"
    return [
        Figure(f"{name}: TOSA reference's time over ours", speed.ratio, "x", at_least=goal, note=runs),
        Figure(f"{name}: simulated", speed.simulated_s, "s", orientation=True),
        Figure(f"{name}: TOSA reference", speed.reference_s, "s", orientation=True),
        Figure(f"{name}: first run, cold", speed.cold_s, "s", orientation=True, note=_FIRST_RUNS["cold"]),
        Figure(f"{name}: first run, warm", speed.warm_s, "s", orientation=True, note=_FIRST_RUNS["warm"]),
    ]


def export(console: Console) -> list[Figure]:
    report = json.loads((digits_image(console) / "bundles" / "digits" / "report.json").read_text(encoding="utf-8"))
    seconds: dict[str, float] = report["seconds"]
    total = sum(seconds.values())
    figures = [Figure("digits: export", total, "s", orientation=True)]
    for name, value in sorted(seconds.items(), key=lambda item: -item[1]):
        figures.append(
            Figure(f"digits: {name}", value, "s", orientation=True, note=f"{value / total:.0%} of the export")
        )
    return figures


def lowering(console: Console) -> list[Figure]:
    from lowering_speed import compare, networks

    from pilotlight.export.upstream.noise import NoiseLog

    console.print("this part takes some ten minutes")
    BENCH.mkdir(parents=True, exist_ok=True)
    noise = NoiseLog(BENCH / "lowering.log")
    figures = []
    for network in networks():
        if not network.is_available:
            console.print(f"{network.name} is left out: install tests/zoo/requirements.txt", highlight=False)
            continue
        with noise.captured():
            lowered = compare(network)
        console.print(f"  {network.name}: {lowered.ratio:.2f}", highlight=False)
        note = "processor time, in turns; same bytes"
        name = f"{network.name}: lowering over upstream alone"
        figures += [
            Figure(name, lowered.ratio, "x", at_most=network.goal, note=note),
            Figure(f"{network.name}: lowering", lowered.quick_s, "s", orientation=True),
        ]
    noise.close()
    return figures


def memory(console: Console) -> list[Figure]:
    from memory import LARGE, SMALL, measure_memory

    figures = []
    for model in (*SMALL, *LARGE):
        used = measure_memory(model, console)
        for pool in used.pools:
            note = f"computed {pool.computed:,}: {'equal' if pool.computed == pool.measured else 'NOT EQUAL'}"
            figures.append(Figure(f"{model}: {pool.pool}", pool.measured, "bytes", at_most=pool.computed, note=note))
        note = "planned buffers and scratch are the same memory" if used.in_place else "planned buffers and scratch"
        figures.append(Figure(f"{model}: arena", used.arena, "bytes", note=note))
    return figures


def build(console: Console) -> list[Figure]:
    from build_time import time_builds

    with console.status("building a copy of the checkout"):
        builds = time_builds()
    # In seconds of processor time, with the export.
    goals = {"clean": 15.0, "one source of the runtime": 2.0, "another model in another build folder": 4.0}
    figures = []
    for one in builds:
        exported = f"exported in {one.exported_s:.1f} s" if one.exported_s else "not exported again"
        figures += [
            Figure(f"{one.change}: build steps", one.steps, "steps", note=exported),
            Figure(f"{one.change}: time", one.seconds, "s", orientation=True),
            Figure(f"{one.change}: processor time", one.cpu_s, "s", goals.get(one.change), orientation=True),
        ]
    return figures


PARTS: dict[str, Callable[[Console], list[Figure]]] = {
    "footprint": footprint,
    "instructions": instructions,
    "load": load,
    "simulator": simulator,
    "export": export,
    "lowering": lowering,
    "build": build,
    "memory": memory,
}
