# SPDX-License-Identifier: Apache-2.0
"""One session with a target, from IDENTIFY to the completion record."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from functools import partial

from pilotlight.deadline import Deadline
from pilotlight.errors import NpuFault, PilotlightError, TargetDied, TargetError, WrongNpu
from pilotlight.link import messages
from pilotlight.link.answers import (
    Completion,
    FaultPiece,
    Identity,
    LogLine,
    ModelDescription,
    ModelHeader,
    Nak,
    Refusal,
    RunDone,
    Statistics,
    TensorDescription,
    TieDescription,
)
from pilotlight.link.exchange import ANSWER_TIMEOUT_S, REBUILD, Exchange
from pilotlight.link.frames import DamagedFrame
from pilotlight.link.messages import Request, Status, Unasked

# The interval at which IDENTIFY is repeated while the device boots.
IDENTIFY_INTERVAL_S = 1.0
# A device that boots this often during IDENTIFY will never answer.
MOST_BOOTS = 4


class Session(Exchange):
    """The requests of firmware/protocol/SPEC.md.

    Besides the errors that it names, each method raises LinkTimeout, LinkCorrupted or TargetDied.
    """

    @property
    def identity(self) -> Identity:
        """The device's identity. Call identify() first."""
        assert self._identity is not None, "identify() comes first"
        return self._identity

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
                    raise self._corrupted("the host's own request came back: the line echoes")
                elif item.sequence == question.sequence and item.type == Unasked.ERROR:
                    raise self._refused(question, self._decode(Refusal.decode, item))
                elif item.sequence == question.sequence and item.type == question.request | messages.ANSWER:
                    return self._begin(self._decode(Identity.decode, item), nonce)
                elif item.type == Unasked.BOOT:
                    boots += 1
                    if boots == MOST_BOOTS:
                        raise TargetDied(
                            f"{self.link.name}: the device resets again and again: it booted {boots} times during "
                            "IDENTIFY",
                            hint="`west fault` shows the reason if the board is emulated; see also the device's log",
                        )
                    continue
                self.noise_before_session += 1
            self._asked_again.add(question.sequence)
        if noise:
            raise self._corrupted(f"no intact answer to IDENTIFY within {deadline.seconds:g} s; {noise}")
        raise self._silent("IDENTIFY", deadline.seconds)

    def describe_model(self, model: int, deadline: Deadline) -> ModelDescription:
        """Request a model's header and the descriptions of all its tensors and ties."""
        payload = self._ask(Request.DESCRIBE_MODEL, bytes([model]), deadline)
        header = self._decode_bytes(partial(ModelHeader.decode, model=model), payload)

        def tensors(direction: int, count: int) -> Iterator[TensorDescription]:
            for index in range(count):
                payload = self._ask(Request.DESCRIBE_TENSOR, bytes([model, direction, index]), deadline)
                decode = partial(TensorDescription.decode, model=model, direction=direction, index=index)
                yield self._decode_bytes(decode, payload)

        def ties() -> Iterator[TieDescription]:
            for index in range(header.tie_count):
                payload = self._ask(Request.DESCRIBE_TIE, bytes([model, index]), deadline)
                yield self._decode_bytes(partial(TieDescription.decode, model=model, index=index), payload)

        inputs = tuple(tensors(0, header.input_count))
        return ModelDescription(header, inputs, tuple(tensors(1, header.output_count)), tuple(ties()))

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
                raise self._corrupted(
                    f"the device acknowledged another piece of SET_INPUT than the one at offset {at}", hint=REBUILD
                )

    def run(self, model: int, number: int, timeout_s: float, deadline: Deadline, *, continues: bool) -> RunDone:
        """Run one inference. `timeout_s` is the device's limit for the inference.

        continues: start from the state after the model's last run instead of the initial state.
        """
        payload = messages.run(model, number, round(timeout_s * 1000), continues=continues)
        answer = self._ask(Request.RUN, payload, deadline, answer_timeout_s=timeout_s + ANSWER_TIMEOUT_S)
        done = self._decode_bytes(RunDone.decode, answer)
        if done.boot_id != self.identity.boot_id:
            raise self._restarted()
        if done.number != number:
            raise self._corrupted(f"asked for run {number}, but the answer is about run {done.number}", hint=REBUILD)
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
                raise self._corrupted("READ_OUTPUT was answered with another piece", hint=REBUILD)
            data += answer[len(request) :]
        if len(data) != size_bytes:
            raise self._corrupted(f"READ_OUTPUT: {len(data)} bytes arrived of {size_bytes}", hint=REBUILD)
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
            raise self._corrupted(
                f"run {number}: the device's input differs from the input that was sent", hint=REBUILD
            )
        if done.status is not Status.OK:
            raise _failed_run(done)
        outputs = [self.read_output(model, index, size, deadline) for index, size in enumerate(output_sizes)]
        if done.output_crc != zlib.crc32(b"".join(outputs)):
            raise self._corrupted(
                f"run {number}: the output that was read differs from the output that was computed", hint=REBUILD
            )
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

    def _begin(self, identity: Identity, nonce: bytes) -> Identity:
        if identity.nonce != nonce:
            raise self._corrupted("the answer carries the nonce of another session: it is stale", hint="run it again")
        if identity.protocol_version != messages.PROTOCOL_VERSION:
            raise TargetError(
                f"{self.link.name}: the image speaks protocol version {identity.protocol_version}, "
                f"this host {messages.PROTOCOL_VERSION}",
                hint=REBUILD,
            )
        self._identity = identity
        self._next_log = identity.log_sequence
        return identity


def _failed_run(done: RunDone) -> PilotlightError:
    name = done.status.name.lower().replace("_", " ")
    what = f"run {done.number}: {done.text or name}"
    if done.status is Status.WRONG_NPU:
        return WrongNpu(what, hint="build for the target's NPU, or flash with the NPU the image was built for")
    if done.status is Status.DEVICE_FAULT:
        return NpuFault(
            f"{what} (STATUS {done.npu_status:#010x})",
            hint="flash again; if the fault stays, run `pilotlight simulate` on the model",
        )
    if done.status is Status.TIMEOUT:
        return TargetError(
            f"{what} (timeout)", hint="is the NPU (or its simulator) alive? `--run-timeout` allows more time"
        )
    return TargetError(f"{what} ({name})", hint="build and flash again")
