# SPDX-License-Identifier: Apache-2.0
"""The driver's check of command streams of U85.

The streams are Vela's, or made by hand.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import pytest
from driver_verdict import BlobRequest, Judge, StreamRequest
from fixed_cases import FIXED
from operator_cases import make_case
from operator_cases_u85 import ALL_FAMILIES, U85_FAMILIES, make_u85_case
from program_writer import long, summing_pool, word
from random_states import REGION_BYTES, State
from test_driver_verification import FAST_SCRATCH_BYTES, UNSET, Compiled, check_ends, compare, judge
from vela_compiler import Refused, compile_tosa

from pilotlight.npu.stream.configurations import configuration
from pilotlight.pte.ethos_u import INPUT_REGION, OUTPUT_REGION

__all__ = ["judge"]  # The fixture.

SIZES = (256, 512, 1024, 128, 2048)
SEPARATE = ("--cop-format=COP2", "--separate-io-regions")
OPTIONS: tuple[tuple[str, ...], ...] = (
    (),
    ("--optimise=Size",),
    ("--arena-cache-size=16384",),
    ("--disable-fwd",),
    ("--disable-chaining",),
    ("--cop-format=COP2",),
    SEPARATE,
)
# Kept accumulators, chained maps, transposed and reversed outputs, products of maps, and several
# weight streams are among them.
NAMES = (
    *FIXED,
    *("gather-0", "gather-3", "scatter-0", "scatter-2", "select-1", "elementwise_chain-0", "broadcast_add_sub-1"),
    *("leaky_relu-0", "conv2d_sparse-0", "fused_sum-0", "large_window-0", "resize_odd-1", "transpose_any-2"),
    *("attention-0", "mixed_cascade-1", "rescale_wide-0", "table_chain-0"),
)
CASES = tuple(enumerate(NAMES))
MUTATIONS_PER_STREAM = 40


@cache
def compiled(family: str, number: int, macs: int, options: tuple[str, ...] = ()) -> Compiled:
    npu = f"ethos-u85-{macs}"
    make = make_u85_case if family in U85_FAMILIES else make_case
    made = Compiled(compile_tosa(make(family, number).tosa, npu, *options), npu)
    for region in (INPUT_REGION, OUTPUT_REGION):
        if size := made.parts.io_bytes(region):
            made.sizes[region] = size
    return made


def fixed(index: int, name: str) -> Compiled:
    family, number = name.rsplit("-", 1)
    return compiled(family, int(number), SIZES[index % len(SIZES)], OPTIONS[index % len(OPTIONS)])


def test_no_program_of_u85_is_refused(judge: Judge) -> None:
    requests, names = [], []
    for at, family in enumerate(ALL_FAMILIES):
        for number in range(4):
            macs, options = SIZES[(at + number) % len(SIZES)], OPTIONS[(at + 3 * number) % len(OPTIONS)]
            try:
                made = compiled(family, number, macs, options)
            except Refused:
                continue
            requests.append(BlobRequest(made.configuration, made.blob, FAST_SCRATCH_BYTES))
            names.append((family, number, macs, options))
    assert len(requests) > 250
    verdicts = judge.judge(requests)
    assert [(name, verdict.text) for name, verdict in zip(names, verdicts, strict=True) if not verdict.accepted] == []


@pytest.mark.parametrize(("index", "name"), CASES, ids=NAMES)
def test_a_region_that_is_a_byte_too_small_is_noticed_where_the_simulator_reaches_its_end(
    index: int, name: str, judge: Judge
) -> None:
    check_ends(fixed(index, name), judge)


def test_inputs_and_outputs_in_regions_of_their_own_are_bounded_by_their_tensors(judge: Judge) -> None:
    made = compiled("add_sub", 2, 256, SEPARATE)
    assert {place.region for place in made.parts.inputs} == {INPUT_REGION}
    assert {place.region for place in made.parts.outputs} == {OUTPUT_REGION}
    accesses = check_ends(made, judge)
    assert {INPUT_REGION, OUTPUT_REGION} <= {access.region for access in accesses}
    (whole,) = judge.judge([BlobRequest(made.configuration, made.blob)])
    assert whole.accepted and whole.used_regions >> INPUT_REGION == 0b11, whole.text


def test_a_changed_stream_is_refused_exactly_when_the_simulator_refuses_it(judge: Judge) -> None:
    generator = random.Random(3)
    ends = compare(judge, [(name, fixed(index, name)) for index, name in CASES], generator, MUTATIONS_PER_STREAM)
    assert ends["accepted by both"] > 400 and ends["refused by both"] > 400, ends
    assert ends["register left unset"] + ends["refused only by the driver"] < 200, ends


@pytest.mark.campaign
@pytest.mark.time_limit(3600)
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_no_program_of_a_family_is_refused(family: str, judge: Judge) -> None:
    """The driver also refuses each program with a region that is one byte too small."""
    for number in range(30):
        try:
            made = compiled(family, number, SIZES[number % len(SIZES)], OPTIONS[number % len(OPTIONS)])
        except Refused:
            continue
        check_ends(made, judge)


# Streams made by hand. Register numbers are the architecture's. All maps are int8 and NHWC, of
# 2 x 3 elements and 4 channels, in region 1.
SHAPE = (2, 3, 4)
CONV, DEPTHWISE, POOL, ELEMENTWISE, RESIZE, DMA = 2, 3, 5, 6, 7, 0x10
PRODUCT, MAX, SUM, NULL_POOL, ADD, NEAREST = 1, 0, 3, 4, 1, 2
SCALAR = 8
CHAINED, NO_STORAGE, THREE_TILES = 2 << 14, 3 << 14, 1 << 14
SIZE = 2 * 3 * 4


def operation(opcode: int, parameter: int = 0, **changes: int) -> State:
    """Return a state that is accepted without changes.

    changes: registers, as s105=1 (settings) or l022=1 (longs).
    """
    height, width, depth = SHAPE
    settings = {0x105: 1, 0x185: 1, 0x114: 0x101, 0x108: 0, 0x180: 0, 0x107: 0, 0x122: 0, 0x124: 1 << 8, 0x125: 0}
    settings |= {0x128: 0, 0x129: 0, 0x12E: 0, 0x104: depth - 1, 0x111: width - 1, 0x112: height - 1, 0x113: depth - 1}
    settings |= dict.fromkeys((0x100, 0x101, 0x102, 0x103, 0x120, 0x121), 0)
    settings |= {0x130: 1, 0x131: 1, 0x132: 1, 0x133: 1, 0x134: 1}
    longs = {0x020: 0, 0x021: 64, 0x022: 1024, 0x023: 10 * depth, 0x030: 0, 0x031: 4096, 0x032: 16}
    longs |= {0x033: 16, 0x034: 64, 0x035: 16, 0x036: 64, 0x037: 2048, 0x038: 7, 0x039: 0}
    for setting, group in ((0x100, 0x00), (0x110, 0x10), (0x180, 0x80)):
        settings |= {setting + 0xA: width - 1, setting + 0xB: height - 1, setting + 0xC: height - 1, setting + 0xF: 1}
        longs |= {group: 0, group + 4: depth, group + 5: depth * width, group + 6: 0}
    if opcode == RESIZE:
        settings |= {0x120: width - 1, 0x121: height - 1}
    for name, value in changes.items():
        (settings if name[0] == "s" else longs)[int(name[1:], 16)] = value
    return State("ethos-u85-256", opcode, parameter, settings, longs)


def after(state: State, before: State) -> State:
    state.before = before
    return state


END = REGION_BYTES[1]
GOOD: dict[str, Callable[[], State]] = {
    "maps at the end of their region": lambda: operation(
        ELEMENTWISE, ADD, l000=END - SIZE, l080=END - SIZE, l010=END - SIZE
    ),
    "scalar as first operand": lambda: operation(ELEMENTWISE, ADD, s108=SCALAR, s105=1 | NO_STORAGE, l000=END),
    "scalar as second operand": lambda: operation(ELEMENTWISE, ADD, s180=SCALAR, s185=1 | NO_STORAGE, l080=END),
    "first operand of one row": lambda: operation(ELEMENTWISE, ADD, s108=1, l000=END - SIZE // 2),
    "second operand of one column": lambda: operation(ELEMENTWISE, ADD, s180=2, l080=END - SIZE + 8),
    "operand of one channel": lambda: operation(ELEMENTWISE, ADD, s108=4, l000=END - SIZE + 3),
    "operand of one element": lambda: operation(ELEMENTWISE, ADD, s108=7, l000=END - 1),
    "one operand alone": lambda: operation(ELEMENTWISE, 36, l080=END),
    "chained input": lambda: after(
        operation(ELEMENTWISE, ADD, s105=1 | CHAINED, s10F=5, l000=END),
        operation(ELEMENTWISE, ADD, s114=0x101 | CHAINED, s11F=5, l010=END),
    ),
    "accumulator from IFM2": lambda: operation(POOL, NULL_POOL, s124=0x120, l080=END - SIZE, l000=END),
    "kept accumulator": lambda: after(
        operation(CONV, s124=0x110), operation(CONV, s124=0x140, s114=0x101 | NO_STORAGE, l010=END)
    ),
    "product of maps": lambda: operation(
        CONV, PRODUCT, s18A=3, s18B=0, s18C=0, l084=4, l085=16, l080=END - 16, l020=1 << 20
    ),
    "transposed output": lambda: operation(
        POOL, MAX, s114=0x101 | 6 << 11, s11A=1, s11B=3, s11C=3, l014=3, l015=6, l010=END - SIZE
    ),
    "elements of 64 bits": lambda: operation(POOL, MAX, s105=1 | 3 << 2, l004=32, l005=96, l000=END - 8 * SIZE),
    "scales at the end of their region": lambda: operation(CONV, l022=REGION_BYTES[0] - 40),
    "pool with scales": lambda: operation(POOL, SUM, s114=1, l022=REGION_BYTES[0] - 40),
    "weights at the end of their region": lambda: operation(DEPTHWISE, l020=REGION_BYTES[0] - 64),
    "resize": lambda: operation(RESIZE, NEAREST, s120=5, s121=6, s10A=5, s10B=6, l004=4, l005=24, l000=END - 7 * 24),
    "table": lambda: operation(POOL, MAX, s125=4 | 7 << 5),
    "copy of planes": lambda: operation(DMA, s130=1 | 2 << 9, s132=4, s133=3, l030=END - 16 - 3 * 16 - 2 * 64),
    "copy backwards": lambda: operation(DMA, s130=1 | 1 << 9, s132=4, l031=48, l035=-16),
    "gather": lambda: operation(DMA, s130=1 | 1 << 9 | 0x800, s132=5, l030=END - 8 * 16, l037=END - 20),
    "scatter": lambda: operation(DMA, s130=1 | 1 << 9, s131=1 | 0x800, s132=5, l031=END - 8 * 16, l037=END - 20),
    "lists with gaps": lambda: operation(
        DMA, s130=1 | 2 << 9 | 0x800, s132=5, s133=3, l034=0, l036=80, l039=8, l037=END - 20 - 2 * 28
    ),
    "copy of tables": lambda: operation(DMA, s130=1 | 1 << 9, s131=0x103, s132=4, l031=2048 - 64),
}
# The first change that leaves what is allowed, and the words of the refusal.
BAD: dict[str, tuple[Callable[[], State], str]] = {
    "IFM": (lambda: operation(ELEMENTWISE, ADD, l000=END - SIZE + 1), "IFM bytes 8169 to 8193"),
    "IFM2": (lambda: operation(ELEMENTWISE, ADD, l080=END - SIZE + 1), "IFM2 bytes 8169 to 8193"),
    "OFM": (lambda: operation(ELEMENTWISE, ADD, l010=END - SIZE + 1), "OFM bytes 8169 to 8193"),
    "OFM in the weights": (lambda: operation(POOL, MAX, s11F=0), "OFM bytes 0 to 24 of region 0"),
    "row of the first operand": (lambda: operation(ELEMENTWISE, ADD, s108=1, l000=END - 11), "IFM bytes"),
    "element of the second operand": (lambda: operation(ELEMENTWISE, ADD, s180=7, l080=END), "IFM2 bytes"),
    "accumulator from IFM2": (lambda: operation(POOL, SUM, s124=0x120, l080=END - SIZE + 1), "IFM2 bytes"),
    "weights from IFM2": (
        lambda: operation(CONV, PRODUCT, s18A=3, s18B=0, s18C=0, l084=4, l085=16, l080=END - 15),
        "IFM2 bytes 8177 to 8193",
    ),
    "IFM2 twice": (lambda: operation(CONV, PRODUCT, s124=0x120, s18A=3, s18B=0), "as weights and as accumulator"),
    "product with scales": (lambda: operation(CONV, PRODUCT, s114=1, s18A=3, s18B=0), "product with a scale per"),
    "chained input that is not there": (lambda: operation(POOL, MAX, s105=1 | CHAINED), "not filled"),
    "chained input of another buffer": (
        lambda: after(
            operation(POOL, MAX, s105=1 | CHAINED, s10F=2), operation(POOL, MAX, s114=0x101 | CHAINED, s11F=3)
        ),
        "not filled",
    ),
    "chained input that is larger": (
        lambda: after(operation(POOL, MAX, s105=1 | CHAINED), operation(POOL, MAX, s114=0x101 | CHAINED, s112=0)),
        "not filled",
    ),
    "chained output that is transposed": (
        lambda: operation(POOL, MAX, s114=0x101 | CHAINED | 1 << 11),
        "without tiles",
    ),
    "input without storage": (lambda: operation(POOL, MAX, s105=1 | NO_STORAGE), "without tiles"),
    "output without storage": (lambda: operation(POOL, MAX, s114=0x101 | NO_STORAGE), "without tiles"),
    "tiles in a row": (lambda: operation(POOL, MAX, s105=1 | THREE_TILES), "without tiles"),
    "accumulator that nothing kept": (lambda: operation(CONV, s124=0x110), "did not keep"),
    "accumulator of another size": (
        lambda: after(operation(CONV, s124=0x110), operation(CONV, s124=0x140, s112=0)),
        "did not keep",
    ),
    "accumulator of an elementwise operation": (lambda: operation(ELEMENTWISE, ADD, s124=0x140), "does not have"),
    "transposed output": (
        lambda: operation(POOL, MAX, s114=0x101 | 6 << 11, s11A=1, s11B=3, s11C=3, l014=3, l015=6, l010=END - SIZE + 1),
        "OFM bytes",
    ),
    "elements of 64 bits": (
        lambda: operation(POOL, MAX, s105=1 | 3 << 2, l004=32, l005=96, l000=END - 8 * SIZE + 1),
        "IFM bytes",
    ),
    "scales": (lambda: operation(CONV, l022=REGION_BYTES[0] - 39), "scale and bias bytes 4057 to 4097"),
    "scales of a pool": (lambda: operation(POOL, SUM, s114=1, l022=REGION_BYTES[0] - 39), "scale and bias bytes"),
    "too few scales": (lambda: operation(DEPTHWISE, l023=39), "fewer scales than channels"),
    "weights": (lambda: operation(CONV, l020=REGION_BYTES[0] - 63), "weight bytes 4033 to 4097"),
    "resize": (
        lambda: operation(RESIZE, NEAREST, s120=5, s121=6, s10A=5, s10B=6, l004=4, l005=24, l000=END - 7 * 24 + 1),
        "IFM bytes",
    ),
    "table": (lambda: operation(POOL, MAX, s114=0x103, l014=8, l015=24, s125=5 | 4 << 5), "beyond the table memory"),
    "copy of planes": (
        lambda: operation(DMA, s130=1 | 2 << 9, s132=4, s133=3, l030=END - 16 - 3 * 16 - 127),
        "DMA read bytes",
    ),
    "copy backwards": (lambda: operation(DMA, s130=1 | 1 << 9, s132=4, l031=47, l035=-16), "DMA write bytes -1 to 63"),
    "gather": (lambda: operation(DMA, s130=1 | 1 << 9 | 0x800, s132=1, l030=END - 8 * 16 + 1), "DMA read bytes"),
    "scatter": (lambda: operation(DMA, s130=1 | 1 << 9, s131=0x801, s132=1, l031=END - 8 * 16 + 1), "DMA write bytes"),
    "scatter to the weights": (lambda: operation(DMA, s130=1 | 1 << 9, s131=0x800, s132=1), "DMA write bytes"),
    "gather without an end": (
        lambda: operation(DMA, s130=1 | 1 << 9 | 0x800, l038=0x7FFF_FFFF, l033=0x7F_FFFF_FFFF),
        "DMA read bytes",
    ),
    "gather back without an end": (
        lambda: operation(DMA, s130=1 | 1 << 9 | 0x800, l038=0x7FFF_FFFF, l033=1 << 39),
        "DMA read bytes -",
    ),
    "list": (lambda: operation(DMA, s130=1 | 1 << 9 | 0x800, s132=5, l037=END - 19), "DMA read bytes 8173 to 8193"),
    "list of scatter": (lambda: operation(DMA, s130=1 | 1 << 9, s131=0x801, s132=5, l037=END - 19), "DMA read bytes"),
    "list with gaps": (
        lambda: operation(DMA, s130=1 | 2 << 9 | 0x800, s132=5, s133=3, l039=9, l037=END - 20 - 2 * 28),
        "DMA read bytes",
    ),
    "list with negative gaps": (
        lambda: operation(DMA, s130=1 | 2 << 9 | 0x800, s132=5, s133=3, l039=-21, l037=1),
        "DMA read bytes -1 to 21",
    ),
    "index at both ends": (lambda: operation(DMA, s130=1 | 1 << 9 | 0x800, s131=0x801), "copy of a kind"),
    "copy from tables": (lambda: operation(DMA, s130=0x100), "copy of a kind"),
    "copy of no rows": (lambda: operation(DMA, s130=1 | 1 << 9, s132=0), "copies nothing"),
    "copy of no planes": (lambda: operation(DMA, s130=1 | 2 << 9, s133=0), "copies nothing"),
    "copy of no bytes": (lambda: operation(DMA, l032=0), "copies nothing"),
    "copy of tables": (lambda: operation(DMA, s130=1 | 1 << 9, s131=0x103, s132=4, l031=2048 - 63), "internal memory"),
    "copy before the tables": (
        lambda: operation(DMA, s130=1 | 1 << 9, s131=0x103, s132=4, l031=16, l035=-16),
        "internal",
    ),
}
# Values that do not exist.
RESERVED: dict[str, Callable[[], State]] = {
    "transpose": lambda: operation(POOL, MAX, s114=0x101 | 4 << 11),
    "micro-block": lambda: operation(POOL, MAX, s124=6 << 8),
    "start of the accumulator": lambda: operation(POOL, MAX, s124=0x130),
    "function": lambda: operation(POOL, MAX, s125=6),
    "function above the last": lambda: operation(POOL, MAX, s125=12),
    "broadcast": lambda: operation(ELEMENTWISE, ADD, s108=9),
    "second broadcast": lambda: operation(ELEMENTWISE, ADD, s180=15),
    "elementwise mode": lambda: operation(ELEMENTWISE, 12),
    "elementwise mode in the second gap": lambda: operation(ELEMENTWISE, 32),
    "elementwise mode in the last gap": lambda: operation(ELEMENTWISE, 41),
    "elementwise mode above the last": lambda: operation(ELEMENTWISE, 43),
    "resize mode": lambda: operation(RESIZE, 3),
    "dimensions of a copy": lambda: operation(DMA, s130=3 << 9),
    "last index": lambda: operation(DMA, l038=1 << 31),
}


def request(state: State) -> StreamRequest:
    return StreamRequest(configuration(state.configuration), REGION_BYTES, state.stream())


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_accesses_up_to_the_end_of_a_region_are_allowed(make: Callable[[], State], judge: Judge) -> None:
    (verdict,) = judge.judge([request(make())])
    assert verdict.accepted, verdict.text


@pytest.mark.parametrize(("make", "text"), BAD.values(), ids=BAD)
def test_the_first_byte_beyond_is_refused(make: Callable[[], State], text: str, judge: Judge) -> None:
    (verdict,) = judge.judge([request(make())])
    assert not verdict.accepted
    assert text in verdict.text


@pytest.mark.parametrize("make", RESERVED.values(), ids=RESERVED)
def test_a_value_that_does_not_exist_is_refused(make: Callable[[], State], judge: Judge) -> None:
    (verdict,) = judge.judge([request(make())])
    assert not verdict.accepted
    assert "has a reserved bit or value" in verdict.text


def test_rounding_that_does_not_exist_is_refused(judge: Judge) -> None:
    stop = word(0, 0xFFFF)
    streams = [long(0x024, 1, param=mode << 13) + stop for mode in range(8)]
    verdicts = judge.judge(StreamRequest(configuration("ethos-u85-256"), {}, stream) for stream in streams)
    assert [verdict.accepted for verdict in verdicts] == [True] * 6 + [False] * 2


BRANCH_BYTES = 8


def branched(target: int, *, condition: int = 0, again: bool = True) -> bytes:
    """Return a sum, a branch, and another sum. again: whether its registers are set again."""
    first = summing_pool(1, 1, 1)
    second = first if again else first[-4:]
    return first + long(0x100, target, param=condition) + second + word(0, 0xFFFF)


SECOND = len(summing_pool(1, 1, 1)) + BRANCH_BYTES


@pytest.mark.parametrize("condition", [0, 1])
@pytest.mark.parametrize("target", [0, SECOND, SECOND - BRANCH_BYTES])
def test_a_branch_to_a_command_is_followed(target: int, condition: int, judge: Judge) -> None:
    request = StreamRequest(configuration("ethos-u85-256"), {1: 16, 2: 16}, branched(target, condition=condition))
    (verdict,) = judge.judge([request])
    assert verdict.accepted, verdict.text


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (branched(SECOND, again=False), "uses a register that the stream did not set"),
        (branched(0, condition=1, again=False), "uses a register that the stream did not set"),
        (branched(SECOND + 2), "branches to a place outside the stream, or into a word"),
        (branched(SECOND - 4), "leads to no command before it"),
        (branched(0xFFFF_FFFC), "branches to a place outside the stream"),
        (branched(SECOND, condition=2), "has a reserved bit or value"),
        (long(0x100, 0) * 33 + word(0, 0xFFFF), "has more branches than this driver follows"),
        (branched(SECOND) + summing_pool(1, 1, 1) + long(0x100, 0) + word(0, 0xFFFF), ""),
        (branched(2 * SECOND) + summing_pool(1, 1, 1) + word(0, 0xFFFF), "leads to no command before it"),
    ],
    ids=["registers of before", "registers of a loop", "half a word", "payload", "outside", "condition", "too many",
         "behind the end", "to behind the end"],
)  # fmt: skip
def test_a_branch_that_cannot_be_followed_is_refused(stream: bytes, reason: str, judge: Judge) -> None:
    (verdict,) = judge.judge([StreamRequest(configuration("ethos-u85-256"), {1: 16, 2: 16}, stream)])
    assert verdict.accepted == (not reason), verdict.text
    assert reason in verdict.text


@pytest.mark.parametrize(("macs", "decoders"), [(128, 1), (256, 1), (512, 2), (1024, 4), (2048, 4)])
def test_each_decoder_has_a_weight_stream_of_its_own(macs: int, decoders: int, judge: Judge) -> None:
    """16 channels are work for four decoders, and 4 channels for one."""
    end = REGION_BYTES[0]
    streams = ((0x020, 0x021), (0x090, 0x091), (0x092, 0x093), (0x094, 0x095))
    good = {
        f"l{register:03X}": value
        for place in streams[:decoders]
        for register, value in zip(place, (end - 32, 32), strict=True)
    }
    base = good | {"s113": 15, "l023": 160, "s11F": 2, "l014": 16, "l015": 48}

    def verdict(**changes: int) -> str:
        state = operation(CONV, **{**base, **changes})
        state.configuration = f"ethos-u85-{macs}"
        (found,) = judge.judge([request(state)])
        return "" if found.accepted else found.text

    assert verdict() == ""
    for place, length in streams[:decoders]:
        assert "weight bytes 4065 to 4097" in verdict(**{f"l{place:03X}": end - 31}), place
        assert "weight bytes 4064 to 4097" in verdict(**{f"l{length:03X}": 33}), length
    for place, length in streams[decoders:]:  # These registers mean nothing to this size.
        assert verdict(**{f"l{place:03X}": end, f"l{length:03X}": 4096}) == ""
    # In the fast format, the first stream has the weights of all decoders.
    assert verdict(**dict.fromkeys((f"l{place:03X}" for place, _ in streams[1:decoders]), end), s12E=1) == ""
    assert "weight bytes" in verdict(l020=end, s12E=1)
    if decoders > 1:
        last = f"l{streams[decoders - 1][1]:03X}"
        assert UNSET in judge_without(judge, macs, base, last)
        # A decoder without channels needs no registers; if it has some, it may read the stream.
        few = {"s113": 3, "l023": 40, "l014": 4, "l015": 12}
        assert verdict(**few, **{last: 0}) == ""
        assert "weight bytes" in verdict(**few, **{last: 33})


def judge_without(judge: Judge, macs: int, registers: dict[str, int], missing: str) -> str:
    state = operation(CONV, **registers)
    state.configuration = f"ethos-u85-{macs}"
    del state.longs[int(missing[1:], 16)]
    return judge.judge([request(state)])[0].text


def test_registers_that_an_operation_uses_must_be_set(judge: Judge) -> None:
    used = {
        CONV: ("s105", "s114", "s124", "s125", "s12E", "s104", "l020", "l021", "l022", "s128", "s129"),
        ELEMENTWISE: ("s108", "s180", "s185", "l080", "l084", "s18A", "s18F", "s124"),
        RESIZE: ("s120", "s121", "l005"),
        DMA: ("s130", "s131", "s134", "l030", "l031", "l033", "l034", "l035", "l036", "l037", "l038", "l039"),
    }
    for opcode, names in used.items():
        for name in names:
            state = operation(opcode, {ELEMENTWISE: ADD, RESIZE: NEAREST}.get(opcode, 0))
            if opcode == DMA:
                state.settings |= {0x130: 1 | 2 << 9 | 0x800, 0x132: 2, 0x133: 2}
            assert judge.judge([request(state)])[0].accepted
            del (state.settings if name[0] == "s" else state.longs)[int(name[1:], 16)]
            (verdict,) = judge.judge([request(state)])
            assert not verdict.accepted and UNSET in verdict.text, f"{opcode} {name}: {verdict.text}"


def test_a_copy_to_internal_memory_uses_only_registers_that_are_set(judge: Judge) -> None:
    for missing in (0x031, 0x035):
        state = operation(DMA, s130=1 | 1 << 9, s131=0x103, s132=2, l031=64)
        assert judge.judge([request(state)])[0].accepted
        del state.longs[missing]
        (verdict,) = judge.judge([request(state)])
        assert not verdict.accepted and UNSET in verdict.text, f"{missing:#x}: {verdict.text}"
