# SPDX-License-Identifier: Apache-2.0
"""A damaged program gives an answer or a decoded fault.

A damaged program never causes a traceback, a hang, or excessive use of memory.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from exported import Exported
from fixed_cases import FIXED_U85, REFUSED_U85
from numpy.typing import NDArray
from operator_cases_u85 import case_of
from program_writer import IFM_BASE, OFM_BASE, STREAM_BASE, WEIGHT_BASE
from vela_compiler import compile_tosa

from pilotlight.errors import BadProgram, ConfigError, ModelError, NpuFault, PilotlightError
from pilotlight.npu import Device, MappedMemory, Simulator
from pilotlight.npu.arithmetic.weight_codec import WeightCodec
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.stream.faults import BadWeights
from pilotlight.pte import read_program
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import EthosUBlob, parse_blob

RUN = 0xD
FAST_BASE, FAST_BYTES = 0x5000_0000, 1 << 20


def test_a_flipped_bit_in_any_command_is_an_answer_or_a_fault(exported_network: Callable[[str], Exported]) -> None:
    program = read_program(exported_network("keyword").pte)
    ends = _flip_bits(program.methods["forward"].delegates[0].blob, "ethos-u55-128", bits=1)
    assert ends["fault"] > 100 and ends["end"] > 100, ends


# Together, they have all kinds of operations, chains, scalars, kept accumulators, tables, fast and
# sparse weights, copies with an index and transposed outputs.
FLIPPED_U85 = (
    *("u85:gather-12", "u85:resize_odd-57", "u85:resize_odd-50", "u85:select-28", "u85:transpose_any-28"),
    *("u85:elementwise_chain-52", "u85:matmul-48", "u85:conv2d-19", "u85:conv2d_sparse-32", "u85:table_int16-16"),
    *("u85:argmax_any-12", "u85:shifts-3"),
)


@pytest.mark.parametrize("name", FLIPPED_U85)
def test_a_flipped_bit_in_any_command_of_u85_is_an_answer_or_a_fault(name: str) -> None:
    ends = _flipped_case(name, bits=1)
    assert ends["fault"] and ends["end"], ends


@pytest.mark.campaign
@pytest.mark.time_limit(3600)
def test_flipped_bits_in_the_commands_of_all_fixed_cases_of_u85_are_answers_or_faults() -> None:
    ends: Counter[str] = Counter()
    for name in (*FIXED_U85, *REFUSED_U85):
        ends += _flipped_case(name, bits=3)
    assert ends["fault"] > 10_000 and ends["end"] > 10_000, ends


def _flipped_case(name: str, bits: int) -> Counter[str]:
    case = case_of(name)
    return _flip_bits(compile_tosa(case.tosa, case.npu, *case.options), case.npu, bits)


def _flip_bits(content: bytes, npu: str, bits: int) -> Counter[str]:
    """Run a delegate's stream with one flipped bit, once for each of `bits` bits of each word.

    Returns how many runs reached the end and how many ended in a fault.
    """
    blob = parse_blob(content)
    stream = np.frombuffer(parse_payload(blob.commands).stream, np.uint8)
    generator = random.Random(0)
    weights = WeightCache()
    ends: Counter[str] = Counter()
    for position in range(0, len(stream), 4):
        for bit in generator.sample(range(32), bits):
            damaged = stream.copy()
            damaged[position + bit // 8] ^= 1 << bit % 8
            device = _run_stream(damaged, blob, npu, weights)
            status = device.read(0x4)
            faults = status & 0x394
            assert not status & 1, "still running"
            assert device.irq
            assert bool(faults) != bool(status & 0x20), f"bit {bit} of byte {position}: STATUS {status:#x}"
            assert bool(faults) == bool(device.last_fault)
            ends["fault" if faults else "end"] += 1
    return ends


def _run_stream(stream: NDArray[np.uint8], blob: EthosUBlob, npu: str, weights: WeightCache) -> Device:
    """Run a stream on a new device. Region 2 is a fast scratch area; others are the constants."""
    memory = MappedMemory()
    memory.add(STREAM_BASE, stream, writable=False, name="stream")
    memory.add(WEIGHT_BASE, np.frombuffer(blob.weights, np.uint8), writable=False, name="region 0")
    memory.add(OFM_BASE, np.zeros(blob.scratch_size_bytes, np.uint8), writable=True, name="region 1")
    memory.add(FAST_BASE, np.zeros(FAST_BYTES, np.uint8), writable=True, name="region 2")
    device = Device(npu, memory, weights=weights)
    for offset, value in ((0x10, STREAM_BASE), (0x20, len(stream)), (0x80, WEIGHT_BASE), (0x88, OFM_BASE)):
        device.write(offset, value)
    device.write(0x90, FAST_BASE)
    for region in range(3, 8):
        device.write(0x80 + 8 * region, IFM_BASE)
    device.write(0x8, RUN)
    return device


def test_a_flipped_bit_anywhere_in_a_program_never_escapes_as_another_error(
    exported_network: Callable[[str], Exported],
) -> None:
    pte = exported_network("keyword").pte
    generator = random.Random(1)
    # The blob is most of the file. The small program around it gets more damage per byte.
    positions = [*range(160), *generator.sample(range(len(pte)), 200), *range(len(pte) - 1200, len(pte), 3)]
    ends: Counter[str] = Counter()
    for position in positions:
        damaged = bytearray(pte)
        damaged[position] ^= 1 << generator.randrange(8)
        try:
            simulator = Simulator(bytes(damaged))
            inputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in simulator.method.inputs]
            simulator.run(inputs)
            ends["answer"] += 1
        except (BadProgram, ModelError, ConfigError, NpuFault) as error:
            ends[type(error).__name__] += 1
    assert ends["BadProgram"] > 20, ends


def test_a_program_cut_off_anywhere_is_a_bad_program(exported_network: Callable[[str], Exported]) -> None:
    pte = exported_network("keyword").pte
    for size in (*range(0, 200, 7), *range(200, len(pte), 501)):
        with pytest.raises(BadProgram):
            read_program(pte[:size])


def test_a_fault_tells_what_happened_with_the_status_bits(exported_network: Callable[[str], Exported]) -> None:
    network = exported_network("keyword")
    stream = parse_payload(parse_blob(read_program(network.pte).methods["forward"].delegates[0].blob).commands).stream
    damaged = bytearray(network.pte)
    # The last word is OP_STOP. If this word is damaged, the NPU runs beyond the end of the stream.
    damaged[network.pte.index(stream) + len(stream) - 4] = 0xFF
    simulator = Simulator(bytes(damaged))
    with pytest.raises(NpuFault, match=r"cmd_parse_error.*QREAD") as caught:
        simulator.run([np.zeros(tensor.shape, tensor.dtype) for tensor in simulator.method.inputs])
    assert caught.value.exit_code == 42


def test_a_damaged_weight_stream_is_a_fault_and_the_next_one_decodes() -> None:
    from ethosu import mlw_codec

    weights = [int(value) for value in np.random.default_rng(0).normal(0, 20, 4000).round()]
    stream = bytes(mlw_codec.encode(weights))
    codec = WeightCodec()
    np.testing.assert_array_equal(codec.decode(stream), weights)
    with pytest.raises(BadWeights):
        codec.decode(stream[: len(stream) // 2])
    np.testing.assert_array_equal(codec.decode(stream), weights)


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"ET12ET12", b"\x7fELF" + b"\0" * 100, b"\xff" * 4000])
def test_what_is_no_program_is_called_so(content: bytes) -> None:
    with pytest.raises(BadProgram) as caught:
        Simulator(content)
    assert caught.value.exit_code == 12
    assert isinstance(caught.value, PilotlightError)
