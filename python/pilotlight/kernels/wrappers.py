# SPDX-License-Identifier: Apache-2.0
"""Reads the wrappers that the wheel's code generator writes: the kinds of values in a call.

A wrapper aborts on a value of another kind. The runtime therefore checks calls at load, with
signatures. The signatures are read from the text of the wrappers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pilotlight.errors import BuildFailed

# A conversion in a wrapper -> its letter
# (firmware/executorch/include/pilotlight/executorch/signatures.h).
_LETTERS = {
    "to<torch::executor::Tensor>": "t",
    "to<int64_t>": "i",
    "to<torch::executor::ScalarType>": "i",
    "to<torch::executor::MemoryFormat>": "i",
    "to<torch::executor::Layout>": "i",
    "to<torch::executor::Device>": "i",
    "to<double>": "d",
    "to<bool>": "b",
    "to<torch::executor::Scalar>": "s",
    "to<std::string_view>": "S",
    "to<torch::executor::ArrayRef<int64_t>>": "I",
    "to<torch::executor::ArrayRef<double>>": "D",
    "to<torch::executor::ArrayRef<bool>>": "B",
    "toIntList": "I",
    "toDoubleList": "D",
    "toBoolList": "B",
    "toTensorList": "l",
    "toListOptionalTensor": "o",
}
_OPTIONAL = "toOptional<"

_WRAPPER = re.compile(r'Kernel\(\s*"(?P<operator>[^"]+)",(?P<body>.*?)\n    \),', re.DOTALL)
_COUNT = re.compile(r"stack\.size\(\) == (\d+)")
_ARGUMENT = re.compile(r"EValue& (\w+) = \*stack\[(\d+)\];")
# A kernel writes the tensors that it takes by non-const reference, and the list `out`.
_WRITTEN = re.compile(r"(?<!const )torch::executor::Tensor & \w+ = (\w+)\.to<|= (out)\.toTensorList\(\)")
_RESULT = re.compile(r"\*stack\[(\d+)\] = EValue\((\w+)\);")
_CONVERSION = re.compile(r"\b(\w+)\.(to\w*(?:<.*?>)?)\(\);")


@dataclass(frozen=True)
class Wrapper:
    """The generated function of one operator, and the signature that its calls must have."""

    operator: str
    signature: str


def read_wrappers(source: str) -> list[Wrapper]:
    """Return the wrappers of a generated `source` in their order.

    Raises BuildFailed if a wrapper cannot be understood.
    """
    found = [
        Wrapper(match["operator"], _signature(match["operator"], match["body"])) for match in _WRAPPER.finditer(source)
    ]
    if len(found) != len(re.findall(r"\bKernel\(", source)):
        raise BuildFailed("executorch.codegen.gen wrote wrappers that cannot be read: is it another version?")
    return found


def _signature(operator: str, body: str) -> str:
    count = _COUNT.search(body)
    names = {name: int(index) for name, index in _ARGUMENT.findall(body)}
    # Items that stay "*" are the returned values: the wrapper does not read them; they repeat the
    # out arguments.
    letters = ["*"] * (int(count[1]) if count else 0)
    # A set, because some conversions occur twice: once for each of the headers' modes.
    conversions = {(names[name], conversion) for name, conversion in _CONVERSION.findall(body) if name in names}
    for index, conversion in conversions:
        letter = _letter(conversion)
        if letter is None or index >= len(letters) or letters[index] != "*":
            raise BuildFailed(
                f"the generated wrapper of {operator} takes argument {index} by {conversion}(), unknown here"
            )
        letters[index] = letter
    for by_reference, as_list in _WRITTEN.findall(body):
        index = names[by_reference or as_list]
        letters[index] = {"t": "w", "l": "W"}[letters[index]]
    for index, name in _RESULT.findall(body):
        # In-place operators only: they return their first argument by reference.
        if int(index) != len(names) or f"Tensor & {name} = " not in body:
            raise BuildFailed(f"the generated wrapper of {operator} writes argument {index}, unknown here")
        letters[int(index)] = "0"
    if len(conversions) != len(names) or len(letters) != len(names) + 1:
        raise BuildFailed(f"the generated wrapper of {operator} cannot be read: is the generator another version?")
    return "".join(letters)


def _letter(conversion: str) -> str | None:
    if conversion.startswith(_OPTIONAL):
        letter = _LETTERS.get("to<" + conversion.removeprefix(_OPTIONAL))
        return letter and f"?{letter}"
    return _LETTERS.get(conversion)
