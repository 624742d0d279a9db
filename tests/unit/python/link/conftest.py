# SPDX-License-Identifier: Apache-2.0
"""A fake device that answers with its input reversed, and a session over it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pilotlight.link.answers import TensorDescription
from pilotlight.link.fake import FakeDevice, Faults

SIZE = 2500


@pytest.fixture
def device() -> Callable[..., FakeDevice]:
    def build(**settings: object) -> FakeDevice:
        faults = Faults(**{k: settings.pop(k) for k in list(settings) if k in Faults.__dataclass_fields__})  # type: ignore[arg-type]
        tensor = TensorDescription("x", "int8", (50, 50), 0.5, -3, SIZE)
        return FakeDevice(lambda inputs: [inputs[0][::-1]], [tensor], [tensor], faults=faults, **settings)  # type: ignore[arg-type]

    return build
