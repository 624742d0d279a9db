# SPDX-License-Identifier: Apache-2.0
"""debug.json of a bundle: the operator of the user's model that each NPU command belongs to.

The export writes it from the output of Vela and of the TOSA lowering. `pilotlight simulate
--layers` and `pilotlight size` read this file. The file describes exactly one .pte, identified by
its hash.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pilotlight.errors import ConfigError

SCHEMA = 1
FILE_NAME = "debug.json"


@dataclass(frozen=True)
class CompiledOperator:
    """One operator as Vela scheduled it, for which the stream holds one or more commands.

    operator, tensor: TOSA names of its source operator and of the tensor that it computes; "" if
        Vela added the operator.
    module, where, source: the nn.Module's path, "file:line" and text of the user's line; "" if
        unknown.
    inner_where, inner_source: the line of an installed package that the user's line calls; else "".
    vela_cycles: Vela's estimate of its cycles. vela_npu_cycles: the same without waits for memory.
    """

    operator: str
    tensor: str
    module: str
    where: str
    source: str
    vela_cycles: int
    vela_npu_cycles: int
    inner_where: str = ""
    inner_source: str = ""


@dataclass(frozen=True)
class StreamDebug:
    """The operators of one command stream.

    parts: (byte offset of the part's last NPU_OP command, index of its operator), ascending. An
        operator has several parts if Vela splits or interleaves it. A part includes all commands
        since the part before it. So a copy counts for its first reader, which is right as long as
        Vela fetches nothing further ahead.
    """

    operators: tuple[CompiledOperator, ...]
    parts: tuple[tuple[int, int], ...]

    def operator_of(self, offset: int) -> CompiledOperator | None:
        """Return the operator that the NPU_OP command at byte `offset` belongs to."""
        part = bisect_left(self.parts, (offset, 0))
        return self.operators[self.parts[part][1]] if part < len(self.parts) else None


@dataclass(frozen=True)
class DebugInfo:
    """The contents of debug.json.

    streams: one per delegate in the .pte's order; None without data.
    """

    pte_sha256: str
    system_config: str
    streams: tuple[StreamDebug | None, ...]

    def save(self, folder: Path) -> None:
        """Write debug.json to `folder`."""
        (folder / FILE_NAME).write_text(json.dumps({"schema": SCHEMA, **asdict(self)}) + "\n", encoding="utf-8")


def find_debug_info(pte_path: Path, pte: bytes) -> DebugInfo | None:
    """Read debug.json beside a .pte. None if there is none, or if it describes another program.

    Raises ConfigError if the file is damaged.
    """
    path = pte_path.with_name(FILE_NAME)
    try:
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if raw["schema"] != SCHEMA or raw["pte_sha256"] != hashlib.sha256(pte).hexdigest():
            return None
        streams = tuple(
            None
            if stream is None
            else StreamDebug(
                tuple(CompiledOperator(**row) for row in stream["operators"]),
                tuple((int(offset), int(operator)) for offset, operator in stream["parts"]),
            )
            for stream in raw["streams"]
        )
        for stream in filter(None, streams):
            if any(not 0 <= operator < len(stream.operators) for _, operator in stream.parts):
                raise ValueError("a part has no operator")
        return DebugInfo(raw["pte_sha256"], raw["system_config"], streams)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: not readable as debug information ({error})", hint="delete it, or export the model again"
        ) from error
