# SPDX-License-Identifier: Apache-2.0
"""Records Vela's input and output for each delegate.

ExecuTorch calls Vela deep inside the lowering and keeps only the packed result. The golden outputs
need the TOSA graph, and the report needs Vela's summary. ExecuTorch's own dump of intermediate
files overwrites the files of the last delegate. So we replace the one function that calls Vela.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from executorch.backends.arm.ethosu import backend

from pilotlight.debug_info import StreamDebug
from pilotlight.export.report.report import DelegateReport, MemoryTraffic
from pilotlight.export.upstream.sound_permutes import sound_permutes
from pilotlight.export.upstream.sound_slices import sound_slices
from pilotlight.export.upstream.tosa_origins import Origins, recorded_graphs
from pilotlight.export.upstream.tosa_values import TosaValues
from pilotlight.export.upstream.vela_debug import stream_debug
from pilotlight.export.upstream.vela_operands import copied_operands
from pilotlight.export.upstream.vela_outputs import demand_outputs
from pilotlight.export.upstream.vela_process import vela_in_its_own_process

# Prefixes of Vela's columns, and the usual names of the memories.
_MEMORIES = {
    "sram": "SRAM",
    "dram": "DRAM",
    "on_chip_flash": "on-chip flash",
    "off_chip_flash": "off-chip flash",
}


class VelaRefused(Exception):
    """Vela does not compile a graph. The message is that of Vela, if Vela gave a message."""


@dataclass(frozen=True)
class Compilation:
    """Vela's input and output for one delegate.

    tosa: the serialised graph. blob: the delegate's bytes in the .pte. folder: Vela's files.
    origins: of the graph's operators. values: the graph with its tensors as outputs.
    """

    tosa: bytes
    blob: bytes
    folder: Path
    seconds: float
    origins: Origins
    values: TosaValues

    def debug(self) -> StreamDebug | None:
        """Return the operators of the commands; None if Vela's database has an unknown format."""
        try:
            (database,) = self.folder.glob("*_debug.xml")
            return stream_debug(database, self.origins)
        except (ValueError, KeyError, SyntaxError):  # ElementTree's ParseError is a SyntaxError.
            return None

    def report(self, operators: int) -> DelegateReport:
        """Return Vela's estimate. operators: their number in the delegate."""
        with np.load(self.folder / "out_vela.npz") as arrays:
            command_bytes = int(arrays["cmd_data"].nbytes)
            weight_bytes = int(arrays["weight_data"].nbytes)
            scratch_bytes = int(arrays["scratch_shape"][0])
        (summary,) = self.folder.glob("*_summary_*.csv")
        with summary.open(encoding="utf-8", newline="") as file:
            row = next(csv.DictReader(file))
        return DelegateReport(
            command_bytes=command_bytes,
            weight_bytes=weight_bytes,
            scratch_bytes=scratch_bytes,
            operators=operators,
            macs=int(float(row["nn_macs"])),
            clock_hz=float(row["core_clock"]),
            npu_cycles=int(float(row["cycles_npu"])),
            total_cycles=int(float(row["cycles_total"])),
            memories=memory_traffic(row),
        )


def memory_traffic(row: dict[str, str]) -> tuple[MemoryTraffic, ...]:
    """Return the memories that are used, from a row of Vela's summary."""
    memories = []
    for column, name in _MEMORIES.items():
        memory = MemoryTraffic(
            memory=name,
            used_bytes=round(float(row[f"{column}_memory_used"]) * 1024),
            read_bytes=_sum(row, column, "read"),
            written_bytes=_sum(row, column, "write"),
            cycles=int(float(row[f"cycles_{column}_access"])),
            peak_bytes_per_second=float(row[f"{column}_bandwidth"]) * 2**30,
        )
        if memory.used_bytes or memory.read_bytes or memory.written_bytes:
            memories.append(memory)
    return tuple(memories)


def _sum(row: dict[str, str], memory: str, direction: str) -> int:
    return sum(int(float(row[f"{memory}_{what}_{direction}_bytes"])) for what in ("feature_map", "weight"))


@contextmanager
def recorded_compilations(folder: Path) -> Iterator[list[Compilation]]:
    """Collect all calls of Vela during the block.

    folder: for Vela's files; its path must not have blanks. A call raises VelaRefused or
    MissingOutput.
    """
    compilations: list[Compilation] = []
    compile_with_vela = backend.vela_compile

    def compile_and_record(tosa_flatbuffer: bytes, args: list[str], **options: Any) -> Any:
        own = folder / f"delegate{len(graphs)}"
        own.mkdir(parents=True)
        start = time.monotonic()
        try:
            result = compile_with_vela(
                tosa_flatbuffer, [*args, "--enable-debug-db"], **{**options, "intermediate_path": str(own)}
            )
        except (Exception, SystemExit) as error:
            raise VelaRefused(str(error)) from error
        demand_outputs(bytes(tosa_flatbuffer), result.processed_bytes)
        seconds = time.monotonic() - start
        written = graphs[-1]
        compilations.append(
            Compilation(
                bytes(tosa_flatbuffer),
                result.processed_bytes,
                own / "output",
                seconds,
                written.origins,
                TosaValues.of(written),
            )
        )
        return result

    with recorded_graphs() as graphs, copied_operands(), sound_slices(), sound_permutes(), vela_in_its_own_process():
        backend.vela_compile = compile_and_record
        try:
            yield compilations
        finally:
            backend.vela_compile = compile_with_vela
