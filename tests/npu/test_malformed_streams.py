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
from program_writer import IFM_BASE, OFM_BASE, STREAM_BASE, WEIGHT_BASE

from pilotlight.errors import BadProgram, ConfigError, ModelError, NpuFault, PilotlightError
from pilotlight.npu import Device, MappedMemory, Simulator
from pilotlight.npu.arithmetic.weight_codec import WeightCodec
from pilotlight.npu.arithmetic.weights import WeightCache
from pilotlight.npu.stream.faults import BadWeights
from pilotlight.pte import read_program
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import parse_blob

RUN = 0xD


def test_a_flipped_bit_in_any_command_is_an_answer_or_a_fault(exported_network: Callable[[str], Exported]) -> None:
    program = read_program(exported_network("keyword").pte)
    blob = parse_blob(program.methods["forward"].delegates[0].blob)
    stream = np.frombuffer(parse_payload(blob.commands).stream, np.uint8)
    generator = random.Random(0)
    weights = WeightCache()
    ends: Counter[str] = Counter()
    for position in range(0, len(stream), 4):
        damaged = stream.copy()
        bit = generator.randrange(32)
        damaged[position + bit // 8] ^= 1 << bit % 8
        memory = MappedMemory()
        memory.add(STREAM_BASE, damaged, writable=False, name="stream")
        memory.add(WEIGHT_BASE, np.frombuffer(blob.weights, np.uint8), writable=False, name="region 0")
        memory.add(OFM_BASE, np.zeros(blob.scratch_size_bytes, np.uint8), writable=True, name="region 1")
        device = Device("ethos-u55-128", memory, weights=weights)
        for offset, value in ((0x10, STREAM_BASE), (0x20, len(stream)), (0x80, WEIGHT_BASE), (0x88, OFM_BASE)):
            device.write(offset, value)
        for region in range(2, 8):
            device.write(0x80 + 8 * region, IFM_BASE)
        device.write(0x8, RUN)
        status = device.read(0x4)
        faults = status & 0x194
        assert not status & 1, "still running"
        assert device.irq
        assert bool(faults) != bool(status & 0x20), f"bit {bit} of byte {position}: STATUS {status:#x}"
        assert bool(faults) == bool(device.last_fault)
        ends["fault" if faults else "end"] += 1
    assert ends["fault"] > 100 and ends["end"] > 100, ends


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
