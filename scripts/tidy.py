#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the firmware sources that a configured host build compiles.

    scripts/tidy.py BUILD_DIR [--deep]

Without --deep, Clang's analyser follows fewer calls and takes less than half the time.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parents[1] / "firmware"
FILES_AT_ONCE = 6


def main() -> int:
    build = Path(sys.argv[1])
    mode = "deep" if "--deep" in sys.argv[2:] else "shallow"
    analyser = [f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", f"mode={mode}")]
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    files = sorted({entry["file"] for entry in commands if Path(entry["file"]).is_relative_to(FIRMWARE)})
    parts = [files[i : i + FILES_AT_ONCE] for i in range(0, len(files), FILES_AT_ONCE)]

    def tidy(part: list[str]) -> int:
        # The build's compiler is GCC, and clang-tidy does not know all of its warning options.
        options = ["--quiet", "--extra-arg=-Wno-unknown-warning-option", *analyser]
        command = ["clang-tidy", *options, "-p", str(build), *part]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            print(result.stdout, end="")
        return result.returncode

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        failed = any(list(pool.map(tidy, parts)))
    print(f"{len(files)} files checked")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
