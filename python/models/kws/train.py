# SPDX-License-Identifier: Apache-2.0
"""Makes the speech, trains the keyword network and writes weights.npz, calibration.npz and
heldout.npz beside this file.

    python python/models/kws/train.py

Needs espeak-ng and SciPy. Speech is kept in build-kws/ of the checkout, so a second run starts
training at once. Prints the held-out accuracy that README.md reports.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from dataclasses import replace

import numpy as np
import torch
from features import Mfcc, features, load_description
from model import CHANNELS, HERE, DsCnn
from numpy.typing import NDArray
from speech import CLIP_SAMPLES, Sound, Voices, clip_of, load_voices, speak
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pilotlight.paths import ROOT

SEED = 1
CACHE = ROOT / "build-kws"
SILENCE, UNKNOWN = 0, 1

TRAINING_WORDS_PER_CLASS = 800
UNKNOWN_FACTOR = 4  # "unknown" has more than eighty words; the other classes have one.
CLIPS_PER_WORD = 2
TEST_WORDS_PER_CLASS = 200
CALIBRATION_PER_CLASS = 10
HELDOUT_PER_CLASS = 30  # The first test clips of each class are committed and run on the device.

EPOCHS = 20
BATCH = 100
PEAK_LEARNING_RATE = 4e-3
# Random offset of a coefficient over a whole clip, in standard deviations. The offset stands for
# other microphones and voices.
JITTER = 0.25


class Speech:
    """Words of one side's voices: sounds and their classes."""

    def __init__(self, sounds: list[Sound], classes: NDArray[np.int64]) -> None:
        self.sounds = sounds
        self.classes = classes

    @property
    def babble(self) -> list[Sound]:
        return [sound for sound, label in zip(self.sounds, self.classes, strict=True) if label == UNKNOWN]


def make_speech(voices: Voices, labels: tuple[str, ...], per_class: int, unknown_factor: int, seed: int) -> Speech:
    rng = np.random.default_rng(seed)
    sounds, classes = [], []
    for label in range(UNKNOWN, len(labels)):
        words = voices.unknown_words if label == UNKNOWN else (labels[label],)
        for i in range(per_class * (unknown_factor if label == UNKNOWN else 1)):
            sounds.append(speak(words[i % len(words)], voices.names[rng.integers(len(voices.names))], rng))
            classes.append(label)
    return Speech(sounds, np.array(classes))


def cached_speech(name: str, *arguments: object) -> Speech:
    """Return `make_speech(*arguments)`, cached in a file.

    The file's name has a hash of speech.py and the arguments.
    """
    depends_on = (HERE / "speech.py").read_bytes() + repr(arguments).encode()
    path = CACHE / f"{name}-{hashlib.sha256(depends_on).hexdigest()[:16]}.npz"
    if not path.exists():
        speech = make_speech(*arguments)  # type: ignore[arg-type]
        CACHE.mkdir(exist_ok=True)
        lengths = [len(sound) for sound in speech.sounds]
        np.savez(path, samples=np.concatenate(speech.sounds), lengths=lengths, classes=speech.classes)
    with np.load(path, allow_pickle=False) as arrays:
        return Speech(np.split(arrays["samples"], np.cumsum(arrays["lengths"])[:-1]), arrays["classes"])


def make_features(
    mfcc: Mfcc, speech: Speech, clips_per_word: int, silences: int, seed: int, *, stretch: bool
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Put each word into noise several times, add "silence", and return features and classes.

    silences: number of clips with only noise. stretch: see `clip_of`.
    """
    rng = np.random.default_rng(seed)
    babble = speech.babble
    words = [word for word in speech.sounds for _ in range(clips_per_word)] + [None] * silences
    made = np.stack([features(mfcc, clip_of(word, babble, rng, stretch=stretch)) for word in words])
    return made, np.concatenate([np.repeat(speech.classes, clips_per_word), np.full(silences, SILENCE)])


def first_of_each_class(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the indices of the first `count` samples of each class. The classes alternate."""
    return np.stack([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]).T.reshape(-1)


def train(inputs: NDArray[np.float32], labels: NDArray[np.int64], classes: int) -> DsCnn:
    torch.manual_seed(SEED)
    network = DsCnn(classes, batch_norm=True)
    x, y = torch.from_numpy(inputs)[:, None], torch.from_numpy(labels)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    batches = len(x) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LEARNING_RATE, total_steps=EPOCHS * batches)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    for epoch in range(EPOCHS):
        started, total = time.monotonic(), 0.0
        for chosen in torch.randperm(len(x))[: batches * BATCH].split(BATCH):
            optimiser.zero_grad()
            jitter = JITTER * torch.randn(len(chosen), 1, 1, x.shape[-1])
            loss = loss_of(network(x[chosen] + jitter), y[chosen])
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{EPOCHS}: loss {total / batches:.4f}, {time.monotonic() - started:.1f} s", flush=True)
    return network.eval()


def folded(network: DsCnn) -> DsCnn:
    """Return the network with batch normalisation multiplied into the convolutions."""
    plain = DsCnn(network.classify.out_features).eval()
    for target, layer in zip(plain.convolutions, network.convolutions, strict=True):
        target[0] = fuse_conv_bn_eval(layer[0], layer[1])
    plain.classify = network.classify
    return plain


@torch.no_grad()
def predict(network: nn.Module, inputs: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.concatenate([network(batch[:, None]).argmax(1).numpy() for batch in torch.from_numpy(inputs).split(200)])


def report(title: str, predicted: NDArray[np.int64], labels: NDArray[np.int64], names: tuple[str, ...]) -> None:
    right = predicted == labels
    print(f"\n{title}: {right.sum()} of {len(right)} right, {100 * right.mean():.2f} %")
    for label, name in enumerate(names):
        of_class = labels == label
        wrong = np.bincount(predicted[of_class & ~right], minlength=len(names))
        mistaken = ", ".join(f"{names[i]} {wrong[i]}" for i in np.argsort(-wrong) if wrong[i])
        print(f"| {name} | {of_class.sum()} | {100 * right[of_class].mean():.1f} % | {mistaken} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--statistics", action="store_true", help="print [normalise] for features.toml and stop")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # So that sums are reproducible.

    mfcc, labels = load_description()
    training_voices, test_voices = load_voices()
    assert mfcc.clip_samples == CLIP_SAMPLES
    started = time.monotonic()
    spoken = cached_speech("training", training_voices, labels, TRAINING_WORDS_PER_CLASS, UNKNOWN_FACTOR, SEED)
    if arguments.statistics:
        mfcc = replace(mfcc, offset=(0.0,) * mfcc.coefficients, scale=(1.0,) * mfcc.coefficients)
    silences = TRAINING_WORDS_PER_CLASS * CLIPS_PER_WORD
    x, y = make_features(mfcc, spoken, CLIPS_PER_WORD, silences, SEED + 1, stretch=True)
    print(f"{len(spoken.sounds)} words, {len(x)} training clips: {time.monotonic() - started:.0f} s", flush=True)
    if arguments.statistics:
        print("offset = [" + ", ".join(f"{mean:.2f}" for mean in x.mean((0, 1))) + "]")
        print("scale = [" + ", ".join(f"{1 / deviation:.3f}" for deviation in x.std((0, 1))) + "]")
        return

    heard = cached_speech("test", test_voices, labels, TEST_WORDS_PER_CLASS, 1, SEED + 2)
    test_x, test_y = make_features(mfcc, heard, 1, TEST_WORDS_PER_CLASS, SEED + 3, stretch=False)
    # Stored in half precision, as in the committed file, so that the report and the check on the
    # device use the same numbers.
    test_x = test_x.astype(np.float16).astype(np.float32)
    print(f"features after {time.monotonic() - started:.0f} s", flush=True)

    network = folded(train(x, y, len(labels)))
    state = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    np.savez(HERE / "weights.npz", **state)
    calibration = first_of_each_class(y, CALIBRATION_PER_CLASS)
    np.savez(HERE / "calibration.npz", features=x[calibration].astype(np.float16))
    kept = first_of_each_class(test_y, HELDOUT_PER_CLASS)
    np.savez(HERE / "heldout.npz", features=test_x[kept].astype(np.float16), labels=test_y[kept].astype(np.int8))

    predicted = predict(network, test_x)
    print(f"{sum(array.size for array in state.values())} parameters, {CHANNELS} channels")
    report("training clips", predict(network, x), y, labels)
    report("test clips", predicted, test_y, labels)
    report("heldout.npz", predicted[kept], test_y[kept], labels)
    print(f"\n{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
