# SPDX-License-Identifier: Apache-2.0
"""The places where code can be changed, and the changes. Each change is small and alters the
meaning.

>>> source = "if a < b and c:\\n    f(1)\\n"
>>> [place.after for place in places_in(Path("a.py"), source) if "a <" in place.before]
['if not (a < b and c):', 'if a <= b and c:', 'if a < b or c:']
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """`text` replaces `source[start:end]` of `file`. before, after: the line then and now."""

    file: Path
    start: int
    end: int
    text: str
    line: int
    before: str
    after: str

    def apply(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]

    @property
    def key(self) -> str:
        """A name that stays the same as long as the line does."""
        return f"{self.file}: {self.before} => {self.after}"


def places_in(file: Path, source: str) -> list[Place]:
    """Return every place of a .py, .cpp or .h file."""
    found = _python(source) if file.suffix == ".py" else _cpp(source)
    return [_place(file, source, *change) for change in sorted(set(found))]


def _place(file: Path, source: str, start: int, end: int, text: str) -> Place:
    first = source.rfind("\n", 0, start) + 1
    last = source.find("\n", end)
    last = len(source) if last < 0 else last
    before, after = source[first:last], source[first:start] + text + source[end:last]
    line = source.count("\n", 0, start) + 1
    return Place(file, start, end, text, line, " ".join(before.split()), " ".join(after.split()))


Change = tuple[int, int, str]

_COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_ARITHMETIC = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}


class _PythonPlaces(ast.NodeVisitor):
    def __init__(self, source: str) -> None:
        self._source = source
        self._lines = [0]
        for line in source.encode().splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self._bytes = source.encode()
        self.found: list[Change] = []

    def _at(self, line: int, column: int) -> int:
        """Return the position in characters. The syntax tree counts bytes."""
        return len(self._bytes[: self._lines[line - 1] + column].decode())

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._at(node.lineno, node.col_offset), self._at(node.end_lineno, node.end_col_offset)

    def _between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        start, end = self._span(left)[1], self._span(right)[0]
        found = re.search(rf"(?<![\w<>=!*/]){re.escape(old)}(?![\w<>=*/])", self._source[start:end])
        if found:
            self.found.append((start + found.start(), start + found.end(), new))

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, operator, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
            self._between(left, right, *_COMPARISONS[type(operator)])
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, old, new)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in _ARITHMETIC:
            self._between(node.left, node.right, *_ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        start, end = self._span(node)
        if isinstance(node.value, bool):
            self.found.append((start, end, str(not node.value)))
        elif isinstance(node.value, int):
            self.found.append((start, end, str(node.value + 1)))

    def _turn_round(self, node: ast.expr) -> None:
        start, end = self._span(node)
        self.found.append((start, end, f"not ({self._source[start:end]})"))

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._turn_round(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._turn_round(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._turn_round(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._turn_round(test)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.found.append((*self._span(node), "pass"))
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.found.append((*self._span(node), "pass"))
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        empty = node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
        if not empty and node.value is not None:
            self.found.append((*self._span(node.value), "None"))
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body):
            self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)


def _python(source: str) -> list[Change]:
    visitor = _PythonPlaces(source)
    visitor.visit(ast.parse(source))
    return visitor.found


# Comments, strings and preprocessor lines. We have no preprocessor lines with a continuation.
_NO_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'|^[ \t]*#[^\n]*", re.S | re.M)
_CPP_OPERATORS = {
    " <= ": " < ",
    " < ": " <= ",
    " >= ": " > ",
    " > ": " >= ",
    " == ": " != ",
    " != ": " == ",
    " && ": " || ",
    " || ": " && ",
    " + ": " - ",
    " - ": " + ",
    " * ": " + ",
    " / ": " * ",
    " % ": " + ",
    " << ": " >> ",
    " >> ": " << ",
    " & ": " | ",
    " | ": " & ",
    " += ": " -= ",
    " -= ": " += ",
}
_CPP_NUMBER = re.compile(r"(?<![\w.])(0x[0-9a-fA-F]+|\d+)(?=[uUlL]*(?![\w.]))")
_CPP_CONDITION = re.compile(r"\b(?:if|while) \(")
_CPP_CALL = re.compile(r"^[ \t]+(?!return\b|else\b|delete\b)[\w:.>\[\]-]+\([^;{}]*\);$", re.M)
_CPP_TRUTH = re.compile(r"\b(true|false)\b")
# Lines that the compiler checks, and lines that are not code.
_CPP_LEFT_OUT = re.compile(r"^[ \t]*(static_assert\b|using\b|template\b|extern\b|namespace\b|return;)[^;]*;?", re.M)


def _cpp(source: str) -> Iterator[Change]:
    code = _NO_CODE.sub(lambda found: re.sub(r"[^\n]", "\0", found.group()), source)
    code = _CPP_LEFT_OUT.sub(lambda found: re.sub(r"[^\n]", "\0", found.group()), code)
    for old, new in _CPP_OPERATORS.items():
        for found in re.finditer(re.escape(old), code):
            yield found.start(), found.end(), new
    for found in _CPP_NUMBER.finditer(code):
        number = found.group()
        grown = int(number, 16 if number.startswith("0x") else 10) + 1
        yield found.start(), found.end(), hex(grown) if number.startswith("0x") else str(grown)
    for found in _CPP_TRUTH.finditer(code):
        yield found.start(), found.end(), "false" if found.group() == "true" else "true"
    for found in _CPP_CALL.finditer(code):
        start = found.start() + len(found.group()) - len(found.group().lstrip())
        yield start, found.end(), ";"
    for found in _CPP_CONDITION.finditer(code):
        end = _closing(code, found.end())
        inside = source[found.end() : end]
        if ";" not in inside:
            yield found.end(), end, f"!({inside})"


def _closing(code: str, at: int) -> int:
    """Return the position of the bracket that closes the one opened before `at`."""
    depth = 1
    while depth and at < len(code):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        at += 1
    return at - 1
