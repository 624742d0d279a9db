# SPDX-License-Identifier: Apache-2.0
"""Programs of one operator that takes indices.

The operator writes numbers that are outside the range of every index.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/firmware/executorch"))

from programs import Assembler, Json, kernel, plan, program, segment_table, tensor, value

_FAR = 1 << 33  # An index with this value is outside every tensor.
_DATA, _ZEROS, _INDEX, _OUT, _OTHER_OUT, _ZERO, _NO, _INDICES, _SIZES = range(9)

# Each operator with its arguments. The operator reads from, or writes to, a tensor of two such
# numbers.
_CALLS = {
    "aten::index_select.out": (_DATA, _ZERO, _INDEX, _OUT, _OUT),
    "aten::gather.out": (_DATA, _ZERO, _INDEX, _NO, _OUT, _OUT),
    "aten::scatter.src_out": (_DATA, _ZERO, _INDEX, _DATA, _OUT, _OUT),
    "aten::scatter.value_out": (_DATA, _ZERO, _INDEX, _ZERO, _OUT, _OUT),
    "aten::index.Tensor_out": (_DATA, _INDICES, _OUT, _OUT),
    "aten::index_put.out": (_DATA, _INDICES, _DATA, _NO, _OUT, _OUT),
    "aten::topk.values": (_INDEX, _ZERO, _ZERO, _NO, _NO, _OTHER_OUT, _OUT, _INDICES),
}


def write(folder: Path) -> list[Path]:
    """Write the programs and return their files."""
    segment = struct.pack("<4q", _FAR, _FAR, 0, 0)
    contents = {name.partition("::")[2].replace(".", "_"): (_program(name), [segment]) for name in _CALLS}
    files = []
    for name, content in Assembler(folder).assemble(contents).items():
        files.append(folder / f"{name}.pte")
        files[-1].write_bytes(content)
    return files


def _program(name: str) -> Json:
    two = {"scalar_type": "LONG"}
    values = [
        tensor([2], data_buffer_idx=1, **two),
        tensor([2], data_buffer_idx=2, **two),
        tensor([2], at=16, **two),
        tensor([2], at=64, **two),
        tensor([2], at=96, **two),
        value("Int", int_val=0),
        value("Bool", bool_val=False),
        value("OptionalTensorList", items=[_INDEX]),
        value("IntList", items=[9]),
        value("Int", int_val=2),
    ]
    operators = [{"name": "aten::view_copy", "overload": "out"}]
    operators += [dict(zip(("name", "overload"), name.split("."), strict=True))]
    fill = kernel(0, _ZEROS, _SIZES, _INDEX, _INDEX)
    method = plan(values, [], [_OUT], [fill, kernel(1, *_CALLS[name])], operators=operators)
    offsets = {"segment_index": 0, "offsets": [0, 0, 16]}
    return program(method, segments=segment_table([32]), constant_segment=offsets)
