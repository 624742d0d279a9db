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
    """settings, longs: registers without and with a payload, by opcode.

    before: an operation that precedes this one in the stream.
    """

    configuration: str
    operation: int
    parameter: int
    settings: dict[int, int]
    longs: dict[int, int]
    before: State | None = None

    def stream(self) -> bytes:
        return self._commands() + word(0, 0xFFFF)

    def _commands(self) -> bytes:
        before = b"" if self.before is None else self.before._commands()
        words = [word(opcode, value) for opcode, value in self.settings.items()]
        words += [long(opcode, value & 0xFFFF_FFFF, value >> 32 & 0xFF) for opcode, value in self.longs.items()]
        return before + b"".join(words) + word(self.operation, self.parameter)


def states(count: int, seed: int, *, second_generation: bool = False) -> Iterator[State]:
    chance = random.Random(seed)
    for _ in range(count):
        state = _working_second(chance) if second_generation else _working(chance)
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
    maps = (
        (0x100, 0x00, height + kernel_y - 1, width + kernel_x - 1, ifm_depth),
        (0x110, 0x10, height, width, depth),
        (0x180, 0x80, height, width, depth),
    )
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


# Micro-blocks (ACC_FORMAT) by size of U85.
_MICROBLOCKS = {128: (0, 1), 256: (1, 2, 3), 512: (2, 3), 1024: (2, 3, 4), 2048: (2, 3, 5)}
_RESIZE, _PRODUCT, _NULL_POOL, _REDUCE_SUM = 0x007, 1, 4, 2
_ELEMENTWISE_MODES = (*range(12), *range(16, 20), *range(33, 37), 42)
_SECOND_OPERATIONS = (
    (_CONV, (0, 0, _PRODUCT)),
    (_DEPTHWISE, (0,)),
    (_POOL, tuple(range(8))),
    (_ELEMENTWISE, _ELEMENTWISE_MODES),
    (_RESIZE, (0, 2)),
    (_DMA, (0,)),
)
_TRANSPOSES = {0: (0, 1, 2), 1: (1, 0, 2), 2: (0, 2, 1), 3: (1, 2, 0), 6: (2, 0, 1), 7: (2, 1, 0)}
_SCALAR, _CHAINED, _NO_STORAGE = 8, 2 << 14, 3 << 14
# Bytes of a result by activation function; the index has 8 bits up to 7, then 16.
_TABLES = {1: 1, 4: 1, 5: 2, 7: 4, 8: 2, 9: 4}


def _working_second(chance: random.Random) -> State:
    """Return a state of U85: an operation on small maps, and often one before it."""
    macs = chance.choice(tuple(_MICROBLOCKS))
    operation, parameters = chance.choice(_SECOND_OPERATIONS)
    parameter = chance.choice(parameters)
    shape = (chance.randint(1, 5), chance.randint(1, 5), chance.choice((1, 2, 3, 4, 5, 8, 9, 13, 16, 17)))
    bits = chance.choice((0, 0, 0, 1, 2, 3))  # Logarithm of an element's bytes.
    crosses = operation == _CONV or (operation, parameter) == (_POOL, _REDUCE_SUM)
    ifm_depth = chance.choice((1, 2, 3, 8)) if crosses else shape[2]
    has_kernel = operation in (_CONV, _DEPTHWISE, _POOL) and not (operation == _CONV and parameter == _PRODUCT)
    has_kernel = has_kernel and (operation, parameter) not in ((_POOL, _REDUCE_SUM), (_POOL, _NULL_POOL))
    kernel = (chance.randint(1, 3), chance.randint(1, 3)) if has_kernel else (1, 1)
    ifm = (shape[0] + kernel[0] - 1, shape[1] + kernel[1] - 1, ifm_depth)
    if operation == _RESIZE:  # The kernel's registers have the size of the input.
        kernel = (chance.randint(1, 6), chance.randint(1, 6))
        ifm = (*kernel, shape[2])
    transpose = chance.choice((0, 0, *_TRANSPOSES))
    start = chance.choice((0, 0, 0, 2)) if operation in (_CONV, _DEPTHWISE, _POOL) else 0
    if (operation, parameter) == (_POOL, _NULL_POOL):
        start = 2
    if (operation, parameter) == (_CONV, _PRODUCT):
        start = 0
    broadcast, broadcast2 = 0, 0
    ifm2 = shape
    if operation == _ELEMENTWISE:
        broadcast, broadcast2 = (
            chance.choice((0, 0, chance.randrange(8), _SCALAR)),
            chance.choice((0, 0, chance.randrange(8))),
        )
        if broadcast != _SCALAR and chance.random() < 0.2:
            broadcast2 = _SCALAR
        ifm, ifm2 = (_repeated(shape, mode & 7) for mode in (broadcast, broadcast2))
    elif (operation, parameter) == (_CONV, _PRODUCT):
        ifm2 = (1, shape[2], ifm_depth)
    function = 0
    if chance.random() < 0.2 and (kinds := [kind for kind, size in _TABLES.items() if size == 1 << bits]):
        function = chance.choice(kinds)
    scaled = (
        operation in (_ELEMENTWISE, _RESIZE) or (operation, parameter) == (_CONV, _PRODUCT) or chance.random() < 0.5
    )
    precision = 1 | bits << 2
    settings = {
        0x105: precision | (_NO_STORAGE if broadcast == _SCALAR else 0),
        0x185: precision | (_NO_STORAGE if broadcast2 == _SCALAR else 0),
        0x114: 1 | bits << 1 | scaled << 8 | chance.choice((0, 0, 1, 2, 3)) << 9 | transpose << 11,
        **{0x108: broadcast, 0x180: broadcast2, 0x107: 0, 0x122: 0, 0x126: -128, 0x127: 127, 0x128: 0, 0x129: 0},
        0x124: start << 4 | chance.choice(_MICROBLOCKS[macs]) << 8,
        0x125: function | (chance.randrange(8) << 5 if function in (1, 4) else 0),
        **{0x12A: 0, 0x12B: 0, 0x12C: 0, 0x12D: 0, 0x12F: 0, 0x115: 3, 0x116: 3, 0x117: 15},
        0x12E: chance.choice((0, 0, 1)),
        **{0x120: kernel[1] - 1, 0x121: kernel[0] - 1, 0x104: ifm_depth - 1},
        **{0x111: shape[1] - 1, 0x112: shape[0] - 1, 0x113: shape[2] - 1},
        **dict.fromkeys((0x100, 0x101, 0x102, 0x103, 0x109, 0x118, 0x189), 0),
    }
    longs = {0x024: 1, 0x025: 1, 0x026: 1, 0x027: 5, 0x096: 1 << 32, 0x097: 1 << 32}
    stored = tuple(shape[axis] for axis in _TRANSPOSES[transpose])
    for setting, group, (rows, columns, channels) in ((0x100, 0x00, ifm), (0x110, 0x10, stored), (0x180, 0x80, ifm2)):
        settings |= {setting + 0xF: chance.choice((1, 1, 2)), setting + 0xA: columns - 1}
        settings |= {setting + 0xB: rows - 1, setting + 0xC: rows - 1}
        longs |= {group: 16 * chance.randint(0, 12), group + 1: 0, group + 2: 0, group + 3: 0}
        longs |= {group + 4: channels << bits, group + 5: channels * columns << bits, group + 6: 16 * columns << bits}
        if chance.random() < 0.2:  # NHCWB16
            settings[setting + (4 if group == 0x10 else 5)] |= 1 << 6
            longs |= {group + 4: 16 << bits, group + 5: 16 * columns * -(-channels // 16) << bits}
    longs |= {0x022: 1024, 0x023: 10 * shape[2], 0x020: 0, 0x021: 16 * chance.randint(1, 8)}
    for decoder in range(3):  # An idle decoder's registers may be left from another program.
        longs |= {0x090 + 2 * decoder: chance.choice((512, 768, 4080)), 0x091 + 2 * decoder: chance.choice((0, 16, 48))}
    settings, longs = settings | _copy_settings(chance), longs | _copy_longs(chance)
    state = State(f"ethos-u85-{macs}", operation, parameter, settings, longs)
    if operation == _DMA:
        _index(state, chance)
    elif chance.random() < 0.25:
        _precede(state, chance)
    return state


def _repeated(shape: tuple[int, int, int], mode: int) -> tuple[int, int, int]:
    height, width, depth = (1 if mode >> axis & 1 else size for axis, size in enumerate(shape))
    return height, width, depth


def _copy_settings(chance: random.Random) -> dict[int, int]:
    """Return registers of a copy of rows, from region 1 to region 2 or to internal memory."""
    dimensions = chance.randrange(3)
    target = chance.choice((2, 2, 1, 0x103))
    return {
        0x130: 1 | dimensions << 9,
        0x131: target,
        0x132: chance.randint(1, 5),
        0x133: chance.randint(1, 3),
        0x134: 1,
    }


def _copy_longs(chance: random.Random) -> dict[int, int]:
    """Return addresses and distances of a copy, many of them near the end of their region."""
    size = chance.choice((1, 4, 16, 20))
    sign = chance.choice((1, 1, 1, -1))
    near_end = {region: end - chance.choice((4, 20, 64, 100, 200, 500)) for region, end in REGION_BYTES.items()}
    return {
        **{0x030: chance.choice((2048, near_end[1])), 0x031: chance.choice((512, near_end[2])), 0x032: size},
        **{0x033: sign * size, 0x034: sign * size * 8, 0x035: size, 0x036: chance.choice((-1, 1)) * size * 5},
        **{0x037: chance.choice((4096, near_end[1])), 0x038: chance.randint(0, 9), 0x039: chance.choice((0, 8, -4))},
    }


def _index(state: State, chance: random.Random) -> None:
    """Make some copies gathers or scatters."""
    register = chance.choice((None, None, 0x130, 0x131))
    if register is not None:
        state.settings[register] |= 0x800


def _precede(state: State, chance: random.Random) -> None:
    """Put an operation before the state whose result the state may use.

    The result is a chained map or an accumulator.
    """
    settings, longs = dict(state.settings), dict(state.longs)
    shape = (settings[0x112] + 1, settings[0x111] + 1, settings[0x113] + 1)
    bits = settings[0x105] >> 2 & 3
    # A pool without an input of its own copies IFM2, from region 1.
    settings |= {
        0x185: 1 | bits << 2,
        0x18F: 1,
        0x18A: shape[1] - 1,
        0x18B: shape[0] - 1,
        0x124: settings[0x124] & 0x700 | 0x20,
    }
    settings |= {0x114: 0x101 | bits << 1, 0x125: 0}
    longs |= {0x080: 0, 0x084: shape[2] << bits, 0x085: shape[1] * shape[2] << bits}
    if state.operation in (_CONV, _DEPTHWISE, _POOL) and state.parameter != _NULL_POOL and chance.random() < 0.5:
        settings[0x124] |= 0x40
        state.settings[0x124] = state.settings[0x124] & ~0x30 | 0x10
    else:
        number = chance.randrange(8)
        settings[0x114] |= _CHAINED
        settings[0x11F] = number
        operand = 0x105 if chance.random() < 0.5 else 0x185
        state.settings[operand] = state.settings[operand] & 0x3FFF | _CHAINED
        state.settings[operand - 5 + 0xF] = number if chance.random() < 0.9 else chance.randrange(8)
    state.before = State(state.configuration, _POOL, _NULL_POOL, settings, longs)


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
