# SPDX-License-Identifier: Apache-2.0
"""On the emulated Cortex-M55 with Helium, the keyword app computes what the Python model computes.

The reference is the same Python that training uses.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from workflow import ROOT, Outcome, build, run

from pilotlight.bundle import load_model_info
from pilotlight.deadline import Deadline
from pilotlight.link import open_link
from pilotlight.link.frames import Frame, FrameReader, encode_frame
from pilotlight.npu.simulation import Simulator
from pilotlight.targets import connect, power_off, power_up

APP = ROOT / "firmware" / "apps" / "keyword_spotting"
KWS = ROOT / "python" / "models" / "kws"

# Test voices. The network knows every word, because the test is about the device.
WORDS = ("yes", "orange", "left", "stop", "silver", "go")
KEYWORDS = ("yes", "left", "stop", "go")
SEED = 3

# Over speech, a feature's standard deviation is 1 and its int8 step 0.05. TOLERANCE is for sound at
# full scale.
SPEECH_TOLERANCE = 2e-5
TOLERANCE = 2e-3
IDENTICAL_SHARE = 0.999
# The permitted difference of an averaged probability if a feature was quantised differently.
AVERAGE_TOLERANCE = 0.02
FLOAT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Kws:
    """The modules of python/models/kws."""

    features: ModuleType
    decision: ModuleType
    stream: ModuleType
    speech: ModuleType


@dataclass(frozen=True)
class Listened:
    """One stream through the device, and the device's reports."""

    kws: Kws
    build: Path
    sound: np.ndarray
    speech_samples: int
    report: dict[str, Any]
    shown: str
    picture: bytes
    device: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def kws() -> Iterator[Kws]:
    """The model's modules, imported by their own names. Other models may use these names too."""
    names = ("features", "decision", "speech", "stream")
    sys.path.insert(0, str(KWS))
    try:
        modules = {name: __import__(name) for name in names}
        yield Kws(**modules)
    finally:
        sys.path.remove(str(KWS))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def app() -> Path:
    return build("keyword-spotting", "-b", "qemu-corstone300", "-s", APP)


@pytest.fixture(scope="module")
def powered(app: Path) -> Iterator[Path]:
    outcome = run("flash", "-d", app)
    assert outcome.code == 0, outcome.err
    yield app
    run("poweroff", "-d", app)


@pytest.fixture(scope="module")
def listened(kws: Kws, powered: Path, tmp_path_factory: pytest.TempPathFactory) -> Listened:
    """Run words and other sound through the device.

    After the words come a second of digital silence, a second of noise, and half a second of noise
    at full scale.
    """
    folder = tmp_path_factory.mktemp("listened")
    mfcc, _ = kws.features.load_description()
    rate = mfcc.sample_rate_hz
    _, voices = kws.speech.load_voices()
    speech, said = kws.stream.say(WORDS, voices, SEED, rate_hz=rate, gap_s=0.9, lead_s=1.0)
    rng = np.random.default_rng(1)
    rest = [np.zeros(rate), rng.normal(0, 1500, rate), rng.choice([-32768, 32767], rate // 2)]
    sound = np.concatenate([speech, *rest]).astype(np.int16)
    kws.stream.write_wav(folder / "words.wav", sound, rate)
    kws.stream.write_labels(folder / "words.txt", said, rate)
    files = ("--wav", folder / "words.wav", "--words", folder / "words.txt")
    outcome = run(
        "listen", "-d", powered, *files, "--features", folder / "device.npz", "--picture", folder / "p.png", "--json"
    )
    assert outcome.code == 0, outcome.out + outcome.err
    with np.load(folder / "device.npz") as arrays:
        device = dict(arrays)
    picture = (folder / "p.png").read_bytes()
    return Listened(kws, powered, sound, len(speech), outcome.json, outcome.err, picture, device)


def _bundle(build_dir: Path) -> Path:
    info = json.loads((build_dir / "build_info.json").read_text(encoding="utf-8"))
    return build_dir / str(info["models"][0]["bundle"])


def _windows(stored: np.ndarray, listened: Listened) -> np.ndarray:
    """Return the window of each inference, from quantised frames."""
    mfcc, _ = listened.kws.features.load_description()
    lasts = (listened.device["ends"] - mfcc.window_samples) // mfcc.hop_samples
    return np.stack([stored[last - mfcc.frames + 1 : last + 1] for last in lasts])


def _expected_scores(windows: np.ndarray, build_dir: Path) -> np.ndarray:
    simulator = Simulator(_bundle(build_dir) / "model.pte")
    return np.stack([simulator.run([window[None, None]]).outputs[0].ravel() for window in windows])


def _expected_features(listened: Listened) -> tuple[np.ndarray, np.ndarray]:
    """Return the features that Python computes, and the same quantised as by the exporter."""
    mfcc, _ = listened.kws.features.load_description()
    features = listened.kws.features.features(mfcc, listened.sound)
    info = load_model_info(_bundle(listened.build)).inputs[0]
    steps = np.rint(features * np.float32(1 / np.float32(info.scale))) + info.zero_point
    return features, np.clip(steps, -128, 127).astype(np.int8)


def _averages(scores: np.ndarray, listened: Listened) -> np.ndarray:
    info = load_model_info(_bundle(listened.build)).outputs[0]
    rules = listened.kws.decision.load_decision()
    averaged: np.ndarray = listened.kws.decision.averages(rules, (scores.astype(float) - info.zero_point) * info.scale)
    return averaged


def test_the_keywords_are_heard_in_order_and_nothing_else_is(listened: Listened) -> None:
    heard = [word["keyword"] for word in listened.report["keywords"]]
    assert tuple(heard) == KEYWORDS
    labelled = listened.report["labelled"]
    assert (labelled["expected"], labelled["heard"], labelled["false"]) == (len(KEYWORDS), len(KEYWORDS), 0)
    assert all(0 < word["at_s"] * 16_000 < listened.speech_samples for word in listened.report["keywords"])


def test_features_on_helium_equal_pythons(listened: Listened) -> None:
    expected, quantised = _expected_features(listened)
    device = listened.device
    assert device["features"].shape == expected.shape
    difference = np.abs(device["features"] - expected)
    speech_frames = listened.speech_samples // 320 - 1
    assert difference[:speech_frames].max() < SPEECH_TOLERANCE
    assert difference.max() < TOLERANCE
    assert (device["stored"] == quantised).mean() >= IDENTICAL_SHARE
    assert np.abs(device["stored"].astype(int) - quantised).max() <= 1


def test_scores_are_what_the_network_makes_of_those_features_bit_for_bit(listened: Listened) -> None:
    device = listened.device
    expected = _expected_scores(_windows(device["stored"], listened), listened.build)
    assert len(expected) > 80
    np.testing.assert_array_equal(device["scores"], expected)
    np.testing.assert_allclose(device["averages"], _averages(expected, listened), atol=FLOAT_TOLERANCE)


def test_probabilities_are_those_of_python_from_sound_to_average(listened: Listened) -> None:
    _, quantised = _expected_features(listened)
    expected = _averages(_expected_scores(_windows(quantised, listened), listened.build), listened)
    np.testing.assert_allclose(listened.device["averages"], expected, atol=AVERAGE_TOLERANCE)


def test_decisions_are_those_of_python(listened: Listened) -> None:
    decision = listened.kws.decision
    _, labels = listened.kws.features.load_description()
    device = listened.device
    found = decision.heard(decision.load_decision(), labels, device["averages"], device["ends"].tolist())
    reported = [(word["keyword"], round(word["at_s"] * 16_000)) for word in listened.report["keywords"]]
    assert reported == [(word.keyword, word.sample) for word in found]


def test_the_report_says_what_it_cost(listened: Listened) -> None:
    report, costs = listened.report, listened.report["statistics"]
    assert costs["samples"] == len(listened.sound) // 320 * 320
    assert costs["feature_frames"] == len(listened.device["features"])
    assert costs["inferences"] == len(listened.device["ends"])
    assert (costs["lost_samples"], costs["failed_inferences"], report["lost_reports"]) == (0, 0, 0)
    assert 0 < report["load"]["npu"] < report["load"]["awake"]
    assert report["load"]["cpu"] > 0
    assert report["asleep_s"] > 0
    assert 100_000 < report["npu_cycles_per_inference"] < 120_000
    assert all(-0.5 < word["audio_latency_s"] < 1 and word["compute_s"] > 0 for word in report["keywords"])
    assert listened.picture.startswith(b"\x89PNG")


def test_the_image_computes_features_with_helium_and_bounds_its_stack(app: Path, listened: Listened) -> None:
    elf = app / json.loads((app / "build_info.json").read_text(encoding="utf-8"))["elf"]
    # CMSIS-DSP has this butterfly only for Helium.
    command = ["arm-none-eabi-objdump", "-d", "--disassemble=_arm_radix4_butterfly_f32_mve", elf]
    code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(r"vcadd\.f32|vcmul\.f32", code), code
    bound = json.loads((app / "stack.json").read_text(encoding="utf-8"))
    assert bound["is_complete"], bound["unresolved"]
    assert listened.report["statistics"]["stack_used_bytes"] <= bound["bytes"]


def test_a_second_stream_starts_afresh(listened: Listened, tmp_path: Path) -> None:
    """The same sound gives the same answers. Without labels there are no latencies."""
    first = listened.report["keywords"][0]
    listened.kws.stream.write_wav(tmp_path / "first.wav", listened.sound[: round(2.2 * 16_000)], 16_000)
    again = run("listen", "-d", listened.build, "--wav", tmp_path / "first.wav", "--json").json
    assert [(word["keyword"], word["at_s"]) for word in again["keywords"]] == [(first["keyword"], first["at_s"])]
    assert again["keywords"][0]["audio_latency_s"] is None and again["labelled"] is None


class Wire:
    """A client of the app's console that sends and reads single frames."""

    def __init__(self, build_dir: Path) -> None:
        self.link = open_link(connect(build_dir), Deadline(20))
        self._reader = FrameReader(4096)
        self._arrived: list[Frame] = []

    def ask(self, request: int, payload: bytes) -> Frame:
        self.link.write(encode_frame(Frame(request, 77, payload)))
        return self.next()

    def next(self) -> Frame:
        deadline = Deadline(30)
        while not self._arrived:
            assert not deadline.passed, "no answer"
            items = self._reader.feed(self.link.read(4096, deadline.remaining))
            assert all(isinstance(item, Frame) for item in items)
            self._arrived += [item for item in items if isinstance(item, Frame)]
        return self._arrived.pop(0)


def _audio(first: int, count: int) -> bytes:
    return struct.pack("<I", first) + bytes(2 * count)


def test_a_piece_sent_again_is_taken_once_and_what_does_not_fit_is_refused(listened: Listened) -> None:
    wire = Wire(listened.build)
    try:
        assert wire.ask(0x01, bytes(16)).type == 0x81
        assert wire.ask(0x21, struct.pack("<I", 0)) == Frame(0xA1, 77, b"")
        took_100 = Frame(0xA2, 77, struct.pack("<I", 100))
        assert [wire.ask(0x22, _audio(0, 100)) for _ in range(2)] == [took_100, took_100]
        refusals = {
            "a gap": (0x22, _audio(101, 100), 6),
            "no sound": (0x22, _audio(100, 0), 2),
            "half a sample": (0x22, _audio(100, 1)[:-1], 2),
            "too much": (0x22, _audio(100, 513), 2),
            "unknown reports": (0x21, struct.pack("<I", 4), 2),
            "samples missing": (0x23, struct.pack("<I", 101), 6),
            "not ours": (0x05, b"", 1),
        }
        for what, (request, payload, reason) in refusals.items():
            answer = wire.ask(request, payload)
            assert (answer.type, answer.payload[0], answer.payload[1]) == (0xFF, request, reason), what
        wire.link.write(b"\0\5damaged\0")
        assert wire.next().type == 0xC2
        finished = wire.ask(0x23, struct.pack("<I", 100))
        assert finished.type == 0xA3 and struct.unpack_from("<Q", finished.payload) == (0,)
        assert wire.ask(0x22, _audio(100, 10)).payload[1] == 2, "after FINISH"
    finally:
        wire.link.close()


def test_an_npu_that_hangs_costs_an_inference_and_not_the_stream(listened: Listened, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    info = json.loads((listened.build / "build_info.json").read_text(encoding="utf-8"))
    for name in ("build_info.json", info["elf"]):
        shutil.copy(listened.build / name, folder)
    shutil.copytree(_bundle(listened.build), _bundle(folder))
    listened.kws.stream.write_wav(tmp_path / "short.wav", listened.sound[: round(1.4 * 16_000)], 16_000)
    power_up(folder, npu_faults=("hang-once",))
    try:
        outcome = run("listen", "-d", folder, "--wav", tmp_path / "short.wav", "--json")
    finally:
        power_off(folder)
    assert outcome.code == 40
    assert (outcome.json["statistics"]["failed_inferences"], outcome.json["statistics"]["inferences"]) == (1, 4)
    assert "still running" in outcome.json["failure"]


def _refused(outcome: Outcome, code: int, words: str) -> None:
    assert outcome.code == code, outcome.out + outcome.err
    assert words in " ".join(outcome.err.split())


def test_sound_at_another_rate_is_refused_and_the_device_stays_well(listened: Listened, tmp_path: Path) -> None:
    listened.kws.stream.write_wav(tmp_path / "fast.wav", listened.sound[:16_000], 44_100)
    outcome = run("listen", "-d", listened.build, "--wav", tmp_path / "fast.wav")
    _refused(outcome, 20, "44,100 Hz")
