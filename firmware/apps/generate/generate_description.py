# SPDX-License-Identifier: Apache-2.0
"""Writes description.h and description.cpp: the tables of a text model, as C++ constants.

    python generate_description.py --bundle FOLDER --out FOLDER

`--bundle` is the exported model. Its model file has text.py beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

from pilotlight.bundle import load_model_info
from pilotlight.errors import PilotlightError
from pilotlight.files import write_if_changed
from pilotlight.generate.tables import Tables, make_tables
from pilotlight.generate.text_model import load_text_model

HEAD = "// SPDX-License-Identifier: Apache-2.0\n// Generated from text.py and model.json: the next build overwrites it.\n"
NAMESPACE = "namespace pilotlight::generate::description {\n"


def array(kind: str, name: str, values: Iterable[int]) -> str:
    numbers = [str(value) for value in values]
    lines = [", ".join(numbers[at : at + 24]) for at in range(0, len(numbers), 24)]
    return f"const {kind} {name}[{len(numbers)}] = {{\n    " + ",\n    ".join(lines) + ",\n};\n"


def header(tables: Tables) -> str:
    return f"""\
{HEAD}#pragma once

#include <cstdint>

{NAMESPACE}
inline constexpr std::uint32_t kCrc32 = 0x{tables.crc:08X};
inline constexpr std::uint32_t kVocabulary = {len(tables.vocabulary)};
inline constexpr std::uint32_t kContext = {tables.context};
inline constexpr std::uint32_t kLogits = {tables.logits};  // Number of the output.

// The stored values of an input: one row for each token, or for each position of the text.
struct InputTable {{
  std::uint32_t input;
  std::uint32_t row_bytes;
  bool by_token;
  const std::uint8_t* values;
}};
extern const InputTable kInputTables[{len(tables.inputs)}];

// Token t has the bytes from the end of token t - 1 to kTokenEnds[t].
extern const std::uint32_t kTokenEnds[kVocabulary];
extern const std::uint8_t kTokenText[{max(1, sum(map(len, tables.vocabulary)))}];

}}  // namespace pilotlight::generate::description
"""


def source(tables: Tables) -> str:
    u8 = "std::uint8_t"
    rows = "".join(
        f"static {array(u8, f'kRows{table.input}', table.rows.reshape(-1).tolist())}" for table in tables.inputs
    )
    entries = ",\n".join(
        f"    {{{table.input}, {table.rows.shape[1]}, {str(table.by_token).lower()}, kRows{table.input}}}"
        for table in tables.inputs
    )
    text = array(u8, "kTokenText", b"".join(tables.vocabulary) or b"\0")
    ends = array("std::uint32_t", "kTokenEnds", accumulate(map(len, tables.vocabulary)))
    return (
        f'{HEAD}#include "description.h"\n\n{NAMESPACE}\n{rows}\n'
        f"const InputTable kInputTables[{len(tables.inputs)}] = {{\n{entries},\n}};\n\n{ends}\n{text}\n"
        "}  // namespace pilotlight::generate::description\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        info = load_model_info(arguments.bundle)
        tables = make_tables(load_text_model(Path(info.source)), info)
    except PilotlightError as error:
        print(f"error: {error.report()}", file=sys.stderr)
        sys.exit(error.exit_code)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_if_changed(arguments.out / "description.h", header(tables))
    write_if_changed(arguments.out / "description.cpp", source(tables))


if __name__ == "__main__":
    main()
