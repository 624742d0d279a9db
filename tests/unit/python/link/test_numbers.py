# SPDX-License-Identifier: Apache-2.0
"""Host and firmware give the protocol's messages, reasons and statuses the same numbers."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

from pilotlight.link.messages import Reason, Request, Status, Unasked
from pilotlight.paths import ROOT

FIRMWARE = ROOT / "firmware"
MESSAGE = FIRMWARE / "protocol" / "include" / "pilotlight" / "protocol" / "message.h"
STATUS = FIRMWARE / "base" / "include" / "pilotlight" / "base" / "status.h"


def numbers_in_c(header: str, name: str) -> dict[str, int]:
    """Return the enumerators of an enum class as NAMES_LIKE_THIS."""
    body = re.search(rf"enum class (?:\[\[nodiscard\]\] )?{name} : std::uint8_t \{{(.*?)\}};", header, re.S)
    assert body is not None
    found = re.findall(r"^ *k(\w+) = (\w+),", body[1], re.M)
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).upper(): int(number, 0) for word, number in found}


@pytest.mark.parametrize(
    ("file", "name", "ours"),
    [
        (MESSAGE, "MessageType", (Request, Unasked)),
        (MESSAGE, "ErrorReason", (Reason,)),
        (STATUS, "Status", (Status,)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_name_has_the_same_number(file: Path, name: str, ours: tuple[type[IntEnum], ...]) -> None:
    header = numbers_in_c(file.read_text(encoding="utf-8"), name)
    assert len(header) > 5
    assert header == {member.name: member.value for numbers in ours for member in numbers}
