# SPDX-License-Identifier: Apache-2.0
"""Streams of one operation whose registers are set at random, around an operation that works.

Register numbers are the architecture's, written out. A state begins with small NHWC feature maps
that fit their regions. Then a few registers get other values, some of them likely to be right and
some of them arbitrary.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from program_writer import long, word

from pilotlight.npu_names import family_of

REGION_BYTES = {0: 4096, 1: 8192, 2: 2048}
# ethos-u65-512 is listed twice. It has two cores, so it has the most cases that can go wrong.
CONFIGURATIONS = ("ethos-u55-32", "ethos-u55-128", "ethos-u65-256", "ethos-u65-512", "ethos-u65-512")
_CONV, _DEPTHWISE, _POOL, _ELEMENTWISE, _DMA = 0x002, 0x003, 0x005, 0x006, 0x010
_OPERATIONS = ((_CONV, (0,)), (_DEPTHWISE, (0,)), (_POOL, (0, 1, 2)), (_ELEMENTWISE, tuple(range(10))), (_DMA, (0,)))
_EDGES = (0, 1, 2, 3, 15, 16, 17, 63, 255, 4095, 0x7FFF, 0x8000, 0xFFFF)
_FAR = (0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF0, 0xFFFF_FFFF)


@dataclass
class State:
    """settings, longs: registers without and with a payload, by opcode."""

    configuration: str
    operation: int
    parameter: int
    settings: dict[int, int]
    longs: dict[int, int]

    def stream(self) -> bytes:
        words = [word(opcode, value) for opcode, value in self.settings.items()]
        words += [long(opcode, value & 0xFFFF_FFFF, value >> 32 & 0xFF) for opcode, value in self.longs.items()]
        return b"".join(words) + word(self.operation, self.parameter) + word(0, 0xFFFF)


def states(count: int, seed: int) -> Iterator[State]:
    chance = random.Random(seed)
    for _ in range(count):
        state = _working(chance)
        for _ in range(chance.choice((0, 1, 1, 2, 3, 6))):
            _change(state, chance)
        yield state


def _working(chance: random.Random) -> State:
    configuration = chance.choice(CONFIGURATIONS)
    operation, parameters = chance.choice(_OPERATIONS)
    height, width = chance.randint(1, 6), chance.randint(1, 6)
    depth = chance.choice((1, 1, 2, 3, 8, 16, 17))
    ifm_depth = chance.choice((1, 2, 3, 8)) if operation == _CONV else depth
    kernel_y, kernel_x = (chance.randint(1, 3), chance.randint(1, 3)) if operation <= _POOL else (1, 1)
    settings = {0x105: 0x0001, 0x114: 0x0101, 0x185: 0x0001, 0x107: 0, 0x122: 0, 0x124: 0, 0x125: 0}
    settings |= {0x126: -128, 0x127: 127, 0x128: 0, 0x129: 0, 0x12D: 0, 0x12F: 0, 0x180: 0, 0x181: 1}
    settings |= {0x130: 0, 0x131: 1, 0x120: kernel_x - 1, 0x121: kernel_y - 1, 0x115: 3, 0x116: 3, 0x117: 15}
    settings |= dict.fromkeys((0x100, 0x101, 0x102, 0x103, 0x109, 0x118, 0x189, 0x10D, 0x18D), 0)
    longs = {0x024: 1, 0x025: 1, 0x026: 1, 0x030: 0, 0x031: 16 * chance.randint(0, 9), 0x032: 16 * chance.randint(1, 9)}
    maps = ((0x100, 0x00, height + kernel_y - 1, width + kernel_x - 1, ifm_depth), (0x110, 0x10, height, width, depth))
    maps += ((0x180, 0x80, height, width, depth),)
    for setting, group, rows, columns, channels in maps:
        settings |= {setting + 0xF: chance.choice((1, 1, 2)), setting + 0xA: columns - 1}
        settings |= {setting + 0xB: rows - 1, setting + 0xC: rows - 1}
        base = 16 * chance.randint(0, 12)
        longs |= {group: base, group + 1: 0, group + 2: 0, group + 3: 0}
        longs |= {group + 4: channels, group + 5: channels * columns, group + 6: 16 * columns}
    settings |= {0x104: ifm_depth - 1, 0x111: width - 1, 0x112: height - 1, 0x113: depth - 1}
    longs |= {0x020: 0, 0x021: 16 * chance.randint(1, 8), 0x022: 1024, 0x023: 10 * depth}
    if family_of(configuration).name == "ethos-u65":
        settings |= {0x123: chance.choice((0, 1, 1)), 0x132: 0, 0x133: 0}
        longs |= {0x090: 512, 0x091: 16 * chance.randint(0, 4), 0x092: 2048, 0x093: 10 * depth, 0x033: 0, 0x034: 0}
        if depth == 1:  # The second core is idle; its registers may be left from another program.
            longs |= {0x090: chance.choice((0, 4000, 4096)), 0x091: chance.choice((0, 0, 96, 112))}
            longs |= {0x092: chance.choice((0, 4080, 4096)), 0x093: chance.choice((0, 0, 10, 20))}
    return State(configuration, operation, chance.choice(parameters), settings, longs)


def _change(state: State, chance: random.Random) -> None:
    registers = state.settings if chance.random() < 0.4 else state.longs
    opcode = chance.choice(sorted(registers))
    now, wide = registers[opcode], registers is state.longs
    kind = chance.randrange(5)
    if kind == 0:
        registers[opcode] = now ^ 1 << chance.randrange(32 if wide else 16)
    elif kind == 1:
        registers[opcode] = now + chance.choice((-16, -1, 1, 16, 256))
    elif kind == 2:
        registers[opcode] = chance.choice((*_EDGES, *_FAR) if wide else _EDGES)
    elif kind == 3:
        registers[opcode] = chance.choice((4096, 8192, 2048)) - chance.randint(0, 64) if wide else chance.randint(0, 7)
    else:
        del registers[opcode]
