# SPDX-License-Identifier: Apache-2.0
"""Writes stack.json for a linked image and refuses a stack that may overflow: `python -m
pilotlight.stack`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pilotlight.build_folder import BuildFolder
from pilotlight.cli import run_command
from pilotlight.errors import DoesNotFit
from pilotlight.stack.bound import compute_bound


def _run(args: argparse.Namespace) -> int:
    bound = compute_bound(args.build, args.elf)
    bound.save(BuildFolder(args.build).stack_bound)
    if bound.bytes > bound.reserved_bytes:
        on_top = f"{bound.bytes - bound.main.bytes:6,}  an interrupt and a fault on top of them"
        raise DoesNotFit(
            f"the stack may need {bound.bytes:,} bytes, and {bound.reserved_bytes:,} are reserved; "
            "deepest calls, outermost first:\n" + "\n".join([*bound.main.lines(), on_top]),
            hint="a larger [budget] stack_bytes in board.toml, or smaller locals in these functions",
        )
    if bound.fault.bytes > bound.fault_reserved_bytes:
        raise DoesNotFit(
            f"the fault handler needs {bound.fault.bytes:,} bytes of its stack, which has "
            f"{bound.fault_reserved_bytes:,}:\n" + "\n".join(bound.fault.lines()),
            hint="kFaultStackWords in firmware/platform/corstone300/fault.cpp",
        )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True, help="folder with the object files; stack.json goes there")
    parser.add_argument("--elf", type=Path, required=True)
    parser.set_defaults(handler=_run)
    return run_command(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
