# SPDX-License-Identifier: Apache-2.0
"""A fake device that runs the model of the fixtures' build folder.

The device answers with the first ten input bytes, reversed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pilotlight.bundle import TensorInfo, expectations_sha256, load_model_info
from pilotlight.check import CheckReport, Target, run_check
from pilotlight.link.answers import TensorDescription
from pilotlight.link.fake import FakeDevice, Faults

BUILD_ID = "0123456789abcdef"
PTE = b"the program"
SAMPLES = 12
INPUT = TensorInfo("x", "int8", (1, 1, 8, 8), 0.5, -3)
OUTPUT = TensorInfo("y", "int8", (1, 10), 0.25, 7)


def record_expectations(build_dir: Path) -> None:
    """Record the bundle's expectations, as a build with the present bundle would."""
    path = build_dir / "build_info.json"
    info = json.loads(path.read_text())
    info["models"][0]["expectations"] = expectations_sha256(build_dir / "bundles" / "fake")
    path.write_text(json.dumps(info))


@dataclass
class Bench:
    """Runs a check on a fake device with given faults.

    obituary: the reason that the device's supervisor would report.
    """

    build_dir: Path
    obituary: str = ""
    device: FakeDevice | None = None

    def described(self, side: str) -> list[TensorDescription]:
        """Return the inputs or outputs as an image of this build describes them."""
        tensor = {"input": INPUT, "output": OUTPUT}[side]
        size_bytes = int(np.prod(tensor.shape))
        return [TensorDescription(tensor.name, tensor.dtype, tensor.shape, tensor.scale, tensor.zero_point, size_bytes)]

    @property
    def bundle(self) -> Path:
        return self.build_dir / "bundles" / "fake"

    def describe(self, **changes: Any) -> None:
        """Replace fields of model.json, and record the bundle as the build's."""
        replace(load_model_info(self.bundle), **changes).save(self.bundle)
        record_expectations(self.build_dir)

    def check(self, *, samples: int | None = None, retries: int = 0, **settings: Any) -> CheckReport:
        faults = Faults(**{key: settings.pop(key) for key in list(settings) if key in Faults.__dataclass_fields__})
        tensors = {"inputs": self.described("input"), "outputs": self.described("output")}
        values = {"pte": PTE, "build_id": BUILD_ID, **tensors, **settings}
        self.device = FakeDevice(lambda inputs: [inputs[0][9::-1]], faults=faults, **values)
        target = Target(self.device, lambda: self.obituary)
        return run_check(
            self.build_dir, samples=samples, retries=retries, run_timeout_s=0.01, connect=lambda *_: target
        )

    def latest(self) -> dict[str, Any]:
        latest: dict[str, Any] = json.loads((self.build_dir / "check" / "latest.json").read_text())
        return latest


Rewrite = Callable[..., None]
