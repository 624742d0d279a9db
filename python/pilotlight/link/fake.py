# SPDX-License-Identifier: Apache-2.0
"""A target in this process that speaks SPEC.md; each way to misbehave is a config field.

The fake is a Link: it answers a write at once, and a read returns the answer. The fake has its own
encoders, so it does not repeat a mistake in `messages` or `answers`, which would then go unnoticed.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pilotlight.errors import TargetDied
from pilotlight.link.answers import TensorDescription, TieDescription
from pilotlight.link.fault_dump import FaultDump, FaultKind
from pilotlight.link.frames import DamagedFrame, Frame, FrameReader, encode_frame
from pilotlight.link.messages import DTYPE_NAMES, Reason, Request, Status, Unasked

_DTYPE_NUMBERS = {name: number for number, name in DTYPE_NAMES.items()}
_REQUEST_LAYOUTS = {
    Request.IDENTIFY: "16s",
    Request.DESCRIBE_MODEL: "B",
    Request.DESCRIBE_TENSOR: "BBB",
    Request.RUN: "BBHII",
    Request.READ_OUTPUT: "BBHI",
    Request.STATISTICS: "B",
    Request.END: "I",
    Request.RESET: "I",
    Request.READ_FAULT: "I",
    Request.DESCRIBE_TIE: "BB",
}


@dataclass(frozen=True)
class Faults:
    """The faults to cause. Frames and runs count from 1; 0 means never."""

    corrupt_answer: int = 0  # Number of the answer that arrives with one bit flipped.
    corrupt_request: int = 0  # Number of the request that arrives with one bit flipped.
    drop_answer: int = 0  # Number of the answer that never arrives.
    drop_request: int = 0  # Number of the request that never arrives.
    silent_after_answers: int = 0
    closed_after_answers: int = 0
    restart_before_run: int = 0
    announce_restart: bool = True  # False: the BOOT frame is lost too.
    fault_text: str = ""  # The restart leaves a failed CHECK with this text.
    stale_nonce: bool = False
    stale_completion_nonce: bool = False
    wrong_output_at_run: int = 0  # One bit of the output is wrong; its CRC matches.
    wrong_output_crc_at_run: int = 0
    wrong_input_crc_at_run: int = 0
    failing_run: int = 0
    failure: Status = Status.DEVICE_FAULT
    completion_off_by: Mapping[str, int] = field(default_factory=dict)  # Field -> excess.
    no_completion: bool = False
    error_log_at_run: int = 0
    lost_log_at_run: int = 0
    console_lost_bytes: int = 0


@dataclass
class _State:
    """The state that IDENTIFY resets."""

    buffers: list[bytearray]
    filled: list[int]
    results: list[bytes] | None = None
    last_number: int = 0
    last_answer: bytes = b""
    runs_ok: int = 0
    runs_failed: int = 0


@dataclass
class FakeDevice:
    """A device with one model. `compute` maps input bytes to output bytes."""

    compute: Callable[[Sequence[bytes]], Sequence[bytes]]
    inputs: Sequence[TensorDescription]
    outputs: Sequence[TensorDescription]
    ties: Sequence[TieDescription] = ()
    pte: bytes = b"program"
    model_name: str = "fake"
    build_id: str = "0123456789abcdef"
    board: str = "qemu-corstone300"
    npu_config: str = "ethos-u55-128"
    built_for: str = "ethos-u55-128"
    model_status: Status = Status.OK
    model_text: str = ""
    npu_status: Status = Status.OK
    npu_text: str = ""
    max_chunk: int = 1024
    protocol_version: int = 4
    window: int = 2
    faults: Faults = field(default_factory=Faults)
    name: str = "fake"
    closed: bool = False
    continued: list[bool] = field(default_factory=list)  # Per run: it kept the state.

    def __post_init__(self) -> None:
        self._reader = FrameReader(self.max_chunk + 64)
        self._outbox = bytearray()
        self._requests = self._answers = self._log_sequence = self._damaged = self._errors_logged = 0
        self._boot_id = 0x1001
        self._fault_text = ""
        self._nonce: bytes | None = None
        self._forget_session()

    # --- Link ---

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        if not self._outbox and 0 < self.faults.closed_after_answers <= self._answers:
            raise TargetDied(f"{self.name}: the target is gone", hint="make another one")
        taken, self._outbox = bytes(self._outbox[:max_bytes]), self._outbox[max_bytes:]
        return taken

    def write(self, data: bytes) -> None:
        if data.strip(b"\0"):
            self._requests += 1
            if self._requests == self.faults.drop_request:
                return
            if self._requests == self.faults.corrupt_request:
                data = _flip(data)
        for item in self._reader.feed(data):
            if isinstance(item, DamagedFrame):
                self._damaged += 1
                self._send(Unasked.NAK, 0, struct.pack("<B3xI", 4, self._damaged))
            else:
                self._serve(item)

    def close(self) -> None:
        self.closed = True

    # --- serving ---

    def log(self, level: int, text: str) -> None:
        self._send(Unasked.LOG, self._log_sequence, bytes([level]) + text.encode())
        self._log_sequence += 1
        self._errors_logged += level >= 2

    def _serve(self, frame: Frame) -> None:
        try:
            request = Request(frame.type)
        except ValueError:
            return self._refuse(frame, Reason.UNKNOWN_REQUEST)
        if request is Request.SET_INPUT:
            if len(frame.payload) < 9:
                return self._refuse(frame, Reason.BAD_PAYLOAD)
            arguments: tuple[int, ...] = (*struct.unpack_from("<BB2xI", frame.payload),)
        else:
            layout = "<" + _REQUEST_LAYOUTS[request]
            if len(frame.payload) != struct.calcsize(layout):
                return self._refuse(frame, Reason.BAD_PAYLOAD)
            arguments = struct.unpack(layout, frame.payload)
        if self._nonce is None and request not in (Request.IDENTIFY, Request.RESET, Request.READ_FAULT):
            return self._refuse(frame, Reason.NO_SESSION)
        answer: bytes | Reason | None = getattr(self, f"_{request.name.lower()}")(frame, *arguments)
        if isinstance(answer, Reason):
            self._refuse(frame, answer)
        elif answer is not None:
            self._answer(request, frame.sequence, answer)

    def _identify(self, frame: Frame, nonce: bytes) -> bytes:
        if nonce != self._nonce:
            self._nonce = nonce
            self._forget_session()
        echo = b"\x5a" * 16 if self.faults.stale_nonce else nonce
        head = struct.pack(
            "<HHBBBBIIHH",
            self.protocol_version,
            self.max_chunk,
            self.window,
            1,
            self.npu_status,
            bool(self._fault_text),
            self._boot_id,
            25_000_000,
            self._log_sequence,
            0,
        )
        return head + echo + b"".join(map(_string, (self.build_id, self.board, self.npu_config, self.npu_text)))

    def _describe_model(self, frame: Frame, model: int) -> bytes | Reason:
        if model:
            return Reason.OUT_OF_RANGE
        counts = (len(self.inputs), len(self.outputs), len(self.ties))
        head = struct.pack("<BBBBB3xI", 0, self.model_status, *counts, len(self.pte))
        names = (self.model_name, self.built_for, self.model_text)
        return head + hashlib.sha256(self.pte).digest() + b"".join(map(_string, names))

    def _describe_tensor(self, frame: Frame, model: int, direction: int, index: int) -> bytes | Reason:
        tensors = (self.inputs, self.outputs)[direction]
        if index >= len(tensors):
            return Reason.OUT_OF_RANGE
        about = tensors[index]
        dtype, rank = _DTYPE_NUMBERS[about.dtype], len(about.shape)
        head = struct.pack(
            "<BBBBB3xfiI", model, direction, index, dtype, rank, about.scale, about.zero_point, about.size_bytes
        )
        return head + struct.pack(f"<{rank}i", *about.shape) + _string(about.name)

    def _describe_tie(self, frame: Frame, model: int, index: int) -> bytes | Reason:
        if index >= len(self.ties):
            return Reason.OUT_OF_RANGE
        tie = self.ties[index]
        axis = -1 if tie.axis is None else tie.axis
        return struct.pack(
            "<BBBBb3xIII", model, index, tie.output, tie.input, axis, tie.slots, tie.block_bytes, tie.block_count
        )

    def _set_input(self, frame: Frame, model: int, index: int, offset: int) -> bytes | Reason | None:
        if self.model_status is not Status.OK:
            self._refuse(frame, Reason.NOT_OPEN, self.model_status, self.model_text)
            return None
        data = frame.payload[8:]
        if offset > self._session.filled[index]:
            return Reason.INPUT_INCOMPLETE
        if offset + len(data) > self.inputs[index].size_bytes or len(data) > self.max_chunk:
            return Reason.OUT_OF_RANGE
        self._session.results = None
        self._session.buffers[index][offset : offset + len(data)] = data
        self._session.filled[index] = max(self._session.filled[index], offset + len(data))
        return frame.payload[:8] + struct.pack("<I", len(data))

    def _run(
        self, frame: Frame, model: int, continues: int, reserved: int, number: int, deadline_ms: int
    ) -> bytes | Reason | None:
        if number == self.faults.restart_before_run and self._boot_id == 0x1001:
            self._restart()
            return None
        if number and number == self._session.last_number:
            return self._session.last_answer
        if number != self._session.last_number + 1:
            return Reason.RUN_NUMBER
        if any(filled != about.size_bytes for filled, about in zip(self._session.filled, self.inputs, strict=True)):
            return Reason.INPUT_INCOMPLETE
        self.continued.append(bool(continues))
        if number == self.faults.error_log_at_run:
            self.log(2, "the sky is falling")
        if number == self.faults.lost_log_at_run:
            self._log_sequence += 1
        sent = [bytes(buffer) for buffer in self._session.buffers]
        input_crc = zlib.crc32(b"".join(sent)) ^ (number == self.faults.wrong_input_crc_at_run)
        self._session.filled = [0] * len(self.inputs)
        status, text, output_crc = Status.OK, "", 0
        if number == self.faults.failing_run:
            status, text = self.faults.failure, "it was made to fail"
            self._session.runs_failed += 1
        else:
            self._session.results = [bytes(result) for result in self.compute(sent)]
            if number == self.faults.wrong_output_at_run:
                self._session.results[0] = _flip(self._session.results[0])
            output_crc = zlib.crc32(b"".join(self._session.results)) ^ (number == self.faults.wrong_output_crc_at_run)
            self._session.runs_ok += 1
        self._session.last_number = number
        costs = struct.pack("<QQQ", 1500, 37_500, 12_000)
        head = struct.pack("<IBBHIIII", number, status, 1, 0, input_crc, output_crc, self._boot_id, 0)
        self._session.last_answer = head + costs + struct.pack("<II", 35, 9_000) + _string(text)
        return self._session.last_answer

    def _read_output(self, frame: Frame, model: int, index: int, length: int, offset: int) -> bytes | Reason:
        if self._session.results is None:
            return Reason.NOTHING_TO_READ
        if offset + length > len(self._session.results[index]):
            return Reason.OUT_OF_RANGE
        return frame.payload + self._session.results[index][offset : offset + length]

    def _statistics(self, frame: Frame, model: int) -> bytes:
        return struct.pack(
            "<9I", 3000, 4096, 512, 1024, 2048, 1800, 8192, self.faults.console_lost_bytes, self._damaged
        )

    def _end(self, frame: Frame, runs: int) -> bytes | None:
        if self.faults.no_completion:
            return None
        nonce = b"\x5a" * 16 if self.faults.stale_completion_nonce else self._nonce or b""
        account = {
            "boot_id": self._boot_id,
            "runs_ok": self._session.runs_ok,
            "runs_failed": self._session.runs_failed,
            "damaged_frames": self._damaged,
            "errors_logged": self._errors_logged,
            "console_lost_bytes": self.faults.console_lost_bytes,
            "log_sequence": self._log_sequence,
        }
        for name, excess in self.faults.completion_off_by.items():
            account[name] += excess
        return nonce + struct.pack("<IIIIIIHH", *account.values(), 0)

    def _reset(self, frame: Frame, magic: int) -> bytes | Reason:
        return b"" if magic == 0x54455352 else Reason.BAD_PAYLOAD

    def _read_fault(self, frame: Frame, offset: int) -> bytes | Reason:
        dump = failed_check(self._fault_text, 42) if self._fault_text else b""
        if offset > len(dump):
            return Reason.OUT_OF_RANGE
        return struct.pack("<II", len(dump), offset) + dump[offset : offset + self.max_chunk]

    def _refuse(self, frame: Frame, reason: Reason, status: Status = Status.OK, text: str = "") -> None:
        body = struct.pack("<BBBB", frame.type, reason, status, 0) + _string(text or reason.name.lower())
        self._send(Unasked.ERROR, frame.sequence, body)

    def _restart(self) -> None:
        self._boot_id += 1
        self._nonce = None
        self._fault_text = self.faults.fault_text
        self._log_sequence = 0
        self._forget_session()
        if self.faults.announce_restart:
            self._send(Unasked.BOOT, 0, struct.pack("<IH", self._boot_id, self.protocol_version))

    def _forget_session(self) -> None:
        self._damaged = self._errors_logged = 0
        sizes = [about.size_bytes for about in self.inputs]
        self._session = _State([bytearray(size) for size in sizes], [0] * len(sizes))

    def _answer(self, request: Request, sequence: int, payload: bytes) -> None:
        self._answers += 1
        faults = self.faults
        is_gone = any(0 < n < self._answers for n in (faults.silent_after_answers, faults.closed_after_answers))
        if is_gone or self._answers == faults.drop_answer:
            return
        encoded = encode_frame(Frame(request | 0x80, sequence, payload))
        self._outbox += _flip(encoded) if self._answers == faults.corrupt_answer else encoded

    def _send(self, kind: int, sequence: int, payload: bytes) -> None:
        self._outbox += encode_frame(Frame(kind, sequence, payload))


def _flip(data: bytes) -> bytes:
    """Flip a bit in the middle without making a byte 0, which would be a frame delimiter."""
    at = len(data) // 2
    flipped = data[at] ^ 0x10 or data[at] ^ 0x20
    return data[:at] + bytes([flipped]) + data[at + 1 :]


def failed_check(text: str, line: int) -> bytes:
    """Return the dump of a failed CHECK on a board that saves no registers."""
    registers = ("sp", "lr", "pc", "xpsr", "exc_return", "cfsr", "hfsr", "mmfar", "bfar", "sfsr", "sfar")
    return FaultDump(
        image_id=b"",
        kind=FaultKind.CHECK,
        exception=0,
        has_frame=False,
        r=(0,) * 13,
        check_line=line,
        check_text=text,
        stack=b"",
        **dict.fromkeys(registers, 0),
    ).encode()


def _string(text: str) -> bytes:
    encoded = text.encode()
    return bytes([len(encoded)]) + encoded
