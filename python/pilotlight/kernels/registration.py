# SPDX-License-Identifier: Apache-2.0
"""Writes the C++ sources that hold exactly the CPU operators which a program calls.

    python -m pilotlight.kernels.registration --operators operators.txt --out <folder>

Each line of operators.txt has one operator and the dtypes of its calls ("aten::add.out float32
int64"). A line without dtypes means all dtypes of the kernel. The file is empty if the program is
delegated completely. Writes

    <folder>/operators.cpp                 pilotlight_register_operators(), which registers them;
                                           pilotlight_init() calls it
    <folder>/selected/selected_operators.h the operators and dtypes, for the kernels' sources
    <folder>/selected/selected_<x>.cpp     for each source in firmware/kernels: includes it if the
                                           program needs it

The output of the wheel's code generator (`executorch.codegen.gen`) is in <folder>/registration. The
same input gives the same bytes.

Exit code 11 if an operator has no kernel, or its kernel lacks a dtype: the message names them, and
the available kernels or dtypes.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pilotlight.cli import run_command
from pilotlight.errors import BuildFailed
from pilotlight.files import write_if_changed
from pilotlight.kernels.kernel_list import FOLDER, Kernel, read_kernels
from pilotlight.kernels.selection import (
    Selection,
    everything,
    read_selection,
    selected_sources,
    selection_header,
    selection_rows,
)
from pilotlight.kernels.wrappers import read_wrappers

_TEMPLATES = Path(__file__).parent / "templates"

# Warnings in the generator's code are off, because we cannot change that code.
_GENERATED = """\
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "registration/RegisterCodegenUnboxedKernelsEverything.cpp"
#pragma GCC diagnostic pop
"""
_PRIMITIVES_ONLY = """\
#include <executorch/runtime/kernel/operator_registry.h>
namespace torch::executor {
static constexpr Kernel kernels_of_this_image[] = {PRIMITIVES_OF_THIS_IMAGE};
}
"""

_KERNELS = """\
{include}#define PRIMITIVES_OF_THIS_IMAGE{primitives}
{table}
// What a call of each looks like, in their order (pilotlight/executorch/signatures.h).
[[maybe_unused]] static constexpr char signatures_of_this_image[] =
{signatures};

// Upstream's runtime checks no call.
#if __has_include("pilotlight/executorch/signatures.h")
#include "pilotlight/executorch/signatures.h"
#define REGISTER_KERNELS_OF_THIS_IMAGE() \\
  pilotlight::executorch_runtime::RegisterSignedKernels( \\
      {{{{torch::executor::kernels_of_this_image}}, signatures_of_this_image}})
#else
#define REGISTER_KERNELS_OF_THIS_IMAGE() \\
  (void)executorch::runtime::register_kernels({{torch::executor::kernels_of_this_image}})
#endif

"""

# A function that pilotlight_init() calls, not a static constructor: an app's start-up code may not
# call constructors.
_OPERATORS = """\
// SPDX-License-Identifier: Apache-2.0
// Registers the kernels of the operators that one .pte names.
{kernels}
// For the proof after linking (python/pilotlight/proof): each operator, and bit n for each ScalarType n it is
// compiled for.
struct pilotlight_operator_dtypes {{
  const char* name;
  unsigned dtypes;
}};
static const pilotlight_operator_dtypes operators_of_this_image[] = {{
{rows}    {{nullptr, 0}},
}};

extern "C" void pilotlight_register_operators(void);
extern "C" void pilotlight_register_operators(void) {{
  __asm volatile("" : : "r"(operators_of_this_image));  // keeps the linker from dropping it
{call}}}
"""


def write_registration(operators: Path | None, out: Path) -> None:
    """Write the sources for the operators of a program to folder `out`.

    operators: a file like operators.txt above; None for every kernel. Raises UnsupportedOperator,
    ConfigError for an error in the list of kernels, and BuildFailed.
    """
    kernels = read_kernels()
    selection = read_selection(operators, kernels) if operators else everything(kernels)
    write_if_changed(out / "selected" / "selected_operators.h", selection_header(selection))
    for name, text in selected_sources(selection, kernels, sorted(FOLDER.glob("*.cpp"))).items():
        write_if_changed(out / "selected" / name, text)
    primitives = [kernels[name] for name in sorted(selection) if kernels[name].primitive]
    others = {name: dtypes for name, dtypes in selection.items() if not kernels[name].primitive}
    table, signatures = _PRIMITIVES_ONLY, []
    if others:
        registration = out / "registration"
        write_if_changed(registration / "kernels.yaml", _functions(others, kernels))
        write_if_changed(registration / "selected_operators.yaml", _selected(others))
        _run_generator(registration)
        wrappers = registration / "RegisterCodegenUnboxedKernelsEverything.cpp"
        table, signatures = _GENERATED, [one.signature for one in read_wrappers(wrappers.read_text(encoding="utf-8"))]
    signatures += [one.signature for one in primitives]
    registered = _KERNELS.format(
        include='#include "pilotlight/kernels/primitives.h"\n' if primitives else "",
        primitives="".join(
            f' \\\n  Kernel("{one.operator}", pilotlight::kernels::{one.function}),' for one in primitives
        ),
        table=table,
        signatures="\n".join(f'    "{signature}\\0"' for signature in signatures),
    )
    text = _OPERATORS.format(
        kernels=registered if signatures else "",
        rows=selection_rows(selection),
        call="  REGISTER_KERNELS_OF_THIS_IMAGE();\n" if signatures else "",
    )
    write_if_changed(out / "operators.cpp", text)


def _functions(selection: Selection, kernels: Mapping[str, Kernel]) -> str:
    """Return the entries of `selection` in upstream's format."""
    import yaml

    entries = [
        {
            **kernels[operator].declaration,
            **({"variants": "function"} if "func" in kernels[operator].declaration else {}),
            "kernels": [{"arg_meta": None, "kernel_name": f"torch::executor::{kernels[operator].function}"}],
        }
        for operator in sorted(selection)
    ]
    return str(yaml.safe_dump(entries, sort_keys=False, width=math.inf))


def _selected(selection: Selection) -> str:
    lines = ["include_all_non_op_selectives: false", "include_all_operators: false", "operators:"]
    for operator in sorted(selection):
        lines += [
            f"  {operator}:",
            "    is_root_operator: true",
            "    is_used_for_training: false",
            "    include_all_overloads: false",
        ]
    # The registry could select kernels by dtype and dim order. Each of our kernels is one function
    # for all.
    lines += ["et_kernel_metadata:"]
    for operator in sorted(selection):
        lines += [f"  {operator}:", "    - default"]
    return "\n".join(lines) + "\n"


def _run_generator(out: Path) -> None:
    # Runs in a process of its own, because it imports half of PyTorch's build tools and parses
    # sys.argv.
    command = [
        *(sys.executable, "-m", "executorch.codegen.gen"),
        *("--source-path", str(_TEMPLATES.parent)),
        *("--install-dir", str(out)),
        *("--functions-yaml-path", str(out / "kernels.yaml")),
        *("--op-selection-yaml-path", str(out / "selected_operators.yaml")),
        *("--tags-path", str(_torchgen_data("tags.yaml"))),
        *("--aten-yaml-path", str(_torchgen_data("native_functions.yaml"))),
    ]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    if result.returncode != 0:
        raise BuildFailed(f"executorch.codegen.gen failed on {out / 'kernels.yaml'}:\n{result.stderr.strip()[-2000:]}")


def _torchgen_data(name: str) -> Path:
    import torchgen  # type: ignore[import-untyped]

    return Path(torchgen.__file__).parent / "packaged" / "ATen" / "native" / name


def _run(args: argparse.Namespace) -> int:
    write_registration(args.operators, args.out)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--operators", type=Path, help="file with an operator and its dtypes on each line")
    which.add_argument("--all", action="store_true", help="every operator of kernels.yaml")
    parser.add_argument("--out", type=Path, required=True, help="folder for the sources")
    parser.set_defaults(handler=_run)
    return run_command(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
