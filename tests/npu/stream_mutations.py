# SPDX-License-Identifier: Apache-2.0
"""Breaks the simulator, one line at a time, and shows that the fixed cases notice each time.

    python tests/npu/stream_mutations.py

Each mutation is made in a copy of the package in a temporary folder. A mutation that does not apply
is an error: when the simulator's source changes, its mutations must follow.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bounded

PACKAGE = Path(__file__).parents[2] / "python" / "pilotlight"
JUDGE_TIMEOUT_S = 180


@dataclass(frozen=True)
class Mutation:
    """`before` must occur exactly once in `file`, which lies in npu/ or in one of its folders."""

    what: str
    file: str
    before: str
    after: str


MUTATIONS = (
    Mutation("rounding: down instead of to nearest", "output_stage.py", "else 0.5)", "else 0.0)"),
    Mutation(
        "rounding: ties down instead of up",
        "scaling.py",
        "products += self._half\n",
        "products += np.maximum(self._half - 1, 0)\n",
    ),
    Mutation(
        "double rounding: like natural rounding",
        "scaling.py",
        "products += self._half + np.where(values >= 0, self._first_half, -self._first_half)",
        "products += self._half",
    ),
    Mutation(
        "output zero point: wrong sign",
        "output_stage.py",
        "values = values + self.zero_point",
        "values = values - self.zero_point",
    ),
    Mutation(
        "input zero point: left out of convolutions",
        "plans/convolution.py",
        "bias = scales.bias - zero_point * weights.sums if",
        "bias = scales.bias if",
    ),
    Mutation(
        "input zero point: left out of the padding",
        "plans/convolution.py",
        "kernel.fill_padding(values, zero_point)",
        "kernel.fill_padding(values, 0)",
    ),
    Mutation("broadcast: rows and columns exchanged", "decode_first.py", 'zip("hwc", shape', 'zip("whc", shape'),
    Mutation(
        "clip: to the type instead of the limits", "output_stage.py", "values.clip(*self.limits, out=values)", "0"
    ),
    Mutation(
        "weights: input blocks of 32 channels for 16-bit data too",
        "weight_order.py",
        "16 if part or g.ifm_bits == 16 else 32",
        "16 if part else 32",
    ),
    Mutation("weights: kernels as wide when dilated", "weight_order.py", "_SUB_KERNEL // g.dilation_x", "_SUB_KERNEL"),
    Mutation(
        "weights: kernels column by column",
        "weight_order.py",
        "ordered.reshape(sub_kernel.rows, sub_kernel.columns, run.count * run.steps * item, deep * out_step)",
        "ordered.reshape(sub_kernel.columns, sub_kernel.rows, run.count * run.steps * item, deep * out_step)"
        ".swapaxes(0, 1)",
    ),
    Mutation(
        "weights: part-kernel order taken for depth-first",
        "register_reader.py",
        'part_kernel_first=bool(word["weight_order"])',
        "part_kernel_first=False",
    ),
    Mutation(
        "weights: the second core's block as deep as both",
        "weight_order.py",
        "block_depth = -(-(self.ofm_block_depth - core) // cores)",
        "block_depth = self.ofm_block_depth",
    ),
    Mutation("stride: three is one", "register_reader.py", ' + 2 * word["stride_y_msb"]', ""),
    Mutation("dilation: none in x", "kernel.py", "column * self.dilation_x", "column"),
    Mutation(
        "padding: top and left exchanged",
        "kernel.py",
        "top, left = self.pad_top, self.pad_left",
        "top, left = self.pad_left, self.pad_top",
    ),
    Mutation("up-scaling: elements at odd places", "kernel.py", "doubled[::2, ::2]", "doubled[1::2, 1::2]"),
    Mutation(
        "average pool: padding counts",
        "pooling.py",
        "np.maximum(rows[:, None] * columns, 1)",
        "np.full_like(rows[:, None] * columns, kernel.height * kernel.width)",
    ),
    Mutation(
        "max pool: padding counts as 0",
        "pooling.py",
        "values = kernel.pad(values, int(np.iinfo(values.dtype).min))",
        "values = kernel.pad(values, 0)",
    ),
    Mutation(
        "table of 16 bits: interpolation rounds down",
        "activation.py",
        "(rise + (1 << _SEGMENT_BITS - 1) >> _SEGMENT_BITS)",
        "(rise >> _SEGMENT_BITS)",
    ),
    Mutation("elementwise: operands never swapped", "arithmetic/elementwise.py", "    if swapped:", "    if False:"),
    Mutation(
        "elementwise: shifts do not round",
        "arithmetic/elementwise.py",
        "a = a + (np.int64(1) << distance >> 1)",
        "pass",
    ),
    Mutation("elementwise: leading zeros off by one", "arithmetic/elementwise.py", "32 - bits", "31 - bits"),
    Mutation(
        "bricks: the last one at the wrong stride",
        "feature_map.py",
        "address = window.address + full * self.stride_c",
        "address = window.address + full * self.stride_x",
    ),
    Mutation("tiles: the lower one ignored", "feature_map.py", "self.bases[tile + 2]", "self.bases[tile]"),
    Mutation("compiled output stage: no bias", "loops.c", "(accumulators[c], bias[c],", "(accumulators[c], 0.0,"),
    Mutation("compiled output stage: truncates", "loops.c", "double element = floor(", "double element = trunc("),
    Mutation("compiled output stage: no upper limit", "loops.c", "element > high ? high", "element > high ? element"),
    Mutation("compiled depthwise: columns as rows", "loops.c", "(ptrdiff_t)x * tap_width", "(ptrdiff_t)x * tap_height"),
)


def judge() -> int:
    """Run the fixed cases on the package on the path. Print the first case that notices."""
    from campaign import Ending, run_case
    from fixed_cases import FIXED
    from operator_cases import make_case

    import pilotlight

    print(Path(pilotlight.__file__).parent, flush=True)
    for name in FIXED:
        family, number = name.rsplit("-", 1)
        outcome = run_case(make_case(family, int(number)), samples=3)
        if outcome.ending is not Ending.EQUAL:
            print(f"{name}: {outcome.detail}")
            return 1
    return 0


def apply(mutation: Mutation, package: Path) -> Path:
    """Change the package. Returns the changed file, relative to the package."""
    (path,) = (package / "npu").rglob(mutation.file)
    source = path.read_text()
    count = source.count(mutation.before)
    if count != 1:
        raise ValueError(f"{mutation.what}: {mutation.before!r} occurs {count} times in {mutation.file}")
    path.write_text(source.replace(mutation.before, mutation.after))
    return path.relative_to(package)


def notices(package: Path, *, compiled: bool) -> str:
    """Return the case that finds the package wrong, or "" if none does.

    compiled: whether the simulator uses its compiled loops.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": f"{package.parent}{os.pathsep}{Path(__file__).parent}",
        # Without the compiled loops, the definition in NumPy computes everything.
        "PILOTLIGHT_COMPILED_LOOPS": str(package.parent / "loops") if compiled else "off",
    }
    command = [sys.executable, __file__, "--judge"]
    try:
        run = bounded.run(command, JUDGE_TIMEOUT_S, env=environment, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return f"no end within {JUDGE_TIMEOUT_S} s"
    lines = run.stdout.splitlines()
    if not lines or Path(lines[0]) != package:
        raise ValueError(f"the package judged is not the copy: {run.stdout}{run.stderr}")
    if run.returncode == 0:
        return ""
    return lines[1] if len(lines) > 1 else run.stderr.strip().splitlines()[-1]


def run_mutations(say: Callable[[str], None] = print) -> list[Mutation]:
    """Return the mutations that no case noticed."""
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "pilotlight")
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, package, ignore=ignore)
        for compiled in (False, True):
            if noticed := notices(package, compiled=compiled):
                raise ValueError(f"the unbroken simulator fails: {noticed}")
        for mutation in MUTATIONS:
            changed = apply(mutation, package)
            noticed = notices(package, compiled=mutation.file == "loops.c")
            say(f"{mutation.what:55} {noticed[:120] or 'SURVIVES'}")
            if not noticed:
                survivors.append(mutation)
            shutil.copyfile(PACKAGE / changed, package / changed)
    say(f"{len(MUTATIONS) - len(survivors)} of {len(MUTATIONS)} mutations noticed")
    return survivors


if __name__ == "__main__":
    sys.exit(judge() if "--judge" in sys.argv else bool(run_mutations()))
