# SPDX-License-Identifier: Apache-2.0
"""Talks to the generate app: sends prompts, and receives tokens as the device samples them."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

from pilotlight.check.evidence import demand_this_build
from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, LinkCorrupted, TargetError
from pilotlight.generate import messages
from pilotlight.generate.messages import AppRequest, End, Generated, Report, Step, TextDescription
from pilotlight.generate.sampler import Sampler
from pilotlight.generate.tables import Tables
from pilotlight.link import Link, Session
from pilotlight.link.frames import Frame
from pilotlight.link.messages import NONCE_BYTES, Malformed, Status

CONNECT_TIMEOUT_S = 20.0
# A GENERATE is answered at its end. On a simulated NPU a step takes up to some seconds.
_STEP_TIMEOUT_S = 60.0
_REBUILD = "build and flash again"

T = TypeVar("T")


class TextSession:
    """A session with the app. text: the tokens that the device's cache holds.

    Raises TargetNotRunning (another build), TargetError (the device cannot infer, or refuses),
    ConfigError (other tables than the image's), LinkTimeout, LinkCorrupted.
    """

    def __init__(self, link: Link, build_id: str, board: str, tables: Tables, deadline: Deadline) -> None:
        self._reports: list[Frame] = []
        self._on_step: Callable[[Step], None] = lambda step: None
        self._deadline = deadline
        self._tables = tables
        self._link_name = link.name
        self._next_report = 0
        self._begun = False
        self.text: list[int] = []
        self._newest: list[int] = []
        self._session = Session(link, on_report=self._take)
        self.identity = self._session.identify(secrets.token_bytes(NONCE_BYTES), deadline.within(CONNECT_TIMEOUT_S))
        self._begun = True
        demand_this_build(self.identity, build_id, board)
        if self.identity.npu_status is not Status.OK:
            raise TargetError(
                f"the NPU could not be opened: {self.identity.npu_text}", hint="power the target off and on"
            )
        self.about = self._decoded(TextDescription.decode, self._ask(AppRequest.DESCRIBE_TEXT, b""))
        if self.about.crc != tables.crc:
            raise ConfigError("the model's text.py has changed since the image was built", hint=_REBUILD)

    def use(self, sampler: Sampler) -> None:
        """Choose tokens with `sampler` from now on."""
        self._ask(AppRequest.SAMPLER, messages.sampler(sampler))

    def generate(
        self,
        prompt: Sequence[int],
        count: int,
        *,
        stop: int | None = None,
        continues: bool = False,
        on_step: Callable[[Step], None] = lambda step: None,
    ) -> tuple[list[int], Generated]:
        """Append `prompt` to the text, and sample up to `count` tokens. Return them.

        continues: keep the text of the last call. Its last token is appended before `prompt`.
        """
        history = self.text if continues else []
        prompt = [*(self._newest if continues else []), *prompt]
        demand_short(len(history) + len(prompt), self.about.context)
        steps: list[Step] = []

        def take(step: Step) -> None:
            steps.append(step)
            on_step(step)

        self._on_step = take
        pieces = [prompt[at : at + self.about.max_tokens] for at in range(0, len(prompt), self.about.max_tokens)]
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            sampling = count if last else 0
            payload = messages.generate(history, sampling, stop, piece)
            answer = self._ask(AppRequest.GENERATE, payload, _STEP_TIMEOUT_S * (len(piece) + sampling))
            done = self._decoded(Generated.decode, answer)
            history = [*history, *piece]
            self._judge(done)
        sampled = [step.sampled for step in steps if step.sampled is not None]
        self._newest = sampled[-1:]
        self.text = [*(self.text if continues else []), *(step.token for step in steps)]
        if len(sampled) != done.sampled or messages.history_crc(self.text) != done.history_crc:
            raise LinkCorrupted(f"{self._link_name}: the device's text is another one than it reported", hint=_REBUILD)
        return sampled, done

    def _judge(self, done: Generated) -> None:
        if done.end is End.FAILED:
            raise TargetError(f"a step failed on the device: {done.failure}", hint="flash again; see the device's log")
        if done.next_report != self._next_report & 0xFFFF:
            raise LinkCorrupted(f"{self._link_name}: a report of the device was lost", hint="run it again")
        if done.console_lost_bytes:
            raise LinkCorrupted(f"{self._link_name}: the device lost console bytes", hint="run it again")
        if self._session.errors:
            raise TargetError(f"the device logged an error: {self._session.errors[0].text}", hint="see the log")

    def _take(self, frame: Frame) -> None:
        # A report before the answer to IDENTIFY belongs to a host that was interrupted.
        if frame.type != Report.STEP or not self._begun:
            return
        if frame.sequence != self._next_report & 0xFFFF:
            raise LinkCorrupted(f"{self._link_name}: a report of the device was lost", hint="run it again")
        self._next_report += 1
        step = self._decoded(Step.decode, frame.payload)
        if step.sampled is not None and step.text != self._tables.vocabulary[step.sampled]:
            raise LinkCorrupted(
                f"{self._link_name}: token {step.sampled} has another text on the device", hint=_REBUILD
            )
        self._on_step(step)

    def _ask(self, request: AppRequest, payload: bytes, timeout_s: float = CONNECT_TIMEOUT_S) -> bytes:
        return self._session.ask(request, [payload], self._deadline, answer_timeout_s=timeout_s)[0]

    def _decoded(self, decode: Callable[[bytes], T], payload: bytes) -> T:
        try:
            return decode(payload)
        except (Malformed, struct.error) as error:
            raise LinkCorrupted(f"{self._link_name}: {error}", hint=_REBUILD) from error


def demand_short(tokens: int, context: int) -> None:
    """Raise ConfigError if a prompt of so many tokens does not fit the context."""
    if tokens > context:
        raise ConfigError(
            f"the prompt is too long: {tokens} tokens, and the context has {context}", hint="shorten the prompt"
        )
    if tokens == 0:
        raise ConfigError("the prompt is empty", hint="give at least one character")
