# SPDX-License-Identifier: Apache-2.0
"""Everything an image links about its model: `python -m pilotlight.build.link_step`. See cmake/model.cmake.

Writes, beside what `pilotlight.codegen` generates, files whose names CMake can know before the model is exported:

    linked_models.c    the model's descriptor, and the table of all models of the image
    linked_models.S    the embedded program
    operators.cpp      registers the CPU operators that the program names
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

from pilotlight.boards import load_board
from pilotlight.cli import run_command
from pilotlight.codegen.generate import RUNTIMES, generate_model
from pilotlight.files import write_if_changed
from pilotlight.paths import ROOT

# Ninja looks at included files before it starts; one that a step of the same build writes is missed then. With
# `digest`, which stands for the included file, the file that ninja knows the step writes changes too.
_TABLE = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* {digest} */
#include "{source}"

#include "pilotlight/models.h"

const pilotlight_model_descriptor_t* const pilotlight_models[] = {{&pilotlight_model_{name}}};
const uint32_t pilotlight_model_count = 1;
"""

_ASSEMBLY = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* {digest} */
#include "{source}"
"""


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _run(args: argparse.Namespace) -> int:
    model = generate_model(args.bundle, load_board(args.board), args.runtime, args.out)
    table = _TABLE.format(digest=_digest(model.source, model.header), source=model.source.name, name=model.name)
    write_if_changed(args.out / "linked_models.c", table)
    assembly = _ASSEMBLY.format(digest=_digest(model.assembly), source=model.assembly.name)
    write_if_changed(args.out / "linked_models.S", assembly)
    return _register_operators(args.out)


def _register_operators(out: Path) -> int:
    generator = ROOT / "firmware" / "kernels" / "generate_registration.py"
    command = [sys.executable, str(generator), "--operators", str(out / "operators.txt"), "--out", str(out)]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--board", required=True)
    parser.add_argument("--runtime", required=True, choices=RUNTIMES)
    parser.add_argument("--out", type=Path, required=True)
    parser.set_defaults(handler=_run)
    return run_command(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
