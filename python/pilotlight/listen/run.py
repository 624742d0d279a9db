# SPDX-License-Identifier: Apache-2.0
"""Streams a WAV to the target of a build folder and makes the report."""

from __future__ import annotations

import io
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pilotlight import targets
from pilotlight.boards import load_board
from pilotlight.build_folder import BuildFolder
from pilotlight.bundle import load_model_info
from pilotlight.deadline import Deadline
from pilotlight.errors import ConfigError
from pilotlight.files import write_atomically
from pilotlight.link import open_link
from pilotlight.listen.messages import AudioDescription
from pilotlight.listen.report import ListenReport, make_report
from pilotlight.listen.sound import Word, read_labels, read_wav
from pilotlight.listen.stream import CONNECT_TIMEOUT_S, Recording, stream

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Description:
    """The parts of the model's features.toml that the host needs."""

    labels: tuple[str, ...]
    not_keywords: tuple[str, ...]
    threshold: float
    crc: int


@dataclass(frozen=True)
class Listening:
    """Progress of a stream."""

    recording: Recording
    labels: Sequence[str]
    sound_s: float


@dataclass(frozen=True)
class Heard:
    """The report and everything that it was made from."""

    report: ListenReport
    recording: Recording
    description: Description
    sound: NDArray[np.int16]
    words: tuple[Word, ...] | None


def listen(
    build_dir: Path,
    wav: Path,
    labels: Path | None,
    timeout_s: float,
    *,
    save_features: Path | None = None,
    show: Callable[[Listening], None] = lambda now: None,
) -> Heard:
    """Stream `wav` to the powered target of `build_dir`.

    Raises ConfigError (files), TargetNotRunning, TargetError, LinkTimeout, LinkCorrupted. A problem
    that still allows a report is the report's `failure`.
    """
    deadline = Deadline(timeout_s)
    build = BuildFolder(build_dir).info()
    description = load_description(_description_file(build_dir, [model.bundle for model in build.models]))
    words = None if labels is None else read_labels(labels)
    sound = np.empty(0, np.int16)

    def load(about: AudioDescription) -> NDArray[np.int16]:
        nonlocal sound
        sound = read_wav(wav, about.sample_rate_hz)
        return sound

    def progress(recording: Recording) -> None:
        show(Listening(recording, description.labels, len(sound) / recording.description.sample_rate_hz))

    link = open_link(targets.connect(build_dir), deadline.within(CONNECT_TIMEOUT_S))
    try:
        recording = stream(
            link,
            build.build_id,
            build.board_name,
            description.crc,
            load,
            deadline,
            with_features=save_features is not None,
            on_progress=progress,
        )
    finally:
        link.close()
    if save_features is not None:
        write_atomically(save_features, _arrays(recording))
    report = make_report(
        recording,
        description.labels,
        words,
        description.not_keywords,
        is_emulated=load_board(build.board).emulator is not None,
    )
    return Heard(report, recording, description, sound, words)


def load_description(path: Path) -> Description:
    """Read features.toml. Raises ConfigError if the file is missing or incomplete."""
    try:
        data = path.read_bytes()
        described = tomllib.loads(data.decode("utf-8"))
        return Description(
            labels=tuple(described["classes"]["labels"]),
            not_keywords=tuple(described["decision"]["not_keywords"]),
            threshold=float(described["decision"]["threshold"]),
            crc=zlib.crc32(data),
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError) as error:
        raise ConfigError(
            f"{path}: cannot be read as a features.toml ({error})",
            hint="this command is for images of firmware/apps/keyword_spotting",
        ) from error


def _arrays(recording: Recording) -> bytes:
    """Return an .npz file with these arrays.

    features, stored: [frames, coefficients]. scores, averages: [inferences, classes]. ends:
        [inferences], in samples.
    """
    buffer = io.BytesIO()
    np.savez(
        buffer,
        features=np.array([frame.values for frame in recording.features], np.float32),
        stored=np.array([frame.stored for frame in recording.features], np.int8),
        scores=np.array([inference.scores for inference in recording.inferences], np.int8),
        averages=np.array([inference.averages for inference in recording.inferences], np.float32),
        ends=np.array([inference.end for inference in recording.inferences], np.int64),
    )
    return buffer.getvalue()


def _description_file(build_dir: Path, bundles: Sequence[str]) -> Path:
    """Return the features.toml beside the first model file that has one."""
    files = [Path(load_model_info(build_dir / bundle).source).with_name("features.toml") for bundle in bundles]
    return next((file for file in files if file.is_file()), files[0])
