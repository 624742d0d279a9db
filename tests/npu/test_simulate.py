# SPDX-License-Identifier: Apache-2.0
"""`simulate` and the commands around it, as a user runs them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exported import Exported

from pilotlight.cli import run_command
from pilotlight.npu import Simulator, cpu_operators, disassemble_command, simulate, simulate_command
from pilotlight.pte import command as inspect_command
from pilotlight.pte import read_program
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import parse_blob


@pytest.fixture
def model(tmp_path: Path, exported_network: Callable[[str], Exported]) -> Path:
    path = tmp_path / "model.pte"
    path.write_bytes(exported_network("keyword").pte)
    np.save(tmp_path / "x.npy", np.random.default_rng(7).integers(-128, 128, (1, 1, 49, 10)).astype(np.int8))
    return path


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    for module in (simulate_command, disassemble_command, inspect_command):
        module.add_parser(subparsers)
    return run_command(parser.parse_args([str(argument) for argument in arguments]))


def test_simulate_writes_the_reference_s_answer_and_a_trace(
    model: Path, exported_network: Callable[[str], Exported], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model.parent
    code = run(
        "simulate",
        model,
        *("--input", folder / "x.npy", "--output", folder / "y.npy", "--trace", folder / "t.json", "--json"),
    )
    report = json.loads(capsys.readouterr().out)
    (golden,) = exported_network("keyword").golden([np.load(folder / "x.npy")])
    assert code == 0
    np.testing.assert_array_equal(np.load(folder / "y.npy"), golden)
    slices = [event for event in json.loads((folder / "t.json").read_text())["traceEvents"] if event["ph"] == "X"]
    assert len(slices) == report["operations"] > 10
    assert slices[-1]["ts"] + slices[-1]["dur"] == report["estimated_cycles"]
    assert "CONV" in {event["name"] for event in slices}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 20, "the program takes 1 inputs, not 0"),
        (("--input", "x.npy", "--npu", "ethos-u55-64"), 21, "compiled for ethos-u55-128"),
        (("--input", "x.npy", "--npu", "ethos-u99"), 20, "no simulator for NPU 'ethos-u99'"),
        (("--input", "missing.npy"), 20, "missing.npy"),
        (("--input", "wrong.npy"), 20, "float32[2], but the program takes int8[1, 1, 49, 10]"),
        (("--input", "model.pte"), 20, "--input model.pte"),
    ],
)
def test_what_the_user_got_wrong_is_one_message_and_an_exit_code(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(model.parent)
    np.save("wrong.npy", np.zeros(2, np.float32))
    assert run("simulate", model, *arguments) == code
    assert message in capsys.readouterr().err


def test_a_model_that_is_no_program_is_exit_code_12(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.pte"
    path.write_bytes(b"not a program at all")
    for name in ("simulate", "disassemble", "inspect"):
        assert run(name, path) == 12
        assert "not an ExecuTorch program" in capsys.readouterr().err


def test_disassemble_lists_every_command(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("disassemble", model) == 0
    text = capsys.readouterr().out
    assert "> OP_POOL" in text and "pooling_mode=REDUCE_SUM" in text
    assert text.rstrip().endswith("mask=65535")
    assert run("disassemble", model, "--json") == 0
    (listing,) = json.loads(capsys.readouterr().out).values()
    assert listing["npu"] == "ethos-u55-128"
    assert listing["commands"][-1]["name"] == "OP_STOP"


def test_inspect_shows_shapes_and_memory(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("inspect", model) == 0
    assert "input 0: int8[1, 1, 49, 10]" in capsys.readouterr().out
    assert run("inspect", model, "--json") == 0
    method = json.loads(capsys.readouterr().out)["methods"]["forward"]
    (place,) = method["delegates"][0]["inputs"]
    assert (place["bytes"], place["region"]) == (490, 1)


def test_two_runs_of_a_program_are_independent(exported_network: Callable[[str], Exported]) -> None:
    pte = exported_network("keyword").pte
    generator = np.random.default_rng(3)
    first, second = (generator.integers(-128, 128, (1, 1, 49, 10)).astype(np.int8) for _ in range(2))
    alone = simulate(pte, [second]).outputs[0]
    simulator = Simulator(pte)
    simulator.run([first])
    np.testing.assert_array_equal(simulator.run([second]).outputs[0], alone)


def test_border_operators_compute_what_pytorch_computes() -> None:
    import torch
    from executorch.exir.passes import _quant_patterns_and_replacements  # noqa: F401  registers the operators

    scale, zero_point = 0.0182686578, -13
    ties = (torch.arange(-300, 300) + 0.5) * scale
    values = torch.cat((ties, torch.randn(2000) * 3, torch.tensor([1e9, -1e9])))
    quantised = np.zeros(values.shape, np.int8)
    name = "quantized_decomposed::quantize_per_tensor.out"
    cpu_operators.call(name, [values.numpy(), scale, zero_point, -128, 127, 1, quantised, quantised])
    operators = torch.ops.quantized_decomposed
    expected = operators.quantize_per_tensor(values, scale, zero_point, -128, 127, torch.int8)
    np.testing.assert_array_equal(quantised, expected.numpy())

    real = np.zeros(values.shape, np.float32)
    name = "quantized_decomposed::dequantize_per_tensor.out"
    cpu_operators.call(name, [quantised, scale, zero_point, -128, 127, 1, None, real, real])
    expected = operators.dequantize_per_tensor(expected, scale, zero_point, -128, 127, torch.int8)
    np.testing.assert_array_equal(real, expected.numpy())


def test_simulate_reports_hazards(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("simulate", model, "--input", model.parent / "x.npy", "--check-hazards")
    assert run(*arguments) == 0
    assert capsys.readouterr().out.endswith("no hazards\n")
    pte = model.read_bytes()
    blob = parse_blob(read_program(pte).methods["forward"].delegates[0].blob)
    stream = parse_payload(blob.commands).stream
    words = np.frombuffer(stream, "<u4").copy()
    words[words == 0x011] = 0x013  # DMA_WAIT 0 becomes PMU_MASK 0.
    model.write_bytes(pte.replace(stream, words.tobytes()))
    assert run(*arguments) == 12
    captured = capsys.readouterr()
    assert "no DMA_WAIT between" in captured.out
    assert "hazards in the command stream; the first: word " in captured.err
