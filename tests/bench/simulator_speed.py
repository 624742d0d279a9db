# SPDX-License-Identifier: Apache-2.0
"""The simulator's speed against the TOSA reference model, on the same graph and in the same process."""

from __future__ import annotations

import hashlib
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

from pilotlight.errors import Mismatch
from pilotlight.npu import Simulator
from pilotlight.paths import ROOT

_NETWORKS = ROOT / "tests" / "npu"
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
    pte, tosa = _exported("mobilenet-v2", [_NETWORKS / "mobilenet_v2.py"], _export_mobilenet)
    return _measure("MobileNetV2, U55-256", pte, tosa, runs)


def digits_speed(runs: int = 50) -> Speed:
    folder = ROOT / "python" / "models" / "digits"
    pte, tosa = _exported("digits", [folder / "model.py", folder / "weights.npz"], _export_digits)
    return _measure("digits, U55-128", pte, tosa, runs)


def _measure(network: str, pte: bytes, tosa: bytes, runs: int) -> Speed:
    import tosa_reference_model

    simulator = Simulator(pte)
    (shape,) = (tensor.shape for tensor in simulator.method.inputs)

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
    if not np.array_equal(output, golden):
        raise Mismatch(f"{network}: the simulator does not compute what the TOSA reference model computes")
    times = [(_timed(simulate, x)[0], _timed(reference, x)[0]) for x in map(samples, range(1, runs + 1))]
    simulated_s = statistics.median(simulated for simulated, _ in times)
    reference_s = statistics.median(reference for _, reference in times)
    macs = simulator.run([samples(0)]).statistics.macs
    return Speed(network, macs, runs, first_s, simulated_s, reference_s, reference_s / simulated_s)


def _timed(run: Callable[[NDArray[np.int8]], NDArray[Any]], x: NDArray[np.int8]) -> tuple[float, NDArray[Any]]:
    start = time.perf_counter()
    output = run(x)
    return time.perf_counter() - start, output


def _exported(name: str, inputs: Sequence[Path], export: Callable[[], Any]) -> tuple[bytes, bytes]:
    """Export, once for each version of the model, of the exporter and of the pinned packages; return .pte and TOSA."""
    digest = hashlib.sha256()
    for path in (*inputs, _NETWORKS / "exported.py", ROOT / "python" / "requirements.txt"):
        digest.update(path.read_bytes())
    folder = BENCH / "exports" / f"{name}-{digest.hexdigest()[:12]}"
    pte, tosa = folder / "model.pte", folder / "model.tosa"
    if not tosa.exists():
        sys.path.insert(0, str(_NETWORKS))
        exported = export()
        folder.mkdir(parents=True, exist_ok=True)
        pte.write_bytes(exported.pte)
        tosa.write_bytes(exported.tosa)  # Last: its presence says that both are whole.
    return pte.read_bytes(), tosa.read_bytes()


def _export_mobilenet() -> Any:
    import torch
    from exported import export
    from mobilenet_v2 import MobileNetV2

    generator = torch.Generator().manual_seed(1)
    samples = [(torch.randn(_SHAPE, generator=generator),) for _ in range(2)]
    return export(MobileNetV2().eval(), samples[0], "ethos-u55-256", samples)


def _export_digits() -> Any:
    from exported import export

    from pilotlight.export.model_file import find_model_file, load_model

    spec = load_model(find_model_file("digits"))
    return export(spec.module, spec.example_inputs, "ethos-u55-128", spec.calibration)
