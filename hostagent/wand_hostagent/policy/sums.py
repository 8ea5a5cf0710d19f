"""Arithmetic in shell text: bash runs what a variable says where it takes that for a subscript.

`x='a[$(rm f)]'; echo $((x))` runs rm. So a sum is plain only where all that it holds are numbers, operators,
and variables to which the text assigns nothing but numbers.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from wand_hostagent.policy.grammar import Node, leaves

_NUMBER = re.compile(r"[-+]?\d+(?:#\w+)?")
_COUNTS = frozenset({"#", "?", "$", "!", "SECONDS", "RANDOM", "LINENO", "UID", "EUID", "PPID"})
_NAMES = frozenset({"variable_name", "special_variable_name", "word"})
_EVALUATES = re.compile(r"-(?:eq|ne|lt|le|gt|ge)")
_ASKS_SUBSCRIPT = frozenset({"-v", "-R"})
KINDS = frozenset(
    {
        "binary_expression", "unary_expression", "parenthesized_expression", "ternary_expression",
        "postfix_expression",
    }
)  # fmt: skip


@dataclass(slots=True)
class Sums:
    """Which variables are numbers, and which must be; known when the whole text has been seen."""

    text: Callable[[Node], str]
    wanted: set[str] = field(default_factory=set)
    numbers: dict[str, bool] = field(default_factory=dict)
    opaque: bool = False

    def assign(self, name: str, value: Iterable[Node]) -> None:
        """Note what a variable is set to."""
        nodes = list(value)
        is_number = bool(nodes) and all(map(self._is_number, nodes))
        self.numbers[name] = is_number and self.numbers.get(name, True)

    def evaluate(self, nodes: Iterable[Node]) -> None:
        """Note a sum."""
        for leaf in (leaf for node in nodes for leaf in leaves(node) if leaf.is_named):
            text = self.text(leaf)
            if leaf.type in _NAMES and text.isidentifier():
                self.wanted.add(text)
            elif not (text in _COUNTS or _NUMBER.fullmatch(text)):
                self.opaque = True

    def test(self, node: Node) -> None:
        """Note the operands of [ … ] or [[ … ]], where an operator takes them for sums."""
        words = [self.text(leaf) for leaf in leaves(node)]
        if any(map(_EVALUATES.fullmatch, words)) and node.children[0].type == "[[":
            self.evaluate(_operands(node))
        if _ASKS_SUBSCRIPT & set(words):
            self.opaque = self.opaque or any("[" in word or "$" in word for word in words[1:-1])

    @property
    def are_plain(self) -> bool:
        """Whether no sum can run anything."""
        return not self.opaque and all(self.numbers.get(name) for name in self.wanted - _COUNTS)

    def _is_number(self, node: Node) -> bool:
        return node.type == "arithmetic_expansion" or bool(_NUMBER.fullmatch(self.text(node)))


def _operands(node: Node) -> Iterable[Node]:
    return (leaf for leaf in leaves(node) if leaf.type != "test_operator")
