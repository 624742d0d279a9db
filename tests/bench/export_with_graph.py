# SPDX-License-Identifier: Apache-2.0
"""Exports a model as `west build` does, and keeps the TOSA graph that Vela compiled.

python tests/bench/export_with_graph.py MODEL NPU FOLDER     writes model.pte and model.tosa
"""

import sys
import tempfile
from pathlib import Path

from pilotlight.export import ExportOptions, export_model
from pilotlight.export.upstream.tosa_origins import recorded_graphs

model, npu, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
with tempfile.TemporaryDirectory(prefix="pilotlight-bench-") as scratch, recorded_graphs() as graphs:
    bundle = Path(scratch, "bundle")
    export_model(model, ExportOptions(npu=npu), bundle)
    (folder / "model.pte").write_bytes((bundle / "model.pte").read_bytes())
# An attempt that was given up wrote a graph, too.
(folder / "model.tosa").write_bytes(bytes(graphs[-1].serializer.serialize()))
