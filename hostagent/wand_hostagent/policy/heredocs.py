"""Here-documents, taken out of shell text before it is parsed: the grammar often misreads what follows them.

Only plain ones can be read, of which it is certain where they begin and end, and what bash expands in them.
"""

import re
from dataclasses import dataclass, field

from wand_hostagent.policy.reading import Unreadable

_OPERATOR = re.compile(r"<<(-?)[ \t]*(?:'([\w.-]+)'|\"([\w.-]+)\"|([A-Za-z_][\w.-]*))(?=[\s;&|<>)]|$)")
_TRICKY = re.compile(r"`|\(\(|\$\[|\$'|\$\"|\$\{[^}]*['\"({<#]|\besac\b|\[\[|\\\n")
_VARIABLES = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?$!-]|\{[A-Za-z_]\w*\})|\\.", re.DOTALL)
_WHY = "what a here-document in it says cannot be told for certain"
_STANDS_IN = " </dev/null "


@dataclass(frozen=True, slots=True)
class _Pending:
    """A here-document whose body has not come yet."""

    end: str
    expands: bool
    strips: bool
    depth: int


@dataclass(slots=True)
class _Scan:
    """Goes through a text once; `stack` holds the quotes and parentheses that are open."""

    text: str
    at: int = 0
    kept: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    pending: list[_Pending] = field(default_factory=list)
    stack: list[str] = field(default_factory=list)

    def run(self) -> tuple[str, tuple[str, ...]]:
        while self.at < len(self.text):
            self._step(self.text[self.at])
        if self.pending or self.stack:
            raise Unreadable(_WHY)
        return "".join(self.kept), tuple(self.bodies)

    def _keep(self, end: int) -> None:
        self.kept.append(self.text[self.at : end])
        self.at = end

    def _step(self, letter: str) -> None:
        if letter == "\\":
            self._keep(self.at + 2)
        elif self.text.startswith("$(", self.at):
            self.stack.append(")")
            self._keep(self.at + 2)
        elif self.stack and self.stack[-1] == '"':
            if letter == '"':
                self.stack.pop()
            self._keep(self.at + 1)
        else:
            self._command(letter)

    def _command(self, letter: str) -> None:
        """A letter where commands stand, and no double quotes are open."""
        if letter == "'":
            self._keep(self._find("'", self.at + 1) + 1)
        elif letter == "#" and (self.at == 0 or self.text[self.at - 1] in " \t\n;&|("):
            end = self.text.find("\n", self.at)
            self._keep(len(self.text) if end < 0 else end)
        elif self.text.startswith("<<<", self.at):
            self._keep(self.at + 3)
        elif self.text.startswith("<<", self.at):
            self._operator()
        elif letter == "\n" and self.pending:
            self._bodies()
        else:
            self._bracket(letter)
            self._keep(self.at + 1)

    def _bracket(self, letter: str) -> None:
        if letter == '"':
            self.stack.append('"')
        elif letter == "(":
            self.stack.append(")")
        elif letter == ")":
            if not self.stack or any(one.depth >= len(self.stack) for one in self.pending):
                raise Unreadable(_WHY)
            self.stack.pop()

    def _operator(self) -> None:
        found = _OPERATOR.match(self.text, self.at)
        if found is None or (self.at and self.text[self.at - 1].isdigit()):
            raise Unreadable(_WHY)
        dash, single, double, bare = found.groups()
        end = single or double or bare
        self.pending.append(_Pending(end, bool(bare), bool(dash), len(self.stack)))
        self.kept.append(_STANDS_IN)
        self.at = found.end()

    def _bodies(self) -> None:
        """Leave out the bodies that begin after this line."""
        if any(one.depth != len(self.stack) for one in self.pending):
            raise Unreadable(_WHY)
        self._keep(self.at + 1)
        for one in self.pending:
            self._body(one)
        self.pending.clear()

    def _body(self, one: _Pending) -> None:
        lines: list[str] = []
        while True:
            end = self.text.find("\n", self.at)
            line = self.text[self.at : end if end >= 0 else len(self.text)]
            if end < 0 and line.lstrip("\t" if one.strips else "") != one.end:
                raise Unreadable(_WHY)
            self.at = end + 1 if end >= 0 else len(self.text)
            if (line.lstrip("\t") if one.strips else line) == one.end:
                break
            lines.append(line)
        if one.expands:
            self.bodies.append("\n".join(lines))

    def _find(self, text: str, start: int) -> int:
        place = self.text.find(text, start)
        if place < 0:
            raise Unreadable(_WHY)
        return place


def taken_out(text: str) -> tuple[str, tuple[str, ...]]:
    """The text without its here-documents, and what bash expands in them as texts.

    Raises:
        Unreadable: it is not plain where one begins or ends, or what bash makes of it.
    """
    if "<<" not in text:
        return text, ()
    left, bodies = _Scan(text).run()
    live = [body for body in bodies if re.search(r"[$\\`]", _VARIABLES.sub("", body))]
    if _TRICKY.search(left) or any(set('"\\`') & set(body) for body in live):
        raise Unreadable(_WHY)
    return left, tuple(f': "{body}"' for body in live)
