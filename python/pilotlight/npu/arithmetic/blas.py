# SPDX-License-Identifier: Apache-2.0
"""Limits BLAS to one thread while the NPU runs.

The matrices are small, so a second thread saves little on an idle machine. On a busy machine the
threads wait for each other in a busy loop. This made MobileNetV2 ten times slower.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _libraries() -> tuple[Any, ...]:
    return tuple(library for library in ThreadpoolController().lib_controllers if library.user_api == "blas")


class OneBlasThread:
    """Limits BLAS to one thread during a block. threadpoolctl's own takes 7 instead of 4 us."""

    def __init__(self) -> None:
        self._earlier: list[tuple[Any, int]] = []

    def __enter__(self) -> None:
        counts = [(library, library.get_num_threads()) for library in _libraries()]
        self._earlier = [(library, count) for library, count in counts if count != 1]
        for library, _ in self._earlier:
            library.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        for library, count in self._earlier:
            library.set_num_threads(count)
