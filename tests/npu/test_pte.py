# SPDX-License-Identifier: Apache-2.0
"""The .pte reader on programs of ExecuTorch's own exporter, and on programs damaged by hand."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
import vela_compiler
from campaign import reference
from exported import Exported
from operator_cases import make_case

from pilotlight.errors import BadProgram
from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.pte import DelegateCall, KernelCall, Program, Tensor, read_program
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import parse_blob


@pytest.fixture(scope="module")
def cpu_program() -> Program:
    """Return a program with constants, CPU operators and two inputs, and without a delegate."""
    import torch
    from executorch.exir import to_edge

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Parameter(torch.arange(6, dtype=torch.float32).reshape(2, 3), requires_grad=False)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x @ self.table, torch.add(y, y, alpha=2)

    example = (torch.zeros(4, 2), torch.zeros(5, dtype=torch.int32))
    return read_program(to_edge(torch.export.export(Module(), example)).to_executorch().buffer)


def test_inputs_and_outputs_have_dtype_and_shape(cpu_program: Program) -> None:
    method = cpu_program.methods["forward"]
    assert [(tensor.dtype, tensor.shape) for tensor in method.inputs] == [("float32", (4, 2)), ("int32", (5,))]
    assert [(tensor.dtype, tensor.shape) for tensor in method.outputs] == [("float32", (4, 3)), ("int32", (5,))]


def test_operators_are_named_with_overload_and_the_dtypes_they_are_called_with(cpu_program: Program) -> None:
    method = cpu_program.methods["forward"]
    assert set(method.operators) == {"aten::mm.out", "aten::add.out"}
    uses = {use.name: use.dtypes for use in method.operator_uses}
    assert uses["aten::add.out"] == ("int32", "int32", None, "int32", "int32")
    assert [type(instruction) for instruction in method.chains[0]] == [KernelCall, KernelCall]


def test_constants_are_found_wherever_they_are_stored(cpu_program: Program) -> None:
    (constant,) = (
        value for value in cpu_program.methods["forward"].values if isinstance(value, Tensor) and value.is_constant
    )
    assert constant.data == struct.pack("<6f", *range(6))
    assert cpu_program.constants_size_bytes >= 24


def test_planned_tensors_lie_in_the_planned_buffers(cpu_program: Program) -> None:
    method = cpu_program.methods["forward"]
    planned = [tensor for tensor in (*method.inputs, *method.outputs) if tensor.memory is not None]
    assert planned
    for tensor in planned:
        assert tensor.memory is not None
        buffer, offset = tensor.memory
        assert offset + tensor.size_bytes <= method.planned_buffer_sizes[buffer - 1]


def test_a_delegate_s_blob_holds_stream_weights_and_places(exported_network: Callable[[str], Exported]) -> None:
    method = read_program(exported_network("keyword").pte).methods["forward"]
    (delegate,) = method.delegates
    assert delegate.backend == "EthosUBackend"
    assert "compile_flags" in dict(delegate.compile_specs)
    assert method.chains == ((DelegateCall(0, (*method.input_values, *method.output_values)),),)
    blob = parse_blob(delegate.blob)
    assert [tensor.size_bytes for tensor in (*blob.inputs, *blob.outputs)] == [490, 12]
    payload = parse_payload(blob.commands)
    assert (payload.config, payload.id) == (0x1807, 0x1006_6001)
    assert payload.stream[-4:] == b"\0\0\xff\xff", "ends with OP_STOP 0xFFFF"


def block(name: bytes, data: bytes, flag: int = 0) -> bytes:
    return name.ljust(16, b"\0") + struct.pack("<IB11x", len(data), flag) + data + b"\0" * (-len(data) % 16)


TENSOR = struct.pack("<i9i", 1, 1, 1, 1, 1, 1, 8, 1, 0, 1)
BLOCKS = {
    b"vela_bin_stream": b"",
    b"cmd_data": b"COP1",
    b"weight_data": b"w" * 5,
    b"scratch_size": struct.pack("<I", 8),
    b"inputs": TENSOR,
    b"outputs": TENSOR,
    b"vela_end_stream": b"",
}


def packed(**changes: bytes | None) -> bytes:
    blocks = {**BLOCKS, **{name.encode(): data for name, data in changes.items()}}
    return b"".join(block(name, data) for name, data in blocks.items() if data is not None)


def test_a_well_formed_blob_is_read() -> None:
    blob = parse_blob(packed())
    assert (blob.commands, blob.weights, blob.scratch_size_bytes) == (b"COP1", b"w" * 5, 8)
    assert (blob.commands_at, blob.weights_at) == (64, 112)


def test_a_block_kept_outside_is_found_by_its_key() -> None:
    blob = packed().replace(block(b"weight_data", b"w" * 5), block(b"weight_data", b"key", flag=1))
    parsed = parse_blob(blob, {"key": b"elsewhere"})
    assert (parsed.weights, parsed.weights_at) == (b"elsewhere", None)
    with pytest.raises(BadProgram, match="named data 'key'"):
        parse_blob(blob)


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"", "offset 0: the block list ends"),
        (packed()[:-32], "ends without vela_end_stream"),
        (packed(vela_bin_stream=None), "expected vela_bin_stream"),
        (packed(weight_data=None), "no block 'weight_data'"),
        (packed(scratch_size=b"\0" * 8), "scratch_size has 8 bytes"),
        (packed(scratch_size=b"\7\0\0\0"), "8 bytes at 0 exceed the 7 bytes of region 1"),
        (packed(inputs=TENSOR[:-4]), "does not fit 1 tensors"),
        (packed(inputs=TENSOR[:-4] + b"\xff\xff\xff\xff"), "region -1"),
        (packed(outputs=struct.pack("<i9i", 1, 1, 1, 1, 1, 0, 8, 1, 0, 1)), "impossible shape"),
        (packed().replace(struct.pack("<I", 5) + b"\0" * 12, b"\xff\xff\xff\x7f" + b"\0" * 12), "exceeds the blob"),
        (packed().replace(b"outputs\0", b"inputs\0\0"), "block 'inputs' twice"),
        (
            packed().replace(block(b"weight_data", b"w" * 5), block(b"weight_data", b"w" * 5, flag=2)),
            "flag 2 of block 'weight_data' is not 0 or 1",
        ),
    ],
)
def test_a_malformed_blob_says_where(blob: bytes, message: str) -> None:
    with pytest.raises(BadProgram, match=message):
        parse_blob(blob)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((0x33504F43,), "instead of COP1 or COP2"),
        ((0x31504F43, 0x1, 2), "configuration is cut off"),
        ((0x31504F43, 0x1, 2, 3), "no command stream"),
        ((0x31504F43, 0x0002_0002, 0), "2 words does not fit"),
        ((0x31504F43, 0x0000_0009), "unknown action"),
    ],
)
def test_a_malformed_payload_says_where(words: tuple[int, ...], message: str) -> None:
    with pytest.raises(BadProgram, match=message):
        parse_payload(struct.pack(f"<{len(words)}I", *words))


@pytest.mark.parametrize("npu", ["ethos-u55-128", "ethos-u85-256"])
def test_both_formats_of_the_payload_have_the_same_stream(npu: str) -> None:
    case = make_case("add_sub", 1)
    first, second = (
        parse_payload(parse_blob(vela_compiler.compile_tosa(case.tosa, npu, *options)).commands)
        for options in ((), ("--cop-format", "COP2"))
    )
    assert (first.config, first.id, first.stream) == (second.config, second.id, second.stream)
    assert second.stream_at == 64


def test_inputs_and_outputs_may_have_regions_of_their_own() -> None:
    case = make_case("add_sub", 1)
    options = ("--cop-format", "COP2", "--separate-io-regions")
    blob = vela_compiler.compile_tosa(case.tosa, "ethos-u85-256", *options)
    parsed = parse_blob(blob)
    assert {tensor.region for tensor in parsed.inputs} == {3}
    assert {tensor.region for tensor in parsed.outputs} == {4}
    inputs = case.draw(0)
    golden = reference(case, inputs)
    assert golden is not None
    outputs = [np.empty_like(expected) for expected in golden]
    DelegateRunner(blob).run(inputs, outputs)
    np.testing.assert_array_equal(outputs[0], golden[0])


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (0, 0x3350_4F43, "instead of COP1 or COP2"),
        (1, 2, "version 2"),
        (2, 0, "tells 0"),
        (4, 9, "type 9"),
        (5, 0, "and 0 bytes"),
        (6, 0xFFFF_FFF0, "metadata do not fit"),
        (6, 4, "metadata do not fit"),
        (7, 0, "metadata 00000000"),
        (9, 4, "are not known"),
    ],
)
def test_a_malformed_cop2_payload_says_where(at: int, value: int, message: str) -> None:
    case = make_case("add_sub", 1)
    payload = bytearray(
        parse_blob(vela_compiler.compile_tosa(case.tosa, "ethos-u85-256", "--cop-format", "COP2")).commands
    )
    struct.pack_into("<I", payload, 4 * at, value)
    with pytest.raises(BadProgram, match=message):
        parse_payload(bytes(payload))


def test_a_cop2_payload_cut_off_anywhere_is_refused() -> None:
    case = make_case("add_sub", 1)
    payload = parse_blob(vela_compiler.compile_tosa(case.tosa, "ethos-u85-256", "--cop-format", "COP2")).commands
    for size in range(4, len(payload), 4):
        with pytest.raises(BadProgram):
            parse_payload(payload[:size])
