# SPDX-License-Identifier: Apache-2.0
"""Writes the C++ source that registers exactly the CPU operators which a program names.

    python firmware/kernels/generate_registration.py --operators operators.txt --out <folder>

operators.txt holds one full operator name a line ("quantized_decomposed::quantize_per_tensor.out"), none when the
program is delegated completely. Writes <folder>/operators.cpp, to be compiled into the image itself (in a static
library the linker would drop it) and linked with pilotlight::kernels; what the wheel's code generator
(`executorch.codegen.gen`) makes lies beside it in <folder>/registration. Same input, same bytes.

Exit code 11, with the operator's name and the kernels there are, when kernels.yaml has no kernel for one of them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pilotlight.errors import BuildFailed, PilotlightError, UnsupportedOperator

FOLDER = Path(__file__).resolve().parent
KERNELS = FOLDER / "kernels.yaml"
TEMPLATES = FOLDER / "templates"

_FUNCTION = re.compile(r"^- func: ([\w:.]+)\(", re.MULTILINE)

_NO_OPERATORS = """\
// SPDX-License-Identifier: Apache-2.0
// The program names no CPU operator: there is nothing to register.
"""

# The generator's code is not ours to mend.
_OPERATORS = """\
// SPDX-License-Identifier: Apache-2.0
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "registration/RegisterCodegenUnboxedKernelsEverything.cpp"
"""


def kernels() -> tuple[str, ...]:
    """Return the names of the operators that the firmware has a kernel for."""
    return tuple(_FUNCTION.findall(KERNELS.read_text(encoding="utf-8")))


def generate(operators: Sequence[str], out: Path) -> Path:
    """Write the registration of `operators` into folder `out` and return the source to compile.

    Raises UnsupportedOperator when one of them has no kernel.
    """
    known = kernels()
    missing = [operator for operator in operators if operator not in known]
    if missing:
        raise UnsupportedOperator(
            f"the program calls {', '.join(missing)} on the CPU, and the firmware has no kernel for it; "
            f"it has {', '.join(known)}",
            hint="change the model so that the NPU takes the operator (the export report names its line), "
            f"or add a kernel to {KERNELS.parent}",
        )
    source = out / "operators.cpp"
    if not operators:
        _write(source, _NO_OPERATORS)
        return source
    generated = out / "registration"
    generated.mkdir(parents=True, exist_ok=True)
    selection = generated / "selected_operators.yaml"
    _write(selection, _selection(operators))
    _run_generator(selection, generated)
    _write(source, _OPERATORS)
    return source


def _selection(operators: Sequence[str]) -> str:
    lines = ["include_all_non_op_selectives: false", "include_all_operators: false", "operators:"]
    for operator in sorted(set(operators)):
        lines += [
            f"  {operator}:",
            "    is_root_operator: true",
            "    is_used_for_training: false",
            "    include_all_overloads: false",
        ]
    # By dtype and dim order, were there kernels made for one; ours take any.
    lines += ["et_kernel_metadata:"]
    for operator in sorted(set(operators)):
        lines += [f"  {operator}:", "    - default"]
    return "\n".join(lines) + "\n"


def _run_generator(selection: Path, out: Path) -> None:
    # In a process of its own: it imports half of PyTorch's build tools and parses sys.argv.
    command = [
        *(sys.executable, "-m", "executorch.codegen.gen"),
        *("--source-path", str(TEMPLATES.parent)),
        *("--install-dir", str(out)),
        *("--functions-yaml-path", str(KERNELS)),
        *("--op-selection-yaml-path", str(selection)),
        *("--tags-path", str(_torchgen_data("tags.yaml"))),
        *("--aten-yaml-path", str(_torchgen_data("native_functions.yaml"))),
    ]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        raise BuildFailed(f"executorch.codegen.gen failed on {KERNELS}:\n{result.stderr.strip()[-2000:]}")


def _torchgen_data(name: str) -> Path:
    import torchgen  # type: ignore[import-untyped]

    return Path(torchgen.__file__).parent / "packaged" / "ATen" / "native" / name


def _write(path: Path, text: str) -> None:
    """Leave an unchanged file alone, so that nothing is compiled anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operators", type=Path, required=True, help="file with one operator name a line")
    parser.add_argument("--out", type=Path, required=True, help="folder for operators.cpp")
    args = parser.parse_args()
    try:
        generate(args.operators.read_text(encoding="utf-8").split(), args.out)
    except PilotlightError as error:
        print(error.report(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
