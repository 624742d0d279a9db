# SPDX-License-Identifier: Apache-2.0
"""Exported models, made once per session, because an export takes some ten seconds."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

# A test in a folder without __init__.py imports its neighbours by name.
sys.path.insert(0, str(Path(__file__).parent))

from exported import Exported, export

NPU = "ethos-u55-128"


@cache
def _network(name: str) -> Exported:
    import torch
    from networks import NETWORKS

    module = NETWORKS[name]().eval()
    generator = torch.Generator().manual_seed(9)
    samples = [tuple(torch.randn(tensor.shape, generator=generator) for tensor in module.example) for _ in range(4)]
    return export(module, module.example, NPU, samples)


@pytest.fixture(scope="session")
def exported_network() -> Callable[[str], Exported]:
    return _network


@cache
def _compile(tosa: bytes, npu: str, options: tuple[str, ...]) -> bytes:
    from executorch.backends.arm.arm_vela import vela_compile

    with contextlib.redirect_stdout(io.StringIO()):
        result = vela_compile(tosa, [f"--accelerator-config={npu}", "--output-format=raw", *options])
    return bytes(result.processed_bytes)


@pytest.fixture(scope="session")
def compile_tosa() -> Callable[..., bytes]:
    """Return a function (tosa, npu, *options) -> delegate blob, which runs only Vela."""
    return lambda tosa, npu, *options: _compile(tosa, npu, options)
