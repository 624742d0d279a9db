# SPDX-License-Identifier: Apache-2.0
"""The simulator's speed.

The simulator is compared with the TOSA reference model on the same graph, and with PyTorch's
float32 on the same network. Two more figures show how the time grows with the size of an operation,
and the cost of commands that compute little.

Both sides of a ratio run in turns in one process. The simulator and PyTorch have one thread each,
and their comparison counts that thread's processor time, which other work on the machine does not
stretch. The reference model takes as many threads as it wants, so the comparison with it counts
elapsed time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from images import BENCH
from numpy.typing import NDArray

from pilotlight.errors import Mismatch
from pilotlight.npu import Simulator
from pilotlight.npu.arithmetic.parallel import core_count
from pilotlight.npu.delegate_runner import DelegateRunner
from pilotlight.npu.hardware.engine import Executed
from pilotlight.paths import ROOT

_NETWORKS = ROOT / "tests" / "npu"
_SHAPE = (1, 3, 224, 224)


@dataclass(frozen=True)
class Speed:
    """Seconds of one inference.

    Each figure is the fastest of `runs` after the first, taken in turns: other work on the machine
    can only add time.

    cold_s, warm_s: the first simulated inference of a process, which also plans the operations; the
        fastest of three processes. Cold: it decodes the weights. Warm: it takes them from the files
        of an earlier process.
    simulated_s, one_core_s: with all cores, and with one.
    reference_s: without the time to parse the graph, which the simulator does once.
    ratio: the reference model's time over the simulator's.
    float_s, float_ratio: PyTorch's float32 on one thread, and our time over it; None for networks
        that are not available in PyTorch here.
    """

    network: str
    macs: int
    runs: int
    cold_s: float
    warm_s: float
    simulated_s: float
    one_core_s: float
    reference_s: float
    ratio: float
    float_s: float | None = None
    float_ratio: float | None = None


@dataclass(frozen=True)
class Growth:
    """Seconds of convolutions that differ only in size, by their number of multiplications.

    exponent: that of the best fit.
    """

    seconds: dict[int, float]
    exponent: float


@dataclass(frozen=True)
class SmallCommands:
    """Seconds of an inference whose commands compute little."""

    network: str
    commands: int
    macs: int
    seconds: float


def mobilenet_speed(npu: str = "ethos-u55-256", runs: int = 9) -> Speed:
    return _measure(f"MobileNetV2, {_short(npu)}", *_mobilenet(npu), runs, _float_mobilenet())


def mobilenet_program() -> bytes:
    """Return only the .pte."""
    return _mobilenet("ethos-u55-256")[0]


def _mobilenet(npu: str) -> tuple[bytes, bytes]:
    return _exported(f"mobilenet-v2-{npu}", [_NETWORKS / "mobilenet_v2.py"], lambda: _export_mobilenet(npu))


def _short(npu: str) -> str:
    """Return "U55-128" for "ethos-u55-128"."""
    return npu.removeprefix("ethos-").upper()


def digits_speed(runs: int = 50) -> Speed:
    """Measure the program that `west build` makes, with Pilotlight's own rewritings."""
    folder, exporter = ROOT / "python" / "models" / "digits", ROOT / "python" / "pilotlight" / "export"
    inputs = [folder / "model.py", folder / "weights.npz", *sorted(exporter.rglob("*.py"))]
    pte, tosa = _exported("digits", inputs, _export_digits)
    return _measure("digits, U55-128", pte, tosa, runs)


def transformer_commands(npu: str = "ethos-u55-128", runs: int = 100) -> SmallCommands:
    """Measure a transformer whose largest tensor has some 600 elements."""
    pte, _ = _exported(f"transformer-{npu}", [_NETWORKS / "networks.py"], lambda: _export_transformer(npu))
    return _commands(f"transformer, {_short(npu)}", pte, runs)


def vision_transformer_commands(runs: int = 50) -> SmallCommands:
    """Measure a tiny ViT: two layers of width 32."""
    model = Path(__file__).parent / "memory_models" / "vision_transformer.py"
    pte, _ = _exported("vision-transformer", [model], lambda: _export_as_a_user(str(model), "ethos-u55-128"))
    return _commands("tiny ViT, U55-128", pte, runs)


def _commands(network: str, pte: bytes, runs: int) -> SmallCommands:
    simulator = Simulator(pte)
    inputs = [np.zeros(tensor.shape, tensor.dtype) for tensor in simulator.method.inputs]
    done = simulator.run(inputs).statistics
    seconds = min(_computed(simulator.run, inputs) for _ in range(runs))
    return SmallCommands(network, done.operations, done.macs, seconds)


# Heights and widths of feature maps with 64 channels. A 3x3 convolution on them takes about 1 M,
# 10 M, 100 M, 1 G and 10 G products.
_GROWTH_SIZES = (5, 16, 52, 165, 521)


def convolution_growth(runs: int = 7) -> Growth:
    seconds: dict[int, float] = {}
    for size in _GROWTH_SIZES:
        runner = DelegateRunner(_convolution(size))
        shape = (1, size, size, 64)
        x, out = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8), np.zeros(shape, np.int8)
        done: list[Executed] = []
        runner.run([x], [out], done.append)
        macs = sum(executed.work.macs for executed in done)
        seconds[macs] = min(_computed(runner.run, [x], [out]) for _ in range(runs))
    exponent, _ = np.polyfit(np.log(list(seconds)), np.log(list(seconds.values())), 1)
    return Growth(seconds, float(exponent))


def _convolution(size: int) -> bytes:
    """Return the blob of a 3x3 convolution from `size` x `size` x 64 to the same shape."""
    sys.path.insert(0, str(_NETWORKS))
    from tosa_graph import TosaGraph
    from vela_compiler import compile_tosa

    generator = np.random.default_rng(size)
    graph = TosaGraph()
    x = graph.input((1, size, size, 64), "int8")
    weights = generator.integers(-127, 128, (64, 3, 3, 64)).astype(np.int8)
    bias = generator.integers(-1000, 1000, 64)
    sums = graph.conv2d(x, weights, bias, pad=(1, 1, 1, 1))
    graph.output(graph.rescale(sums, "int8", [1 << 30], [43]))
    return compile_tosa(graph.serialize(), "ethos-u55-256")


def _measure(network: str, pte: bytes, tosa: bytes, runs: int, float_model: Callable[[], Any] | None = None) -> Speed:
    import tosa_reference_model

    cold_s, warm_s = _first_runs(pte)
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

    _, output = _timed(simulate, samples(0))
    _, golden = _timed(reference, samples(0))
    # The speed of wrong results does not count.
    if not np.array_equal(output, golden):
        raise Mismatch(f"{network}: the simulator does not compute what the TOSA reference model computes")
    times = []
    for x in map(samples, range(1, runs + 1)):
        float_s = _computed(float_model) if float_model else 0.0
        with _cores("1"):
            one_core = _timed(simulate, x)[0], _computed(simulate, x)
        times.append((_timed(simulate, x)[0], _timed(reference, x)[0], *one_core, float_s))
    simulated_s, reference_s, one_core_s, computed_s, float_s = (min(column) for column in zip(*times, strict=True))
    reference_s -= _parsing_s(tosa, runs)
    macs = simulator.run([samples(0)]).statistics.macs
    speed = Speed(network, macs, runs, cold_s, warm_s, simulated_s, one_core_s, reference_s, reference_s / simulated_s)
    return replace(speed, float_s=float_s, float_ratio=computed_s / float_s) if float_model else speed


def _first_runs(pte: bytes) -> tuple[float, float]:
    """Return the seconds of a process's first inference without and with files of weights."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as folder:
        program = Path(folder, "model.pte")
        program.write_bytes(pte)
        for number in range(3):
            environment = {**os.environ, "PILOTLIGHT_WEIGHT_CACHE": str(Path(folder, f"weights-{number}"))}
            for warm in (False, True):
                command = [sys.executable, str(Path(__file__).with_name("first_run.py")), str(program)]
                run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                seconds[warm].append(float(run.stdout))
    return min(seconds[False]), min(seconds[True])


def _parsing_s(tosa: bytes, runs: int) -> float:
    """Return the seconds in which the reference model parses a graph and makes its tensors.

    It then refuses to run, because the input is missing.
    """
    import tosa_reference_model

    def refused() -> None:
        with contextlib.suppress(ValueError):
            tosa_reference_model.run(tosa, [])
            raise AssertionError("the reference model ran without an input")

    return min(_timed(refused)[0] for _ in range(runs))


def _timed(run: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    output = run(*arguments)
    return time.perf_counter() - start, output


@contextlib.contextmanager
def _cores(number: str) -> Iterator[None]:
    """Let the simulator use this many cores during the block."""
    before = os.environ.get("PILOTLIGHT_SIMULATOR_CORES", "")
    _use_cores(number)
    try:
        yield
    finally:
        _use_cores(before)


def _use_cores(number: str) -> None:
    os.environ["PILOTLIGHT_SIMULATOR_CORES"] = number
    core_count.cache_clear()


def _computed(run: Callable[..., Any], *arguments: Any) -> float:
    """Return the seconds of processor time that this thread used."""
    start = time.thread_time()
    run(*arguments)
    return time.thread_time() - start


def _exported(name: str, inputs: Sequence[Path], export: Callable[[], Any]) -> tuple[bytes, bytes]:
    """Export, and return .pte and TOSA.

    The result is kept until `inputs`, tests/npu/exported.py or the pinned packages change.
    """
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
        tosa.write_bytes(exported.tosa)  # Written last: if it exists, both files are complete.
    return pte.read_bytes(), tosa.read_bytes()


def _export_mobilenet(npu: str) -> Any:
    import torch
    from exported import export
    from mobilenet_v2 import MobileNetV2

    generator = torch.Generator().manual_seed(1)
    samples = [(torch.randn(_SHAPE, generator=generator),) for _ in range(2)]
    return export(MobileNetV2().eval(), samples[0], npu, samples)


def _float_mobilenet() -> Callable[[], Any]:
    """Return a function that runs the network in PyTorch, float32, on one thread."""
    sys.path.insert(0, str(_NETWORKS))
    import torch
    from mobilenet_v2 import MobileNetV2

    torch.set_num_threads(1)
    # Batch norms are folded into the convolutions, as in the NPU's program.
    x = torch.randn(_SHAPE)
    model = torch.jit.optimize_for_inference(torch.jit.trace(MobileNetV2().eval(), x))

    def run() -> Any:
        with torch.no_grad():
            return model(x)

    for _ in range(3):
        run()
    return run


def _export_transformer(npu: str) -> Any:
    import torch
    from exported import export
    from networks import NETWORKS

    module = NETWORKS["transformer"]().eval()
    generator = torch.Generator().manual_seed(9)
    samples = [tuple(torch.randn(tensor.shape, generator=generator) for tensor in module.example) for _ in range(4)]
    return export(module, module.example, npu, samples)


def _export_digits() -> Any:
    return _export_as_a_user("digits", "ethos-u55-128")


def _export_as_a_user(model: str, npu: str) -> Any:
    """Export with Pilotlight, in a process of its own."""
    from exported import Exported

    with tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as folder:
        script = Path(__file__).with_name("export_with_graph.py")
        subprocess.run([sys.executable, str(script), model, npu, folder], check=True)
        return Exported(Path(folder, "model.pte").read_bytes(), Path(folder, "model.tosa").read_bytes())
