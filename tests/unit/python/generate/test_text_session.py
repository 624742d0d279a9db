# SPDX-License-Identifier: Apache-2.0
"""A session with the text generator: what it sends, and which faults of a device are errors."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from fake_text_device import BUILD_ID, CONTEXT, MAX_TOKENS, VOCABULARY, FakeTextDevice

from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, LinkCorrupted, PilotlightError, TargetError, TargetNotRunning
from pilotlight.generate.messages import End, Step
from pilotlight.generate.sampler import Sampler, weights_for
from pilotlight.generate.stream import TextSession
from pilotlight.generate.tables import Tables

TABLES = Tables((), VOCABULARY, CONTEXT, 0)


def connect(tables: Tables = TABLES, build_id: str = BUILD_ID, **faults: Any) -> tuple[FakeTextDevice, TextSession]:
    device = FakeTextDevice(**{"crc": TABLES.crc, **faults})
    return device, TextSession(device, build_id, "here", tables, Deadline(10))


def following(text: list[int], count: int) -> list[int]:
    """Return what the fake samples."""
    for _ in range(count):
        text = [*text, sum(text) % len(VOCABULARY)]
    return text[len(text) - count :]


def test_each_token_is_reported_as_it_comes_and_all_are_returned() -> None:
    device, session = connect()
    steps: list[Step] = []
    sampled, done = session.generate([1, 4], 3, on_step=steps.append)
    assert sampled == following([1, 4], 3)
    assert [step.sampled for step in steps] == [None, *sampled]
    assert [step.token for step in steps] == [1, 4, *sampled[:2]] == session.text == device.text
    assert [step.position for step in steps] == [0, 1, 2, 3]
    assert b"".join(step.text for step in steps) == b"".join(VOCABULARY[token] for token in sampled)
    assert (done.end, done.position) == (End.COUNT, 4)


def test_a_prompt_longer_than_a_request_goes_in_pieces() -> None:
    device, session = connect()
    prompt = [1, 2, 0, 3, 1, 1, 4, 2, 2]
    sampled, _ = session.generate(prompt, 2)
    assert sampled == following(prompt, 2)
    assert device.requests.count(0x22) == -(-len(prompt) // MAX_TOKENS)


def test_a_text_is_continued_with_the_token_that_was_sampled_last() -> None:
    device, session = connect()
    first, _ = session.generate([1, 4], 3)
    second, _ = session.generate([2], 2, continues=True)
    whole = [1, 4, *first, 2]
    assert second == following(whole, 2)
    assert device.text == [*whole, second[0]]


def test_a_new_text_begins_with_an_empty_cache() -> None:
    _, session = connect()
    first, _ = session.generate([1, 4], 3)
    assert session.generate([1, 4], 3)[0] == first


def test_it_stops_after_the_stop_token_and_when_the_context_is_full() -> None:
    _, session = connect()
    stop = following([1], 3)[2]
    sampled, done = session.generate([1], 8, stop=stop)
    assert sampled == following([1], 8)[: sampled.index(stop) + 1] and done.end is End.STOP_TOKEN
    sampled, done = session.generate([1], 50)
    assert (len(sampled), done.position, done.end) == (CONTEXT, CONTEXT, End.CONTEXT_FULL)


def test_the_device_gets_seed_top_k_and_all_weights() -> None:
    device, session = connect()
    weights = weights_for(0.1, 0.8)
    session.use(Sampler(weights, 40, 2**64 - 2))
    session.use(Sampler())
    assert device.samplers == [
        struct.pack("<QHH256I", 2**64 - 2, 40, 256, *weights),
        struct.pack("<QHH", 0, 0, 0),
    ]


@pytest.mark.parametrize(("prompt", "said"), [([1] * (CONTEXT + 1), "too long: 13 tokens, and the context has 12")])
def test_a_prompt_that_is_too_long_is_refused_before_it_is_sent(prompt: list[int], said: str) -> None:
    device, session = connect()
    with pytest.raises(ConfigError, match=said):
        session.generate(prompt, 1)
    session.generate([1] * 8, 1)
    with pytest.raises(ConfigError, match="the context has 12"):
        session.generate([1] * 4, 1, continues=True)
    assert device.requests.count(0x22) == 2


def test_a_stale_cache_is_said() -> None:
    device, session = connect()
    session.generate([1, 4], 3)
    device.text[0] = 0
    with pytest.raises(TargetError, match="stale cache"):
        session.generate([2], 2, continues=True)


@pytest.mark.parametrize(
    ("faults", "error", "said"),
    [
        ({"lose_report": 1}, LinkCorrupted, "report of the device was lost"),
        ({"lose_report": 3}, LinkCorrupted, "report of the device was lost"),
        ({"other_text": True}, LinkCorrupted, "another text on the device"),
        ({"other_token": True}, LinkCorrupted, "another one than it reported"),
        ({"failing_step": 2}, TargetError, "the NPU is on strike"),
        ({"lost_bytes": 3}, LinkCorrupted, "lost console bytes"),
        ({"error_log": "ouch"}, TargetError, "ouch"),
    ],
)
def test_what_spoils_a_text_is_an_error(faults: dict[str, Any], error: type[PilotlightError], said: str) -> None:
    _, session = connect(**faults)
    with pytest.raises(error, match=said) as caught:
        session.generate([1, 4], 3)
    assert caught.value.hint


def test_reports_for_a_host_that_was_interrupted_are_not_taken_for_its_own() -> None:
    _, session = connect(stale_reports=2)
    assert session.generate([1, 4], 3)[0] == following([1, 4], 3)


def test_another_build_other_tables_and_a_dead_npu_are_refused() -> None:
    with pytest.raises(TargetNotRunning):
        connect(build_id="fedcba9876543210")
    with pytest.raises(ConfigError, match=r"text.py has changed"):
        connect(crc=1)
    with pytest.raises(TargetError, match="dead"):
        connect(npu_status=1)
