# SPDX-License-Identifier: Apache-2.0
"""Flash and RAM of an image by component, from the linker's map and the ELF.

A component is an archive or an object folder; what the linker dropped does not count. Code is `.text`
plus `.rodata` (and unwind tables, of which there should be none); the embedded model is not code.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from elftools.elf.elffile import ELFFile

# First match wins; the pattern is searched in the object's path as the map prints it.
COMPONENTS = (
    ("runtime core", r"libpilotlight_executorch\.a"),
    ("kernels", r"libpilotlight_kernels\.a|generated/operators"),
    ("delegate", r"libpilotlight_ethos_u\.a\((backend|blob)"),
    ("driver", r"libpilotlight_ethos_u\.a"),
    ("model API", r"libpilotlight_model\.a|pilotlight_linked_models"),
    ("protocol", r"libpilotlight_protocol\.a"),
    ("platform", r"libpilotlight_platform\.a|firmware/platform"),
    ("app", r"firmware/apps|libpilotlight_app"),
    (
        "C and C++ library",
        r"/lib(c|c_nano|m|gcc|stdc\+\+|stdc\+\+_nano|supc\+\+|nosys|rdimon)[^/]*\.a|crt[0in]|crtbegin|crtend",
    ),
)

_SECTION = re.compile(
    r"^ (?P<name>\.[\w.$:*-]+)\s+(?P<address>0x[0-9a-f]+)\s+(?P<size>0x[0-9a-f]+) (?P<object>\S.*)$", re.MULTILINE
)
_CODE = re.compile(r"^\.(text|rodata|ARM|init|fini|vectors|preinit_array|init_array)")
_DATA = re.compile(r"^\.(data|bss|noinit|COMMON)")


def _input_sections(linker_map: str) -> list[tuple[str, int, str]]:
    """Return (input section, bytes, object) of everything placed; discarded input is listed before the mark."""
    _, _, placed = linker_map.partition("Linker script and memory map")
    joined = re.sub(r"\n {10,}(?=0x)", " ", placed)  # Long names push address and size to the next line.
    return [
        (match["name"], int(match["size"], 16), match["object"])
        for match in _SECTION.finditer(joined)
        if int(match["address"], 16)
    ]


def _component(path: str) -> str:
    return next((name for name, pattern in COMPONENTS if re.search(pattern, path)), "other")


def by_component(linker_map: Path) -> dict[str, dict[str, int]]:
    """Return {component: {"code": bytes, "ram": bytes}} of an image."""
    code: Counter[str] = Counter()
    ram: Counter[str] = Counter()
    for name, size, path in _input_sections(linker_map.read_text(encoding="utf-8")):
        if _CODE.match(name):
            code[_component(path)] += size
        elif _DATA.match(name):
            ram[_component(path)] += size
    return {name: {"code": code[name], "ram": ram[name]} for name in sorted(code | ram, key=lambda n: -code[n])}


def sections(elf: Path) -> dict[str, int]:
    """Return the size in bytes of every allocated output section."""
    with elf.open("rb") as file:
        return {s.name: s["sh_size"] for s in ELFFile(file).iter_sections() if s["sh_flags"] & 2 and s["sh_size"]}
