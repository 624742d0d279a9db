# SPDX-License-Identifier: Apache-2.0
"""One session with a target, from IDENTIFY to the completion record.

By default the first damaged frame ends the session with LinkCorrupted. With a retry budget,
requests without an answer are sent again (all are idempotent), and `retries_used` counts the
retries. No result of the session comes from a damaged frame.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import TypeVar

from pilotlight.deadline import Deadline
from pilotlight.errors import LinkCorrupted, LinkTimeout, NpuFault, PilotlightError, TargetDied, TargetError, WrongNpu
from pilotlight.link import messages
from pilotlight.link.fault_dump import FaultDump
from pilotlight.link.frames import DamagedFrame, Frame, FrameReader, encode_frame
from pilotlight.link.messages import (
    Completion,
    FaultPiece,
    Identity,
    LogLevel,
    LogLine,
    Malformed,
    ModelDescription,
    ModelHeader,
    Nak,
    Reason,
    Refusal,
    Request,
    RunDone,
    Statistics,
    Status,
    TensorDescription,
    Unasked,
)
from pilotlight.link.transport import Link

# Longest silence while an answer is due. It is long because an emulated target shares its
# processor.
ANSWER_TIMEOUT_S = 10.0
# How often IDENTIFY is repeated while the device boots.
IDENTIFY_INTERVAL_S = 1.0
# A device that boots this often during IDENTIFY will never answer.
MOST_BOOTS = 4
# After this silence no more bytes are on their way.
QUIET_S = 0.2
# The largest body that a device may announce: a u16 chunk size, and overhead.
MAX_BODY_BYTES = 0xFFFF + messages.BODY_OVERHEAD_BYTES
READ_BYTES = 4096
# A device may log without pause. The newest lines and the first errors are kept.
MOST_LOG_LINES = 10_000
MOST_ERROR_LINES = 100

T = TypeVar("T")

_REBUILD = "the image may be of another version: build and flash again"
_CABLE = "look at cable, ground and baud rate; `--retries N` tolerates N damaged frames and reports them"


class _Damage(Exception):
    """A problem that sending again may cure. `error` is raised if no retry is left."""

    def __init__(self, error: PilotlightError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True)
class _Question:
    request: IntEnum
    sequence: int
    payload: bytes

    def encode(self) -> bytes:
        return encode_frame(Frame(self.request, self.sequence, self.payload))


def _undecoded(dump: bytes) -> str:
    return FaultDump.decode(dump).summary


class Session:
    """Speaks SPEC.md over `link`.

    on_log: called with each log line as it arrives.
    on_report: called with each frame that an app other than check sends unasked (messages.REPORTS).
    describe_fault: turns the dump of a device that restarted in mid-session into text.
    log: the newest log lines. log_lines: the number of all. errors: the first error lines.
    """

    def __init__(
        self,
        link: Link,
        *,
        retries: int = 0,
        on_log: Callable[[LogLine], None] | None = None,
        on_report: Callable[[Frame], None] | None = None,
        describe_fault: Callable[[bytes], str] = _undecoded,
    ) -> None:
        self.link = link
        self.retries_used = 0
        self.noise_before_session = 0
        self.lost_log_lines = 0
        self.damage_seen = 0
        self.log: deque[LogLine] = deque(maxlen=MOST_LOG_LINES)
        self.log_lines = 0
        self.errors: list[LogLine] = []
        self._retries = retries
        self._on_log = on_log
        self._on_report = on_report
        self._describe_fault = describe_fault
        self._reader = FrameReader(MAX_BODY_BYTES)
        self._arrived: list[Frame | DamagedFrame] = []
        self._received_bytes = 0
        self._sequence = 0
        self._asked_again: set[int] = set()
        self._identity: Identity | None = None
        self._next_log = 0

    @property
    def identity(self) -> Identity:
        """The device's identity. Call identify() first."""
        assert self._identity is not None, "identify() comes first"
        return self._identity

    # --- requests ---

    def identify(self, nonce: bytes, deadline: Deadline) -> Identity:
        """Start a session and return the device's identity.

        Leftovers of an earlier user of the line are skipped: NAKs, log lines, and one damaged
        frame.

        Raises LinkTimeout (no answer), LinkCorrupted (only noise, an echo, an old nonce),
        TargetDied (it boots again and again), TargetError (another protocol version).
        """
        self._identity = None
        # The nonce decides where sequence numbers start, so an answer to an earlier host does not
        # match.
        self._sequence = int.from_bytes(nonce[:2], "little")
        question = self._question(Request.IDENTIFY, nonce)
        self.link.write(b"\0")
        noise = ""
        damaged_frames = boots = 0
        while not deadline.passed:
            self.link.write(question.encode())
            pause = deadline.within(IDENTIFY_INTERVAL_S)
            while (item := self._next_item(pause)) is not None:
                if isinstance(item, DamagedFrame):
                    noise, damaged_frames = f"a frame of {item.received_bytes} bytes: {item.reason}", damaged_frames + 1
                    if damaged_frames > 1:
                        raise self._corrupted(f"two damaged frames before the first answer, the last {noise}")
                elif item.type == Unasked.NAK:
                    noise = f"the device received a damaged frame ({self._decode(Nak.decode, item).reason})"
                elif item.type == Unasked.LOG:
                    self._hear(self._decode(LogLine.decode, item))
                    continue
                elif item.type == Request.IDENTIFY:
                    raise self._corrupted("our own request came back: the line echoes")
                elif item.sequence == question.sequence and item.type == Unasked.ERROR:
                    raise self._refused(question, self._decode(Refusal.decode, item))
                elif item.sequence == question.sequence and item.type == question.request | messages.ANSWER:
                    return self._begin(self._decode(Identity.decode, item), nonce)
                elif item.type == Unasked.BOOT:
                    boots += 1
                    if boots == MOST_BOOTS:
                        raise TargetDied(
                            f"{self.link.name}: the device resets again and again: it booted {boots} times while it "
                            "was asked who it is",
                            hint="`west fault` tells why, where the board's supervisor knows; its log may tell, too",
                        )
                    continue
                self.noise_before_session += 1
            self._asked_again.add(question.sequence)
        if noise:
            raise self._corrupted(f"no intact answer to IDENTIFY within {deadline.seconds:g} s; {noise}")
        raise self._silent("IDENTIFY", deadline.seconds)

    def describe_model(self, model: int, deadline: Deadline) -> ModelDescription:
        """Request a model's header and the descriptions of all its tensors."""
        payload = self._ask(Request.DESCRIBE_MODEL, bytes([model]), deadline)
        header = self._decode_bytes(partial(ModelHeader.decode, model=model), payload)

        def tensors(direction: int, count: int) -> Iterator[TensorDescription]:
            for index in range(count):
                payload = self._ask(Request.DESCRIBE_TENSOR, bytes([model, direction, index]), deadline)
                decode = partial(TensorDescription.decode, model=model, direction=direction, index=index)
                yield self._decode_bytes(decode, payload)

        inputs = tuple(tensors(0, header.input_count))
        return ModelDescription(header, inputs, tuple(tensors(1, header.output_count)))

    def set_input(self, model: int, index: int, data: bytes, deadline: Deadline) -> None:
        """Send the bytes of one input, in chunks."""
        chunk = self.identity.max_chunk
        offsets = range(0, len(data), chunk)
        questions = [
            self._question(Request.SET_INPUT, messages.set_input(model, index, at, data[at : at + chunk]))
            for at in offsets
        ]
        answers = self._exchange(questions, deadline)
        for at, answer in zip(offsets, answers, strict=True):
            taken = len(data[at : at + chunk])
            if answer != messages.set_input(model, index, at, taken.to_bytes(4, "little")):
                raise self._corrupted(f"SET_INPUT at offset {at} was acknowledged for something else", hint=_REBUILD)

    def run(self, model: int, number: int, timeout_s: float, deadline: Deadline, *, continues: bool) -> RunDone:
        """Run one inference. `timeout_s` is the device's limit for it.

        continues: start from the state after the model's last run instead of the initial state.
        """
        payload = messages.run(model, number, round(timeout_s * 1000), continues=continues)
        answer = self._ask(Request.RUN, payload, deadline, answer_timeout_s=timeout_s + ANSWER_TIMEOUT_S)
        done = self._decode_bytes(RunDone.decode, answer)
        if done.boot_id != self.identity.boot_id:
            raise self._restarted()
        if done.number != number:
            raise self._corrupted(f"asked for run {number}, the answer is about run {done.number}", hint=_REBUILD)
        return done

    def read_output(self, model: int, index: int, size_bytes: int, deadline: Deadline) -> bytes:
        """Return the bytes of one output of the last run."""
        chunk = self.identity.max_chunk
        requests = [
            messages.read_output(model, index, min(chunk, size_bytes - at), at) for at in range(0, size_bytes, chunk)
        ]
        answers = self._exchange([self._question(Request.READ_OUTPUT, r) for r in requests], deadline)
        data = bytearray()
        for request, answer in zip(requests, answers, strict=True):
            if answer[: len(request)] != request:
                raise self._corrupted("READ_OUTPUT was answered with another piece", hint=_REBUILD)
            data += answer[len(request) :]
        if len(data) != size_bytes:
            raise self._corrupted(f"READ_OUTPUT: {len(data)} bytes arrived of {size_bytes}", hint=_REBUILD)
        return bytes(data)

    def infer(
        self,
        model: int,
        number: int,
        inputs: Sequence[bytes],
        output_sizes: Sequence[int],
        timeout_s: float,
        deadline: Deadline,
        *,
        continues: bool = False,
    ) -> tuple[RunDone, list[bytes]]:
        """Send inputs, run, and read outputs. A CRC over the whole tensors checks both directions.

        continues: start from the state after the model's last run instead of the initial state.

        Raises NpuFault, WrongNpu or TargetError if the inference failed on the device.
        """
        for index, data in enumerate(inputs):
            self.set_input(model, index, data, deadline)
        done = self.run(model, number, timeout_s, deadline, continues=continues)
        if done.input_crc != zlib.crc32(b"".join(inputs)):
            raise self._corrupted(f"run {number}: the device computed on other input than was sent", hint=_REBUILD)
        if done.status is not Status.OK:
            raise _failed_run(done)
        outputs = [self.read_output(model, index, size, deadline) for index, size in enumerate(output_sizes)]
        if done.output_crc != zlib.crc32(b"".join(outputs)):
            raise self._corrupted(f"run {number}: the output read is not the output computed", hint=_REBUILD)
        return done, outputs

    def statistics(self, model: int, deadline: Deadline) -> Statistics:
        """Request memory use, stack use and damage counts."""
        return self._decode_bytes(Statistics.decode, self._ask(Request.STATISTICS, bytes([model]), deadline))

    def end(self, runs: int, deadline: Deadline) -> Completion:
        """Request the completion record. `runs` is the host's count of runs.

        The caller judges the record. Only missing log lines are counted here, in `lost_log_lines`.
        """
        answer = self._ask(Request.END, runs.to_bytes(4, "little"), deadline)
        completion = self._decode_bytes(Completion.decode, answer)
        self.lost_log_lines += (completion.log_sequence - self._next_log) & 0xFFFF
        return completion

    def read_fault(self, deadline: Deadline) -> bytes:
        """Return the dump of a fault in an earlier boot; b"" if there is none."""

        def ask(offset: int) -> FaultPiece:
            answer = self._ask(Request.READ_FAULT, offset.to_bytes(4, "little"), deadline)
            return self._decode_bytes(FaultPiece.decode, answer)

        return self._collect_fault(ask)

    def reset(self, deadline: Deadline) -> None:
        """Reset the device. This ends the session."""
        self._ask(Request.RESET, messages.RESET_MAGIC.to_bytes(4, "little"), deadline)
        self._identity = None

    # --- asking ---

    def ask(
        self,
        request: IntEnum,
        payloads: Sequence[bytes],
        deadline: Deadline,
        *,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> list[bytes]:
        """Send an app's own request once per payload, and return the payloads of the answers."""
        questions = [self._question(request, payload) for payload in payloads]
        return self._exchange(questions, deadline, answer_timeout_s=answer_timeout_s)

    def _question(self, request: IntEnum, payload: bytes) -> _Question:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._asked_again.discard(self._sequence)
        return _Question(request, self._sequence, payload)

    def _ask(
        self, request: Request, payload: bytes, deadline: Deadline, *, answer_timeout_s: float = ANSWER_TIMEOUT_S
    ) -> bytes:
        return self._exchange([self._question(request, payload)], deadline, answer_timeout_s=answer_timeout_s)[0]

    def _exchange(
        self, questions: Sequence[_Question], deadline: Deadline, *, answer_timeout_s: float = ANSWER_TIMEOUT_S
    ) -> list[bytes]:
        """Send all requests, at most a window at a time; return the answers' payloads in order."""
        unanswered = {question.sequence: question for question in questions}
        answers: dict[int, bytes] = {}
        while True:
            try:
                self._ask_unanswered(unanswered, answers, deadline, answer_timeout_s)
                return [answers[question.sequence] for question in questions]
            except _Damage as damage:
                self.damage_seen += 1
                if self.retries_used >= self._retries or deadline.passed:
                    raise damage.error from None
                self.retries_used += 1
                self._collect_stragglers(unanswered, answers, deadline)
                self._asked_again.update(unanswered)

    def _ask_unanswered(
        self, unanswered: dict[int, _Question], answers: dict[int, bytes], deadline: Deadline, answer_timeout_s: float
    ) -> None:
        window = self._identity.window if self._identity else 1
        unsent = list(unanswered.values())
        in_flight = 0
        while unanswered:
            while unsent and in_flight < window:
                self.link.write(unsent.pop(0).encode())
                in_flight += 1
            wait = deadline.within(answer_timeout_s)
            frame = self._next_answer(wait)
            if frame is None:
                first = next(iter(unanswered.values()))
                raise _Damage(self._silent(first.request.name, wait.seconds))
            if self._match(frame, unanswered, answers):
                in_flight -= 1

    def _match(self, frame: Frame, unanswered: dict[int, _Question], answers: dict[int, bytes]) -> bool:
        """Store the answer. Returns False for the second answer to a repeated request."""
        question = unanswered.get(frame.sequence)
        if question is None:
            if frame.sequence in self._asked_again:
                return False
            raise _Damage(
                self._corrupted(f"an answer (type {frame.type:#04x}, number {frame.sequence}) nobody asked for")
            )
        if frame.type == Unasked.ERROR:
            refusal = self._decode(Refusal.decode, frame)
            if refusal.reason == Reason.INPUT_INCOMPLETE and question.request is Request.SET_INPUT:
                raise _Damage(self._corrupted("a piece of the input never reached the device"))
            raise self._refused(question, refusal)
        if frame.type != question.request | messages.ANSWER:
            raise _Damage(self._corrupted(f"{question.request.name} was answered by type {frame.type:#04x}"))
        answers[frame.sequence] = frame.payload
        del unanswered[frame.sequence]
        return True

    def _collect_stragglers(
        self, unanswered: dict[int, _Question], answers: dict[int, bytes], deadline: Deadline
    ) -> None:
        """After damage, store the answers that still arrive, until the line is quiet."""
        while not deadline.passed:
            item = self._next_item(deadline.within(QUIET_S))
            if item is None:
                return
            if isinstance(item, DamagedFrame) or item.type == Unasked.NAK:
                self.damage_seen += 1
            elif item.type == Unasked.LOG:
                self._count_log(item)
            elif item.type == Unasked.BOOT:
                raise self._restarted()
            elif item.sequence in unanswered and item.type == unanswered[item.sequence].request | messages.ANSWER:
                answers[item.sequence] = item.payload
                del unanswered[item.sequence]

    # --- listening ---

    def _next_answer(self, deadline: Deadline) -> Frame | None:
        """Return the next answer, or None after silence. Log lines are handled on the way."""
        while True:
            item = self._next_item(deadline)
            if item is None:
                return None
            if isinstance(item, DamagedFrame):
                raise _Damage(self._corrupted(f"a frame of {item.received_bytes} bytes arrived damaged: {item.reason}"))
            if item.type == Unasked.LOG:
                self._count_log(item)
            elif item.type == Unasked.BOOT:
                raise self._restarted()
            elif item.type == Unasked.NAK:
                nak = self._decode(Nak.decode, item)
                raise _Damage(self._corrupted(f"the device received a damaged frame: {nak.reason}"))
            else:
                return item

    def _next_item(self, deadline: Deadline) -> Frame | DamagedFrame | None:
        while not self._arrived:
            if deadline.passed:  # Otherwise a device that never pauses would extend the wait.
                return None
            data = self.link.read(READ_BYTES, deadline.remaining)
            if not data:
                return None
            self._received_bytes += len(data)
            self._arrived = [item for item in self._reader.feed(data) if not self._is_report(item)]
        return self._arrived.pop(0)

    def _is_report(self, item: Frame | DamagedFrame) -> bool:
        if isinstance(item, DamagedFrame) or item.type not in messages.REPORTS or self._on_report is None:
            return False
        self._on_report(item)
        return True

    def _count_log(self, frame: Frame) -> None:
        self.lost_log_lines += (frame.sequence - self._next_log) & 0xFFFF
        self._next_log = (frame.sequence + 1) & 0xFFFF
        line = self._decode(LogLine.decode, frame)
        self.log.append(line)
        if line.level >= LogLevel.ERROR and len(self.errors) < MOST_ERROR_LINES:
            self.errors.append(line)
        self._hear(line)

    def _hear(self, line: LogLine) -> None:
        self.log_lines += 1
        if self._on_log is not None:
            self._on_log(line)

    def _begin(self, identity: Identity, nonce: bytes) -> Identity:
        if identity.nonce != nonce:
            raise self._corrupted("the answer carries the nonce of another session: it is stale", hint="run it again")
        if identity.protocol_version != messages.PROTOCOL_VERSION:
            raise TargetError(
                f"{self.link.name}: the image speaks protocol version {identity.protocol_version}, "
                f"this host {messages.PROTOCOL_VERSION}",
                hint=_REBUILD,
            )
        self._identity = identity
        self._next_log = identity.log_sequence
        return identity

    # --- errors ---

    def _decode(self, decode: Callable[[bytes], T], frame: Frame) -> T:
        return self._decode_bytes(decode, frame.payload)

    def _decode_bytes(self, decode: Callable[[bytes], T], payload: bytes) -> T:
        try:
            return decode(payload)
        except Malformed as error:
            raise self._corrupted(str(error), hint=_REBUILD) from error

    def _corrupted(self, what: str, *, hint: str = _CABLE) -> LinkCorrupted:
        return LinkCorrupted(f"{self.link.name}: {what}", hint=hint)

    def _silent(self, waited_for: str, seconds: float) -> LinkTimeout:
        half = self._reader.half_frame_bytes
        so_far = f"{half} bytes of an unfinished frame" if half else f"{self._received_bytes} bytes in all so far"
        if self.log_lines:
            so_far += f", with {self.log_lines} log lines"
        return LinkTimeout(
            f"{self.link.name}: no answer to {waited_for} within {seconds:.3g} s; received {so_far}",
            hint="is another program connected to the console? Otherwise power the target off and on",
        )

    def _refused(self, question: _Question, refusal: Refusal) -> PilotlightError:
        if refusal.reason == Reason.NO_SESSION:
            return self._restarted()
        what = f"{self.link.name}: the device refused {question.request.name}: {refusal.text}"
        if refusal.status is Status.WRONG_NPU:
            return WrongNpu(what, hint="build for the target's NPU, or flash with the NPU the image was built for")
        return TargetError(what, hint=_REBUILD)

    def _collect_fault(self, ask: Callable[[int], FaultPiece]) -> bytes:
        data = b""
        while True:
            piece = ask(len(data))
            if piece.offset != len(data) or (not piece.data and piece.total_bytes > len(data)):
                raise LinkCorrupted(f"{self.link.name}: a piece of the fault dump is missing", hint="ask again")
            data += piece.data
            if len(data) >= piece.total_bytes:
                return data

    def _restarted(self) -> TargetDied:
        """Return the error for a device that booted in mid-session, with its fault if any."""
        patience = Deadline(ANSWER_TIMEOUT_S)

        # Not through _ask(): it would treat BOOT and refusals as another restart.
        def ask(offset: int) -> FaultPiece:
            question = self._question(Request.READ_FAULT, offset.to_bytes(4, "little"))
            self.link.write(question.encode())
            while (item := self._next_item(patience)) is not None:
                if isinstance(item, Frame) and item.sequence == question.sequence:
                    return self._decode(FaultPiece.decode, item)
            return FaultPiece(0, offset, b"")

        try:
            data = self._collect_fault(ask)
            why = self._describe_fault(data) if data else "no fault was recorded"
        except PilotlightError as error:
            why = f"and then: {error}"
        return TargetDied(f"{self.link.name}: the device restarted in mid-session: {why}", hint="its log tells more")


def _failed_run(done: RunDone) -> PilotlightError:
    name = done.status.name.lower().replace("_", " ")
    what = f"run {done.number}: {done.text or name}"
    if done.status is Status.WRONG_NPU:
        return WrongNpu(what, hint="build for the target's NPU, or flash with the NPU the image was built for")
    if done.status is Status.DEVICE_FAULT:
        return NpuFault(f"{what} (STATUS {done.npu_status:#010x})", hint="flash again; if it stays, simulate the model")
    if done.status is Status.TIMEOUT:
        return TargetError(
            f"{what} (timeout)", hint="is the NPU (or its simulator) alive? `--run-timeout` allows more time"
        )
    return TargetError(f"{what} ({name})", hint="build and flash again")
