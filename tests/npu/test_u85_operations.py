# SPDX-License-Identifier: Apache-2.0
"""Operations of U85 that no stream of Vela 5.1 at hand has, and what is known to deviate.

The streams are written by hand. The expected values follow from the description of the operations.
Opcodes and fields are the architecture's, written out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from campaign import KNOWN_DEVIATION, Ending, reference, run_case
from numpy.typing import NDArray
from operator_cases import Case, Maker
from operator_cases_u85 import case_of
from program_writer import long, word
from test_device import DEPTH, END, HEIGHT, STOP, WIDTH, Bench
from test_u85_device import NPU, summing_pool
from tosa_graph import Tensor
from vela_compiler import compile_tosa

from pilotlight.errors import NpuFault
from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import parse_blob

POOL, ELEMENTWISE = 0x005, 0x006
SUM, ARGMAX_Y, LRELU = 3, 7, 5
SET_ACC_FORMAT = 0x124
DONE = STOP | 0x22
SHAPE = (HEIGHT, WIDTH, DEPTH)


def run(*settings: bytes, operation: int, mode: int, shape: tuple[int, int, int] = SHAPE) -> NDArray[np.int8]:
    """Run an operation from region 1 to region 2, both int8, with other registers than a copy's."""
    bench = Bench(summing_pool(*shape)[:-4] + b"".join(settings) + word(operation, mode) + END, NPU)
    assert bench.run() == DONE, bench.device.last_fault
    return bench.ofm.view(np.int8)[: int(np.prod(shape))].reshape(shape)


def the_input(shape: tuple[int, int, int] = SHAPE) -> NDArray[np.int64]:
    return np.arange(int(np.prod(shape))).reshape(shape)


def second_input(base: int, shape: tuple[int, int, int] = SHAPE) -> list[bytes]:
    """IFM2 is int8 at a place in region 1."""
    height, width, depth = shape
    return [
        *(word(0x18F, 1), long(0x080, base), long(0x084, depth), long(0x085, depth * width), word(0x185, 0x0001)),
        *(word(0x18A, width - 1), word(0x18B, height - 1), word(0x18C, height - 1)),
    ]


def test_accumulators_can_start_from_the_second_input() -> None:
    shape = (HEIGHT, WIDTH, 2)
    start = word(SET_ACC_FORMAT, 1 << 8 | 2 << 4)
    result = run(*second_input(3, shape), start, operation=POOL, mode=SUM, shape=shape)
    np.testing.assert_array_equal(result, the_input(shape) + (the_input(shape) + 3))


def test_leaky_relu_scales_each_sign_by_itself() -> None:
    # The zero point makes half of the inputs negative.
    natural = 1 << 13
    settings = [
        word(0x109, 10),
        long(0x025, 3, natural | 1),
        long(0x026, 1, natural | 2),
        long(0x024, 1, 0),
    ]
    result = run(*settings, operation=ELEMENTWISE, mode=LRELU)
    x = the_input() - 10
    expected = np.where(x >= 0, np.floor(x * 1.5 + 0.5), np.floor(x / 4 + 0.5))
    np.testing.assert_array_equal(result, expected)


def test_argmax_along_rows_gives_the_first_maximum() -> None:
    height, width, depth = 6, 1, 5
    toward_lower, result_bit = 5 << 13, 16
    bench = Bench(
        summing_pool(1, width, depth)[:-4]
        + word(0x121, height - 1)
        + word(0x10B, height - 1)
        + word(0x10C, height - 1)
        + long(0x024, 1, toward_lower | result_bit)
        + word(POOL, ARGMAX_Y)
        + END,
        NPU,
    )
    stored = bench.ifm[: height * width * depth].reshape(height, depth)
    stored[...] = np.random.default_rng(1).integers(0, 4, stored.shape)
    stored[:, 0] = 9  # The first of equal ones.
    assert bench.run() == DONE, bench.device.last_fault
    np.testing.assert_array_equal(bench.ofm[:depth], stored.argmax(axis=0))


def test_a_pool_can_double_its_input() -> None:
    nearest = 1
    shape = (4, 6, 1)
    places = [word(0x107, nearest), word(0x10A, 2), word(0x10B, 1), word(0x10C, 1), long(0x005, 3)]
    result = run(*places, operation=POOL, mode=SUM, shape=shape)
    np.testing.assert_array_equal(result[..., 0], the_input((2, 3, 1))[..., 0].repeat(2, axis=0).repeat(2, axis=1))


@pytest.mark.parametrize("strict", [True, False])
def test_a_sum_of_16_bits_in_a_wide_accumulator_is_a_known_deviation(strict: bool) -> None:
    """Vela 5.1 chooses 32 bits.

    With 48 bits, as older versions chose, Arm's model is reported to answer zero.
    """
    case = case_of("u85:reduce_sum_int16-2")
    blob = compile_tosa(case.tosa, case.npu, *case.options)
    stream = parse_payload(parse_blob(blob).commands).stream
    words = np.frombuffer(stream, "<u4").copy()
    words[words & 0xC3FF == SET_ACC_FORMAT] |= 1 << 16
    runner = DelegateRunner(blob.replace(stream, words.tobytes()), case.npu, strict=strict)
    inputs = case.draw(0)
    golden = reference(case, inputs)
    assert golden is not None
    outputs = [np.empty_like(array) for array in golden]
    if strict:
        with pytest.raises(NpuFault, match=f"REDUCE_SUM of 16-bit elements.*{KNOWN_DEVIATION}"):
            runner.run(inputs, outputs)
    else:
        runner.run(inputs, outputs)
        np.testing.assert_array_equal(outputs[0], golden[0])


@pytest.mark.parametrize("name", ["u85:matmul-1", "u85:matmul-3", "u85:matmul_int16-2"])
def test_velas_program_of_a_product_with_a_scale_per_channel_has_the_first_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of(name)
    outcome = run_case(case, samples=1)
    assert outcome.ending is Ending.BY_DESIGN, "Vela compiles it right: remove the explanation"

    scaled: Callable[..., Tensor] = Maker.rescale

    def with_first_scale(
        make: Maker, x: Tensor, dtype: str, multipliers: list[int], shifts: list[int], **rest: Any
    ) -> Tensor:
        count = len(multipliers)
        return scaled(make, x, dtype, multipliers[:1] * count, shifts[:1] * count, **rest)

    monkeypatch.setattr(Maker, "rescale", with_first_scale)
    meant = replace(case_of(name), name="the program that Vela makes")
    blob = compile_tosa(case.tosa, case.npu, *case.options)
    runner = DelegateRunner(blob, case.npu)
    for sample in range(3):
        inputs = case.draw(sample)
        golden = _reference(meant, inputs)
        outputs = [np.empty_like(array) for array in golden]
        runner.run(inputs, outputs)
        np.testing.assert_array_equal(outputs[0], golden[0])


def _reference(case: Case, inputs: list[NDArray[np.int8]]) -> list[NDArray[np.int8]]:
    golden = reference(case, inputs)
    assert golden is not None
    return golden
