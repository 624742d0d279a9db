# SPDX-License-Identifier: Apache-2.0
"""Finds the user's source line of an operator, from the stack trace that PyTorch keeps.

>>> trace = '''  File "/site-packages/torch/nn/modules/conv.py", line 565, in forward
...     return self._conv_forward(input, self.weight, self.bias)
...   File "/home/me/net.py", line 12, in forward
...     return self.conv(x)'''
>>> user_line(trace)
SourceLine(file='/home/me/net.py', line=12, text='return self.conv(x)')
"""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass

_FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+), in [^\n]*(?:\n(?!\s*File ")([^\n]*))?', re.MULTILINE)
_PACKAGES = "-packages/"
# PyTorch's packages and those of the compilers. Lines in these packages are not part of a model.
_OF_TOOLS = re.compile(r"/(?:site|dist)-packages/(?:torch|torchao|executorch|ethosu|tosa\w*|numpy|sympy)/")


@dataclass(frozen=True)
class SourceLine:
    file: str
    line: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def user_line(stack_trace: str | None) -> SourceLine | None:
    """Return the innermost frame outside installed packages.

    If there is none: the innermost frame of an installed package other than PyTorch and the
    compilers, else the innermost frame. None without a trace.
    """
    frames = _frames_of(stack_trace)
    for found in (_own(frames), _of_libraries(frames), frames):
        if found:
            return found[-1]
    return None


def library_line(stack_trace: str | None) -> SourceLine | None:
    """Return the innermost line of an installed package that the user's line called, or None."""
    return _inside(_frames_of(stack_trace))


def raised_at(error: BaseException) -> SourceLine | None:
    """Return the innermost frame of the user's files that `error` passed through.

    If there is none: the innermost frame of an installed package other than PyTorch and the
    compilers. None if there is none either.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return SourceLine(error.filename, error.lineno or 0, (error.text or "").strip())
    frames = _frames_passed(error)
    found = _own(frames) or _of_libraries(frames)
    return found[-1] if found else None


def raised_inside(error: BaseException) -> SourceLine | None:
    """Return the innermost line of an installed package that the user's line called, or None."""
    return None if isinstance(error, SyntaxError) else _inside(_frames_passed(error))


def within(module: str, where: str, source: str) -> str:
    """Return module path and line of an installed package as text, as far as they are known.

    >>> within("blocks.0.attn", "/venv/site-packages/timm/attn.py:85", "q, k, v = qkv.unbind(0)")
    'in blocks.0.attn, timm/attn.py:85: q, k, v = qkv.unbind(0)'
    >>> within("features.0", "", "")
    'in features.0'
    """
    line = short_place(where) + (f": {source}" if source else "")
    return ", ".join(filter(None, [f"in {module}" if module else "", line]))


def short_place(where: str) -> str:
    """Return the place of a line without the path to the installed packages.

    >>> short_place("/home/me/.venv/lib/python3.11/site-packages/timm/layers/mlp.py:43")
    'timm/layers/mlp.py:43'
    """
    return re.split(r"/(?:site|dist)-packages/", where)[-1]


def _frames_of(stack_trace: str | None) -> list[SourceLine]:
    return [SourceLine(file, int(line), text.strip()) for file, line, text in _FRAME.findall(stack_trace or "")]


def _frames_passed(error: BaseException) -> list[SourceLine]:
    return [
        SourceLine(frame.filename, frame.lineno or 0, (frame.line or "").strip())
        for frame in traceback.extract_tb(error.__traceback__)
    ]


def _own(frames: list[SourceLine]) -> list[SourceLine]:
    return [frame for frame in frames if not is_installed(frame.file)]


def _of_libraries(frames: list[SourceLine]) -> list[SourceLine]:
    return [frame for frame in frames if _PACKAGES in frame.file and not _OF_TOOLS.search(frame.file)]


def _inside(frames: list[SourceLine]) -> SourceLine | None:
    own = [index for index, frame in enumerate(frames) if not is_installed(frame.file)]
    below = _of_libraries(frames[own[-1] + 1 :]) if own else []
    return below[-1] if below else None


def is_installed(file: str) -> bool:
    """Whether a file is from an installed package, Python, the exporter, or generated code."""
    return (
        "/site-packages/" in file
        or "/dist-packages/" in file
        or "/pilotlight/export/" in file
        or re.search(r"/lib/python3\.\d+/", file) is not None
        or file.startswith("<")
    )
