# SPDX-License-Identifier: Apache-2.0
"""The committed keyword network has the figures that its README states.

Its features follow their formulas.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest
from scipy.fft import dct
from scipy.signal import get_window

from pilotlight.export.model.model_file import load_model
from pilotlight.paths import MODELS

KWS = MODELS / "kws"
README_HELD_OUT_ACCURACY = 289 / 360


@pytest.fixture(scope="module")
def features() -> ModuleType:
    """Return python/models/kws/features.py under a name of its own.

    Other models may have a module `features` too.
    """
    spec = importlib.util.spec_from_file_location("kws_features", KWS / "features.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclass() looks for the module here.
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tones() -> np.ndarray:
    """Return one second of a rising tone, a click, faint noise and digital silence."""
    t = np.arange(16_000) / 16_000
    sound = 0.5 * np.sin(2 * np.pi * (200 * t + 1500 * t**2)) * (t < 0.5)
    sound[9_000] = 0.9
    sound[10_000:13_000] += 1e-3 * np.random.default_rng(5).standard_normal(3_000)
    return np.round(sound * 32767).astype(np.int16)


def reference_features(clip: np.ndarray) -> np.ndarray:
    """Return features computed from the figures in the README, which are written out here.

    Filters and DCT are computed in another way than in features.py.
    """
    mel_points = np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + 4000 / 700), 42)
    bin_mels = 1127 * np.log(1 + np.arange(513) * 15.625 / 700)
    filters = [np.interp(bin_mels, mel_points[band : band + 3], [0, 1, 0], left=0, right=0) for band in range(40)]
    rows = []
    for frame in range(49):
        samples = clip[frame * 320 : frame * 320 + 640] / 32768 * get_window("hann", 640, fftbins=True)
        spectrum = np.abs(np.fft.fft(np.concatenate([samples, np.zeros(384)])))[:513]
        logs = np.log(np.array([filter_ @ spectrum for filter_ in filters]) + 0.01)
        rows.append(dct(logs, type=2, norm="ortho")[:10])
    return np.array(rows)


def test_features_equal_a_reference_computed_with_scipy(features: ModuleType, tones: np.ndarray) -> None:
    mfcc, _ = features.load_description()
    np.testing.assert_allclose(features.coefficients(mfcc, tones), reference_features(tones), atol=1e-9)


def test_normalised_features_shift_and_scale_each_coefficient(features: ModuleType, tones: np.ndarray) -> None:
    mfcc, _ = features.load_description()
    expected = (reference_features(tones) - mfcc.offset) * mfcc.scale
    np.testing.assert_allclose(features.features(mfcc, tones), expected, atol=1e-5)


def test_held_out_accuracy_is_what_the_readme_says() -> None:
    torch = pytest.importorskip("torch")
    spec = load_model(KWS / "model.py")
    with torch.no_grad():
        predicted = spec.module(torch.cat([x for (x,) in spec.data_set])).argmax(1).numpy()
    assert (predicted == spec.data_set.labels).mean() >= README_HELD_OUT_ACCURACY


def test_held_out_samples_are_spread_evenly_over_the_labels(features: ModuleType) -> None:
    _, labels = features.load_description()
    with np.load(KWS / "heldout.npz", allow_pickle=False) as held_out:
        assert held_out["features"].shape == (360, 49, 10)
        assert np.bincount(held_out["labels"]).tolist() == [30] * len(labels)


def test_committed_arrays_stay_small() -> None:
    sizes = {name: (KWS / name).stat().st_size for name in ("weights.npz", "calibration.npz", "heldout.npz")}
    assert sizes["weights.npz"] < 150_000 and sizes["heldout.npz"] < 400_000 and sizes["calibration.npz"] < 150_000
