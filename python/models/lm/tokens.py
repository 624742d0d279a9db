# SPDX-License-Identifier: Apache-2.0
"""Byte pair encoding of English text. `vocabulary.txt` has the joins.

Token 0 is a line break, which ends a paragraph. The next tokens are the printable ASCII characters
in their order. Each other token has a line in the file and joins two earlier tokens, which a tab
separates. Joins are made within a word: the first line of the file that fits somewhere in the word
is joined at all its places, from left to right, then again, until no line fits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from pilotlight.errors import ModelError

_CHARACTERS = ["\n"] + [chr(code) for code in range(ord(" "), ord("~") + 1)]
_WORD = re.compile(r" ?[A-Za-z]+| ?[0-9]+| ?[^A-Za-z0-9 \n]+| +|\n")
Pair = tuple[str, str]


class Vocabulary:
    """Turns text into tokens and back."""

    def __init__(self, joins: Sequence[Pair]) -> None:
        self.joins = list(joins)
        self.texts = [*_CHARACTERS, *(left + right for left, right in joins)]
        self._ranks = {pair: rank for rank, pair in enumerate(joins)}
        self._numbers = {text: number for number, text in enumerate(self.texts)}

    def encode(self, text: str) -> list[int]:
        """Return the tokens of `text`. Raises ModelError if a character has no token."""
        strange = sorted(set(text) - set(_CHARACTERS))
        if strange:
            raise ModelError(
                f"the text has characters without a token: {', '.join(map(ascii, strange))}",
                hint="use printable ASCII characters and line breaks",
            )
        return [self._numbers[part] for word in _WORD.findall(text) for part in self._parts(word)]

    def decode(self, tokens: Iterable[int]) -> str:
        """Return the text of `tokens`."""
        return "".join(self.texts[token] for token in tokens)

    def _parts(self, word: str) -> list[str]:
        parts = list(word)
        while True:
            known = [pair for pair in pairwise(parts) if pair in self._ranks]
            if not known:
                return parts
            parts = _joined(parts, min(known, key=self._ranks.__getitem__))


def load_vocabulary(path: Path) -> Vocabulary:
    """Read a file that `save_vocabulary` wrote."""
    pairs = (line.split("\t") for line in path.read_text(encoding="ascii").splitlines())
    return Vocabulary([(left, right) for left, right in pairs])


def save_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """Write the joins, one in each line."""
    path.write_text("".join(f"{left}\t{right}\n" for left, right in vocabulary.joins), encoding="ascii")


def learn_vocabulary(texts: Iterable[str], size: int) -> Vocabulary:
    """Return a vocabulary of `size` tokens: again and again, join the pair that is most frequent.

    Of pairs that are equally frequent, the one that is first in alphabetical order is joined.
    """
    counts = Counter(word for text in texts for word in _WORD.findall(text))
    words = {word: list(word) for word in counts}
    joins: list[Pair] = []
    while len(_CHARACTERS) + len(joins) < size:
        pairs: Counter[Pair] = Counter()
        for word, parts in words.items():
            for pair in pairwise(parts):
                pairs[pair] += counts[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        joins.append(best)
        words = {word: _joined(parts, best) if best[0] in parts else parts for word, parts in words.items()}
    return Vocabulary(joins)


def _joined(parts: list[str], pair: Pair) -> list[str]:
    made, at = [], 0
    while at < len(parts):
        fits = tuple(parts[at : at + 2]) == pair
        made.append(parts[at] + parts[at + 1] if fits else parts[at])
        at += 2 if fits else 1
    return made
