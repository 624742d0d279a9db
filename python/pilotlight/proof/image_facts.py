# SPDX-License-Identifier: Apache-2.0
"""Reads an image's models, operators, backends and NPU memory."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from pilotlight.elf import Image, Symbol
from pilotlight.errors import NotProved
from pilotlight.pte.schema import SCALAR_TYPES

# Tables that pilotlight.kernels.registration writes.
_KERNEL_TABLE = "kernels_of_this_image"
_DTYPES_TABLE = "operators_of_this_image"
_KERNEL_WORDS = 3  # Kernel of operator_registry.h: name, key, function.

# Vtables of the classes that implement backends. An image that can create a backend has its vtable.
BACKEND_VTABLES = {"EthosUBackend": "_ZTVN10pilotlight7ethos_u13EthosUBackendE"}

_SHA256_BYTES = 32

# The part of the symbols of planned buffers and scratch after the model's name.
_ARENA = re.compile(r"_planned_\d+|_temp_pool")


@dataclass(frozen=True)
class EmbeddedModel:
    """A descriptor (firmware/model/include/pilotlight/model/descriptor.h) and its program."""

    name: str
    pte: bytes
    described_sha256: str
    npu: str
    pte_address: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.pte).hexdigest()


def registered_operators(image: Image) -> dict[str, frozenset[str]]:
    """Return the operators in the registry's table that have code, each with its dtypes."""
    dtypes = _dtypes(image)
    registered: dict[str, frozenset[str]] = {}
    step = _KERNEL_WORDS * image.pointer_bytes
    for table in _objects(image, _KERNEL_TABLE):
        for entry in range(table.address, table.address + table.size_bytes, step):
            name = _string(image, _word(image, entry))
            if name and image.is_code(_word(image, entry + step - image.pointer_bytes)):
                registered[name] = dtypes.get(name, frozenset())
    return registered


def _dtypes(image: Image) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    step = 2 * image.pointer_bytes
    for table in _objects(image, _DTYPES_TABLE):
        for entry in range(table.address, table.address + table.size_bytes, step):
            bits = int.from_bytes(_read(image, entry + image.pointer_bytes, 4), "little")
            name = _string(image, _word(image, entry))
            found[name] = frozenset(dtype for number, (dtype, _) in SCALAR_TYPES.items() if bits >> number & 1)
    return found


def has_backend(image: Image, name: str) -> bool:
    """Whether the image contains the backend's class."""
    vtable = BACKEND_VTABLES.get(name)
    return vtable is not None and image.symbol(vtable) is not None


def embedded_model(image: Image, name: str) -> EmbeddedModel:
    """Return the model with this name. Raises NotProved if the image has none."""
    descriptor = image.symbol(f"pilotlight_model_{name}")
    if descriptor is None:
        raise NotProved(
            f"{image.path} embeds no model {name}",
            hint="call pilotlight_open() with its descriptor; the linker drops unused models",
        )
    word = image.pointer_bytes
    at = descriptor.address
    size_bytes = int.from_bytes(_read(image, at + 2 * word, 4), "little")
    sha = at + 2 * word + 4
    npu = (sha + _SHA256_BYTES + word - 1) // word * word
    return EmbeddedModel(
        name=_string(image, _word(image, at)),
        pte=_read(image, _word(image, at + word), size_bytes),
        described_sha256=_read(image, sha, _SHA256_BYTES).hex(),
        npu=_string(image, _word(image, npu)),
        pte_address=_word(image, at + word),
    )


@dataclass(frozen=True)
class Placed:
    """Memory that the NPU accesses. what: "program" or "arena"."""

    what: str
    section: str
    begin: int
    end: int


def npu_memory(image: Image, model: EmbeddedModel) -> list[Placed]:
    """Return the places of a model's program, planned buffers and scratch.

    Their symbols come from codegen/templates/model.S.jinja.
    """
    begin = model.pte_address
    found = [Placed("program", _section_name(image, begin), begin, begin + len(model.pte))]
    prefix = f"pilotlight_model_{model.name}"
    for symbol in image.symbols:
        if symbol.name.startswith(prefix) and _ARENA.fullmatch(symbol.name.removeprefix(prefix)):
            section = _section_name(image, symbol.address)
            found.append(Placed("arena", section, symbol.address, symbol.address + max(symbol.size_bytes, 1)))
    return found


def _objects(image: Image, part: str) -> list[Symbol]:
    """Return the objects whose (mangled) name contains `part`."""
    return [symbol for symbol in image.symbols if symbol.is_object and part in symbol.name]


def _section_name(image: Image, address: int) -> str:
    section = image.section_at(address)
    return section.name if section else ""


def _read(image: Image, address: int, size_bytes: int) -> bytes:
    """Return the bytes at `address`. Raises NotProved if the file has none there."""
    content = image.read(address, size_bytes)
    if content is None:
        raise NotProved(f"{image.path}: no content at {address:#x}", hint="build the image again, in an empty folder")
    return content


def _word(image: Image, address: int) -> int:
    """Return the pointer at `address`."""
    return int.from_bytes(_read(image, address, image.pointer_bytes), "little")


def _string(image: Image, address: int) -> str:
    """Return the NUL-terminated text at `address`; "" for a null pointer."""
    if address == 0:
        return ""
    text = b""
    while not text.endswith(b"\0"):
        text += _read(image, address + len(text), 1)
    return text[:-1].decode("utf-8", "replace")
