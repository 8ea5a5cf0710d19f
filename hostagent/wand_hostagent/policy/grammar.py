"""Shell text as a tree, by tree-sitter's grammar of bash; what only the grammar lets pass is refused.

The grammar mends what it cannot read and is laxer than bash here and there. So a tree is believed only where
every byte belongs to a leaf or is a blank, and where each leaf looks as bash would have to see it.
The two libraries load with the first text, and not before.
"""

import importlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

from wand_hostagent.policy.reading import Unreadable

MOST_BYTES = 32 * 1024
MOST_DEPTH = 100

_BLANK = re.compile(rb"(?:[ \t\n]|\\\n)*")
_ODD = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]|(?![\t\n ])\s"
)  # bash takes these for letters, or worse


class Node(Protocol):
    """A node of a tree, as far as it is used here."""

    @property
    def type(self) -> str: ...
    @property
    def is_named(self) -> bool: ...
    @property
    def is_missing(self) -> bool: ...
    @property
    def start_byte(self) -> int: ...
    @property
    def end_byte(self) -> int: ...
    @property
    def children(self) -> "list[Node]": ...


@lru_cache(maxsize=1)
def _parser() -> Any:
    core, bash = importlib.import_module("tree_sitter"), importlib.import_module("tree_sitter_bash")
    return core.Parser(core.Language(bash.language()))


def parse(text: str) -> tuple[Node, bytes]:
    """The root of the text's tree, and the bytes in which it points.

    Raises:
        Unreadable: it is too long, holds a character that bash reads otherwise, or is no bash.
    """
    content = text.encode()
    if len(content) > MOST_BYTES:
        raise Unreadable(f"it has more than {MOST_BYTES} bytes")
    if odd := _ODD.search(text):
        raise Unreadable(f"it holds the character U+{ord(odd[0]):04X}")
    root: Node = _parser().parse(content).root_node
    _check(root, content, 0)
    return root, content


def line_of(content: bytes, offset: int) -> int:
    """The number of the line at an offset."""
    return content.count(b"\n", 0, offset) + 1


def leaves(node: Node) -> Iterator[Node]:
    """The nodes below that have none below them, from the left."""
    if not node.children:
        yield node
    for child in node.children:
        yield from leaves(child)


def _check(node: Node, content: bytes, depth: int) -> None:
    """Every byte below belongs to a child, or is a blank."""
    if node.type == "ERROR" or node.is_missing:
        raise Unreadable(f"line {line_of(content, node.start_byte)} is no bash that can be read here")
    if depth > MOST_DEPTH:
        raise Unreadable("it is nested too deeply")
    children = node.children
    if not children:
        return
    at = node.start_byte
    for child in children:
        _check_gap(content, at, child.start_byte)
        _check(child, content, depth + 1)
        at = child.end_byte
    _check_gap(content, at, node.end_byte)
    if node.type == "program":
        _check_gap(content, node.end_byte, len(content))
        _check_gap(content, 0, node.start_byte)


def _check_gap(content: bytes, start: int, end: int) -> None:
    gap = content[start:end]
    if not _BLANK.fullmatch(gap) or (b"\\" in gap and not gap.replace(b"\\\n", b"")):
        raise Unreadable(f"line {line_of(content, start)} is no bash that can be read here")
