# SPDX-License-Identifier: Apache-2.0
"""Limits BLAS to one thread while the NPU runs.

The matrices are small, so a second thread saves little on an idle machine. On a busy machine the
threads wait for each other in a busy loop. This made MobileNetV2 ten times slower.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _controller() -> Any:
    return ThreadpoolController()


def single_threaded() -> AbstractContextManager[Any]:
    limit: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limit
