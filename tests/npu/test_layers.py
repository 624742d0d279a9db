# SPDX-License-Identifier: Apache-2.0
"""The table of commands, the trace and the dumps of `simulate`.

The network was exported with ExecuTorch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported import Exported
from numpy.typing import NDArray
from operator_cases import make_case
from vela_compiler import compile_tosa

from pilotlight.cli import run_command
from pilotlight.debug_info import CompiledOperator, DebugInfo, StreamDebug
from pilotlight.errors import ConfigError
from pilotlight.npu import Layer, Simulator, simulate, simulate_command
from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.npu.hardware.engine import Executed
from pilotlight.npu.layers import layer_records, layer_table

INPUT = np.random.default_rng(7).integers(-128, 128, (1, 1, 49, 10)).astype(np.int8)


@pytest.fixture
def model(tmp_path: Path, exported_network: Callable[[str], Exported]) -> Path:
    path = tmp_path / "model.pte"
    path.write_bytes(exported_network("keyword").pte)
    np.save(tmp_path / "x.npy", INPUT)
    return path


def run(model: Path, *arguments: object) -> int:
    parser = argparse.ArgumentParser()
    simulate_command.add_parser(parser.add_subparsers(required=True))
    words = ("simulate", model, "--input", model.parent / "x.npy", *arguments)
    return run_command(parser.parse_args([str(word) for word in words]))


def write_debug_info(model: Path) -> None:
    """Write debug info with one operator for the first two commands and another for the rest."""
    layers = simulate(model, [INPUT]).statistics.layers
    operators = tuple(
        CompiledOperator(tosa, "t", module, "/home/me/nets/keyword.py:12", "return self.body(x)", 1000, 900)
        for tosa, module in (("CONV2D", "body.0"), ("DEPTHWISE_CONV2D", "body.1"))
    )
    parts = ((layers[1].operation.offset, 0), (layers[-1].operation.offset, 1))
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    DebugInfo(digest, "Ethos_U55_High_End_Embedded", (StreamDebug(operators, parts),)).save(model.parent)


def test_layers_as_json_add_up_to_the_whole(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--layers", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    layers = report["layers"]
    assert [layer["number"] for layer in layers] == list(range(1, report["operations"] + 1))
    assert sum(layer["macs"] for layer in layers) == report["macs"] > 0
    assert sum(layer["estimated_cycles"] for layer in layers) == report["estimated_cycles"]
    assert sum(layer["share"] for layer in layers) == pytest.approx(1.0, abs=1e-3)
    assert sum(sum(layer["read_bytes"].values()) for layer in layers) == report["read_bytes"]
    first = next(layer for layer in layers if layer["macs"])
    assert first["inputs"][0]["dtype"] == "int8" and len(first["output"]["shape"]) == 3
    assert "operator" not in first


def test_layers_name_operator_and_source_line_when_debug_information_is_there(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_debug_info(model)
    assert run(model, "--layers") == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if "keyword.py:12" in line]
    assert [line.split()[-3:-1] for line in rows[:3]] == [
        ["CONV2D", "body.0"],
        ["CONV2D", "body.0"],
        ["DEPTHWISE_CONV2D", "body.1"],
    ]
    assert rows[0].endswith("nets/keyword.py:12")
    assert "est. cycles" in lines[1]


def test_debug_information_of_another_program_is_not_used(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_debug_info(model)
    path = model.parent / "debug.json"
    path.write_text(path.read_text().replace(hashlib.sha256(model.read_bytes()).hexdigest(), "0" * 64))
    assert run(model, "--layers") == 0
    printed = capsys.readouterr().out
    assert "keyword.py" not in printed and "no debug.json" in printed


def test_damaged_debug_information_is_one_message(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model.parent / "debug.json").write_text("{")
    assert run(model) == 20
    assert "debug.json: not readable as debug information" in capsys.readouterr().err


def test_the_dump_of_the_last_command_is_the_network_s_answer(
    model: Path, exported_network: Callable[[str], Exported], capsys: pytest.CaptureFixture[str]
) -> None:
    last = len(simulate(model, [INPUT]).statistics.layers)
    assert run(model, "--dump-layer", last, model.parent / "last.npy") == 0
    (golden,) = exported_network("keyword").golden([INPUT])
    dumped = np.load(model.parent / "last.npy")
    assert dumped.dtype == np.int8 and dumped.ndim == 3
    np.testing.assert_array_equal(dumped.ravel(), golden.ravel())


@pytest.mark.parametrize(("number", "why"), [("0", "numbered from 1"), ("x", "numbered from 1"), ("9999", "commands")])
def test_a_dump_of_a_command_that_is_not_there_is_one_message(
    model: Path, number: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, "--dump-layer", number, model.parent / "n.npy") == 20
    assert why in capsys.readouterr().err


def test_an_observer_sees_each_output_before_it_is_overwritten(model: Path) -> None:
    seen: list[tuple[Layer, NDArray[Any]]] = []
    bytes_then: list[bytes] = []

    def keep(layer: Layer, output: Callable[[], NDArray[Any]]) -> None:
        if layer.operation.ofm is not None:
            seen.append((layer, output()))
            bytes_then.append(seen[-1][1].tobytes())

    Simulator(model).run([INPUT], observer=keep)
    assert [written.tobytes() for _, written in seen] == bytes_then, "they are copies"
    for layer, written in seen:
        target = layer.operation.ofm
        assert target is not None and written.shape == target.shape and written.dtype == np.dtype(target.dtype)
        assert layer.executed.work.written_bytes == {target.map.region: written.nbytes}
        assert written.any(), layer
    places = [layer.operation.ofm.map.bases[0] for layer, _ in seen if layer.operation.ofm is not None]
    assert len(set(places)) < len(places), "no memory is used twice, so this test shows nothing"


def test_the_trace_has_a_slice_per_command_and_counters_without_gaps(model: Path) -> None:
    write_debug_info(model)
    assert run(model, "--trace", model.parent / "t.json") == 0
    events = json.loads((model.parent / "t.json").read_text())["traceEvents"]
    assert all({"name", "ph", "pid"} <= event.keys() for event in events)
    slices = {tid: [e for e in events if e["ph"] == "X" and e["tid"] == tid] for tid in (1, 2)}
    ends = [0, *(event["ts"] + event["dur"] for event in slices[1])]
    assert [event["ts"] for event in slices[1]] == ends[:-1]
    assert [event["name"] for event in slices[2]] == ["CONV2D body.0", "DEPTHWISE_CONV2D body.1"]
    assert sum(event["dur"] for event in slices[2]) == ends[-1]
    assert slices[1][0]["args"]["operator"]["where"] == "/home/me/nets/keyword.py:12"
    counters = [event for event in events if event["ph"] == "C"]
    assert [event["ts"] for event in counters] == ends
    assert set(counters[-1]["args"].values()) == {0}
    for event, slice_ in zip(counters, slices[1], strict=False):
        args = slice_["args"]
        moved = sum(args["read_bytes"].values()) + sum(args["written_bytes"].values())
        cycles = slice_["dur"] + args["hidden_cycles"]
        assert sum(event["args"].values()) * cycles == pytest.approx(moved, rel=0.01, abs=1)


def layers_of(family: str, number: int, npu: str) -> list[Layer]:
    """Return the layers of an inference of a case."""
    case = make_case(family, number)
    runner = DelegateRunner(compile_tosa(case.tosa, npu), npu)
    found: list[Layer] = []

    def add(executed: Executed) -> None:
        found.append(Layer(len(found) + 1, 0, runner.operations[executed.at], executed, None))

    runner.run(case.draw(0), [np.empty(place.size_bytes, np.uint8) for place in runner.blob.outputs], add)
    return found


def test_chains_are_named_in_the_table_and_as_json() -> None:
    layers = layers_of("residual", 15, "ethos-u85-1024")
    conv, add = layers[-2:]
    assert [(layer.executed.name, layer.operation.name) for layer in (conv, add)] == [
        ("CONV", "CONV"),
        ("ELEMENTWISE ADD", "ELEMENTWISE ADD"),
    ]
    table = layer_table(layers).splitlines()
    assert table[-3].count("int8 in chain 0") == 1 and table[-2].count("int8 in chain 0") == 1
    records = layer_records(layers)
    assert records[-2]["output"]["place"] == "chain 0"
    assert sorted(item["place"] for item in records[-1]["inputs"]) == ["chain 0", "region 2"]
    assert not any(name.startswith("chain") for record in records for name in record["read_bytes"])


def test_a_matrix_product_is_shown_with_both_inputs() -> None:
    layers = layers_of("matmul", 25, "ethos-u85-1024")
    record = next(record for record in layer_records(layers) if record["command"] == "CONV")
    assert [item.get("role") for item in record["inputs"]] == [None, "weights"]
    assert " + weights " in layer_table(layers)


def test_the_axes_of_a_stored_output_are_named() -> None:
    (transposed,) = layer_records(layers_of("transpose", 16, "ethos-u85-512"))
    order = transposed["output"]["axes"]
    assert sorted(order) == ["C", "H", "W"] and order != "HWC"
    (reversed_rows,) = layers_of("reverse", 3, "ethos-u85-512")
    assert "-" in layer_records([reversed_rows])[0]["output"]["axes"]
    assert f" as {layer_records([reversed_rows])[0]['output']['axes']} " in layer_table([reversed_rows])


def test_kept_accumulators_are_the_place_of_an_output() -> None:
    layers = layers_of("conv2d", 1, "ethos-u85-2048")
    assert "in accumulators" in layer_table(layers)
    assert "accumulators" in {record["output"]["place"] for record in layer_records(layers) if record["output"]}


def test_an_output_inside_the_npu_cannot_be_dumped() -> None:
    layers = layers_of("residual", 15, "ethos-u85-1024")
    dumps = simulate_command._Dumps([(str(len(layers) - 1), "n.npy")])
    with pytest.raises(ConfigError, match="stays inside the NPU"):
        dumps(layers[-2], lambda: np.zeros(1))
