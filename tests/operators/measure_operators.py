# SPDX-License-Identifier: Apache-2.0
"""Exports operators with upstream's own flow, and compares each stage with the one before it.

    python tests/operators/measure_operators.py NPU MEMORY_MODE IMAGE KEY...

IMAGE is the executor runner's ELF file; "-" leaves the firmware out. It prints one line of JSON per
operator.

Stages: float PyTorch, quantised PyTorch, TOSA reference, simulated NPU, firmware. Only the
speed-ups of pilotlight.export are used, which change nothing in the program. Inputs and outputs are
float32, so the program quantises and dequantises on the CPU, as upstream's runner does.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))

from firmware_run import FirmwareError, run_on_firmware
from operator_recipes import RECIPES, Recipe

# Random integer inputs for the comparison of a delegate with TOSA.
_SAMPLES = 16
_REASON_LENGTH = 300
_FAST_SCRATCH = 2


@dataclass
class Measured:
    """What was found for one operator.

    delegates, on_cpu: the program's parts; on_cpu without quantise and dequantise.
    outputs: values in all outputs.
    quantisation_db: SQNR of quantised against float PyTorch, None for exact or not float results.
    tosa_values, tosa_wrong: values of the delegates compared with the TOSA reference, given random
        integers, and how many differ.
    program_wrong, program_steps: values in which the simulated program differs from quantised
        PyTorch, and the largest difference in steps of the output's scale.
    firmware_values, firmware_wrong: values of the program on the firmware, and how many differ from
        the simulated program's in any bit. firmware_error: why the firmware gave none.
    zeros_quantised, zeros_device: values that are zero where float PyTorch's is not.
    ones_deviate, ones_zeros: the same program, if the runner gives it inputs of ones: values that
        differ from float PyTorch's by more than two steps, and values that are zero instead.
    cleared_deviate, cleared_zeros: the same, if the NPU reads zero bytes where its inputs are.
    no_fast_scratch_wrong, no_fast_scratch_zeros: values of the delegates that differ from TOSA, and
        that are zero instead, if there is no memory behind region 2.
    deviations: operations of the program that are known to give another result on hardware.
    error: why there is no result.
    """

    key: str
    npu: str
    memory_mode: str
    delegates: int = 0
    on_cpu: list[str] = field(default_factory=list)
    outputs: int = 0
    quantisation_db: float | None = None
    tosa_values: int = 0
    tosa_wrong: int = 0
    program_wrong: int = 0
    program_steps: float = 0.0
    firmware_values: int = 0
    firmware_wrong: int = 0
    firmware_error: str = ""
    zeros_quantised: int = 0
    zeros_device: int = 0
    ones_deviate: int = 0
    ones_zeros: int = 0
    cleared_deviate: int = 0
    cleared_zeros: int = 0
    no_fast_scratch_wrong: int = 0
    no_fast_scratch_zeros: int = 0
    scratch_bytes: int = 0
    operations: list[str] = field(default_factory=list)
    deviations: list[str] = field(default_factory=list)
    note: str = ""
    error: str = ""


def measure(recipe: Recipe, npu: str, memory_mode: str, image: Path | None = None) -> Measured:
    found = Measured(recipe.key, npu, memory_mode)
    inputs = recipe.inputs()
    module = recipe.module()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        expected = _tuple(module(*inputs))
        with contextlib.redirect_stdout(io.StringIO()):
            quantised, program, graphs = export(module, inputs, npu, memory_mode, Path(folder))
        answer = _tuple(quantised)
    _describe(found, program)
    found.outputs = sum(value.numel() for value in expected)
    found.quantisation_db = _sqnr(expected, answer)
    found.zeros_quantised = _lost(expected, answer)
    _compare_delegates(found, program, graphs)
    _compare_program(found, program, inputs, expected, answer)
    if image is not None and found.delegates and not found.deviations:
        _compare_firmware(found, program, inputs, image)
    return found


def export(
    module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], npu: str, memory_mode: str, folder: Path
) -> tuple[Any, bytes, list[bytes]]:
    """Return quantised PyTorch's outputs, the program, and the TOSA graphs of its delegates."""
    from executorch.backends.arm.ethosu import EthosUCompileSpec, EthosUPartitioner
    from executorch.backends.arm.quantizer import EthosUQuantizer, get_symmetric_quantization_config
    from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from pilotlight.export.upstream.speed import quick_upstream

    with quick_upstream():
        spec = EthosUCompileSpec(npu, memory_mode=memory_mode)
        spec.dump_intermediate_artifacts_to(str(folder))
        quantizer = EthosUQuantizer(spec)
        quantizer.set_global(get_symmetric_quantization_config())
        prepared = prepare_pt2e(torch.export.export(module, inputs).module(check_guards=False), quantizer)
        prepared(*inputs)
        converted = convert_pt2e(prepared)
        answer = converted(*inputs)
        edge = to_edge_transform_and_lower(
            torch.export.export(converted, inputs),
            partitioner=[EthosUPartitioner(spec)],
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
        executorch = edge.to_executorch(ExecutorchBackendConfig(extract_delegate_segments=False))
        return answer, bytes(executorch.buffer), [path.read_bytes() for path in sorted(folder.glob("output*.tosa"))]


def _describe(found: Measured, program: bytes) -> None:
    method = _method(program)
    found.delegates = len(method.delegates)
    found.on_cpu = sorted(name for name in method.kernel_dtypes if "quantize" not in name)


def _compare_delegates(found: Measured, program: bytes, graphs: list[bytes]) -> None:
    from pilotlight.npu.delegate_runner import DelegateRunner
    from pilotlight.npu.stream.known_deviations import deviation_of
    from pilotlight.pte import read_program

    parsed = read_program(program)
    (method,) = parsed.methods.values()
    if len(graphs) != len(method.delegates):
        found.note = f"{len(graphs)} TOSA graphs for {len(method.delegates)} delegates"
        return
    for delegate in method.delegates:
        runner = DelegateRunner(delegate.blob, found.npu, named_data=parsed.named_data, strict=False)
        found.deviations += [text for text in map(deviation_of, runner.operations.values()) if text]
        found.scratch_bytes += runner.blob.scratch_size_bytes
        found.operations += [operation.name for operation in runner.operations.values()]
        for graph in graphs:
            if _compared(found, runner, graph):
                break
        else:
            found.note = "no TOSA graph has the delegate's inputs"


def _compared(found: Measured, runner: Any, graph: bytes) -> bool:
    """Compare a delegate with a graph. Returns False if its inputs are others."""
    import tosa_reference_model
    from tosa_inputs import inputs_of

    places = inputs_of(graph)
    sizes = [int(np.prod(shape)) * dtype.itemsize for shape, dtype in places]
    # Vela removes inputs that no operator reads.
    reads = bool(runner.blob.inputs)
    if reads and sizes != [place.size_bytes for place in runner.blob.inputs]:
        return False
    generator = np.random.default_rng(1)
    for _ in range(_SAMPLES):
        drawn = [_random(generator, shape, dtype) for shape, dtype in places]
        golden, status = tosa_reference_model.run(graph, drawn)
        if status != tosa_reference_model.GraphStatus.TOSA_VALID:
            continue
        golden = [np.asarray(value) for value in golden]
        outputs = [np.zeros_like(value) for value in golden]
        runner.run(drawn if reads else [], outputs)
        for output, value in zip(outputs, golden, strict=True):
            found.tosa_values += value.size
            found.tosa_wrong += int((output != value).sum())
        _without_fast_scratch(found, runner, drawn if reads else [], golden)
    return True


def _without_fast_scratch(found: Measured, runner: Any, drawn: list[Any], golden: list[Any]) -> None:
    """Run a delegate as if region 2 lost what is written to it."""
    lost = runner.region_content(_FAST_SCRATCH)
    outputs = [np.zeros_like(value) for value in golden]
    lost[:] = 0
    runner.run(drawn, outputs, lambda _: lost.fill(0))
    for output, value in zip(outputs, golden, strict=True):
        found.no_fast_scratch_wrong += int((output != value).sum())
        found.no_fast_scratch_zeros += int(((output == 0) & (value != 0)).sum())


def _random(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype == np.bool_:
        return generator.integers(0, 2, shape).astype(np.bool_)
    limits = np.iinfo(dtype)
    low, high = max(int(limits.min), -(1 << 15)), min(int(limits.max), (1 << 15) - 1)
    return generator.integers(low, high, shape, endpoint=True).astype(dtype)


def _compare_program(
    found: Measured,
    program: bytes,
    inputs: tuple[torch.Tensor, ...],
    expected: tuple[torch.Tensor, ...],
    answer: tuple[torch.Tensor, ...],
) -> None:
    if found.deviations:
        return  # The simulator stops at such an operation.
    device = _run(program, inputs)
    steps = [_step(program, index) for index in range(len(device))]
    found.zeros_device = _lost(expected, device)
    for value, wanted, step in zip(device, answer, steps, strict=True):
        difference = (value.double() - wanted.double()).abs()
        found.program_wrong += int((difference != 0).sum())
        if step and difference.numel():
            found.program_steps = max(found.program_steps, float(difference.max()) / step)
    found.ones_deviate, found.ones_zeros = _apart(_run(program, tuple(map(torch.ones_like, inputs))), expected, steps)
    found.cleared_deviate, found.cleared_zeros = _apart(_run(program, _cleared(program, inputs)), expected, steps)


def _compare_firmware(found: Measured, program: bytes, inputs: tuple[torch.Tensor, ...], image: Path) -> None:
    try:
        board = run_on_firmware(image, found.npu, program, [value.numpy() for value in inputs])
    except FirmwareError as error:
        found.firmware_error = str(error)[:_REASON_LENGTH]
        return
    for value, wanted in zip(board, _run(program, inputs), strict=True):
        found.firmware_values += value.size
        same_bits = value.tobytes() == wanted.numpy().tobytes()
        found.firmware_wrong += 0 if same_bits else max(1, int((value != wanted.numpy()).sum()))


def _apart(values: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...], steps: list[float]) -> tuple[int, int]:
    """Return how many values are more than two steps from what is expected, and how many are zero
    instead."""
    triples = zip(values, expected, steps, strict=True)
    far = sum(int(((value.double() - wanted.double()).abs() > 2 * step).sum()) for value, wanted, step in triples)
    return far, _lost(expected, values)


def _cleared(program: bytes, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Return the inputs that the program quantises to zero bytes."""
    method = _method(program)
    found = [torch.zeros_like(value) for value in inputs]
    for arguments in _calls(method, "::quantize_per_tensor"):
        if arguments[0] in method.input_values:
            scale, zero_point = (float(method.values[index]) for index in arguments[1:3])
            place = method.input_values.index(arguments[0])
            found[place] = torch.full_like(inputs[place], -zero_point * scale)
    return tuple(found)


def _run(program: bytes, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    from pilotlight.npu import Simulator

    outputs = Simulator(program).run([value.numpy() for value in inputs]).outputs
    return tuple(torch.from_numpy(np.array(value)) for value in outputs)


def _step(program: bytes, index: int) -> float:
    """Return the scale with which the program dequantises an output, 0 if it does not."""
    method = _method(program)
    for arguments in _calls(method, "::dequantize_per_tensor"):
        if method.output_values[index] in arguments:
            return float(method.values[arguments[1]])
    return 0.0


def _method(program: bytes) -> Any:
    from pilotlight.pte import read_program

    (method,) = read_program(program).methods.values()
    return method


def _calls(method: Any, name: str) -> list[tuple[int, ...]]:
    """Return the arguments of each call of an operator whose name contains `name`."""
    from pilotlight.pte import KernelCall

    calls = (call for chain in method.chains for call in chain if isinstance(call, KernelCall))
    return [call.arguments for call in calls if name in call.operator]


def _sqnr(expected: tuple[torch.Tensor, ...], answer: tuple[torch.Tensor, ...]) -> float | None:
    signal = noise = 0.0
    for wanted, value in zip(expected, answer, strict=True):
        signal += float((wanted.double() ** 2).sum())
        noise += float(((wanted.double() - value.double()) ** 2).sum())
    return None if not noise or not signal else round(10 * np.log10(signal / noise), 1)


def _lost(expected: tuple[torch.Tensor, ...], values: tuple[torch.Tensor, ...]) -> int:
    pairs = zip(expected, values, strict=True)
    return sum(int(((wanted != 0) & (value == 0)).sum()) for wanted, value in pairs)


def _tuple(value: Any) -> tuple[torch.Tensor, ...]:
    return (value,) if isinstance(value, torch.Tensor) else tuple(value)


def main() -> None:
    npu, memory_mode, image, *keys = sys.argv[1:]
    for key in keys:
        try:
            found = measure(RECIPES[key], npu, memory_mode, None if image == "-" else Path(image))
        except Exception as error:  # Whatever upstream raises is a result.
            reason = (str(error).splitlines() or [""])[0][:_REASON_LENGTH]
            found = Measured(key, npu, memory_mode, error=f"{type(error).__name__}: {reason}")
        print(json.dumps(asdict(found)), flush=True)


if __name__ == "__main__":
    main()
