# SPDX-License-Identifier: Apache-2.0
"""The time of a lowering, with the speedups of the exporter and with ExecuTorch as it is.

Both lower the same quantised program, in turns in one process, and both figures are processor time.
The two programs must have the same bytes.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilotlight.errors import Mismatch
from pilotlight.model_spec import ModelSpec
from pilotlight.paths import ROOT

_ZOO = ROOT / "tests" / "zoo" / "models"
_NPU = "ethos-u55-256"


@dataclass(frozen=True)
class Lowering:
    """Processor time in seconds: the shortest of all rounds."""

    network: str
    quick_s: float
    alone_s: float

    @property
    def ratio(self) -> float:
        return self.quick_s / self.alone_s


@dataclass(frozen=True)
class Network:
    """goal: at most this share of upstream's own time. package: what the network comes from."""

    name: str
    spec: Callable[[], ModelSpec]
    goal: float = 0.4
    rounds: int = 2
    package: str = ""

    @property
    def is_available(self) -> bool:
        return not self.package or importlib.util.find_spec(self.package) is not None


def networks() -> list[Network]:
    """Return the networks, small ones first."""
    return [
        Network("ViT layer", _vit_layer),
        Network("KWT-1 layer", _kwt_layer),
        Network("Conformer block", lambda: _zoo("conformer")),
        Network("Llama, two layers", lambda: _zoo("tiny_llama"), package="transformers"),
        Network("MobileNetV2", lambda: _zoo("mobilenet_v2"), goal=0.7, package="torchvision"),
        Network("ConvNeXt-atto", lambda: _zoo("convnext_atto"), rounds=1, package="timm"),
    ]


def compare(network: Network) -> Lowering:
    """Raises Mismatch if the two programs differ."""
    from pilotlight.export.graph.constants import fold_constants
    from pilotlight.export.lowering import lower
    from pilotlight.export.lowering.emit import emit
    from pilotlight.export.lowering.npu_choice import resolve
    from pilotlight.export.preload import import_upstream, one_thread
    from pilotlight.export.quantising.quantise import capture, quantise
    from pilotlight.export.rewritings.apply import rewrite
    from pilotlight.export.rewritings.softmax import rewrite_softmax

    import_upstream()
    quick = lower.quick_upstream

    @contextmanager
    def speedups(chosen: Any) -> Iterator[None]:
        lower.quick_upstream = chosen
        try:
            yield
        finally:
            lower.quick_upstream = quick

    with one_thread(), tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as folder:
        spec = network.spec()
        captured = capture(spec)
        fold_constants(captured.graph)
        rewrite(captured, spec.calibration)
        rewrite_softmax(captured, spec.calibration)
        compile_spec = lower.compile_spec_for(resolve(_NPU, None, None))
        program = quantise(captured, spec, compile_spec).program
        seconds: dict[str, list[float]] = {"quick": [], "alone": []}
        emitted = set()
        for turn in range(network.rounds):
            for name, chosen in (("quick", quick), ("alone", nullcontext)):
                with speedups(chosen):
                    started = time.process_time()
                    lowered = lower.lower(
                        program,
                        compile_spec,
                        captured.operators,
                        {},
                        float_io=False,
                        work=Path(folder, f"{name}{turn}"),
                    )
                    seconds[name].append(time.process_time() - started)
                emitted.add(emit(lowered))
        if len(emitted) != 1:
            raise Mismatch(f"{network.name}: the speedups change the program")
    return Lowering(network.name, min(seconds["quick"]), min(seconds["alone"]))


def _zoo(name: str) -> ModelSpec:
    from pilotlight.export.model.model_file import load_model

    return load_model(_ZOO / f"{name}.py")


def _kwt_layer() -> ModelSpec:
    sys.path.insert(0, str(_ZOO))
    kwt = importlib.import_module("kwt1")
    samples = kwt.signals(kwt._BANDS, kwt._FRAMES).transpose(1, 2).contiguous()
    spec: ModelSpec = kwt.zoo_spec("kwt_layer", lambda: kwt.KeywordTransformer(depth=1), samples)
    return spec


def _vit_layer() -> ModelSpec:
    """A vision transformer of one layer: 16 patches of 8 x 8 pixels, width 64, four heads."""
    import torch
    from torch import nn

    class VisionTransformer(nn.Module):
        def __init__(self, width: int = 64, patches: int = 16, classes: int = 10) -> None:
            super().__init__()
            self.patches = nn.Conv2d(3, width, 8, 8)
            self.answer = nn.Parameter(torch.randn(1, 1, width))
            self.position = nn.Parameter(torch.randn(1, patches + 1, width))
            self.layer = nn.TransformerEncoderLayer(
                width, 4, 4 * width, 0.0, nn.functional.gelu, batch_first=True, norm_first=True
            )
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            patches = self.patches(x).flatten(2).transpose(1, 2)
            tokens = torch.cat([self.answer.expand(x.shape[0], -1, -1), patches], 1)
            return self.head(self.norm(self.layer(tokens + self.position))[:, 0])

    torch.manual_seed(0)
    samples = [(torch.randn(1, 3, 32, 32),) for _ in range(4)]
    return ModelSpec("vit_layer", VisionTransformer().eval(), samples[0], samples)
