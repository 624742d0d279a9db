# SPDX-License-Identifier: Apache-2.0
"""An image registers the CPU operators that its program calls, and no others."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from pilotlight.kernels.kernel_list import FOLDER

QUANTIZE = "quantized_decomposed::quantize_per_tensor.out"
DEQUANTIZE = "quantized_decomposed::dequantize_per_tensor.out"


def _generate(folder: Path, *operators: str) -> subprocess.CompletedProcess[str]:
    (folder / "operators.txt").write_text("".join(f"{operator}\n" for operator in operators), encoding="utf-8")
    command = [sys.executable, "-m", "pilotlight.kernels.registration"]
    options = ["--operators", str(folder / "operators.txt"), "--out", str(folder)]
    return subprocess.run(command + options, check=False, capture_output=True, text=True)


def _registered(folder: Path) -> set[str]:
    source = (folder / "registration" / "RegisterCodegenUnboxedKernelsEverything.cpp").read_text(encoding="utf-8")
    return set(re.findall(r'Kernel\(\s*"([^"]+)"', source))


def test_only_the_operators_of_the_program_are_registered(tmp_path: Path) -> None:
    assert _generate(tmp_path, QUANTIZE).returncode == 0
    assert _registered(tmp_path) == {QUANTIZE}
    assert _generate(tmp_path, QUANTIZE, DEQUANTIZE).returncode == 0
    assert _registered(tmp_path) == {QUANTIZE, DEQUANTIZE}


def test_an_unchanged_list_leaves_the_source_untouched(tmp_path: Path) -> None:
    _generate(tmp_path, QUANTIZE)
    before = (tmp_path / "operators.cpp").stat().st_mtime_ns
    _generate(tmp_path, QUANTIZE)
    assert (tmp_path / "operators.cpp").stat().st_mtime_ns == before


def test_a_program_without_cpu_operators_has_nothing_to_register(tmp_path: Path) -> None:
    assert _generate(tmp_path).returncode == 0
    assert "register_kernels" not in (tmp_path / "operators.cpp").read_text(encoding="utf-8")


def test_an_operator_without_kernel_is_named_with_those_that_have_one(tmp_path: Path) -> None:
    result = _generate(tmp_path, QUANTIZE, "aten::no_such_operator.out")
    assert result.returncode == 11
    assert "aten::no_such_operator.out" in result.stderr
    assert DEQUANTIZE in result.stderr
    assert "try: " in result.stderr


def test_a_dtype_without_kernel_is_named_with_those_that_have_one(tmp_path: Path) -> None:
    result = _generate(tmp_path, f"{QUANTIZE} float32 int64")
    assert result.returncode == 11
    assert f"calls {QUANTIZE} on int64" in result.stderr
    assert "it takes float32, uint8, int8, int16, int32" in result.stderr


def test_the_selection_names_each_operator_with_its_dtypes(tmp_path: Path) -> None:
    assert _generate(tmp_path, f"{QUANTIZE} float32 int8").returncode == 0
    header = (tmp_path / "selected" / "selected_operators.h").read_text(encoding="utf-8")
    assert f'{{"{QUANTIZE}", 0x0042}},  // int8, float32' in header  # Bits 1 and 6, the numbers in ScalarType.


def test_only_the_sources_of_selected_operators_are_compiled(tmp_path: Path) -> None:
    assert _generate(tmp_path, QUANTIZE).returncode == 0
    texts = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "selected").glob("*.cpp")}
    assert '#include "quantize_per_tensor.cpp"' in texts["selected_quantize_per_tensor.cpp"]
    assert "#include" not in texts["selected_convert.cpp"]


def test_the_schemas_of_our_kernels_are_upstreams() -> None:
    ours = (FOLDER / "kernels.yaml").read_text(encoding="utf-8")
    spec = importlib.util.find_spec("executorch")
    assert spec is not None and spec.submodule_search_locations
    kernels = Path(spec.submodule_search_locations[0]) / "kernels"
    files = (kernels / "quantized" / "quantized.yaml", kernels / "portable" / "functions.yaml")
    upstream = "".join(file.read_text(encoding="utf-8") for file in files)
    schemas = re.findall(r"^- func: .*$", ours, re.MULTILINE)
    assert len(schemas) >= 3
    assert [schema for schema in schemas if schema not in upstream] == []


def test_the_generators_import_neither_torch_nor_executorch() -> None:
    """They run in each build."""
    program = (
        "import pilotlight.kernels.registration, sys\n"
        "from pilotlight.kernels.kernel_list import read_kernels\n"
        "read_kernels()\n"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'torch', 'executorch', 'numpy'})"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "\n"
