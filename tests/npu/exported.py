# SPDX-License-Identifier: Apache-2.0
"""Exports models with ExecuTorch, and keeps the TOSA graph that Vela compiled as the reference.

Of pilotlight.export, only the speed-ups are used, which change nothing in the program. So these
tests judge only the simulator.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tosa_reference_model
from numpy.typing import NDArray


@dataclass(frozen=True)
class Exported:
    """A program with int8 inputs and outputs that consists of one delegate."""

    pte: bytes
    tosa: bytes

    def golden(self, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs of the TOSA reference model."""
        outputs, status = tosa_reference_model.run(self.tosa, [np.ascontiguousarray(array) for array in inputs])
        assert status == tosa_reference_model.GraphStatus.TOSA_VALID
        return [np.asarray(output) for output in outputs]


def export(module: Any, example: tuple[Any, ...], npu: str, calibration: Sequence[tuple[Any, ...]] = ()) -> Exported:
    import torch
    from executorch.backends.arm.ethosu import EthosUCompileSpec, EthosUPartitioner
    from executorch.backends.arm.quantizer import EthosUQuantizer, get_symmetric_quantization_config
    from executorch.exir import EdgeCompileConfig, ExecutorchBackendConfig, to_edge_transform_and_lower
    from executorch.exir.passes.quantize_io_pass import QuantizeInputs, QuantizeOutputs
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from pilotlight.export.upstream.speed import quick_upstream

    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        torch.no_grad(),
        quick_upstream(),
    ):
        # ExecuTorch has its own defaults for each product.
        memory = {"system_config": "Ethos_U55_High_End_Embedded", "memory_mode": "Shared_Sram"} if "u55" in npu else {}
        spec = EthosUCompileSpec(npu, **memory)
        spec.dump_intermediate_artifacts_to(folder)
        quantizer = EthosUQuantizer(spec)
        quantizer.set_global(get_symmetric_quantization_config())
        graph = torch.export.export(module, example).module(check_guards=False)
        prepared = prepare_pt2e(graph, quantizer)
        for sample in calibration or [example]:
            prepared(*sample)
        program = torch.export.export(convert_pt2e(prepared), example)
        edge = to_edge_transform_and_lower(
            program,
            partitioner=[EthosUPartitioner(spec)],
            compile_config=EdgeCompileConfig(_check_ir_validity=False),
        )
        edge = edge.transform([QuantizeInputs(edge, list(range(len(example)))), QuantizeOutputs(edge, [0])])
        executorch = edge.to_executorch(ExecutorchBackendConfig(extract_delegate_segments=False))
        graphs = [path.read_bytes() for path in Path(folder).glob("output_tag*.tosa")]
        left = [str(node.target) for node in edge.exported_program().graph.nodes if node.op == "call_function"]
        assert len(graphs) == 1, f"{len(graphs)} delegates; outside of them: {left}"
        return Exported(bytes(executorch.buffer), graphs[0])
