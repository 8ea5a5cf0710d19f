"""Where bash's grammar is more generous than bash: text that it takes otherwise is not read at all."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

from wand_hostagent.policy.grammar import Node, leaves
from wand_hostagent.policy.reading import Unreadable
from wand_hostagent.policy.shellnodes import APART, ENDS, NUMBER_BEFORE, STRANDED

_LITERAL = frozenset({"comment", "raw_string", "ansi_c_string"})
_RUNS = re.compile(r"(?<!\\)(?:\\\\)*(?:`|\$[({\[]|[<>]\()")
_COPIES = frozenset({">&", "<&"})
_NUMBER = re.compile(r"[0-9]+-?")
_TESTS_NOT = frozenset({"<", ">", ">>", "&&", "||"})


def check_apart(content: bytes, nodes: list[Node]) -> None:
    """Words of a command stand apart and on one line; the grammar sees that otherwise at times.

    Raises:
        Unreadable: these do not.
    """
    for before, after in pairwise(nodes):
        gap = content[before.end_byte : after.start_byte]
        if not gap and (after.type in APART or before.type in APART):
            raise Unreadable("two words stand together")
        if b"\n" in gap.replace(b"\\\n", b""):
            raise Unreadable("a command goes on in the next line")


def check_leaf(node: Node, text: Callable[[Node], str], *, literal: bool = False) -> None:
    """Nothing that bash runs stands in what the grammar takes for text, literal or not. Raises Unreadable."""
    if (literal or node.type not in _LITERAL) and _RUNS.search(text(node)):
        raise Unreadable("what bash may run stands where the grammar sees text")


def check_opening(node: Node) -> None:
    """A `!` or a brace stands apart from what follows. Raises Unreadable."""
    if node.children[0].end_byte == node.children[1].start_byte:
        raise Unreadable("two words stand together")


def check_test(node: Node, text: Callable[[Node], str]) -> None:
    """A test is one to bash too. Raises Unreadable."""
    opening, first = node.children[:2]
    kinds = {leaf.type for leaf in leaves(node)}
    if opening.end_byte == first.start_byte or (opening.type == "[" and kinds & _TESTS_NOT):
        raise Unreadable("a test that is none to bash")
    if opening.type == "[" and "\n" in text(node):
        raise Unreadable("a command goes on in the next line")


def check_redirection(node: Node, content: bytes, text: Callable[[Node], str]) -> None:
    """A redirection is of a number, and no number is part of a word before it. Raises Unreadable."""
    if NUMBER_BEFORE.search(content[max(0, node.start_byte - 12) : node.start_byte]):
        raise Unreadable("a number stands before a redirection")
    if any(one.type == "file_descriptor" and not text(one).isdigit() for one in node.children):
        raise Unreadable("a redirection of what is no number")


def only_copies(node: Node, targets: Sequence[tuple[str, ...]]) -> bool:
    """Whether a redirection is to a number, as in 2>&1, and opens nothing; `>&name` writes that file."""
    is_copy = any(one.type in _COPIES for one in node.children)
    return is_copy and bool(targets) and _NUMBER.fullmatch(targets[0][0]) is not None


def check_target(words: tuple[str, ...]) -> None:
    """What a redirection opens is no option. Raises Unreadable."""
    if words[0].startswith("-") and words[0] != "-":
        raise Unreadable("a redirection to what begins with a dash")


def check_stranded(words: list[str]) -> None:
    """No keyword stands where a program is expected. Raises Unreadable."""
    if words and words[0] in STRANDED and (words[1:] or words[0] not in ENDS):
        raise Unreadable(f"{words[0]!r} stands where a program is expected")
