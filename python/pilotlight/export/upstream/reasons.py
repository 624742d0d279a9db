# SPDX-License-Identifier: Apache-2.0
"""Translates upstream's reasons for leaving an operator on the CPU into plain words.

>>> plain("Node was not marked as quantized in the Arm backend.")
'the quantiser leaves it in float, and the NPU computes with integers only'
>>> plain("Avgpool2d needs stride <= 3, got [28, 28]")
'the NPU averages with strides of at most 3, not [28, 28]'
>>> plain("Something new")
"ExecuTorch's partitioner refuses it: Something new"
"""

from __future__ import annotations

import re

UNKNOWN_OPERATOR = "the NPU has no such operator"

# Regular expression for upstream's text, and our text.
_WORDS = (
    (r"BaseTOSASupportList", UNKNOWN_OPERATOR),
    (r"not marked as quantized", "the quantiser leaves it in float, and the NPU computes with integers only"),
    (r"is not quantized|One or more (?:in|out)puts? .*not quantized", "it computes in float"),
    (r"Op is not supported on U55", "the Ethos-U55 has no such operator"),
    (r"Avgpool2d needs stride <= 3, got (\[.*\])", r"the NPU averages with strides of at most 3, not \1"),
    (r"Had torch\.bool (?:in|out)put", "the Ethos-U55 has no Boolean tensors"),
    (r"Had torch\.(\w+) (?:in|out)put", r"the NPU has no \1 tensors"),
    (r"ARGMAX produces int32", "it gives int64 indices, and the NPU has no 64-bit integers"),
    (r"int64", "the NPU has no 64-bit integers"),
    (r"only ops which are removed", "it only rearranges data, and nothing around it is on the NPU"),
    (r"first node in partition", "its input is in float"),
    (r"Tensor x dtype torch\.float", "it computes in float"),
    (r"rank (\d+) which is unsupported.*Max supported rank is (\d+)", r"it has \1 dimensions, and the NPU at most \2"),
)
_LONGEST = 120


def plain(reason: str) -> str:
    """Return the partitioner's reason in plain words; an unknown reason is only shortened."""
    for words, ours in _WORDS:
        found = re.search(words, reason, re.DOTALL)
        if found:
            return found.expand(ours)
    return f"ExecuTorch's partitioner refuses it: {shortened(reason)}"


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Return `text` on one line, cut after `longest` characters.

    >>> shortened("one  two\\nthree", 7)
    'one two ...'
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[:longest].rstrip()} ..."


def of_failure(error: BaseException) -> str:
    """Return the first line of the message of the first exception in a chain of causes."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return shortened(lines[0]) if lines else type(error).__name__
