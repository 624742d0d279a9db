# SPDX-License-Identifier: Apache-2.0
"""Breaks the simulator, one line at a time, and shows that the fixed cases notice each time.

    python tests/npu/stream_mutations.py [--u85]

Each mutation is made in a copy of the package in a temporary folder. A mutation that does not apply
is an error: when the simulator's source changes, its mutations must follow.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bounded

PACKAGE = Path(__file__).parents[2] / "python" / "pilotlight"
JUDGE_TIMEOUT_S = 180


@dataclass(frozen=True)
class Mutation:
    """A change of the simulator.

    `before` must occur exactly once in `file`, which lies in npu/ or in one of its folders.
    u85: whether the fixed cases of U85 must notice it; otherwise those of U55 and U65.
    """

    what: str
    file: str
    before: str
    after: str
    u85: bool = False


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


def _u85(what: str, file: str, before: str, after: str) -> Mutation:
    return Mutation(f"U85, {what}", file, before, after, u85=True)


U85_MUTATIONS = (
    _u85("broadcast: rows and channels exchanged", "decode_second.py", "mode >> axis & 1", "mode >> 2 - axis & 1"),
    _u85("scalar: with its zero point", "decode_second.py", " - self._read.place(prefix).zero_point", ""),
    _u85("scalar as first operand: taken for the second", "decode_second.py", '"swapped": True', '"swapped": False'),
    _u85(
        "scalar as first operand: scaled like the second",
        "decode_second.py",
        "changed = OperandFactors(factors.ifm2, factors.ifm)",
        "changed = factors",
    ),
    _u85("clip: always", "decode_second.py", 'not word["clip_range"]', "True"),
    _u85("tables: all at the start", "decode_second.py", 'start=word["table"] * table.size_bytes', "start=0"),
    _u85(
        "transposed output: WCH and CHW exchanged",
        "decode_second.py",
        "3: (1, 2, 0), 6: (2, 0, 1)",
        "3: (2, 0, 1), 6: (1, 2, 0)",
    ),
    _u85("reversed output: axes backwards", "decode_second.py", 'precision["reverse"] - 1', '3 - precision["reverse"]'),
    _u85(
        "rounding down: taken for the nearest", "decode_second.py", "    RoundMode.DOWN,\n", "    RoundMode.NATURAL,\n"
    ),
    _u85("resize: whole steps only", "decode_second.py", ' + step["one_step_mod"]', ""),
    _u85("accumulators: all of 32 bits", "decode_second.py", "(32, 48)", "(32, 32)"),
    _u85("average pool: sums only", "decode_second.py", "divides=mode is PoolingMode.AVERAGE", "divides=False"),
    _u85(
        "unary operation: with the second operand's scale",
        "decode_second.py",
        '"ifm": first, "operand_scales": factors}',
        '"ifm": first, "operand_scales": OperandFactors(factors.ifm2, factors.ifm)}',
    ),
    _u85("accumulators: start at zero", "accumulators.py", "sums = sums + start", "pass"),
    _u85("accumulators: kept without the present sums", "accumulators.py", "np.array(sums)", "np.zeros(self._shape)"),
    _u85(
        "product of maps: the second zero point left out",
        "matrix_product.py",
        "right.bound.read(), right_zero",
        "right.bound.read(), 0",
    ),
    _u85(
        "argmax: the last maximum",
        "pooling.py",
        "windows[:, :, 0].argmax(axis=2)",
        "(kernel.width - 1 - windows[:, :, 0, ::-1].argmax(axis=2))",
    ),
    _u85(
        "minimum: the maximum", "plans/pool.py", "PoolingMode.MIN: pooling.minimum", "PoolingMode.MIN: pooling.maximum"
    ),
    _u85("resize: ties to the lower element", "plans/resize.py", "2 * self._rest >= axis", "2 * self._rest > axis"),
    _u85(
        "resize: weights of the neighbours exchanged",
        "plans/resize.py",
        "before * (self._denominator - rest) + after * rest",
        "after * (self._denominator - rest) + before * rest",
    ),
    _u85(
        "elementwise: operands not scaled",
        "plans/elementwise.py",
        "unchanged if factor.is_one else _scaling(factor).apply",
        "unchanged",
    ),
    _u85("division: down", "arithmetic/elementwise.py", "return _quotient(a, b)", "return a // np.where(b == 0, 1, b)"),
    _u85("logical shift: like the arithmetic one", "arithmetic/elementwise.py", "a = a & (1 << bits) - 1", "pass"),
    _u85("comparison: true is one", "arithmetic/elementwise.py", "(a, b), -1, 0)", "(a, b), 1, 0)"),
    _u85("AND_NOT: the other operand inverted", "arithmetic/elementwise.py", "a & ~b", "~a & b"),
    _u85("NOT: a negation", "arithmetic/elementwise.py", "return ~a", "return -a"),
    _u85(
        "weights: input blocks never backwards",
        "weight_order_u85.py",
        "backwards = number % 2 == 1",
        "backwards = False",
    ),
    _u85("weights: no snake", "weight_order_u85.py", "phase[1::2] = phase[1::2, ::-1].copy()", "pass"),
    _u85(
        "weights: sparse blocks as others", "weight_order_u85.py", "128 if g.sparse and g.ifm_bits == 8 else 64", "64"
    ),
    _u85(
        "weights: sparse runs of 8",
        "weight_order_u85.py",
        "1 if g.depthwise else 16 if g.sparse else 8",
        "1 if g.depthwise else 8",
    ),
    _u85(
        "weights: no phases of depthwise strides",
        "weight_order_u85.py",
        "g.part_kernel_first or g.depthwise\n",
        "g.part_kernel_first\n",
    ),
    _u85(
        "weights: depthwise without unused places",
        "weight_order_u85.py",
        "return 2 if g.macs <= 512 else 6",
        "return 0",
    ),
    _u85(
        "weights: part-kernel taps not rounded for 16 bits",
        "weight_order_u85.py",
        "10 if g.ifm_bits == 16 or g.sparse else 5",
        "10 if g.sparse else 5",
    ),
    _u85(
        "weights: cores in blocks",
        "weight_order_u85.py",
        "*(deep, quads, g.cores, _CORE_CHANNELS),",
        "*(deep, g.cores, quads, _CORE_CHANNELS),",
    ),
    _u85(
        "weights: sub-kernels row by row",
        "weight_order_u85.py",
        "        for left in range(0, g.width, sub_width):\n            for top in range(0, g.height, sub_height):\n",
        "        for top in range(0, g.height, sub_height):\n            for left in range(0, g.width, sub_width):\n",
    ),
    _u85(
        "fast weights: the cores' turns are too short",
        "weight_order_u85.py",
        "self._core_depth * self._in_step * self._rounding",
        "self._core_depth * self._in_step",
    ),
    _u85(
        "fast weights: indices of 4 bits only", "weight_codec_fast.py", "width = 2 if small_table else 4", "width = 4"
    ),
    _u85("fast weights: signs lost", "weight_codec_fast.py", "-magnitude if bits & 1 else magnitude", "magnitude"),
    _u85(
        "fast weights: bytes with the adjustment added",
        "weight_codec_fast.py",
        "- np.int16(zero_adjustment)",
        "+ np.int16(zero_adjustment)",
    ),
    _u85(
        "scales: records of 48-bit accumulators as others",
        "hardware/output.py",
        "return U85_INT48_SCALES if",
        "return U85_INT32_SCALES if",
    ),
    _u85(
        "double rounding: like natural rounding",
        "scaling.py",
        "np.where(values >= 0, self._first_half, -self._first_half)",
        "0",
    ),
    _u85("results that do not fit: saturate", "output_stage.py", "if self.wraps:", "if False:"),
    _u85(
        "gather: planes of the list overlap",
        "operand_memory.py",
        "plane_stride = copy.rows * item + index.plane_gap",
        "plane_stride = index.plane_gap",
    ),
    _u85(
        "gather: rows in order",
        "plans/copy.py",
        "target[...] = source[planes, rows]",
        "target[...] = source[planes, np.arange(copy.rows)]",
    ),
    _u85(
        "transposed output: stored as computed",
        "feature_map.py",
        "values.reshape(self.shape).transpose(self._order)",
        "values.reshape(self._stored.shape)",
    ),
    _u85("chains: columns overlap", "decode_second.py", "stride_x=depth * item", "stride_x=item"),
)

ALL_MUTATIONS = (*MUTATIONS, *U85_MUTATIONS)


def judge(*, u85: bool) -> int:
    """Run the fixed cases on the package on the path. Print the first case that notices."""
    from campaign import Ending, run_case
    from fixed_cases import FIXED, FIXED_U85
    from operator_cases_u85 import case_of

    import pilotlight

    print(Path(pilotlight.__file__).parent, flush=True)
    for name in FIXED_U85 if u85 else FIXED:
        outcome = run_case(case_of(name), samples=3)
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


def notices(package: Path, *, compiled: bool, u85: bool = False) -> str:
    """Return the case that finds the package wrong, or "" if none does.

    compiled: whether the simulator uses its compiled loops. u85: which fixed cases are run.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": f"{package.parent}{os.pathsep}{Path(__file__).parent}",
        # Without the compiled loops, the definition in NumPy computes everything.
        "PILOTLIGHT_COMPILED_LOOPS": str(package.parent / "loops") if compiled else "off",
    }
    command = [sys.executable, __file__, "--judge", *(["--u85"] if u85 else [])]
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


def run_mutations(say: Callable[[str], None] = print, mutations: Sequence[Mutation] = ALL_MUTATIONS) -> list[Mutation]:
    """Return the mutations that no case noticed."""
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "pilotlight")
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, package, ignore=ignore)
        for compiled, u85 in itertools.product((False, True), repeat=2):
            if noticed := notices(package, compiled=compiled, u85=u85):
                raise ValueError(f"the unbroken simulator fails: {noticed}")
        for mutation in mutations:
            changed = apply(mutation, package)
            noticed = notices(package, compiled=mutation.file == "loops.c", u85=mutation.u85)
            say(f"{mutation.what:60} {noticed[:120] or 'SURVIVES'}")
            if not noticed:
                survivors.append(mutation)
            shutil.copyfile(PACKAGE / changed, package / changed)
    say(f"{len(mutations) - len(survivors)} of {len(mutations)} mutations noticed")
    return survivors


if __name__ == "__main__":
    only_u85 = "--u85" in sys.argv
    if "--judge" in sys.argv:
        sys.exit(judge(u85=only_u85))
    sys.exit(bool(run_mutations(mutations=U85_MUTATIONS if only_u85 else ALL_MUTATIONS)))
