# SPDX-License-Identifier: Apache-2.0
"""Reads Vela's debug database (`--enable-debug-db`), which has CSV tables inside XML.

queue      byte offset in the stream of a part's last command ->  scheduled operation
perf       scheduled operation -> source operation, name of its tensor, cycles
source     source operation -> index in the TOSA graph ("ext_key")
"""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree

from pilotlight.debug_info import CompiledOperator, StreamDebug
from pilotlight.export.upstream.tosa_origins import Origins, TosaOrigin

_UNKNOWN = TosaOrigin(operator="", tensor="", module="", where="", source="")

Rows = list[dict[str, str]]


def stream_debug(database: Path, origins: Origins) -> StreamDebug:
    """Join Vela's tables with the recorded origins.

    Raises KeyError, ValueError or SyntaxError if the database has an unknown format.
    """
    tables = _tables(database)
    scheduled = {row["id"]: row for row in tables["perf"]}
    graph_index = {row["id"]: int(row["ext_key"]) for row in tables["source"]}
    operators: dict[str, CompiledOperator] = {}
    parts: list[tuple[int, int]] = []
    for row in sorted(tables["queue"], key=lambda row: int(row["offset"])):
        number = row["scheduled_id"]
        if number not in operators:
            operation = scheduled[number]
            origin = origins.get(graph_index.get(operation["source_id"], -1), _UNKNOWN)
            operators[number] = _operator(operation, origin)
        parts.append((int(row["offset"]), list(operators).index(number)))
    return StreamDebug(tuple(operators.values()), tuple(parts))


def _operator(operation: dict[str, str], origin: TosaOrigin) -> CompiledOperator:
    return CompiledOperator(
        operator=origin.operator or operation["operator"],
        # A name with "#" is a tensor that Vela added.
        tensor="" if operation["name"].startswith("#") else operation["name"],
        module=origin.module,
        where=origin.where,
        source=origin.source,
        inner_where=origin.inner_where,
        inner_source=origin.inner_source,
        vela_cycles=int(float(operation["op_cycles"])),
        vela_npu_cycles=int(float(operation["npu_cycles"])),
    )


def _tables(database: Path) -> dict[str, Rows]:
    root = ElementTree.parse(database).getroot()
    tables: dict[str, Rows] = {}
    for table in root.iter("table"):
        lines = (table.text or "").strip().splitlines()
        tables[table.attrib["name"]] = list(csv.DictReader(lines))
    return tables
