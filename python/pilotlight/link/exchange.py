# SPDX-License-Identifier: Apache-2.0
"""Questions and answers over a line that may damage frames.

By default the first damaged frame raises LinkCorrupted. With a retry budget, requests without an
answer are sent again (all are idempotent), and `retries_used` counts the retries. No answer comes
from a damaged frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from pilotlight.deadline import Deadline
from pilotlight.errors import LinkCorrupted, LinkTimeout, PilotlightError, TargetDied, TargetError, WrongNpu
from pilotlight.link import messages
from pilotlight.link.answers import FaultPiece, Identity, LogLine, Nak, Refusal
from pilotlight.link.fault_dump import FaultDump
from pilotlight.link.frames import DamagedFrame, Frame, FrameReader, encode_frame
from pilotlight.link.messages import LogLevel, Malformed, Reason, Request, Status, Unasked
from pilotlight.link.transport import Link

# Longest silence while an answer is due. The time is long because an emulated target shares its
# processor.
ANSWER_TIMEOUT_S = 10.0
# After this silence no more bytes are on their way.
QUIET_S = 0.2
# The largest body that a device may announce: a u16 chunk size, and overhead.
MAX_BODY_BYTES = 0xFFFF + messages.BODY_OVERHEAD_BYTES
READ_BYTES = 4096
# A device may log without pause. The newest lines and the first errors are kept.
MOST_LOG_LINES = 10_000
MOST_ERROR_LINES = 100

T = TypeVar("T")

REBUILD = "the image may be of another version: build and flash again"
_CABLE = "check the cable, its ground and the baud rate; `--retries N` tolerates N damaged frames and reports them"


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


class Exchange:
    """Sends requests over `link` and matches the answers.

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
            raise _Damage(self._corrupted(f"an unexpected answer (type {frame.type:#04x}, number {frame.sequence})"))
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

    # --- errors ---

    def _decode(self, decode: Callable[[bytes], T], frame: Frame) -> T:
        return self._decode_bytes(decode, frame.payload)

    def _decode_bytes(self, decode: Callable[[bytes], T], payload: bytes) -> T:
        try:
            return decode(payload)
        except Malformed as error:
            raise self._corrupted(str(error), hint=REBUILD) from error

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
        return TargetError(what, hint=REBUILD)

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

        # This does not go through _ask(), which would treat BOOT and refusals as another restart.
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
        return TargetDied(f"{self.link.name}: the device restarted in mid-session: {why}", hint="see the device's log")
