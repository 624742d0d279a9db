# SPDX-License-Identifier: Apache-2.0
"""Flash of delegate, driver and stream verifier, for the NPU products of an image.

Built for Cortex-M55 with -Os, with messages, once for each product and once for all of them.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from images import BENCH
from runtime_footprint import SECTIONS, TOOLCHAIN, call

from pilotlight.codegen.npu_products import product_list
from pilotlight.elf.linker_map import parse_map
from pilotlight.npu_names import FAMILIES
from pilotlight.paths import ROOT

_SOURCE = ROOT / "tests" / "unit" / "firmware" / "ethos_u" / "footprint"
_DRIVER = re.compile(r"libpilotlight_ethos_u\.a\((\w+)\.")
# Objects of the verifier, with the tables of products, which are mostly about commands.
_OF_THE_VERIFIER = re.compile(r"command_|stream_|operand_geometry|region_access|npu_product|all_products")


@dataclass(frozen=True)
class DriverFootprint:
    """Bytes of .text and .rodata of an image for some NPUs.

    verifier: the check of command streams, with the tables of products. driver: the rest, with the
        delegate.
    """

    npus: str
    verifier: int
    driver: int


def driver_footprints() -> list[DriverFootprint]:
    """Build the images and return their sizes. Raises BuildFailed."""
    families = {name: [number] for number, name in enumerate(FAMILIES)}
    return [_measure(name, numbers) for name, numbers in families.items()] + [_measure("all", [])]


def _measure(npus: str, products: list[int]) -> DriverFootprint:
    folder = BENCH / f"driver-{npus}"
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "products.cpp"
    source.write_text(product_list(products), encoding="utf-8")
    call(
        [
            *("cmake", "-G", "Ninja", "-S", str(_SOURCE), "-B", str(folder)),
            *(f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}", f"-DPILOTLIGHT_PYTHON={sys.executable}"),
            f"-DPRODUCTS={source if products else ''}",
        ]
    )
    call(["cmake", "--build", str(folder), "--target", "footprint"])
    sections = parse_map((folder / "footprint.map").read_text(encoding="utf-8"))
    verifier = driver = 0
    for section in SECTIONS:
        for piece in sections[section].pieces():
            if found := _DRIVER.search(piece.path):
                if _OF_THE_VERIFIER.match(found[1]):
                    verifier += piece.size
                else:
                    driver += piece.size
    return DriverFootprint(npus, verifier, driver)
