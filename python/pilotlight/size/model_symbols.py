# SPDX-License-Identifier: Apache-2.0
"""Recognises the symbols of a model's program and memory (codegen/templates/model.S.jinja)."""

from __future__ import annotations

import re

_PROGRAM = re.compile(r"pilotlight_model_(?P<name>\w+)_pte")
_MEMORY = re.compile(
    r"pilotlight_model_(?P<name>\w+)_(?P<what>method_pool|temp_pool|planned|state|tied)(_(?P<number>\d+))?"
)
_WORDS = {
    "method_pool": "method pool",
    "temp_pool": "NPU scratch",
    "planned": "planned buffer",
    "state": "state",
    "tied": "tied inputs",
}


def model_of_program(symbol: str) -> str | None:
    """Return the name of the model whose program this is, or None.

    >>> model_of_program("pilotlight_model_digits_pte"), model_of_program("main")
    ('digits', None)
    """
    found = _PROGRAM.fullmatch(symbol)
    return found["name"] if found else None


def memory_of_model(symbol: str) -> tuple[str, str] | None:
    """Return the name of the model whose memory this is, and its purpose, or None.

    >>> memory_of_model("pilotlight_model_digits_planned_1")
    ('digits', 'planned buffer 1')
    >>> memory_of_model("pilotlight_model_digits_temp_pool")
    ('digits', 'NPU scratch')
    """
    found = _MEMORY.fullmatch(symbol)
    return (found["name"], f"{_WORDS[found['what']]} {found['number'] or ''}".strip()) if found else None
