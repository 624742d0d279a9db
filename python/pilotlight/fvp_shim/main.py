# SPDX-License-Identifier: Apache-2.0
"""Entry point of the installed executables: `main(NAME, ARGUMENTS)`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pilotlight import __version__
from pilotlight.errors import PilotlightError
from pilotlight.fvp_shim.parameters import parse_arguments


def main(executable: str, arguments: Sequence[str]) -> int:
    """Behave like the FVP's `executable` and return its exit code.

    Errors are printed as a line that begins with "E ".
    """
    if "--version" in arguments:
        print(f"{executable}\nPilotlight {__version__}: its stand-in on QEMU and Pilotlight's NPU simulator")
        return 0
    try:
        parameters = parse_arguments(executable, arguments)
        for name in parameters.ignored:
            print(f"{executable}: parameter {name} has no effect here", file=sys.stderr)
        from pilotlight.fvp_shim.run import run_image

        return run_image(parameters)
    except PilotlightError as error:
        print(f"E {executable}: {error.report()}", flush=True)
        return error.exit_code
