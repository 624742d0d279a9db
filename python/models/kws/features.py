# SPDX-License-Identifier: Apache-2.0
"""Computes MFCC features as `features.toml` describes: the reference for training and the device.

With N = fft_samples, M = mel_bands, R = sample_rate_hz, W = window_samples, for frame t of a clip x
(int16 / 32768):

    w[n]  = 0.5 - 0.5 cos(2 pi n / W)                           0 <= n < W, else 0
    s[n]  = x[t * hop_samples + n] * w[n]
    S[b]  = |sum_n s[n] exp(-2 pi i b n / N)|                   0 <= b <= N / 2
    E[m]  = sum_b S[b] * T[m][b]                                0 <= m < M
    L[m]  = ln(E[m] + log_offset)
    C[k]  = g[k] * sum_m L[m] cos(pi k (m + 0.5) / M)           g[0] = sqrt(1 / M), else sqrt(2 / M)
    f[k]  = (C[k] - offset[k]) * scale[k]                       0 <= k < coefficients

S is a magnitude and not a power. T[m] is a triangle on the mel axis, mel(f) = 1127 ln(1 + f / 700).
M + 2 points p[0..M+1] are spaced evenly from mel(mel_low_hz) to mel(mel_high_hz). T[m] rises from 0
at p[m] to 1 at p[m + 1] and falls to 0 at p[m + 2]. The triangle is sampled at mel(b R / N) for
each bin b. It is not divided by its area.

Each step is one CMSIS-DSP call (mult, rfft_fast, cmplx_mag, dot_prod, offset, vlog, mat_vec_mult,
sub and mult). `arm_mfcc_f32` is not used: it scales each frame to its own peak, so loud and quiet
frames look alike.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DESCRIPTION = Path(__file__).with_name("features.toml")


@dataclass(frozen=True)
class Mfcc:
    """The numbers of `features.toml`, under the same names."""

    sample_rate_hz: int
    clip_samples: int
    window_samples: int
    hop_samples: int
    fft_samples: int
    mel_bands: int
    mel_low_hz: float
    mel_high_hz: float
    log_offset: float
    coefficients: int
    offset: tuple[float, ...]
    scale: tuple[float, ...]

    @property
    def frames(self) -> int:
        """The number of frames in a clip."""
        return (self.clip_samples - self.window_samples) // self.hop_samples + 1


def load_description(path: Path = DESCRIPTION) -> tuple[Mfcc, tuple[str, ...]]:
    """Return the features' parameters and the class labels."""
    described = tomllib.loads(path.read_text(encoding="utf-8"))
    normalise = {name: tuple(values) for name, values in described["normalise"].items()}
    return Mfcc(**described["audio"], **described["mfcc"], **normalise), tuple(described["classes"]["labels"])


def window(mfcc: Mfcc) -> NDArray[np.float64]:
    """Return the periodic Hann window, [window_samples]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(mfcc.window_samples) / mfcc.window_samples)


def mel_filters(mfcc: Mfcc) -> NDArray[np.float64]:
    """Return the triangles T of the formulas, [mel_bands, fft_samples / 2 + 1]."""

    def mel(frequency_hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return np.asarray(1127.0 * np.log1p(np.asarray(frequency_hz) / 700.0))

    points = np.linspace(mel(mfcc.mel_low_hz), mel(mfcc.mel_high_hz), mfcc.mel_bands + 2)[:, None]
    bins = mel(np.arange(mfcc.fft_samples // 2 + 1) * mfcc.sample_rate_hz / mfcc.fft_samples)
    rising = (bins - points[:-2]) / (points[1:-1] - points[:-2])
    falling = (points[2:] - bins) / (points[2:] - points[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))


def dct_matrix(mfcc: Mfcc) -> NDArray[np.float64]:
    """Return the orthonormal DCT-II, [coefficients, mel_bands]."""
    k = np.arange(mfcc.coefficients)[:, None]
    m = np.arange(mfcc.mel_bands)
    rows = np.sqrt(2 / mfcc.mel_bands) * np.cos(np.pi * k * (m + 0.5) / mfcc.mel_bands)
    rows[0] /= np.sqrt(2)
    return rows


def coefficients(mfcc: Mfcc, clip: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return C of the formulas, [frames, coefficients], before normalisation."""
    sound = clip.astype(np.float64) / 32768
    frames = np.lib.stride_tricks.sliding_window_view(sound, mfcc.window_samples)[:: mfcc.hop_samples]
    spectrum = np.abs(np.fft.rfft(frames * window(mfcc), mfcc.fft_samples))
    return np.log(spectrum @ mel_filters(mfcc).T + mfcc.log_offset) @ dct_matrix(mfcc).T


def features(mfcc: Mfcc, clip: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return the network's input for one clip, [frames, coefficients]."""
    return ((coefficients(mfcc, clip) - np.array(mfcc.offset)) * np.array(mfcc.scale)).astype(np.float32)
