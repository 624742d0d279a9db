# SPDX-License-Identifier: Apache-2.0
"""Writes a lowered program as a .pte."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence

from executorch.exir import ExecutorchBackendConfig

from pilotlight.bundle import Tie
from pilotlight.export.lowering.demands import unsupported
from pilotlight.export.lowering.lower import Lowered
from pilotlight.export.lowering.memory_plan import InPlaceMemoryPlanning
from pilotlight.export.upstream.speed import quick_upstream
from pilotlight.pte.driver_payload import parse_payload
from pilotlight.pte.ethos_u import parse_blob

# The NPU reads commands and weights in place, in the .pte. An image embeds the .pte at a multiple
# of this.
BLOB_ALIGN_BYTES = 16


def emit(lowered: Lowered, ties: Sequence[Tie] = ()) -> bytes:
    """Return the .pte. Inputs of `ties` get memory that an inference does not overwrite.

    Raises UnsupportedOperator for an operator without an out variant, RuntimeError for a blob that
    is not aligned.
    """
    config = ExecutorchBackendConfig(
        extract_delegate_segments=False,
        delegate_alignment=BLOB_ALIGN_BYTES,
        memory_planning_pass=InPlaceMemoryPlanning(tuple(tie.input for tie in ties)),
    )
    try:
        # to_executorch() rewrites the graph in place, and the golden outputs still need the
        # original.
        with quick_upstream():
            executorch_program = copy.deepcopy(lowered.edge).to_executorch(config)
    except RuntimeError as error:
        missing = re.search(r"Missing out variants: \{([^}]*)\}", str(error))
        if missing is None:
            raise
        raise unsupported(re.findall(r"[\w.]+(?:::[\w.]+)?", missing.group(1)), lowered.on_cpu) from error
    pte = bytes(executorch_program.buffer)
    for delegate in lowered.delegates:
        check_alignment(pte, delegate.compilation.blob)
    return pte


def check_alignment(pte: bytes, blob: bytes) -> None:
    """Raise RuntimeError if commands or weights of `blob` are not at a multiple of 16 in `pte`."""
    start = pte.find(blob)
    if start < 0:
        raise RuntimeError("a delegate's blob is not in the .pte as Vela's packer made it")
    parts = parse_blob(blob)
    places = {}
    if parts.commands_at is not None:
        places["command stream"] = start + parts.commands_at + parse_payload(parts.commands).stream_at
    # Nothing reads the weights of a delegate without constants.
    if parts.weights_at is not None and parts.weights:
        places["weights"] = start + parts.weights_at
    for what, offset in places.items():
        if offset % BLOB_ALIGN_BYTES:
            raise RuntimeError(f"{what} at offset {offset} of the .pte, no multiple of {BLOB_ALIGN_BYTES}")
