# SPDX-License-Identifier: Apache-2.0
"""An exported program on the TOSA reference model, for loops that no list of samples can describe.

A bundle has golden outputs of fixed samples. In a loop, each step's inputs are the last step's
outputs. So the model is compiled again, and must give the bundle's program.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pilotlight.bundle import load_model_info
from pilotlight.errors import ConfigError
from pilotlight.export.model.model_modules import importable
from pilotlight.export.model.steps import Steps
from pilotlight.export.preload import import_upstream, one_thread
from pilotlight.export.report.report import load_report
from pilotlight.export.upstream.noise import NoiseLog
from pilotlight.export_options import ExportOptions

# Inputs of the program -> its outputs, all as the device stores them, in the model's shapes.
Engine = Callable[[Sequence[NDArray[Any]]], Sequence[NDArray[Any]]]


@contextmanager
def golden_engine(bundle: Path, progress: Callable[[str], None] = lambda line: None) -> Iterator[Engine]:
    """Yield an engine that computes the bundle's program as its golden outputs were computed.

    progress: called with one line per step.

    Raises ConfigError if the model file no longer gives the bundle's program, and the errors of an
    export.
    """
    info, report = load_model_info(bundle), load_report(bundle)
    file = Path(info.source)
    options = ExportOptions(
        info.npu,
        info.system_config,
        info.memory_mode,
        float_io=any(tensor.dtype == "float32" for tensor in (*info.inputs, *info.outputs)),
        quantisation=report.recipe or None,
    )
    with tempfile.TemporaryDirectory(prefix="pilotlight-golden-") as folder:
        log = NoiseLog(Path(folder) / "golden.log")
        try:
            steps = Steps(log, progress)
            with steps.step("import"):
                import_upstream()
            with one_thread(), importable(file.parent):
                model, pte = _compiled(file, options, steps, Path(folder) / "vela")
                if hashlib.sha256(pte).hexdigest() != info.pte_sha256:
                    raise ConfigError(
                        f"{file} no longer gives the program of {bundle}", hint="west build, then flash again"
                    )
                yield _engine(model, steps)
        finally:
            log.close()


def _compiled(file: Path, options: ExportOptions, steps: Steps, work: Path) -> tuple[Any, bytes]:
    from pilotlight.export.compiled import compile_model
    from pilotlight.export.lowering.emit import emit

    model = compile_model(file, options, steps, work)
    with steps.step("emit"):
        return model, emit(model.attempt.lowered, model.ties)


def _engine(model: Any, steps: Steps) -> Engine:
    import torch

    from pilotlight.export.golden.golden import GoldenModel

    golden = GoldenModel(model.attempt.lowered, sequence=model.spec.sequence)

    def run(inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        with steps.step("golden"):
            return [value.numpy() for value in golden([torch.from_numpy(value.copy()) for value in inputs])]

    return run
