# SPDX-License-Identifier: Apache-2.0
"""Writes quantize_golden.inc from PyTorch: `python make_quantize_golden.py > quantize_golden.inc`.

Each line has the dtype, the bits of the value, scale, zero point, limits, the result of
quantized_decomposed.quantize_per_tensor, and the bits of that result after dequantize_per_tensor.
"""

from __future__ import annotations

import struct

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators

_DTYPES = {
    "std::int8_t": (torch.int8, -128, 127),
    "std::uint8_t": (torch.uint8, 0, 255),
    "std::int16_t": (torch.int16, -32768, 32767),
    "std::int32_t": (torch.int32, -1000000, 1000000),
}
_SCALES = (0.5, 1.0, 0.017992349342, 1.0 / 3.0, 127.9)


def _bits(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


def main() -> None:
    torch.manual_seed(1)
    ops = torch.ops.quantized_decomposed
    halves = [step / 2 for step in range(-7, 8)]
    print("// SPDX-License-Identifier: Apache-2.0")
    print(f"// make_quantize_golden.py, torch {torch.__version__.split('+')[0]}.")
    for name, (dtype, low, high) in _DTYPES.items():
        for zero_point in (0, 3 if low == 0 else -45):
            for scale in _SCALES:
                values = [half * scale for half in halves] + (torch.randn(5) * 40 * scale).tolist()
                values += [1e9, -1e9, float("inf"), float("-inf"), 0.0, -0.0]
                tensor = torch.tensor(values)
                quantized = ops.quantize_per_tensor(tensor, scale, zero_point, low, high, dtype)
                real = ops.dequantize_per_tensor(quantized, scale, zero_point, low, high, dtype)
                for value, integer, back in zip(tensor.tolist(), quantized.tolist(), real.tolist(), strict=True):
                    print(
                        f"GOLDEN({name}, 0x{_bits(value):08x}u, {scale!r}, {zero_point}, {low}, {high}, "
                        f"{integer}, 0x{_bits(back):08x}u)"
                    )


if __name__ == "__main__":
    main()
