# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import pytest
from still_clock import stop_the_clock

from pilotlight.deadline import Deadline
from pilotlight.errors import LinkCorrupted, LinkTimeout, NpuFault, TargetDied, TargetError, WrongNpu
from pilotlight.link import Session, exchange, messages, session
from pilotlight.link.fake import FakeDevice
from pilotlight.link.frames import Frame, encode_frame
from pilotlight.link.messages import LogLevel, Request, Status, Unasked

NONCE = bytes(range(16))
DATA = bytes(i % 251 for i in range(2500))
Devices = Callable[..., FakeDevice]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_the_clock(monkeypatch)
    for module, name in ((exchange, "ANSWER_TIMEOUT_S"), (exchange, "QUIET_S"), (session, "IDENTIFY_INTERVAL_S")):
        monkeypatch.setattr(module, name, 0.01)
    monkeypatch.setattr(session, "ANSWER_TIMEOUT_S", 0.01)


def infer(fake: FakeDevice, runs: int = 1, retries: int = 0) -> tuple[Session, list[bytes]]:
    deadline = Deadline(2)
    talk = Session(fake, retries=retries)
    talk.identify(NONCE, deadline)
    outputs = [talk.infer(0, run, [DATA], [2500], 0.01, deadline)[1][0] for run in range(1, runs + 1)]
    return talk, outputs


def test_an_inference_returns_what_the_device_computed(device: Devices) -> None:
    talk, outputs = infer(device(), runs=3)
    assert outputs == [DATA[::-1]] * 3
    completion = talk.end(3, Deadline(1))
    assert (completion.runs_ok, completion.nonce, talk.lost_log_lines, talk.retries_used) == (3, NONCE, 0, 0)


def test_a_device_that_boots_over_and_over_is_not_waited_for(device: Devices) -> None:
    fake = device()
    fake.write = lambda data: None  # type: ignore[method-assign]
    boot = encode_frame(Frame(Unasked.BOOT, 0, bytes(6)))
    fake.read = lambda most, timeout_s: boot  # type: ignore[method-assign]
    with pytest.raises(TargetDied, match="resets again and again: it booted 4 times"):
        Session(fake).identify(NONCE, Deadline(60))


def test_tensors_are_described_as_the_device_has_them(device: Devices) -> None:
    fake = device()
    talk = Session(fake)
    talk.identify(NONCE, Deadline(1))
    model = talk.describe_model(0, Deadline(1))
    assert model.inputs == tuple(fake.inputs) and model.outputs == tuple(fake.outputs)
    assert model.header.npu_config == "ethos-u55-128"


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("max_chunk", [576, 2500, 9000])
def test_any_chunk_and_window_carries_the_tensors(device: Devices, window: int, max_chunk: int) -> None:
    assert infer(device(window=window, max_chunk=max_chunk))[1] == [DATA[::-1]]


# Frames by number: 1 identify, 2..4 input, 5 run, 6..8 output.
@pytest.mark.parametrize("number", range(2, 9))
@pytest.mark.parametrize("fault", ["corrupt_answer", "corrupt_request"])
def test_a_damaged_frame_ends_a_strict_session(device: Devices, fault: str, number: int) -> None:
    with pytest.raises(LinkCorrupted) as caught:
        infer(device(**{fault: number}))
    assert caught.value.exit_code == 51
    assert "--retries" in caught.value.hint


@pytest.mark.parametrize("number", range(2, 9))
@pytest.mark.parametrize("fault", ["corrupt_answer", "corrupt_request", "drop_answer", "drop_request"])
def test_with_a_budget_a_damaged_frame_is_cured_and_counted(device: Devices, fault: str, number: int) -> None:
    talk, outputs = infer(device(**{fault: number}), runs=2, retries=1)
    assert outputs == [DATA[::-1]] * 2
    assert talk.retries_used == 1
    assert talk.end(2, Deadline(1)).runs_ok == 2, "a run was done twice"


@pytest.mark.parametrize("number", range(2, 9))
def test_a_lost_answer_is_a_timeout_that_names_the_request(device: Devices, number: int) -> None:
    with pytest.raises(LinkTimeout, match=r"no answer to (SET_INPUT|RUN|READ_OUTPUT) within"):
        infer(device(drop_answer=number))


def test_a_lost_piece_of_input_is_never_computed_on(device: Devices) -> None:
    with pytest.raises(LinkCorrupted, match="never reached the device"):
        infer(device(drop_request=2))


def test_noise_before_the_session_is_not_held_against_it(device: Devices) -> None:
    fake = device()
    fake.write(b"half a frame of someone else")
    fake._outbox += b"the end of an answer\0" + encode_frame(Frame(0x85, 3, b"an answer to someone else"))
    talk, outputs = infer(fake)
    assert outputs == [DATA[::-1]]
    assert talk.noise_before_session == 3


def test_a_line_that_only_makes_noise_is_corrupted_not_silent(device: Devices) -> None:
    fake = device(silent_after_answers=1)
    fake._answers = 1
    fake._outbox += b"noise\0"
    with pytest.raises(LinkCorrupted, match="no intact answer to IDENTIFY within"):
        Session(fake).identify(NONCE, Deadline(0.05))


def test_a_second_answer_to_a_repeated_identify_is_ignored(device: Devices) -> None:
    fake = device(drop_answer=1)
    assert infer(fake)[1] == [DATA[::-1]]


def test_a_silent_target_is_a_timeout(device: Devices) -> None:
    fake = device(silent_after_answers=1)
    fake._answers = 1
    with pytest.raises(LinkTimeout, match="received 0 bytes in all"):
        Session(fake).identify(NONCE, Deadline(0.05))


def test_a_stale_nonce_is_refused(device: Devices) -> None:
    with pytest.raises(LinkCorrupted, match="stale"):
        infer(device(stale_nonce=True))


def test_an_echoing_line_is_recognised(device: Devices) -> None:
    class Loop(FakeDevice):
        def write(self, data: bytes) -> None:
            self._outbox += data

    with pytest.raises(LinkCorrupted, match="echoes"):
        Session(Loop(lambda i: i, [], [])).identify(NONCE, Deadline(0.1))


@pytest.mark.parametrize("announce_restart", [True, False])
def test_a_restart_in_mid_run_is_a_dead_target_with_its_fault(device: Devices, announce_restart: bool) -> None:
    fake = device(restart_before_run=2, announce_restart=announce_restart, fault_text="size <= room")
    with pytest.raises(TargetDied, match="restarted in mid-session: failed CHECK: size <= room, line 42") as caught:
        infer(fake, runs=3, retries=0 if announce_restart else 5)
    assert caught.value.exit_code == 41


def test_a_closed_connection_is_a_dead_target(device: Devices) -> None:
    with pytest.raises(TargetDied):
        infer(device(closed_after_answers=4))


@pytest.mark.parametrize(
    ("failure", "error", "code"),
    [(Status.DEVICE_FAULT, NpuFault, 42), (Status.WRONG_NPU, WrongNpu, 21), (Status.TIMEOUT, TargetError, 40)],
)
def test_a_failed_inference_raises_what_its_status_means(
    device: Devices, failure: Status, error: type[Exception], code: int
) -> None:
    with pytest.raises(error, match="run 2: it was made to fail") as caught:
        infer(device(failing_run=2, failure=failure), runs=2)
    assert caught.value.exit_code == code  # type: ignore[attr-defined]


def test_a_model_for_another_npu_is_refused_in_the_devices_words(device: Devices) -> None:
    with pytest.raises(WrongNpu, match="built for 256"):
        infer(device(model_status=Status.WRONG_NPU, model_text="built for 256, here is 128"))


@pytest.mark.parametrize("fault", ["wrong_output_crc_at_run", "wrong_input_crc_at_run"])
def test_tensors_that_differ_from_their_crc_are_refused(device: Devices, fault: str) -> None:
    with pytest.raises(LinkCorrupted, match="run 2"):
        infer(device(**{fault: 2}), runs=2)


def test_log_lines_are_heard_in_order(device: Devices) -> None:
    heard: list[str] = []
    fake = device(error_log_at_run=1)
    fake.log(1, "before the session")
    talk = Session(fake, on_log=lambda line: heard.append(line.text))
    talk.identify(NONCE, Deadline(1))
    talk.infer(0, 1, [DATA], [2500], 0.01, Deadline(1))
    assert heard == ["before the session", "the sky is falling"]
    assert [line.level for line in talk.log] == [LogLevel.ERROR]


def test_a_log_line_that_never_arrived_shows_at_the_end(device: Devices) -> None:
    talk, _ = infer(device(lost_log_at_run=1))
    talk.end(1, Deadline(1))
    assert talk.lost_log_lines == 1


def test_an_image_of_another_protocol_version_is_named(device: Devices) -> None:
    with pytest.raises(TargetError, match="speaks protocol version 1, this host 4"):
        infer(device(protocol_version=1))


@pytest.mark.parametrize("window", [1, 2, 5])
def test_never_more_requests_are_under_way_than_the_device_takes(device: Devices, window: int) -> None:
    fake = device(window=window, max_chunk=100)
    talk = Session(fake)
    talk.identify(NONCE, Deadline(1))
    under_way: list[int] = [0]
    write, read = fake.write, fake.read

    def counted_write(data: bytes) -> None:
        under_way[-1] += 1
        write(data)

    def counted_read(most: int, timeout_s: float) -> bytes:
        # Returns one answer at a time, so that the next request follows only after the previous
        # answer.
        frame = read(1, timeout_s)
        while not (frame.endswith(b"\0") and len(frame) > 1):
            frame += read(1, timeout_s)
        under_way.append(under_way[-1] - 1)
        return frame

    fake.write, fake.read = counted_write, counted_read  # type: ignore[method-assign]
    talk.set_input(0, 0, DATA, Deadline(2))
    assert max(under_way) == window
    assert under_way[-1] == 0


def test_reports_go_to_who_asked_for_them_and_nothing_else_does(device: Devices) -> None:
    first, last = messages.REPORTS[0], messages.REPORTS[-1]
    heard: list[int] = []
    fake = device()
    talk = Session(fake, on_report=lambda frame: heard.append(frame.type))
    talk.identify(NONCE, Deadline(1))
    fake._outbox += b"".join(encode_frame(Frame(kind, 0, b"report")) for kind in (first, last))
    talk.set_input(0, 0, DATA, Deadline(1))
    assert heard == [first, last]
    for kind in (first - 1, last + 1):
        fake._outbox += encode_frame(Frame(kind, 0x7777, b"no report"))
        with pytest.raises(LinkCorrupted, match="unexpected answer"):
            talk.set_input(0, 0, DATA, Deadline(1))


def test_a_damaged_frame_is_no_report(device: Devices) -> None:
    heard: list[Frame] = []
    fake = device()
    talk = Session(fake, on_report=heard.append)
    talk.identify(NONCE, Deadline(1))
    fake._outbox += b"\x09damaged\0"
    with pytest.raises(LinkCorrupted, match="arrived damaged"):
        talk.set_input(0, 0, DATA, Deadline(1))
    assert heard == []


def test_a_report_that_nobody_asked_for_is_no_answer(device: Devices) -> None:
    fake = device()
    talk = Session(fake)
    talk.identify(NONCE, Deadline(1))
    fake._outbox += encode_frame(Frame(messages.REPORTS[0], 0x7777, b"report"))
    with pytest.raises(LinkCorrupted, match="unexpected answer"):
        talk.set_input(0, 0, DATA, Deadline(1))


class Chatter:
    """A device that sends frames of one type without end, and never answers."""

    name = "chatter"

    def __init__(self, kind: int, payload: bytes) -> None:
        self._kind, self._payload, self._sequence = kind, payload, 0

    def read(self, most: int, timeout_s: float) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFF
        return encode_frame(Frame(self._kind, self._sequence, self._payload))

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


CHATTER = {
    "log lines": Chatter(Unasked.LOG, bytes([LogLevel.ERROR]) + b"spam"),
    "refused frames": Chatter(Unasked.NAK, bytes(8)),
    "answers to others": Chatter(Request.RUN | messages.ANSWER, bytes(8)),
    "reports": Chatter(messages.REPORTS[0], bytes(8)),
}


@pytest.mark.parametrize("kind", CHATTER)
def test_a_device_that_never_stops_talking_ends_no_wait_late(kind: str) -> None:
    talk = Session(CHATTER[kind], on_report=lambda frame: None)
    with pytest.raises((LinkTimeout, LinkCorrupted), match=r"within 0\.05 s"):
        talk.identify(NONCE, Deadline(0.05))


def test_a_device_that_logs_during_a_run_ends_no_wait_late_and_fills_no_memory(
    device: Devices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MOST_LOG_LINES", 5)
    fake = device()
    talk = Session(fake)
    talk.identify(NONCE, Deadline(1))
    chatter = CHATTER["log lines"]
    fake.read, fake.write = chatter.read, chatter.write  # type: ignore[method-assign]
    with pytest.raises(LinkTimeout, match="log lines"):
        talk.run(0, 1, 0.01, Deadline(0.05), continues=False)
    assert talk.log_lines > 5
    assert len(talk.log) == 5 and len(talk.errors) <= exchange.MOST_ERROR_LINES


def test_the_deadline_bounds_everything(device: Devices) -> None:
    fake = device(silent_after_answers=2)
    deadline = Deadline(0.02)
    talk = Session(fake, retries=10**6)
    talk.identify(NONCE, Deadline(1))
    with pytest.raises(LinkTimeout):
        while True:
            talk.set_input(0, 0, DATA, deadline)
    assert talk.retries_used < 50_000
