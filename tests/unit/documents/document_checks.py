# SPDX-License-Identifier: Apache-2.0
"""The checks of documents. Each check takes a page and facts about the checkout, and returns the
findings in the page."""

from __future__ import annotations

import argparse
import posixpath
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path

from document_pages import Page, Piece, read_page

SECTIONS_OF_A_DESIGN = ("Problem", "Constraints", "Design", "What can go wrong", "Rejected", "Open questions")
COLUMNS = 100
_IF_FOREIGN = "a name from elsewhere is added to FOREIGN in tests/unit/documents/test_documents.py"


@dataclass(frozen=True)
class Finding:
    """A finding in a document: the place, the problem, and what to do. `subject` is the word that
    is wrong."""

    page: str
    line: int
    subject: str
    wrong: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.wrong}\n    to do: {self.remedy}"


@dataclass(frozen=True)
class Checkout:
    """The files of a checkout: those that git knows, and new ones that it does not ignore."""

    root: Path
    files: tuple[str, ...]
    upstream: tuple[Path, ...] = ()
    """Folders of installed packages that documents name files of."""

    @classmethod
    def of(cls, root: Path, upstream: Sequence[Path] = ()) -> Checkout:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
        files = sorted({name for name in listed.split("\0") if name and (root / name).is_file()})
        return cls(root, tuple(files), tuple(upstream))

    @cached_property
    def paths(self) -> Set[str]:
        """All files and folders."""
        folders = {str(parent) for name in self.files for parent in Path(name).parents}
        return {*self.files, *folders}

    @cached_property
    def stems(self) -> Set[str]:
        """All files without the end of their name."""
        return {posixpath.splitext(name)[0] for name in self.files}

    @cached_property
    def ends(self) -> Set[str]:
        """The last parts of each path: for a/b/c.h also b/c.h and c.h."""
        return {"/".join(path.split("/")[at:]) for path in self.paths for at in range(path.count("/") + 1)}

    @cached_property
    def pages(self) -> Mapping[str, Page]:
        return {name: read_page(self.root / name, self.root) for name in self.files if name.endswith(".md")}

    @cached_property
    def code(self) -> Mapping[str, str]:
        """Text of all files but documents and these checks, which name what is wrong."""
        texts = {}
        for name in self.files:
            if name.endswith(".md") or name.startswith("tests/unit/documents/"):
                continue
            data = (self.root / name).read_bytes()
            if b"\0" not in data[:4096]:
                texts[name] = data.decode("utf-8", errors="replace")
        return texts

    @cached_property
    def words(self) -> Set[str]:
        """Every identifier of the code."""
        return {word for text in self.code.values() for word in re.findall(r"[A-Za-z_]\w*", text)}

    @cached_property
    def dashed_words(self) -> Set[str]:
        """The words of the code, with dots and dashes in them: options and names of files."""
        return {word.rstrip(".") for text in self.code.values() for word in re.findall(r"[\w.-]*\w[\w.-]*", text)}


# ------------------------------------------------------------------------------------------ paths

_PATH = re.compile(r"[A-Za-z0-9_.+-]+(?:/[A-Za-z0-9_.+-]+)*/?")
_PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9_]*")
# Folders and files that a build or a run writes.
_GENERATED = re.compile(r"(?:\./)?(?:build(?:-[\w-]+)?|\.venv|\.west|out|b)(?:/.*)?$")
_SOURCE = re.compile(
    r"\.(?:py|c|cc|cpp|h|hpp|S|ld|inc|cmake|toml|ya?ml|md|txt|sh|json|npz|npy|pte|pt2|elf|html|jinja|fbs|log|map|blob)$"
)


def link_targets(page: Page) -> list[str]:
    """Return the paths of the files that a page links to."""
    return [_target(page, link)[0] for link in page.links if not _is_elsewhere(link)]


def _is_elsewhere(link: Piece) -> bool:
    return bool(re.match(r"[a-z]+:", link.text))


def _target(page: Page, link: Piece) -> tuple[str, str]:
    """Return a link's path in the checkout and its anchor."""
    path, _, anchor = link.text.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(page.name), path)) if path else page.name, anchor


def wrong_links(page: Page, checkout: Checkout) -> Iterator[Finding]:
    """Find links to files and headings that do not exist."""
    for link in page.links:
        if _is_elsewhere(link):
            continue
        path, anchor = _target(page, link)
        if path not in checkout.paths:
            yield Finding(
                page.name,
                link.line,
                link.text,
                f"the link ({link.text}) leads to {path}, which does not exist",
                "name the file's present place; links are relative to the page's folder",
            )
        elif anchor and path in checkout.pages and anchor not in checkout.pages[path].anchors:
            known = ", ".join(sorted(checkout.pages[path].anchors))
            yield Finding(
                page.name,
                link.line,
                link.text,
                f"{path} has no heading with the anchor #{anchor}",
                f"its anchors are {known}",
            )


def wrong_paths(page: Page, checkout: Checkout) -> Iterator[Finding]:
    """Find paths in backticks and in code blocks that do not exist."""
    tops = "|".join(sorted({re.escape(name.split("/")[0]) for name in checkout.files if "/" in name}))
    inside = re.compile(rf"(?<![\w/.$<>-])(?:{tops})/[\w./+-]*\w")
    places = _places(page, checkout)
    for span in page.spans:
        if _PATH.fullmatch(span.text):
            if _looks_like_a_path(span.text) and not _is_there(span.text, places, checkout):
                yield _no_such_path(page, span, span.text)
        else:
            yield from _wrong_paths_inside(page, span, inside, checkout)
    for line in page.code:
        if line.kind in ("", "sh"):
            yield from _wrong_paths_inside(page, line, inside, checkout)


def _wrong_paths_inside(page: Page, piece: Piece, inside: re.Pattern[str], checkout: Checkout) -> Iterator[Finding]:
    for found in inside.finditer(piece.text):
        after = piece.text[found.end() : found.end() + 2]
        path = found[0].rstrip(".")
        placeholder = any(_PLACEHOLDER.fullmatch(part) for part in path.split("/"))
        if placeholder or re.match(r"/?[<*…{]", after) or path in checkout.paths:
            continue
        yield _no_such_path(page, piece, path)


def _no_such_path(page: Page, piece: Piece, path: str) -> Finding:
    return Finding(
        page.name,
        piece.line,
        path,
        f"`{path}` does not exist",
        "name the file's present place, from the page's folder or from the checkout's root; "
        f"a placeholder is written in CAPITALS, or as <name>; {_IF_FOREIGN}",
    )


def _looks_like_a_path(text: str) -> bool:
    parts = text.rstrip("/").split("/")
    if any(_PLACEHOLDER.fullmatch(part) for part in parts) or _GENERATED.match(text):
        return False
    return "/" in text or bool(_SOURCE.search(text))


def _places(page: Page, checkout: Checkout) -> list[str]:
    """Return the folders that a page's paths may start from.

    These are its own folder, those around it, the checkout's root, and folders that the page names.
    """
    around = [str(folder) for folder in Path(page.name).parents]
    named = [span.text.rstrip("/") for span in page.spans if span.text.rstrip("/") in checkout.paths]
    return [*around, *(name for name in named if (checkout.root / name).is_dir())]


def _is_there(text: str, places: Sequence[str], checkout: Checkout) -> bool:
    path = posixpath.normpath(text)
    for place in places:
        from_there = posixpath.normpath(posixpath.join(place, path))
        # `program_case` stands for program_case.cpp and program_case.h.
        if from_there in checkout.paths or from_there in checkout.stems:
            return True
    if "/" in path:
        # The path may be that of an #include, of ours or of ExecuTorch's wheel.
        ours = any(name.endswith(f"/include/{path}") for name in checkout.files)
        return ours or any((folder / path).exists() for folder in checkout.upstream)
    # A file anywhere, or one that a program writes and therefore names.
    return path in checkout.ends or path in checkout.dashed_words


def wrong_pages(name: str, text: str, titles: Set[str], checkout: Checkout) -> Iterator[Finding]:
    """Find pages, and headings of the README, that a file of the code names and that do not exist.

    titles: of the README's headings.
    """
    for found in re.finditer(r'README\.md, "([^"]+)"', text):
        if found[1] not in titles:
            yield Finding(
                name,
                text.count("\n", 0, found.start()) + 1,
                found[1],
                f"README.md has no heading {found[1]!r}",
                f"name one of {sorted(titles)}, or give README.md that heading",
            )
    for found in re.finditer(r"(?<![\w*/<{}-])(?:[\w.-]+/)+[A-Z_]+\.md\b", text):
        places = [str(folder) for folder in Path(name).parents]
        if not any(posixpath.normpath(posixpath.join(place, found[0])) in checkout.paths for place in places):
            yield Finding(
                name,
                text.count("\n", 0, found.start()) + 1,
                found[0],
                f"{found[0]} does not exist",
                "name the page's present place, from the file's folder or from the checkout's root",
            )


# --------------------------------------------------------------------------------------- commands

Options = Mapping[str, Set[str]]
"""For each command, its options."""


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """Return all options of a parser and of its sub-parsers."""
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                found |= options_of(inner)
    return found


def wrong_commands(page: Page, programs: Mapping[str, Options]) -> Iterator[Finding]:
    """Find commands of `programs` that do not exist, and options that the command does not have."""
    for piece in (*page.spans, *_joined(page.code)):
        for words in _commands(piece.text):
            if len(words) > 1 and words[0] in programs:
                yield from _wrong_command(page, piece, words, programs[words[0]])


def _joined(code: Sequence[Piece]) -> Iterator[Piece]:
    """Join lines of shell commands that end in a backslash."""
    line, text = 0, ""
    for piece in code:
        if piece.kind not in ("", "sh"):
            continue
        line = line or piece.line
        if piece.text.endswith("\\"):
            text += piece.text[:-1]
            continue
        yield Piece(line, re.sub(r"(^|\s)#.*", "", text + piece.text))
        line, text = 0, ""


def _commands(text: str) -> Iterator[list[str]]:
    for part in re.split(r"&&|;|\s\|\|?\s", text.removeprefix("$ ")):
        words = part.split()
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        yield words


def _wrong_command(page: Page, piece: Piece, words: Sequence[str], options: Options) -> Iterator[Finding]:
    command = words[1].rstrip(".,:")
    if not re.fullmatch(r"[a-z][a-z-]*", command):
        return
    if command not in options:
        yield Finding(
            page.name,
            piece.line,
            f"{words[0]} {command}",
            f"`{words[0]} {command}` is no command",
            f"`{words[0]}` has: {', '.join(sorted(options))}",
        )
        return
    for word in words[2:]:
        option = re.match(r"\[?(--?[A-Za-z][\w-]*)", word)
        # The rest of the words belong to CMake, or the command is part of a drawing.
        if word == "--" or not word.isascii():
            return
        if option and option[1] not in options[command]:
            known = sorted(name for name in options[command] if name.startswith("--"))
            yield Finding(
                page.name,
                piece.line,
                option[1],
                f"`{words[0]} {command}` has no option {option[1]}",
                f"its options are {', '.join(known)}",
            )


def wrong_options(page: Page, known: Set[str]) -> Iterator[Finding]:
    """Find options in backticks, without their command, that nothing knows."""
    for span in page.spans:
        option = re.match(r"(--[a-z][\w-]*)(?:[ =]|$)", span.text)
        if option and option[1] not in known:
            yield Finding(
                page.name,
                span.line,
                option[1],
                f"no command has the option {option[1]}, and no file of the checkout uses it",
                f"name the option's present name; {_IF_FOREIGN}",
            )


# ---------------------------------------------------------------------------------------- symbols

_CALL = re.compile(r"(?P<name>[A-Za-z_]\w*(?:(?:::|\.)~?[A-Za-z_]\w*)*)\(.*\)")
_OUR_CALL = re.compile(r"\b(pilotlight_\w+)\(")
_NAME = re.compile(r"~?[A-Za-z_]\w*(?:(?:::|\.)~?[A-Za-z_]\w*)*")
_HUMPS = re.compile(r"[A-Z][a-z0-9]+[A-Z]|[a-z][a-z0-9]*[A-Z][a-z]")


def wrong_symbols(page: Page, words: Set[str]) -> Iterator[Finding]:
    """Find names of functions and classes that no file of the code has."""
    for span in page.spans:
        call = _CALL.fullmatch(span.text)
        name = call["name"] if call else span.text
        if not call and not (_NAME.fullmatch(name) and _is_a_symbol(name)):
            continue
        for part in re.findall(r"[A-Za-z_]\w*", name):
            if part not in words:
                yield Finding(
                    page.name,
                    span.line,
                    part,
                    f"`{span.text}` is not in the code: no file has the name {part}",
                    f"name the symbol's present name (git grep finds it); {_IF_FOREIGN}",
                )
    for line in page.code:
        for name in _OUR_CALL.findall(line.text):
            if name not in words:
                yield Finding(
                    page.name,
                    line.line,
                    name,
                    f"{name}() is not in the code",
                    "name the function's present name (git grep finds it)",
                )


def _is_a_symbol(name: str) -> bool:
    return not _SOURCE.search(name) and ("::" in name or "_" in name.strip("_") or bool(_HUMPS.search(name)))


# -------------------------------------------------------------------------------- shape of a page


def wrong_sections(page: Page) -> Iterator[Finding]:
    """Find a design note whose sections are not the six, in their order."""
    titles = tuple(section.text for section in page.sections)
    if titles != SECTIONS_OF_A_DESIGN:
        pairs = zip(titles, SECTIONS_OF_A_DESIGN, strict=False)
        right = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
        # The first section that is wrong, or the end of the page.
        last = page.prose[-1].line if page.prose else 1
        yield Finding(
            page.name,
            page.sections[right].line if right < len(titles) else last,
            "sections",
            f"the sections are: {', '.join(titles) or 'none'}",
            f"a DESIGN.md has these, in this order: {', '.join(SECTIONS_OF_A_DESIGN)}",
        )


def long_lines(page: Page) -> Iterator[Finding]:
    """Find lines of prose over 100 columns. The targets of links do not count."""
    for piece in page.prose:
        width = len(re.sub(r"\]\([^()\s]+\)|https?://\S+", "", piece.text))
        if width > COLUMNS:
            yield Finding(
                page.name,
                piece.line,
                "columns",
                f"the line has {width} columns",
                f"break it within {COLUMNS} columns",
            )
