# SPDX-License-Identifier: Apache-2.0
"""The stand-in for Arm's FVP with the executor runner.

The tests cover its results, failures and time limits, and the processes and files that it leaves
behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bounded import wait_until

from pilotlight.fvp_shim.command import install_executables
from pilotlight.npu.simulation import Simulator
from pilotlight.npu.trace import trace_events
from pilotlight.targets.state import process_ended

U55 = "FVP_Corstone_SSE-300_Ethos-U55"
U85 = "FVP_Corstone_SSE-320"


@pytest.fixture
def start(runner_image: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    install_executables(tmp_path / "bin")
    (tmp_path / "work").mkdir()

    def start(
        *inputs: str, limit_s: str = "60", macs: int = 128, executable: str = U55, extra: str = "--fast"
    ) -> subprocess.Popen[str]:
        line = "executor_runner -m program.pte -o out" + "".join(f" -i {name}" for name in inputs)
        part = "mps4_board.subsystem." if executable == U85 else ""
        parameters = [
            f"{part}ethosu.num_macs={macs}",
            f"{part}ethosu.extra_args='{extra}'",
            f"{part}cpu0.semihosting-cwd={tmp_path / 'work'}",
            f"{part}cpu0.semihosting-cmd_line='{line}'",
        ]
        command = [str(tmp_path / "bin" / executable), "-a", str(runner_image), "--timelimit", limit_s]
        command += [word for parameter in parameters for word in ("-C", parameter)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    return start


def double(npu: str, system_config: str) -> bytes:
    """Return a program for `npu` that adds its float32[16] input to itself."""
    return exported(lambda x: x + x, npu, system_config)


def exported(function: Callable[[Any], Any], npu: str, system_config: str) -> bytes:
    """Return a program for `npu` that computes a function of a float32[16] input."""
    import torch
    from executorch.backends.arm.ethosu import EthosUCompileSpec, EthosUPartitioner
    from executorch.backends.arm.quantizer import EthosUQuantizer, get_symmetric_quantization_config
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    class Function(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return function(x)

    example = (torch.linspace(-1, 1, 16),)
    spec = EthosUCompileSpec(npu, system_config=system_config, memory_mode="Shared_Sram")
    quantizer = EthosUQuantizer(spec)
    quantizer.set_global(get_symmetric_quantization_config())
    prepared = prepare_pt2e(torch.export.export(Function(), example).module(check_guards=False), quantizer)
    prepared(*example)
    program = torch.export.export(convert_pt2e(prepared), example)
    return bytes(to_edge_transform_and_lower(program, partitioner=[EthosUPartitioner(spec)]).to_executorch().buffer)


@pytest.fixture(scope="session")
def addition() -> bytes:
    return double("ethos-u55-128", "Ethos_U55_High_End_Embedded")


@pytest.fixture(scope="session")
def addition_u85() -> bytes:
    return double("ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid")


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def test_program_is_run_and_its_output_written(
    start: Callable[..., subprocess.Popen[str]], addition: bytes, tmp_path: Path
) -> None:
    data = np.linspace(-1, 1, 16, dtype=np.float32)
    (tmp_path / "work" / "program.pte").write_bytes(addition)
    (tmp_path / "work" / "i0.bin").write_bytes(data.tobytes())

    run = start("i0.bin")
    said, _ = run.communicate()

    assert run.returncode == 0, said
    assert "1 NPU runs" in said
    output = np.fromfile(tmp_path / "work" / "out-0.bin", np.float32)
    np.testing.assert_allclose(output, 2 * data, atol=4 / 255)


def test_program_for_the_u85_is_run_and_its_commands_are_traced(
    start: Callable[..., subprocess.Popen[str]], addition_u85: bytes, tmp_path: Path
) -> None:
    data = np.linspace(-1, 1, 16, dtype=np.float32)
    (tmp_path / "work" / "program.pte").write_bytes(addition_u85)
    (tmp_path / "work" / "i0.bin").write_bytes(data.tobytes())
    trace = tmp_path / "trace.json"

    run = start("i0.bin", executable=U85, macs=256, extra=f"--fast --pmu-trace {trace}")
    said, _ = run.communicate()

    assert run.returncode == 0, said
    output = np.fromfile(tmp_path / "work" / "out-0.bin", np.float32)
    np.testing.assert_allclose(output, 2 * data, atol=4 / 255)
    events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    assert next(event for event in events if event["ph"] == "M")["args"]["name"].startswith("ethos-u85-256")
    slices = [event for event in events if event["ph"] == "X"]
    # Vela reports two NPU operators: the input's rescaling and the addition.
    assert [event["name"] for event in slices] == ["POOL SUM", "ELEMENTWISE ADD"]
    # The same commands with the same estimates follow from the program without firmware.
    assert events == trace_events(Simulator(addition_u85).run([data]).statistics)["traceEvents"]


def test_an_input_that_no_operator_reads_is_passed_over(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    # Vela's delegate has no input, and the program's call of it has one.
    program = exported(lambda x: x.new_full((16,), 3.0), "ethos-u85-256", "Ethos_U85_SYS_DRAM_Mid")
    data = np.linspace(-1, 1, 16, dtype=np.float32)
    (tmp_path / "work" / "program.pte").write_bytes(program)
    (tmp_path / "work" / "i0.bin").write_bytes(data.tobytes())

    run = start("i0.bin", executable=U85, macs=256)
    said, _ = run.communicate()

    assert run.returncode == 0, said
    assert "1 NPU runs" in said
    np.testing.assert_array_equal(np.fromfile(tmp_path / "work" / "out-0.bin", np.float32), np.full(16, 3, np.float32))
    (simulated,) = Simulator(program).run([data]).outputs
    np.testing.assert_array_equal(simulated, np.full(16, 3, np.float32))


def test_no_trace_is_written_if_nobody_asks_for_one(
    start: Callable[..., subprocess.Popen[str]], addition: bytes, tmp_path: Path
) -> None:
    (tmp_path / "work" / "program.pte").write_bytes(addition)
    (tmp_path / "work" / "i0.bin").write_bytes(bytes(64))
    run = start("i0.bin")
    said, _ = run.communicate()
    assert run.returncode == 0, said
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["i0.bin", "out-0.bin", "program.pte"]


def test_program_for_another_npu_is_refused(
    start: Callable[..., subprocess.Popen[str]], addition: bytes, tmp_path: Path
) -> None:
    (tmp_path / "work" / "program.pte").write_bytes(addition)
    (tmp_path / "work" / "out-0.bin").write_bytes(b"of an earlier run")
    run = start("i0.bin", macs=64)
    said, _ = run.communicate()
    assert run.returncode != 0
    assert any(line.startswith("E ") and "128" in line for line in said.splitlines()), said


def test_output_of_an_earlier_run_does_not_survive_a_failed_one(
    start: Callable[..., subprocess.Popen[str]], addition: bytes, tmp_path: Path
) -> None:
    (tmp_path / "work" / "program.pte").write_bytes(addition)
    (tmp_path / "work" / "i0.bin").write_bytes(b"too short")
    (tmp_path / "work" / "out-0.bin").write_bytes(b"of an earlier run")
    run = start("i0.bin")
    said, _ = run.communicate()
    assert run.returncode == 1
    assert "E executor_runner: i0.bin has 9 bytes, but the program's input has 64" in said
    assert not (tmp_path / "work" / "out-0.bin").exists()


@pytest.mark.parametrize(
    ("program", "message"), [(None, "cannot open program.pte"), (bytes(100), "loading the program")]
)
def test_program_that_is_none_is_an_error_line(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, program: bytes | None, message: str
) -> None:
    if program is not None:
        (tmp_path / "work" / "program.pte").write_bytes(program)
    run = start()
    said, _ = run.communicate()
    assert run.returncode == 1
    assert any(line.startswith("E ") and message in line for line in said.splitlines()), said


def test_time_limit_ends_the_emulator_with_an_error(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "work" / "program.pte")  # Opening it blocks until a writer comes.
    run = start(limit_s="1.5")
    wait_until(lambda: bool(children(run.pid)), "the start of the emulator")
    (emulator, *_) = children(run.pid)
    said, _ = run.communicate()
    assert run.returncode == 3
    assert "E pilotlight: still running after 1.5 s" in said
    wait_until(lambda: process_ended(emulator), "the end of the emulator")


def test_killed_stand_in_leaves_no_emulator(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "work" / "program.pte")
    run = start()
    wait_until(lambda: bool(children(run.pid)), "the start of the emulator")
    (emulator, *_) = children(run.pid)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    wait_until(lambda: process_ended(emulator), "the end of the emulator")
