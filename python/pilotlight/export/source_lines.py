# SPDX-License-Identifier: Apache-2.0
"""From what PyTorch remembers of an operator to the line of the user's source.

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


@dataclass(frozen=True)
class SourceLine:
    file: str
    line: int
    text: str

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def user_line(stack_trace: str | None) -> SourceLine | None:
    """Return the innermost frame outside installed packages, or the innermost frame when all are inside."""
    frames = [SourceLine(file, int(line), text.strip()) for file, line, text in _FRAME.findall(stack_trace or "")]
    own = [frame for frame in frames if not is_installed(frame.file)]
    found = own or frames
    return found[-1] if found else None


def raised_at(error: BaseException) -> SourceLine | None:
    """Return the innermost frame of the user's own files that `error` passed through."""
    if isinstance(error, SyntaxError) and error.filename:
        return SourceLine(error.filename, error.lineno or 0, (error.text or "").strip())
    frames = [
        SourceLine(frame.filename, frame.lineno or 0, (frame.line or "").strip())
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    own = [frame for frame in frames if not is_installed(frame.file)]
    return own[-1] if own else None


def is_installed(file: str) -> bool:
    return (
        "/site-packages/" in file
        or "/dist-packages/" in file
        or "/pilotlight/export/" in file
        or re.search(r"/lib/python3\.\d+/", file) is not None
        or file.startswith("<")
    )
