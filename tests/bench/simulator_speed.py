# SPDX-License-Identifier: Apache-2.0
"""The simulator's speed against the TOSA reference model, on the same graph and in the same process."""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from images import BENCH
from numpy.typing import NDArray
from pilotlight.npu import Simulator
from pilotlight.paths import ROOT

_NETWORKS = ROOT / "tests" / "npu"
_TARGET = "ethos-u55-256"
_SHAPE = (1, 3, 224, 224)


@dataclass(frozen=True)
class Speed:
    """Seconds of one inference; the medians are of `runs` runs after the first, taken in turns.

    first_s: the first simulated inference, which also decodes the weights.
    ratio: how many times faster than the reference model the simulator is.
    """

    network: str
    macs: int
    runs: int
    first_s: float
    simulated_s: float
    reference_s: float
    ratio: float


def mobilenet_speed(runs: int = 5) -> Speed:
    pte, tosa = _mobilenet()
    return _measure("MobileNetV2 1.0 224, ethos-u55-256", pte, tosa, _SHAPE, runs)


def digits_speed(digits: Path, runs: int = 50) -> Speed:
    """Measure the digits of a build folder."""
    bundle = digits / "bundle"
    shape = tuple(json.loads((bundle / "model.json").read_text(encoding="utf-8"))["inputs"][0]["shape"])
    (tosa,) = bundle.rglob("*.tosa")
    return _measure("digits, ethos-u55-128", (bundle / "model.pte").read_bytes(), tosa.read_bytes(), shape, runs)


def _measure(network: str, pte: bytes, tosa: bytes, shape: Sequence[int], runs: int) -> Speed:
    import tosa_reference_model

    simulator = Simulator(pte)

    def simulate(x: NDArray[np.int8]) -> NDArray[Any]:
        return simulator.run([x]).outputs[0]

    def reference(x: NDArray[np.int8]) -> NDArray[Any]:
        outputs, status = tosa_reference_model.run(tosa, [x])
        assert status == tosa_reference_model.GraphStatus.TOSA_VALID, status
        return np.asarray(outputs[0])

    def samples(seed: int) -> NDArray[np.int8]:
        return np.random.default_rng(seed).integers(-128, 128, shape).astype(np.int8)

    first_s, output = _timed(simulate, samples(0))
    _, golden = _timed(reference, samples(0))
    # A simulator that computes something else may be as fast as it likes.
    np.testing.assert_array_equal(output, golden)
    times = [(_timed(simulate, x)[0], _timed(reference, x)[0]) for x in map(samples, range(1, runs + 1))]
    simulated_s = statistics.median(simulated for simulated, _ in times)
    reference_s = statistics.median(reference for _, reference in times)
    macs = simulator.run([samples(0)]).statistics.macs
    return Speed(network, macs, runs, first_s, simulated_s, reference_s, reference_s / simulated_s)


def _timed(run: Callable[[NDArray[np.int8]], NDArray[Any]], x: NDArray[np.int8]) -> tuple[float, NDArray[Any]]:
    start = time.perf_counter()
    output = run(x)
    return time.perf_counter() - start, output


def _mobilenet() -> tuple[bytes, bytes]:
    """Export, once for each version of architecture, export and pinned packages; return .pte and TOSA graph."""
    digest = hashlib.sha256()
    for path in (_NETWORKS / "mobilenet_v2.py", _NETWORKS / "exported.py", ROOT / "python" / "requirements.txt"):
        digest.update(path.read_bytes())
    folder = BENCH / f"mobilenet-v2-{digest.hexdigest()[:12]}"
    pte, tosa = folder / "model.pte", folder / "model.tosa"
    if not tosa.exists():
        _export_mobilenet(pte, tosa)
    return pte.read_bytes(), tosa.read_bytes()


def _export_mobilenet(pte: Path, tosa: Path) -> None:
    sys.path.insert(0, str(_NETWORKS))
    import torch
    from exported import export
    from mobilenet_v2 import MobileNetV2

    generator = torch.Generator().manual_seed(1)
    samples = [(torch.randn(_SHAPE, generator=generator),) for _ in range(2)]
    exported = export(MobileNetV2().eval(), samples[0], _TARGET, samples)
    pte.parent.mkdir(parents=True, exist_ok=True)
    pte.write_bytes(exported.pte)
    tosa.write_bytes(exported.tosa)  # Last: its presence says that both are whole.
