# SPDX-License-Identifier: Apache-2.0
"""Makes the programs: `python export_programs.py <folder>` writes <name>.pte, and <name>.data with
external data.

A process of its own, because it imports torch. <name>.data contains the entries of the exporter's
.ptd files in a form that firmware reads without a library; see probe/named_data.h.
"""

from __future__ import annotations

import importlib
import struct
import sys
from pathlib import Path

from executorch.exir import ExecutorchProgramManager
from executorch.exir.scalar_type import ScalarType
from executorch.extension.flat_tensor.serialize.serialize import FlatTensorConfig, FlatTensorSerializer

HERE = Path(__file__).resolve().parent
ALIGN = 16


def named_data(files: dict[str, object]) -> bytes:
    """Return the tensors of all .ptd files in the form that firmware reads."""
    records = []
    for blob in files.values():
        payload = FlatTensorSerializer(FlatTensorConfig()).deserialize(blob)
        for key, entry in payload.named_data.items():
            data = payload.buffers[entry.buffer_index]
            layout = entry.tensor_layout
            name = key.encode() + b"\0"
            head = struct.pack("<HBBI", len(name), ScalarType(layout.scalar_type), len(layout.sizes), len(data))
            head += struct.pack(f"<{len(layout.sizes)}i", *layout.sizes) + bytes(layout.dim_order) + name
            records.append(head.ljust(-(-len(head) // ALIGN) * ALIGN, b"\0"))
            records.append(data.ljust(-(-len(data) // ALIGN) * ALIGN, b"\0"))
    return b"".join(records)


def write(folder: Path, name: str, manager: ExecutorchProgramManager) -> None:
    (folder / f"{name}.pte").write_bytes(manager.buffer)
    if manager._tensor_data:
        (folder / f"{name}.data").write_bytes(named_data(manager._tensor_data))


def main(folder: Path) -> None:
    sys.path.insert(0, str(HERE))
    for file in sorted((HERE / "subjects").glob("*.py")):
        module = importlib.import_module(f"subjects.{file.stem}")
        for case in getattr(module, "CASES", ()):
            write(folder, case.__name__, case())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
