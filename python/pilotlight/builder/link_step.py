# SPDX-License-Identifier: Apache-2.0
"""Writes the files about its models that an image links. See cmake/model.cmake.

Writes, beside what `pilotlight.codegen` generates, files whose names CMake can know before the
models are exported:

    linked_models.c    the models' descriptors, the table of all models of the image, and the NPU
                       products that its driver supports
    linked_models.S    the embedded programs, their memory, and the place of the build id
    operators.txt      operators that any of the programs calls on the CPU, one a line with the
                       dtypes of its tensors
    operators.cpp      registers them
    memory.json        the computed memory of each model; `west check` compares it with the use
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from pilotlight.boards import load_board
from pilotlight.build_folder import read_options
from pilotlight.cli import run_command
from pilotlight.codegen.generate import RUNTIMES, SHARED_ARENA, GeneratedModel, generate_models, union_of_operators
from pilotlight.codegen.npu_products import product_list, product_number
from pilotlight.errors import ConfigError
from pilotlight.files import write_if_changed
from pilotlight.kernels.registration import write_registration

# Ninja checks included files before the build starts, so it misses a change that a step of the same
# build makes. `digest`, a hash of the included files, changes this file too, which Ninja knows as
# the step's output.
_TABLE = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* {digest} */
{includes}
#include "pilotlight/models.h"

const pilotlight_model_descriptor_t* const pilotlight_models[] = {{
{rows}}};
const uint32_t pilotlight_model_count = PILOTLIGHT_MODEL_COUNT;
_Static_assert(PILOTLIGHT_MODEL_COUNT == {count}, "cmake/model.cmake counts the models differently");

{products}"""

_ASSEMBLY = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* {digest} */
    .section .rodata.pilotlight_build_id, "a", %progbits
    .global pilotlight_build_id
    .type pilotlight_build_id, %object
    .size pilotlight_build_id, 17
pilotlight_build_id:
    .asciz "0000000000000000"

{shared}{includes}"""

_SHARED = """\
    .section .tensor_arena.{name}, "aw", %nobits
    .balign 32
    .global {name}
    .type {name}, %object
    .size {name}, {size}
{name}:
    .zero {size}

"""


# The protocol numbers models in a byte (firmware/protocol/SPEC.md).
_MOST_MODELS = 255


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _includes(files: Iterable[Path]) -> str:
    return "".join(f'#include "{file.name}"\n' for file in files)


def _run(args: argparse.Namespace) -> int:
    board = load_board(args.board)
    if len(args.bundle) > _MOST_MODELS:
        raise ConfigError(
            f"an image of {len(args.bundle)} models: the check protocol numbers at most {_MOST_MODELS}",
            hint="spread the models over several images",
        )
    options = read_options(args.options)
    shared_arena = options.shared_arena
    models = generate_models(args.bundle, board, args.runtime, args.out, shared_arena=shared_arena)
    table = _TABLE.format(
        digest=_digest(*(file for model in models for file in (model.source, model.header))),
        includes=_includes(model.source for model in models),
        rows="".join(f"    &pilotlight_model_{model.name},\n" for model in models),
        count=len(models),
        products=product_list(_products(models, options.npu or board.npu.config)),
    )
    write_if_changed(args.out / "linked_models.c", table)
    assembly = _ASSEMBLY.format(
        digest=_digest(*(model.assembly for model in models)),
        shared=_shared_arena(models),
        includes=_includes(model.assembly for model in models),
    )
    write_if_changed(args.out / "linked_models.S", assembly)
    memory = {model.name: asdict(model.arenas) for model in models}
    write_if_changed(args.out / "memory.json", json.dumps(memory, indent=2) + "\n")
    for model in models if shared_arena else ():
        if not model.shares_arena:
            print(f"{model.name} may keep state in its planned buffers, so it has an arena of its own", flush=True)
    operators = union_of_operators(models)
    lines = (f"{' '.join((name, *dtypes))}\n" for name, dtypes in operators.items())
    write_if_changed(args.out / "operators.txt", "".join(lines))
    write_registration(args.out / "operators.txt", args.out)
    return 0


def _products(models: Sequence[GeneratedModel], npu: str) -> Iterable[int]:
    """Return the NPU products of the models. Without a model for an NPU, that of `npu`."""
    return map(product_number, {model.npu for model in models if model.npu} or {npu})


def _shared_arena(models: Sequence[GeneratedModel]) -> str:
    size = max((model.arenas.npu_visible for model in models if model.shares_arena), default=0)
    return _SHARED.format(name=SHARED_ARENA, size=size) if size else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True, action="append", help="once for each model")
    parser.add_argument("--board", required=True)
    parser.add_argument("--runtime", required=True, choices=RUNTIMES)
    parser.add_argument("--options", type=Path, action="append", default=[], help="a later file overrides an earlier")
    parser.add_argument("--out", type=Path, required=True)
    parser.set_defaults(handler=_run)
    return run_command(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
