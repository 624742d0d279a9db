# SPDX-License-Identifier: Apache-2.0
"""Writes golden_frames.h: frames from PyPI's `cobs` and Python's zlib, to test the C++ codec.

python golden_frames.py > golden_frames.h
"""

from __future__ import annotations

import struct
import zlib

from cobs import cobs

# COBS starts a block after each zero and after 254 bytes. A body is 8 bytes longer than its
# payload.
PAYLOADS = {
    "empty": b"",
    "one zero": b"\0",
    "zeros": bytes(9),
    "no zero": bytes(range(1, 200)),
    "zero at the end": b"abc\0",
    "zero at both ends": b"\0abc\0",
    "run of 251": bytes([7]) * 251,
    "run of 252": bytes([7]) * 252,
    "run of 253": bytes([7]) * 253,
    "run of 254": bytes([7]) * 254,
    "run of 255": bytes([7]) * 255,
    "run of 254, then zero": bytes([7]) * 254 + b"\0",
    "two full runs": bytes([0xFF]) * 508,
    "every byte": bytes(range(256)),
    "long": bytes((i * 37 + i // 100) % 256 for i in range(1000)),
}


def array(data: bytes) -> str:
    return ", ".join(f"0x{byte:02x}" for byte in data) or "0"


def main() -> None:
    print("// SPDX-License-Identifier: Apache-2.0\n//\n// Written by golden_frames.py; do not edit.")
    print("#pragma once\n\n#include <cstddef>\n#include <cstdint>\n\n// clang-format off\nnamespace golden {\n")
    print(
        "struct Frame {\n  const char* name;\n  std::uint8_t type;\n  std::uint16_t sequence;\n"
        "  const std::uint8_t* payload;\n"
        "  std::size_t payload_size;\n  const std::uint8_t* wire;\n  std::size_t wire_size;\n};\n"
    )
    rows = []
    for number, (name, payload) in enumerate(PAYLOADS.items()):
        kind, sequence = 0x81 + number, 257 * number
        body = struct.pack("<BBH", kind, 0, sequence) + payload
        body += struct.pack("<I", zlib.crc32(body))
        wire = b"\0" + cobs.encode(body) + b"\0"
        print(f"inline constexpr std::uint8_t kPayload{number}[] = {{{array(payload)}}};")
        print(f"inline constexpr std::uint8_t kWire{number}[] = {{{array(wire)}}};")
        rows.append(
            f'    {{"{name}", {kind:#04x}, {sequence}, kPayload{number}, {len(payload)}, kWire{number}, {len(wire)}}},'
        )
    print("\ninline constexpr Frame kFrames[] = {\n" + "\n".join(rows) + "\n};\n\n}  // namespace golden")


if __name__ == "__main__":
    main()
