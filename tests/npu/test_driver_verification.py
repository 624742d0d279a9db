# SPDX-License-Identifier: Apache-2.0
"""The driver's check of command streams, compared with the accesses that the simulator finds.

The driver must accept every stream that Vela makes. The driver must refuse a stream that leaves its
regions, at the command that the simulator names.
"""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from functools import cache

import pytest
from driver_oracle import Access, Finding, follow
from driver_verdict import IFM2_CHANNEL, BlobRequest, Judge, StreamRequest, Verdict
from ethosu.vela.ethos_u55_regs import ethos_u55_regs as arm
from fixed_cases import FIXED
from operator_cases import FAMILIES, make_case
from random_states import REGION_BYTES, states
from vela_compiler import Refused, compile_tosa

from pilotlight.npu.stream.command_state import CommandState, steps_of
from pilotlight.npu.stream.configurations import Configuration, configuration
from pilotlight.npu.stream.faults import Channel
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import EthosUBlob, parse_blob

# In the last case, one channel runs on two cores: the second core has no weights, and the stream
# does not mention them.
CASES = (*FIXED, "conv2d_pointwise-33")
FAST_SCRATCH_BYTES = 4 << 20
MUTATIONS_PER_STREAM = 60
UNSET = "uses a register that the stream did not set"
# Refusals where the simulator does nothing, computes a scale in another way, or faults only when
# the operation runs.
STRICTER = ("copies nothing", "a matrix product with a scale per channel", "accumulator")


class Compiled:
    """A case, compiled by Vela."""

    def __init__(self, blob: bytes, npu: str) -> None:
        self.blob = blob
        self.configuration: Configuration = configuration(npu)
        self.parts: EthosUBlob = parse_blob(blob)
        self.stream = parse_payload(self.parts.commands).stream
        self.sizes = {1: self.parts.scratch_size_bytes}
        if self.configuration.product.has_fast_scratch:
            self.sizes[2] = FAST_SCRATCH_BYTES

    def request(self, stream: bytes, **sizes: int) -> StreamRequest:
        changed = {int(name.removeprefix("region")): size for name, size in sizes.items()}
        given = {0: len(self.parts.weights)} | self.sizes | changed
        return StreamRequest(self.configuration, given, stream)


@cache
def compiled(name: str) -> Compiled:
    family, number = name.rsplit("-", 1)
    case = make_case(family, int(number))
    return Compiled(compile_tosa(case.tosa, case.npu, *case.options), case.npu)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    return Judge(tmp_path_factory.mktemp("judge"))


def test_no_program_of_the_fixed_set_is_refused(judge: Judge) -> None:
    requests = []
    for name in CASES:
        made = compiled(name)
        fast = made.sizes.get(2, 0)
        requests.append(BlobRequest(made.configuration, made.blob, fast))
    verdicts = judge.judge(requests)
    assert {name: verdict.text for name, verdict in zip(CASES, verdicts, strict=True) if not verdict.accepted} == {}


@pytest.mark.parametrize("name", CASES)
def test_a_region_that_is_a_byte_too_small_is_noticed_where_the_simulator_reaches_its_end(
    name: str, judge: Judge
) -> None:
    made = compiled(name)
    accesses = check_ends(made, judge)
    # Vela states the size of the scratch. Vela pads maps to bricks and addresses to 16 bytes.
    reach = max((access.end for access in accesses if access.region == 1), default=0)
    reach = max(reach, *(place.offset + place.size_bytes for place in (*made.parts.inputs, *made.parts.outputs)))
    assert made.parts.scratch_size_bytes - reach < 16 * 16, "not all that Vela allocated is accounted for"


def check_ends(made: Compiled, judge: Judge) -> list[Access]:
    finding, accesses = follow(made.stream, made.configuration, made.parts.weights, made.sizes)
    assert finding.at is None, finding.why
    ends = {(access.region, access.end) for access in accesses}
    expected = [
        (region, end, min(access.at for access in accesses if access.region == region and access.end >= end))
        for region, end in sorted(ends)
    ]
    assert expected
    verdicts = judge.judge(made.request(made.stream, **{f"region{region}": end - 1}) for region, end, _ in expected)
    for (region, end, at), verdict in zip(expected, verdicts, strict=True):
        assert not verdict.accepted, f"region {region} of {end - 1} bytes"
        assert (verdict.at, verdict.region) == (at, region), verdict.text
        assert verdict.end >= end, verdict.text
        there = [access for access in accesses if (access.region, access.at) == (region, at) and access.end >= end]
        named = set().union(*(_channels(made.stream, access) for access in there))
        assert verdict.channel in named, verdict.text
    used = judge.judge([made.request(made.stream)])[0].used_regions
    assert used == sum(1 << region for region in {access.region for access in accesses})
    return accesses


def _channels(stream: bytes, access: Access) -> set[int]:
    """Return the channels that can have made an access.

    Channels are numbered as in STATUS.faulting_channel; IFM2 has a number of its own.
    """
    moves = struct.unpack_from("<H", stream, access.at)[0] & 0x3FF == arm.cmd0.NPU_OP_DMA_START.value
    if moves:
        return {Channel.MEM2MEM_WRITE if access.writes else Channel.MEM2MEM_READ}
    return {Channel.OFM} if access.writes else {Channel.IFM, Channel.WEIGHTS, Channel.SCALE, IFM2_CHANNEL}


def mutated(stream: bytes, generator: random.Random, count: int) -> Iterator[bytes]:
    words = len(stream) // 4
    for _ in range(count):
        changed = bytearray(stream)
        at = 4 * generator.randrange(words)
        word = struct.unpack_from("<I", stream, at)[0]
        kind = generator.randrange(4)
        if kind == 0:
            word ^= 1 << generator.randrange(32)
        elif kind == 1:  # The parameter, or the upper half of an address, changes.
            word = word & 0xFFFF | generator.choice((0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF)) << 16
        elif kind == 2:
            word = generator.choice((0, 1, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x8000_0000, word + 1, word + 16, word - 16))
        else:
            word = word + generator.choice((1, -1)) * (1 << generator.randrange(32))
        struct.pack_into("<I", changed, at, word & 0xFFFF_FFFF)
        yield bytes(changed)


def test_a_changed_stream_is_refused_exactly_when_the_simulator_refuses_it(judge: Judge) -> None:
    ends = compare_mutations(judge, FIXED, seed=1, count=MUTATIONS_PER_STREAM)
    assert ends["accepted by both"] > 500 and ends["refused by both"] > 500, ends
    assert ends["register left unset"] < 200, ends


@pytest.mark.campaign
@pytest.mark.time_limit(1800)
def test_many_changed_streams_are_refused_exactly_when_the_simulator_refuses_them(judge: Judge) -> None:
    compare_mutations(judge, FIXED, seed=2, count=1000)


@pytest.mark.campaign
@pytest.mark.time_limit(1800)
@pytest.mark.parametrize("family", FAMILIES)
def test_no_program_of_a_family_is_refused(family: str, judge: Judge) -> None:
    """Except where Vela is wrong.

    The driver also refuses each program with a region that is one byte too small.
    """
    for number in range(40):
        try:
            made = compiled(f"{family}-{number}")
        except Refused:
            continue
        finding, _ = follow(made.stream, made.configuration, made.parts.weights, made.sizes)
        if finding.at is None:
            check_ends(made, judge)
        else:  # A matrix product of a slice; see MIS_COMPILED in fixed_cases.py.
            assert family == "matmul_of_slice", finding.why
            assert judge.judge([made.request(made.stream)])[0].at == finding.at


def compare_mutations(judge: Judge, names: Sequence[str], seed: int, count: int) -> Counter[str]:
    return compare(judge, [(name, compiled(name)) for name in names], random.Random(seed), count)


def compare(judge: Judge, cases: Sequence[tuple[str, Compiled]], generator: random.Random, count: int) -> Counter[str]:
    """Compare verdicts on changed streams and count them by kind. count: changes of each stream."""
    ends: Counter[str] = Counter()
    for name, made in cases:
        streams = list(mutated(made.stream, generator, count))
        verdicts = judge.judge(made.request(stream) for stream in streams)
        for stream, verdict in zip(streams, verdicts, strict=True):
            ends[_compare(name, made, stream, verdict)] += 1
    return ends


def _compare(name: str, made: Compiled, stream: bytes, verdict: Verdict) -> str:
    finding, _ = follow(stream, made.configuration, made.parts.weights, made.sizes)
    steps = steps_of(stream, made.configuration.product, CommandState())
    if not verdict.accepted and any(step.name == "OP_BRANCH" for step in steps):
        return "refused with a branch"  # The driver knows no registers behind it.
    return _judged(name, finding, verdict)


def _judged(name: str, finding: Finding, verdict: Verdict) -> str:
    if not verdict.accepted and UNSET in verdict.text and (finding.at is None or verdict.at <= finding.at):
        return "register left unset"  # The simulator uses 0, as after a reset.
    stricter = not verdict.accepted and any(reason in verdict.text for reason in STRICTER)
    if stricter and (finding.at is None or verdict.at <= finding.at):
        return "refused only by the driver"
    if finding.at is None:
        assert verdict.accepted, f"{name}: {verdict.text}"
        return "accepted by both"
    if finding.concerns_the_driver:
        assert not verdict.accepted, f"{name}: byte {finding.at}: {finding.why}"
        assert verdict.at == finding.at, f"{name}: byte {finding.at}: {finding.why}; driver: {verdict.text}"
        return "refused by both"
    return "of no concern"


def test_a_random_state_is_refused_exactly_when_the_simulator_refuses_it(judge: Judge) -> None:
    ends = compare_states(judge, 6000, seed=1)
    assert ends["accepted by both"] > 500 and ends["refused by both"] > 500, ends
    assert ends["reads for a core without channels"] > 10, ends


def test_a_random_state_of_u85_is_refused_exactly_when_the_simulator_refuses_it(judge: Judge) -> None:
    ends = compare_states(judge, 6000, seed=1, second_generation=True)
    assert ends["accepted by both"] > 1500 and ends["refused by both"] > 500, ends
    assert 0 < ends["refused only by the driver"] < 600, ends


@pytest.mark.campaign
@pytest.mark.time_limit(3600)
def test_many_random_states_of_u85_are_refused_exactly_when_the_simulator_refuses_them(judge: Judge) -> None:
    compare_states(judge, 100_000, seed=2, second_generation=True)


@pytest.mark.campaign
@pytest.mark.time_limit(3600)
def test_many_random_states_are_refused_exactly_when_the_simulator_refuses_them(judge: Judge) -> None:
    compare_states(judge, 100_000, seed=2)


def compare_states(judge: Judge, count: int, seed: int, *, second_generation: bool = False) -> Counter[str]:
    """Compare verdicts on random states and count them by kind.

    The driver must name exactly those regions that the simulator accesses.
    """
    weights = bytes(REGION_BYTES[0])
    sizes = {region: size for region, size in REGION_BYTES.items() if region}
    ends: Counter[str] = Counter()
    found = list(states(count, seed, second_generation=second_generation))
    npus = [configuration(state.configuration) for state in found]
    streams = [state.stream() for state in found]
    requests = (StreamRequest(npu, REGION_BYTES, stream) for npu, stream in zip(npus, streams, strict=True))
    for state, npu, stream, verdict in zip(found, npus, streams, judge.judge(requests), strict=True):
        finding, accesses = follow(stream, npu, weights, sizes)
        ends[_judged(str(state), finding, verdict)] += 1
        if verdict.accepted and finding.at is None:
            touched = sum(1 << region for region in {access.region for access in accesses})
            assert verdict.used_regions == touched, state
            channels = state.settings.get(0x113, 0) + 1
            idle = npu.cores > 1 and state.settings.get(0x123) and channels == 1 and state.longs.get(0x091)
            ends["reads for a core without channels"] += bool(idle and state.operation in (0x002, 0x003))
    return ends


def with_settings(made: Compiled, opcode: int, param: int) -> bytes:
    """Replace the parameter in every setting of a register that has no payload.

    At least one setting must exist.
    """
    words = list(struct.unpack(f"<{len(made.stream) // 4}I", made.stream))
    at, found = 0, 0
    while at < len(words):
        if words[at] & 0xFFFF == opcode:
            words[at] = opcode | param << 16
            found += 1
        at += 2 if words[at] & 0x4000 else 1
    assert found
    return struct.pack(f"<{len(words)}I", *words)


UNSUPPORTED, BAD_MODEL = 4, 3


@pytest.mark.parametrize(
    ("name", "opcode", "param", "status", "text"),
    [
        # DMA0_SRC_REGION: two dimensions, then a source in internal memory.
        ("table_int8-3", 0x130, 0x200, BAD_MODEL, "copy of a kind"),
        ("table_int8-3", 0x130, 0x100, BAD_MODEL, "copy of a kind"),
        # ACTIVATION, IFM_PAD_BOTTOM, IFM_PRECISION of 64 bits, OFM_REGION.
        ("table_int8-3", 0x125, 31, BAD_MODEL, "table beyond the table memory"),
        ("conv2d-7", 0x103, 255, BAD_MODEL, "pads more than its kernel covers"),
        ("conv2d-7", 0x105, 0x000D, BAD_MODEL, "reserved bit or value"),
        ("conv2d-7", 0x11F, 5, UNSUPPORTED, "region 5, which this image does not provide"),
    ],
)
def test_what_chance_does_not_hit_is_refused_for_its_reason(
    name: str, opcode: int, param: int, status: int, text: str, judge: Judge
) -> None:
    made = compiled(name)
    verdict = judge.judge([made.request(with_settings(made, opcode, param))])[0]
    assert (verdict.accepted, verdict.status) == (False, status), verdict.text
    assert text in verdict.text


@pytest.mark.parametrize(
    ("region", "bytes_given", "status"),
    [(1, 0, BAD_MODEL), (2, 0, UNSUPPORTED), (2, 16, BAD_MODEL), (7, 0, UNSUPPORTED)],
)
def test_only_a_region_that_an_image_may_lack_is_called_missing(
    region: int, bytes_given: int, status: int, judge: Judge
) -> None:
    made = compiled("conv2d-7")
    stream = with_settings(made, 0x11F, region)  # OFM_REGION
    (verdict,) = judge.judge([made.request(stream, region0=1 << 20, **{f"region{region}": bytes_given})])
    assert (verdict.accepted, verdict.status) == (False, status), verdict.text
    assert ("which this image does not provide" in verdict.text) == (status == UNSUPPORTED)


def test_a_register_that_the_stream_does_not_set_is_not_used(judge: Judge) -> None:
    made = compiled("conv2d-7")
    for opcode in (0x10F, 0x10A, 0x114, 0x125, 0x128):
        words = list(struct.unpack(f"<{len(made.stream) // 4}I", with_settings(made, opcode, 0)))
        # 0x13 is PMU_MASK.
        stream = struct.pack(f"<{len(words)}I", *(0x13 if word == opcode else word for word in words))
        verdict = judge.judge([made.request(stream)])[0]
        assert UNSET in verdict.text, f"{opcode:#x}: {verdict.text}"


def test_bricks_on_top_of_each_other_reach_as_far_as_the_longest(judge: Judge) -> None:
    """The last brick has fewer channels than the others."""
    tried = 0
    for name in FIXED:
        made = compiled(name)
        words = list(struct.unpack(f"<{len(made.stream) // 4}I", made.stream))
        for at in range(len(words) - 1):
            if words[at] & 0xFFFF in (0x4006, 0x4016) and words[at + 1]:
                words[at], words[at + 1] = words[at] & 0xFFFF, 0
        changed = copy(made)
        changed.stream = struct.pack(f"<{len(words)}I", *words)
        finding, _ = follow(changed.stream, made.configuration, made.parts.weights, made.sizes)
        if changed.stream != made.stream and finding.at is None:
            check_ends(changed, judge)
            tried += 1
    assert tried > 5


def test_a_stream_cut_off_anywhere_is_refused(judge: Judge) -> None:
    made = compiled("residual-2")
    verdicts = judge.judge(made.request(made.stream[:size]) for size in range(len(made.stream)))
    assert not any(verdict.accepted for verdict in verdicts)
