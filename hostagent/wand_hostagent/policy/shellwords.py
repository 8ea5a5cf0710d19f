"""Words of shell text as the shell would make them; what shows only when it runs is a hole."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from wand_hostagent.policy.grammar import Node
from wand_hostagent.policy.reading import HOLE, SPLITS, Unreadable

_BARE = re.compile(r"(?:[^\s\\'\"`$&|;<>()]|\\.)+", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:[A-Za-z_]\w*|\d|[@*#?$!-])", re.ASCII)
_GLOB = re.compile(r"(?<!\\)[*?\[]")
_BRACES = re.compile(r"\{.*(?:,|\.\.)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_IN_QUOTES = re.compile(r"\\([$`\"\\\n])")
_ANSI = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|u[0-9a-fA-F]{1,4}|[abeEfnrtv\\'\"?]|.)", re.DOTALL)
_ANSI_LETTERS = dict(zip("abeEfnrtv\\'\"?", "\a\b\x1b\x1b\f\n\r\t\v\\'\"?", strict=True))
_EXPANSIONS = frozenset({"simple_expansion", "expansion", "command_substitution", "arithmetic_expansion"})
WORDS = _EXPANSIONS | {
    "word", "number", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation",
    "process_substitution", "brace_expression", "variable_name", "special_variable_name", "$",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a word; `splits` where the rest may be any number of words."""

    text: str
    splits: bool = False
    raw: str = ""  # as written, where braces and globs may be meant


@dataclass(frozen=True, slots=True)
class Words:
    """Makes words of nodes; `look_into` is told of every node that may run something."""

    content: bytes
    look_into: Callable[[Node], None]

    def text(self, node: Node) -> str:
        return self.content[node.start_byte : node.end_byte].decode()

    def of(self, node: Node) -> tuple[str, ...]:
        """The words that a node becomes."""
        pieces = [self._piece(child) for child in _parts(node)]
        raw = "\x01".join(piece.raw for piece in pieces)
        whole = "".join(piece.text for piece in pieces)
        if _BRACES.search(raw):
            return (_before(pieces, "{") + SPLITS,)
        if _GLOB.search(raw):
            whole = _before_glob(pieces) + SPLITS
        if whole.startswith("~") and pieces[0].raw.startswith("~"):
            whole = "/" + HOLE + whole.partition("/")[2]
        if any(piece.splits for piece in pieces):
            return whole.replace(SPLITS, HOLE), SPLITS
        return (whole,)

    def _piece(self, node: Node) -> Piece:
        if node.type in ("word", "number"):
            return self._bare(self.text(node))
        if node.type == "raw_string":
            return Piece(self.text(node)[1:-1])
        if node.type == "ansi_c_string":
            return Piece(_ansi(self.text(node)[2:-1]))
        if node.type == "string":
            return self._quoted(node)
        if node.type == "$":
            return Piece(HOLE)  # of $$, or before a text to be translated
        if node.type not in WORDS or node.type in ("variable_name", "special_variable_name"):
            raise Unreadable(f"{node.type} stands where a word is expected")
        if node.type == "simple_expansion" and not _VARIABLE.fullmatch(self.text(node)):
            raise Unreadable(f"{self.text(node)[:40]!r} is no variable")
        self.look_into(node)
        return Piece(HOLE, splits=node.type in _EXPANSIONS or node.type == "brace_expression")

    def _bare(self, text: str) -> Piece:
        if not _BARE.fullmatch(text):
            raise Unreadable(f"the word {text[:40]!r} cannot be read")
        if text.startswith("#"):
            raise Unreadable("a comment stands where a word is expected")
        return Piece(_ESCAPED.sub(lambda found: "" if found[1] == "\n" else found[1], text), raw=text)

    def _quoted(self, node: Node) -> Piece:
        """The text in double quotes, its blanks kept."""
        at, text, splits = node.start_byte + 1, "", False
        for child in node.children[1:-1]:
            text += self.content[at : child.start_byte].decode()
            if child.type in ("string_content", "$"):
                text += self._content(self.text(child))
            else:
                self.look_into(child)
                text += HOLE
                splits = splits or "@" in self.text(child)
            at = child.end_byte
        return Piece(text + self.content[at : node.end_byte - 1].decode(), splits=splits)

    def _content(self, text: str) -> str:
        if re.search(r"(?<!\\)(?:\\\\)*[`\"]", text):
            raise Unreadable(f"the text {text[:40]!r} in quotes cannot be read")
        return _IN_QUOTES.sub(lambda found: "" if found[1] == "\n" else found[1], text)


def _parts(node: Node) -> list[Node]:
    return node.children if node.type == "concatenation" else [node]


def _before(pieces: list[Piece], letter: str) -> str:
    """The text before the first word that holds a letter as it is written."""
    text = ""
    for piece in pieces:
        if letter in piece.raw:
            return text + piece.raw.partition(letter)[0].replace("\\", "")
        text += piece.text
    return text


def _before_glob(pieces: list[Piece]) -> str:
    text = ""
    for piece in pieces:
        if found := _GLOB.search(piece.raw):
            return text + _ESCAPED.sub(r"\1", piece.raw[: found.start()])
        text += piece.text
    return text


def _ansi(text: str) -> str:
    """What stands in $'…'; an escape that is not known here is a hole."""

    def meant(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "xu" and len(code) > 1:
            return chr(int(code[1:], 16)) or HOLE
        if code[0] in "01234567":
            return chr(int(code, 8) & 0xFF)
        return _ANSI_LETTERS.get(code, HOLE)

    return _ANSI.sub(meant, text)
