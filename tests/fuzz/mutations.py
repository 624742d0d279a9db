# SPDX-License-Identifier: Apache-2.0
"""Lists of mutations that follow the structure of the file.

    python tests/fuzz/mutations.py --count 100000 --seed 1 --out cases.bin FILE...

First, each number of each file (layout.py) is set to each of its boundary values. The files take
turns until two thirds of `count` are used or all values are tried. The rest of the list changes two
or three numbers at a time, at random. FILE is a .pte or an Ethos-U blob.

replay.cpp reads the list. It is little endian:

    "PLM1"
    u16 bases; per base: u16 length, path
    u32 cases; per case: u16 base, u8 edits; per edit: u32 offset, u8 width, u64 value
"""

from __future__ import annotations

import argparse
import itertools
import random
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/firmware/executorch"))

from layout import Schema, Site, Walk, blob_sites, program_schema

Edit = tuple[int, int, int]

_MEMORY_OFFSET = "AllocationDetails.memory_offset_low"

# Values that are special in any field.
_SMALL = (0, 1, 2, 3, 7, 8, 16, 64, 127, 128, 255)
_WIDE = (256, 1000, 0x7FFF, 0x8000, 0xFFFF, 1 << 16, 1 << 24, 1 << 28)
_EDGES_32 = (0x3FFFFFFF, 0x40000000, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)
_EDGES_64 = (1 << 32, (1 << 32) + 1, (1 << 62), (1 << 63) - 1, 1 << 63, (1 << 64) - 128, (1 << 64) - 16, (1 << 64) - 1)


class Base:
    """One file, its sites, and the values that each site may be set to."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self.path = path
        self._data = path.read_bytes()
        if self._data[4:8] == b"ET12":
            walk = Walk(self._data, schema)
            self.sites, self._targets = walk.sites, sorted(walk.targets)
        else:
            self.sites, self._targets = blob_sites(self._data), []
        self._of_kind: dict[str, set[int]] = {}
        for site in self.sites:
            self._of_kind.setdefault(site.kind, set()).add(self.value(site))
        # Lengths of lists: an index that equals one of them is one too large.
        self._counts = sorted(self._of_kind.get("count", set()))[:24]

    def value(self, site: Site) -> int:
        return int.from_bytes(self._data[site.at : site.at + site.width], "little")

    def candidates(self, site: Site) -> list[int]:
        """Return all values to try at a site, without its present value."""
        now = self.value(site)
        found = {*_SMALL, now + 1, now - 1, now * 2, now // 2, now + 4, now - 4, now ^ 0x80}
        found |= {(1 << 8 * site.width) - 1, 1 << (8 * site.width - 1), (1 << (8 * site.width - 1)) - 1}
        if site.width >= 2:
            found |= {*_WIDE}
        if site.width >= 4:
            found |= {*_EDGES_32, len(self._data) - site.at, len(self._data), len(self._data) - 1, now | 0x80000000}
        if site.width == 8:
            found |= {*_EDGES_64, now + (1 << 32), (1 << 64) - now, (1 << 32) - now}
        if site.kind == "offset":
            # The offset then points to another table or vector, to itself, or to a place before
            # itself.
            near = sorted(self._targets, key=lambda target: abs(target - site.at - now))[:12]
            found |= {target - site.at for target in near}
        elif site.kind not in ("slot", "text", "blob.command"):
            found |= set(self._counts)
        found |= set(itertools.islice(sorted(self._of_kind[site.kind]), 8))
        limit = 1 << (8 * site.width)
        return sorted({value % limit for value in found} - {now})


def single(base: Base, rng: random.Random) -> Iterator[tuple[Edit, ...]]:
    """Yield each value of each site once, in random order."""
    edits = [(site.at, site.width, value) for site in base.sites for value in base.candidates(site)]
    rng.shuffle(edits)
    for edit in edits:
        yield (edit,)


def combined(base: Base, rng: random.Random) -> tuple[Edit, ...]:
    """Return a change of two or three sites, which are mostly near each other."""
    first = rng.randrange(len(base.sites))
    picked = {first}
    for _ in range(rng.choice((1, 1, 2))):
        near = first + rng.randint(-6, 6) if rng.random() < 0.6 else rng.randrange(len(base.sites))
        picked.add(near % len(base.sites))
    edits = []
    for index in picked:
        site = base.sites[index]
        edits.append((site.at, site.width, rng.choice(base.candidates(site))))
    return tuple(edits)


def mutations(bases: Sequence[Base], count: int, seed: int) -> Iterator[tuple[int, tuple[Edit, ...]]]:
    """Yield `count` mutations as (index of the base, edits).

    At least a third of the mutations change several numbers.
    """
    rng = random.Random(seed)
    open_ended = [(index, single(base, rng)) for index, base in enumerate(bases)]
    left = count
    while open_ended and left > count // 3:
        for entry in list(open_ended):
            edits = next(entry[1], None)
            if edits is None:
                open_ended.remove(entry)
            elif left > 0:
                left -= 1
                yield entry[0], edits
    for _ in range(left):
        index = rng.randrange(len(bases))
        yield index, combined(bases[index], rng)


def overlaps(bases: Sequence[Base]) -> Iterator[tuple[int, tuple[Edit, ...]]]:
    """Yield mutations that move one planned tensor onto another.

    Each tensor of a pair is moved to the start of the other one, and to 8 bytes after that.
    """
    for index, base in enumerate(bases):
        planned = [site for site in base.sites if site.kind == _MEMORY_OFFSET]
        for site, other, step in itertools.product(planned, planned, (0, 8)):
            place = base.value(other) + step
            if place != base.value(site):
                yield index, ((site.at, site.width, place),)


def write(files: Sequence[Path], count: int, seed: int, out: Path) -> None:
    bases = _bases(files)
    _write(bases, list(mutations(bases, count, seed)), out)


def write_overlaps(files: Sequence[Path], out: Path) -> int:
    """Write the list of all overlaps of planned tensors. Return how many there are."""
    bases = _bases(files)
    found = list(overlaps(bases))
    _write(bases, found, out)
    return len(found)


def _bases(files: Sequence[Path]) -> list[Base]:
    schema = program_schema()
    return [Base(file, schema) for file in files]


def _write(bases: Sequence[Base], cases: Sequence[tuple[int, tuple[Edit, ...]]], out: Path) -> None:
    packed = bytearray(b"PLM1" + struct.pack("<H", len(bases)))
    for base in bases:
        path = str(base.path).encode()
        packed += struct.pack("<H", len(path)) + path
    packed += struct.pack("<I", len(cases))
    for index, edits in cases:
        packed += struct.pack("<HB", index, len(edits))
        for edit in edits:
            packed += struct.pack("<IBQ", *edit)
    out.write_bytes(packed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("files", type=Path, nargs="+")
    arguments = parser.parse_args()
    write(arguments.files, arguments.count, arguments.seed, arguments.out)


if __name__ == "__main__":
    main()
