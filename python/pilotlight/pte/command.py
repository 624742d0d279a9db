# SPDX-License-Identifier: Apache-2.0
"""`pilotlight inspect`: prints the contents of a .pte."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import BACKEND, IoTensor, parse_blob
from pilotlight.pte.program import Delegate, Method, Program, Tensor, Value
from pilotlight.pte.reader import read_program


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "inspect",
        help="show the contents of a .pte",
        description="Methods, inputs and outputs, operators, delegates and memory of an ExecuTorch program.",
    )
    parser.add_argument("model", type=Path, help=".pte file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    try:
        data = args.model.read_bytes()
    except OSError as error:
        raise ConfigError(f"{args.model}: {error.strerror}", hint="give the path of a .pte file") from error
    report = describe(read_program(data))
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"{args.model}: {report['size_bytes']:,} bytes, {report['constants_bytes']:,} of them constants")
        for name, method in report["methods"].items():
            _print_method(name, method)
    return 0


def describe(program: Program) -> dict[str, Any]:
    """Return the report that `inspect` prints, as plain data for JSON."""
    return {
        "version": program.version,
        "size_bytes": program.size_bytes,
        "constants_bytes": program.constants_size_bytes,
        "named_data": {key: len(value) for key, value in program.named_data.items()},
        "methods": {name: _method(method, program) for name, method in program.methods.items()},
    }


def _method(method: Method, program: Program) -> dict[str, Any]:
    return {
        "inputs": [_value(method.values[index]) for index in method.input_values],
        "outputs": [_value(method.values[index]) for index in method.output_values],
        "operators": [{"name": use.name, "dtypes": list(use.dtypes)} for use in method.operator_uses],
        "delegates": [_delegate(delegate, program) for delegate in method.delegates],
        "planned_buffers_bytes": list(method.planned_buffer_sizes),
        "values": len(method.values),
        "instructions": sum(len(chain) for chain in method.chains),
        "chains": len(method.chains),
    }


def _value(value: Value) -> dict[str, Any]:
    if isinstance(value, Tensor):
        return {"dtype": value.dtype, "shape": list(value.shape), "dim_order": list(value.dim_order)}
    return {"value": value if isinstance(value, int | float | str | None) else str(value)}


def _delegate(delegate: Delegate, program: Program) -> dict[str, Any]:
    report: dict[str, Any] = {
        "backend": delegate.backend,
        "blob_bytes": len(delegate.blob),
        "compile_specs": {key: value.decode("utf-8", errors="replace") for key, value in delegate.compile_specs},
    }
    if delegate.backend == BACKEND:
        blob = parse_blob(delegate.blob, program.named_data)
        payload = parse_payload(blob.commands)
        report |= {
            "npu_config": f"{payload.config:#010x}",
            "stream_bytes": len(payload.stream),
            "weights_bytes": len(blob.weights),
            "scratch_bytes": blob.scratch_size_bytes,
            "inputs": [_place(tensor) for tensor in blob.inputs],
            "outputs": [_place(tensor) for tensor in blob.outputs],
        }
    return report


def _place(tensor: IoTensor) -> dict[str, Any]:
    return {"bytes": tensor.size_bytes, "region": tensor.region, "offset": tensor.offset}


def _print_method(name: str, method: dict[str, Any]) -> None:
    print(
        f"method {name}: {method['values']} values, {method['instructions']} instructions; "
        f"planned buffers {method['planned_buffers_bytes']} bytes"
    )
    for side in ("inputs", "outputs"):
        for position, value in enumerate(method[side]):
            text = f"{value['dtype']}{value['shape']}" if "dtype" in value else str(value["value"])
            print(f"  {side[:-1]} {position}: {text}")
    for use in method["operators"]:
        print(f"  operator {use['name']} on {', '.join(dtype for dtype in use['dtypes'] if dtype)}")
    for position, delegate in enumerate(method["delegates"]):
        print(f"  delegate {position}: {delegate['backend']}, {delegate['blob_bytes']:,} bytes")
        if "npu_config" in delegate:
            print(
                f"    CONFIG {delegate['npu_config']}, stream {delegate['stream_bytes']:,}, "
                f"weights {delegate['weights_bytes']:,}, scratch {delegate['scratch_bytes']:,} bytes"
            )
