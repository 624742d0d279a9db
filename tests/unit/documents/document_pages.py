# SPDX-License-Identifier: Apache-2.0
"""Reads a Markdown file into the parts that the document checks look at, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^ {0,3}(?:```|~~~)(?P<kind>[\w-]*)")
_SPAN = re.compile(r"(?P<ticks>`+)(?P<text>.+?)(?P=ticks)(?!`)", re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^()\s]+)\)")
_HEADING = re.compile(r"^(?P<level>#{1,6}) +(?P<title>.+?) *#*$")


@dataclass(frozen=True)
class Piece:
    """A piece of a page: code in backticks, the target of a link, or a line of a code block.

    kind: the language of a fenced code block; "" for an indented block and for everything else.
    """

    line: int
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Page:
    """One Markdown file. `name` is its path in the checkout."""

    name: str
    prose: tuple[Piece, ...]
    spans: tuple[Piece, ...]
    links: tuple[Piece, ...]
    code: tuple[Piece, ...]
    headings: tuple[Piece, ...]
    """Titles of all headings."""
    sections: tuple[Piece, ...]
    """Titles of the headings of level two."""

    @property
    def anchors(self) -> set[str]:
        """Return the names that GitHub gives to the headings, for links like page.md#name."""
        return {re.sub(r"[^\w\- ]", "", title.text.lower()).replace(" ", "-") for title in self.headings}


def read_page(file: Path, root: Path) -> Page:
    return parse_page(file.relative_to(root).as_posix(), file.read_text(encoding="utf-8"))


def parse_page(name: str, text: str) -> Page:
    """Split a page, whose path in the checkout is `name`, into its pieces."""
    prose, tables, code, headings, sections = _classify(text.splitlines())
    spans, links = [], []
    for block in (*_paragraphs(prose), *([row] for row in tables)):
        found, targets = _inline(block)
        spans += found
        links += targets
    return Page(
        name,
        tuple(prose),
        tuple(sorted(spans, key=lambda piece: piece.line)),
        tuple(links),
        tuple(code),
        tuple(headings),
        tuple(sections),
    )


def _classify(
    lines: list[str],
) -> tuple[list[Piece], list[Piece], list[Piece], list[Piece], list[Piece]]:
    prose, tables, code, headings, sections = [], [], [], [], []
    fence: str | None = None
    before = ""
    for number, line in enumerate(lines, 1):
        if opening := _FENCE.match(line):
            fence = opening["kind"] if fence is None else None
        elif fence is not None:
            code.append(Piece(number, line, fence))
        elif line.startswith("    ") and (not before.strip() or (code and code[-1].line == number - 1)):
            code.append(Piece(number, line[4:]))
        elif line.lstrip().startswith("|"):
            tables.append(Piece(number, line.replace("\\|", "|")))
        else:
            prose.append(Piece(number, line))
            if heading := _HEADING.match(line):
                headings.append(Piece(number, heading["title"]))
                if heading["level"] == "##":
                    sections.append(headings[-1])
        before = line
    return prose, tables, code, headings, sections


def _paragraphs(prose: list[Piece]) -> Iterator[list[Piece]]:
    paragraph: list[Piece] = []
    for piece in prose:
        if paragraph and (not piece.text.strip() or piece.line != paragraph[-1].line + 1):
            yield paragraph
            paragraph = []
        if piece.text.strip():
            paragraph.append(piece)
    if paragraph:
        yield paragraph


def _inline(lines: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Return the code in backticks and the targets of links. Both may continue on the next line."""
    text, first = "\n".join(piece.text for piece in lines), lines[0].line
    spans = []

    def blank(match: re.Match[str]) -> str:
        line = first + text.count("\n", 0, match.start())
        spans.append(Piece(line, " ".join(match["text"].split())))
        return re.sub(r"[^\n]", " ", match[0])

    rest = _SPAN.sub(blank, text)
    links = [Piece(first + text.count("\n", 0, match.start()), match["target"]) for match in _LINK.finditer(rest)]
    return spans, links
