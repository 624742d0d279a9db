# SPDX-License-Identifier: Apache-2.0
"""load_method of our runtime compared with the wheel's, on programs of 10 to 2,000 operators."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from images import BENCH

from pilotlight.errors import BuildFailed

OPERATORS = (10, 30, 100, 300, 1000, 2000)
# Each turn runs both runtimes once. The least time counts: other work can only add time.
_TURNS = 5
_ROUNDS = 20
_BUILD_DEADLINE_S = 600.0
_RUN_DEADLINE_S = 120.0
_SIDES = ("ours", "wheel")


@dataclass(frozen=True)
class Loads:
    """Nanoseconds by runtime ("ours", "wheel") and number of operators."""

    program: dict[str, dict[int, int]]
    method: dict[str, dict[int, int]]

    def ratio(self, operators: int) -> float:
        return self.method["ours"][operators] / self.method["wheel"][operators]

    @property
    def worst_ratio(self) -> float:
        return max(self.ratio(count) for count in OPERATORS)

    @property
    def worst_ratio_with_verification(self) -> float:
        """The largest ratio of Program::load() and load_method() together.

        Ours verifies the file in Program::load(); the wheel's does not verify it.
        """
        ours, wheel = ([self.program[side][count] + self.method[side][count] for count in OPERATORS] for side in _SIDES)
        return max(mine / theirs for mine, theirs in zip(ours, wheel, strict=True))

    @property
    def exponent(self) -> float:
        """Slope of our time over the number of operators, both as logarithms.

        The slope starts at 100 operators, because the fixed part of a load dominates below.
        """
        points = [(math.log(n), math.log(self.method["ours"][n])) for n in OPERATORS if n >= 100]
        mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
        covariance = sum((x - mean_x) * (y - mean_y) for x, y in points)
        return covariance / sum((x - mean_x) ** 2 for x, _ in points)


def measure_loads() -> Loads:
    """Measure. Raises BuildFailed when a program does not build or does not load."""
    folder = BENCH / "load"
    source = Path(__file__).resolve().parent / "load"
    python = f"-DPILOTLIGHT_PYTHON={sys.executable}"
    configure = ["cmake", "-G", "Ninja", "-S", str(source), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release", python]
    _call(configure, _BUILD_DEADLINE_S)
    _call(["cmake", "--build", str(folder)], _BUILD_DEADLINE_S)
    files = {count: folder / f"operators-{count}.pte" for count in OPERATORS}
    for count, file in files.items():
        file.write_bytes(_program(count))
    loads = Loads({side: {} for side in _SIDES}, {side: {} for side in _SIDES})
    for _ in range(_TURNS):
        for side in _SIDES:
            said = _call([str(folder / f"load_{side}"), str(_ROUNDS), *map(str, files.values())], _RUN_DEADLINE_S)
            for count, line in zip(OPERATORS, said.splitlines(), strict=True):
                _, program, method = line.rsplit(" ", 2)
                for times, value in ((loads.program[side], program), (loads.method[side], method)):
                    times[count] = min(times.get(count, int(value)), int(value))
    return loads


def _call(command: list[str], deadline_s: float) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=deadline_s, check=False)
    if done.returncode:
        raise BuildFailed(f"{' '.join(command[:3])} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def _program(count: int) -> bytes:
    """Return a .pte with `count` calls of aten::neg.out in a row."""
    from executorch.exir import schema
    from executorch.exir._serialize import _serialize_pte_binary
    from executorch.exir._serialize._program import PTEFile
    from executorch.exir.scalar_type import ScalarType

    def tensor(at: int) -> schema.EValue:
        return schema.EValue(
            schema.Tensor(
                scalar_type=ScalarType.FLOAT,
                storage_offset=0,
                sizes=[1, 8, 8],
                dim_order=bytes([0, 1, 2]),
                requires_grad=False,
                layout=0,
                data_buffer_idx=0,
                allocation_info=schema.AllocationDetails(memory_id=1, memory_offset_low=at, memory_offset_high=0),
                shape_dynamism=schema.TensorShapeDynamism.STATIC,
            )
        )

    values = [tensor(256 * index) for index in range(count + 1)]
    calls = [schema.Instruction(schema.KernelCall(op_index=0, args=[i, i + 1])) for i in range(count)]
    plan = schema.ExecutionPlan(
        name="forward",
        container_meta_type=schema.ContainerMetadata("", ""),
        values=values,
        inputs=[0],
        outputs=[count],
        chains=[schema.Chain(inputs=[], outputs=[], instructions=calls, stacktrace=None)],
        operators=[schema.Operator("aten::neg", "out")],
        delegates=[],
        non_const_buffer_sizes=[0, 256 * (count + 1)],
    )
    program = schema.Program(
        version=0,
        execution_plan=[plan],
        constant_buffer=[],
        backend_delegate_data=[],
        segments=[],
        constant_segment=schema.SubsegmentOffsets(segment_index=0, offsets=[0]),
    )
    return bytes(_serialize_pte_binary(PTEFile(program=program)))
