# SPDX-License-Identifier: Apache-2.0
"""Streams sound to the device and records everything that the device reports."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pilotlight.check.evidence import demand_this_build
from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, LinkCorrupted, TargetError
from pilotlight.link import Link, Session
from pilotlight.link.answers import Identity, LogLine
from pilotlight.link.frames import Frame
from pilotlight.link.messages import NONCE_BYTES, Malformed, Status
from pilotlight.listen import messages
from pilotlight.listen.messages import (
    AppRequest,
    AppStatistics,
    AudioDescription,
    Features,
    Inference,
    Keyword,
    Report,
)

CONNECT_TIMEOUT_S = 20.0
# The device runs the inferences of earlier sound before it acknowledges a piece.
ANSWER_TIMEOUT_S = 60.0
_REBUILD = "build and flash again"

T = TypeVar("T")


@dataclass
class Recording:
    """Everything that the device reported.

    statistics: the latest; after the stream it covers all of the sound.
    """

    identity: Identity
    description: AudioDescription
    statistics: AppStatistics | None = None
    features: list[Features] = field(default_factory=list)
    inferences: list[Inference] = field(default_factory=list)
    keywords: list[Keyword] = field(default_factory=list)
    lost_reports: int = 0
    errors: tuple[str, ...] = ()


def stream(
    link: Link,
    build_id: str,
    board: str,
    description_crc: int,
    load: Callable[[AudioDescription], NDArray[np.int16]],
    deadline: Deadline,
    *,
    with_features: bool = False,
    on_progress: Callable[[Recording], None] = lambda recording: None,
    on_log: Callable[[LogLine], None] | None = None,
) -> Recording:
    """Stream the sound that `load` returns, as fast as the device takes it.

    Raises TargetNotRunning (another build), TargetError (the device cannot infer), LinkTimeout,
    LinkCorrupted.
    """
    reports: list[Frame] = []
    session = Session(link, on_log=on_log, on_report=reports.append)
    identity = session.identify(secrets.token_bytes(NONCE_BYTES), deadline.within(CONNECT_TIMEOUT_S))
    demand_this_build(identity, build_id, board)
    if identity.npu_status is not Status.OK:
        raise TargetError(f"the NPU could not be opened: {identity.npu_text}", hint="power the target off and on")

    app = _App(link.name, session, deadline)
    about = app.describe()
    if about.description_crc != description_crc:
        raise ConfigError("the model's features.toml has changed since the image was built", hint=_REBUILD)
    sound = load(about)
    recording = Recording(identity, about)
    reports.clear()
    collector = _Collector(app, reports, recording)

    app.start(with_features=with_features)
    # Send one second of pieces at a time, then update the display.
    pieces = [(at, sound[at : at + about.max_samples]) for at in range(0, len(sound), about.max_samples)]
    a_second = max(1, about.sample_rate_hz // about.max_samples)
    for begin in range(0, len(pieces), a_second):
        app.send(pieces[begin : begin + a_second])
        recording.statistics = app.statistics()
        collector.collect()
        on_progress(recording)
    recording.statistics = app.finish(len(sound))
    collector.collect()
    collector.end(recording.statistics.next_report)
    recording.errors = tuple(line.text for line in session.errors)
    on_progress(recording)
    return recording


class _App:
    """The keyword app's requests. Answers that cannot be decoded raise LinkCorrupted."""

    def __init__(self, name: str, session: Session, deadline: Deadline) -> None:
        self._name = name
        self._session = session
        self._deadline = deadline

    def describe(self) -> AudioDescription:
        return self.decoded(AudioDescription.decode, self._ask(AppRequest.DESCRIBE_AUDIO, b"")[0])

    def start(self, *, with_features: bool) -> None:
        wanted = messages.REPORT_INFERENCES | (messages.REPORT_FEATURES if with_features else 0)
        self._ask(AppRequest.START, messages.start(wanted))

    def send(self, pieces: Sequence[tuple[int, NDArray[np.int16]]]) -> None:
        """Send pieces of sound, each with the position of its first sample."""
        answers = self._ask(AppRequest.AUDIO, *(messages.audio(at, samples) for at, samples in pieces))
        expected = pieces[-1][0] + len(pieces[-1][1])
        if int.from_bytes(answers[-1], "little") != expected:
            raise LinkCorrupted(f"{self._name}: the device acknowledged another number of samples", hint=_REBUILD)

    def statistics(self) -> AppStatistics:
        return self.decoded(AppStatistics.decode, self._ask(AppRequest.STATISTICS, b"")[0])

    def finish(self, samples: int) -> AppStatistics:
        """End the stream after `samples` samples. Return the statistics of all of the sound."""
        return self.decoded(AppStatistics.decode, self._ask(AppRequest.FINISH, messages.finish(samples))[0])

    def decoded(self, decode: Callable[[bytes], T], payload: bytes) -> T:
        try:
            return decode(payload)
        except (Malformed, struct.error) as error:
            raise LinkCorrupted(f"{self._name}: {error}", hint=_REBUILD) from error

    def _ask(self, request: AppRequest, *payloads: bytes) -> list[bytes]:
        return self._session.ask(request, payloads, self._deadline, answer_timeout_s=ANSWER_TIMEOUT_S)


class _Collector:
    """Moves the app's reports from `reports` to `recording`, and counts the lost ones."""

    def __init__(self, app: _App, reports: list[Frame], recording: Recording) -> None:
        self._app = app
        self._reports = reports
        self._recording = recording
        self._next = 0

    def collect(self) -> None:
        for frame in self._reports:
            self._recording.lost_reports += (frame.sequence - self._next) & 0xFFFF
            self._next = (frame.sequence + 1) & 0xFFFF
            if frame.type == Report.FEATURES:
                self._recording.features.append(self._app.decoded(Features.decode, frame.payload))
            elif frame.type == Report.INFERENCE:
                self._recording.inferences.append(self._app.decoded(Inference.decode, frame.payload))
            elif frame.type == Report.KEYWORD:
                self._recording.keywords.append(self._app.decoded(Keyword.decode, frame.payload))
        self._reports.clear()

    def end(self, next_report: int) -> None:
        """Count the reports lost at the end. next_report: the number after the device's last."""
        self._recording.lost_reports += (next_report - self._next) & 0xFFFF
