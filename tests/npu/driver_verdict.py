# SPDX-License-Identifier: Apache-2.0
"""The firmware driver's verdict on programs. The driver's own sources are compiled for the host."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pilotlight.npu.stream.configurations import CONFIGURATIONS, Configuration
from pilotlight.npu.stream.firmware_tables import write_tables
from pilotlight.npu.stream.isa import Product
from pilotlight.npu.stream.products import PRODUCTS

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bounded

ROOT = Path(__file__).parents[2]
SOURCES = (
    "blob",
    "command_registers",
    "command_stream_0",
    "command_stream_1",
    "failure",
    "npu_product",
    "operand_geometry",
    "payload",
    "program",
    "region_access",
)
_REGIONS = 8
_LIMIT_S = 300

# From failure.h.
IFM2_CHANNEL = 16
BAD_BLOB, BAD_COMMAND, BAD_ACCESS, MISSING_REGION = "bad blob", "bad command", "bad access", "missing region"


@dataclass(frozen=True)
class Verdict:
    """Whether the driver accepted the program, and if not, why.

    at: byte offset of the refused command.
    begin, end: the bytes of `region` that `channel` would access.
    """

    accepted: bool
    used_regions: int = 0
    status: int = 0
    at: int = 0
    channel: int = 0
    region: int = 0
    begin: int = 0
    end: int = 0
    text: str = ""

    @property
    def is_access(self) -> bool:
        return self.end > self.begin


@dataclass(frozen=True)
class StreamRequest:
    configuration: Configuration
    sizes: Mapping[int, int]
    stream: bytes

    def encoded(self) -> bytes:
        sizes = (self.sizes.get(region, 0) for region in range(_REGIONS))
        words = (ord("s"), self.configuration.config_word, self.configuration.id_word, *sizes, len(self.stream))
        return struct.pack(f"<{len(words)}I", *words) + self.stream


@dataclass(frozen=True)
class BlobRequest:
    configuration: Configuration
    blob: bytes
    fast_scratch_bytes: int = 0

    def encoded(self) -> bytes:
        npu = self.configuration
        words = (ord("b"), npu.config_word, npu.id_word, self.fast_scratch_bytes, len(self.blob))
        return struct.pack(f"<{len(words)}I", *words) + self.blob


class Judge:
    """The driver's verification as a host program with sanitizers, built in `folder`.

    Raises RuntimeError when it does not build, or when it ends with an error.
    """

    def __init__(
        self,
        folder: Path,
        driver: Path = ROOT / "firmware" / "ethos_u",
        products: Iterable[Product] = PRODUCTS,
        configurations: Iterable[Configuration] = tuple(CONFIGURATIONS.values()),
    ) -> None:
        self._program = folder / "judge"
        write_tables(folder, products, configurations)
        build = bounded.run(
            [
                *("c++", "-std=c++17", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
                *("-I", str(driver / "include"), "-I", str(ROOT / "firmware" / "base" / "include")),
                *("-I", str(ROOT / "firmware" / "platform" / "include"), "-I", str(driver)),
                *("-o", str(self._program)),
                str(Path(__file__).parent / "driver" / "judge.cpp"),
                *(str(driver / f"{name}.cpp") for name in SOURCES),
                *(str(folder / f"{name}.cpp") for name in ("npu_products", "all_products")),
            ],
            _LIMIT_S,
            capture_output=True,
            text=True,
        )
        if build.returncode:
            raise RuntimeError(build.stderr[-4000:])

    def judge(self, requests: Iterable[StreamRequest | BlobRequest]) -> list[Verdict]:
        encoded = b"".join(request.encoded() for request in requests)
        run = bounded.run([str(self._program)], _LIMIT_S, input=encoded, capture_output=True)
        if run.returncode:
            raise RuntimeError(run.stderr.decode(errors="replace")[-4000:])
        return [_verdict(line) for line in run.stdout.decode().splitlines()]


def _verdict(line: str) -> Verdict:
    if line.startswith("ok "):
        return Verdict(True, used_regions=int(line[3:]))
    status, _, at, channel, region, begin, end, text = line.split(" ", 7)
    return Verdict(False, 0, int(status), int(at), int(channel), int(region), int(begin), int(end), text)
