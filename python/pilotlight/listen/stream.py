# SPDX-License-Identifier: Apache-2.0
"""Streams sound to the device and records everything that the device reports."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pilotlight.check.evidence import demand_this_build
from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError, LinkCorrupted, TargetError
from pilotlight.link import Link, Session
from pilotlight.link.frames import Frame
from pilotlight.link.messages import NONCE_BYTES, Identity, LogLine, Malformed, Status
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

    def ask(request: AppRequest, *payloads: bytes) -> list[bytes]:
        return session.ask(request, payloads, deadline, answer_timeout_s=ANSWER_TIMEOUT_S)

    def decoded(decode: Callable[[bytes], T], payload: bytes) -> T:
        try:
            return decode(payload)
        except (Malformed, struct.error) as error:
            raise LinkCorrupted(f"{link.name}: {error}", hint=_REBUILD) from error

    about = decoded(AudioDescription.decode, ask(AppRequest.DESCRIBE_AUDIO, b"")[0])
    if about.description_crc != description_crc:
        raise ConfigError("the model's features.toml has changed since the image was built", hint=_REBUILD)
    sound = load(about)
    recording = Recording(identity, about)
    reports.clear()
    next_report = 0

    def collect() -> None:
        nonlocal next_report
        for frame in reports:
            recording.lost_reports += (frame.sequence - next_report) & 0xFFFF
            next_report = (frame.sequence + 1) & 0xFFFF
            if frame.type == Report.FEATURES:
                recording.features.append(decoded(Features.decode, frame.payload))
            elif frame.type == Report.INFERENCE:
                recording.inferences.append(decoded(Inference.decode, frame.payload))
            elif frame.type == Report.KEYWORD:
                recording.keywords.append(decoded(Keyword.decode, frame.payload))
        reports.clear()

    wanted = messages.REPORT_INFERENCES | (messages.REPORT_FEATURES if with_features else 0)
    ask(AppRequest.START, messages.start(wanted))
    # Send one second of pieces at a time, then update the display.
    pieces = [(at, sound[at : at + about.max_samples]) for at in range(0, len(sound), about.max_samples)]
    a_second = max(1, about.sample_rate_hz // about.max_samples)
    for begin in range(0, len(pieces), a_second):
        batch = pieces[begin : begin + a_second]
        answers = ask(AppRequest.AUDIO, *(messages.audio(at, samples) for at, samples in batch))
        expected = batch[-1][0] + len(batch[-1][1])
        if int.from_bytes(answers[-1], "little") != expected:
            raise LinkCorrupted(f"{link.name}: the device acknowledged another number of samples", hint=_REBUILD)
        recording.statistics = decoded(AppStatistics.decode, ask(AppRequest.STATISTICS, b"")[0])
        collect()
        on_progress(recording)
    last = decoded(AppStatistics.decode, ask(AppRequest.FINISH, messages.finish(len(sound)))[0])
    collect()
    recording.statistics = last
    recording.lost_reports += (last.next_report - next_report) & 0xFFFF
    recording.errors = tuple(line.text for line in session.errors)
    on_progress(recording)
    return recording
