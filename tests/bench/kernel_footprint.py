# SPDX-License-Identifier: Apache-2.0
"""Flash that CPU operators take in an image for the Cortex-M55.

    python tests/bench/kernel_footprint.py ["aten::add.out float32" ...]

Each argument is a program's selection of operators and dtypes ("a; b" for two operators). Without
arguments, some examples are measured. The kernels are compiled and linked as in an image, but
without C library and runtime. The generated wrappers are counted separately.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pilotlight.kernels.kernel_list import FOLDER
from pilotlight.kernels.registration import write_registration

SELECTIONS = (
    "aten::add.out float32",
    "aten::add.out float32; aten::mul.out float32",
    "aten::add.out float32 int64",
    "aten::add.out int8",
    "aten::sigmoid.out float32",
    "aten::slice_copy.Tensor_out int8",
    "aten::slice_copy.Tensor_out int8; aten::cat.out int8; aten::permute_copy.out int8",
    "quantized_decomposed::quantize_per_tensor.out float32 int8",
    "aten::_to_copy.out float32 int64",
)

_FLAGS = (
    *("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-std=c++17", "-Os", "-fno-exceptions", "-fno-rtti"),
    *("-ffunction-sections", "-fdata-sections", "-DC10_USING_CUSTOM_GENERATED_MACROS", "-DET_MIN_LOG_LEVEL=Error"),
    "-DPILOTLIGHT_SELECTED_OPERATORS",
    *("-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"),  # As in cmake/flags.cmake.
)


@dataclass(frozen=True)
class KernelSize:
    """Bytes of .text and .rodata.

    wrappers: the generated functions that take a kernel's arguments off the stack.
    """

    kernels: int
    wrappers: int


def kernel_size(selection: str, folder: Path) -> KernelSize:
    """Compile and link the kernels of `selection` in `folder`, and return their size."""
    operators = folder / "operators.txt"
    operators.write_text("".join(f"{line.strip()}\n" for line in selection.split(";")), encoding="utf-8")
    write_registration(operators, folder)
    include = _executorch() / "include"
    includes = [
        *(f"-I{path}" for path in (folder, folder / "selected", FOLDER, FOLDER / "include")),
        *("-isystem", str(include)),
        *("-isystem", str(include / "executorch" / "runtime" / "core" / "portable_type" / "c10")),
    ]
    sources = [folder / "operators.cpp"]
    sources += [path for path in sorted((folder / "selected").glob("*.cpp")) if "#include" in path.read_text("utf-8")]
    objects = []
    for source in sources:
        objects.append(folder / f"{source.stem}.o")
        _run("arm-none-eabi-g++", *_FLAGS, *includes, "-c", str(source), "-o", str(objects[-1]))
    linked = folder / "linked.elf"
    linker_map = folder / "linked.map"
    _run(
        *("arm-none-eabi-g++", *_FLAGS[:3], "-nostdlib", "-Wl,--gc-sections", "-Wl,-e,pilotlight_register_operators"),
        *(f"-Wl,-Map={linker_map}", *map(str, (*objects, _stand_ins(objects, folder))), "-o", str(linked)),
    )
    return _sizes(linker_map)


def _stand_ins(objects: list[Path], folder: Path) -> Path:
    """Compile labels without code for all symbols of the C library and the runtime."""
    symbols = {"--undefined-only": set[str](), "--defined-only": set[str]()}
    for which, names in symbols.items():
        listing = _run("arm-none-eabi-nm", "--format=just-symbols", which, *map(str, objects))
        names.update(line for line in listing.splitlines() if line and not line.endswith(":"))
    missing = sorted(symbols["--undefined-only"] - symbols["--defined-only"])
    source, compiled = folder / "stand_ins.s", folder / "stand_ins.o"
    labels = "".join(f".global {name}\n.thumb_func\n{name}:\n" for name in missing)
    source.write_text(f".syntax unified\n.thumb\n.text\n{labels}", encoding="utf-8")
    _run("arm-none-eabi-g++", *_FLAGS[:3], "-c", str(source), "-o", str(compiled))
    return compiled


def _sizes(linker_map: Path) -> KernelSize:
    from footprint import CODE

    from pilotlight.elf.linker_map import parse_map

    wrappers = kernels = 0
    for section in parse_map(linker_map.read_text(encoding="utf-8")).values():
        if section.name in CODE:
            for piece in section.pieces():
                if piece.path.endswith("operators.o"):
                    wrappers += piece.size
                else:
                    kernels += piece.size
    return KernelSize(kernels, wrappers)


def _executorch() -> Path:
    import importlib.util

    found = importlib.util.find_spec("executorch")
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


def _run(*command: str) -> str:
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout


def main() -> int:
    print(f"{'kernels':>9} {'wrappers':>9}  bytes, for")
    for selection in sys.argv[1:] or SELECTIONS:
        with tempfile.TemporaryDirectory() as folder:
            size = kernel_size(selection, Path(folder))
        print(f"{size.kernels:>9,} {size.wrappers:>9,}  {selection}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
