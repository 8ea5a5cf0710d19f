"""Texts as the numbers that BERT's uncased models read: words, or pieces of those not known whole."""

import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

_LONGEST_WORD = 100
_CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


class WordPiece:
    """A vocabulary, one piece a line; `##` begins those that go on in a word."""

    def __init__(self, file: Path) -> None:
        self._pieces: Mapping[str, int] = {
            piece: number for number, piece in enumerate(file.read_text(encoding="utf-8").splitlines())
        }
        self._begin, self._end = self._pieces["[CLS]"], self._pieces["[SEP]"]
        self._unknown = self._pieces["[UNK]"]

    def numbers(self, text: str, most: int) -> list[int]:
        """The text, so much of it as a model takes, between the marks for its beginning and its end."""
        found: list[int] = []
        for word in _words(text):
            found += self._of(word)
            if len(found) >= most - 2:
                break
        return [self._begin, *found[: most - 2], self._end]

    def _of(self, word: str) -> list[int]:
        """The longest pieces that there are, from the left; a word that is none of them is unknown."""
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found, first = [], 0
        while first < len(word):
            ends = range(len(word), first, -1)
            begin = "##" if first else ""
            last = next((end for end in ends if begin + word[first:end] in self._pieces), 0)
            if not last:
                return [self._unknown]
            found.append(self._pieces[begin + word[first:last]])
            first = last
        return found


def _words(text: str) -> Iterator[str]:
    """In lower case, without accents; marks and ideographs are words of their own."""
    word = ""
    for char in unicodedata.normalize("NFD", _plain(text).lower()):
        kind = unicodedata.category(char)
        if kind == "Mn":
            continue
        alone = _is_mark(char, kind) or any(low <= ord(char) <= high for low, high in _CJK)
        if (alone or char.isspace()) and word:
            yield word
            word = ""
        if alone:
            yield char
        elif not char.isspace():
            word += char
    if word:
        yield word


def _plain(text: str) -> str:
    """Without control characters; every space is one that all know."""
    kept = (" " if char in "\t\n\r" or unicodedata.category(char) == "Zs" else char for char in text)
    return "".join(char for char in kept if char == " " or not _is_control(char))


def _is_control(char: str) -> bool:
    return char == "\ufffd" or unicodedata.category(char)[0] == "C"


def _is_mark(char: str, kind: str) -> bool:
    return kind.startswith("P") or (
        char.isascii() and char.isprintable() and not char.isalnum() and char != " "
    )
