"""Every command that shell text would run, and every one of which that cannot be said.

It is read with bash's grammar and walked from a closed table of nodes: what is not in the table makes the
text unreadable. What bash takes from variables, files and names at run time is not guessed: such a command is
one without a program.
"""

from dataclasses import replace
from itertools import dropwhile

from wand_hostagent.policy import builtins, shelldoubts
from wand_hostagent.policy.grammar import Node, leaves, parse
from wand_hostagent.policy.heredocs import taken_out
from wand_hostagent.policy.reading import Command, Unreadable, is_plain
from wand_hostagent.policy.shellfunctions import Functions
from wand_hostagent.policy.shellnodes import (
    ASSIGNS,
    ENDS,
    HOLDS,
    INERT,
    KEYWORDS,
    NOWHERE,
    PLAIN_EXPANSION,
    REDIRECTIONS,
    STEPS,
    WRITES,
)
from wand_hostagent.policy.shellwords import WORDS, Words
from wand_hostagent.policy.sums import KINDS, Sums


def read(text: str) -> tuple[Command, ...]:
    """The commands of a text, in the order in which they stand; last, what its redirections open.

    Raises:
        Unreadable: it is no bash, or none that can be read here.
    """
    left, bodies = taken_out(text)
    walkers = [_walked(one) for one in (left, *bodies)]
    found = tuple(command for walker in walkers for command in walker.finished())
    reads = tuple(word for walker in walkers for word in walker.reads_from)
    writes = tuple(word for walker in walkers for word in walker.writes_to)
    if not (reads or writes):
        return found
    return (*found, Command(program=":", carries=True, reads_from=reads, writes_to=writes))


def _walked(text: str) -> "_Walker":
    root, content = parse(text)
    walker = _Walker(content, Functions(root))
    walker.walk(root)
    return walker


class _Walker:
    """Goes through a tree once."""

    def __init__(self, content: bytes, functions: Functions) -> None:
        self._words = Words(content, self.walk)
        self._text = self._words.text
        self._sums = Sums(self._text)
        self._commands: list[Command] = []
        self._functions = functions
        self._assigned: set[str] = set()
        self._tests = 0
        self.reads_from: list[str] = []
        self.writes_to: list[str] = []

    def finished(self) -> tuple[Command, ...]:
        """The commands, now that all that bears on them has been seen."""
        if not self._sums.are_plain:
            self._hide("bash runs what a variable says where it does sums")
        if builtins.holds_text(self._commands, self._assigned):
            self._hide("bash runs what a variable holds")
        return self._functions.without_calls(builtins.steered(self._commands, self._assigned))

    def walk(self, node: Node) -> None:
        """Look at a node and all below it."""
        if not node.is_named:
            return
        if node.type in INERT:
            shelldoubts.check_leaf(node, self._text)
            return
        if step := STEPS.get(node.type):
            getattr(self, step)(node)
        elif node.type in HOLDS:
            self._inside(node)
        else:
            raise Unreadable(f"a {node.type.replace('_', ' ')} cannot be read here")

    def _inside(self, node: Node) -> None:
        for child in node.children:
            self.walk(child)

    def _hide(self, why: str) -> None:
        self._commands.append(Command(program="", why=why))

    # -- commands -------------------------------------------------------------------------------------------

    def _command(self, node: Node) -> None:
        shelldoubts.check_apart(self._words.content, node.children)
        words: list[str] = []
        variables: list[str] = []
        writes = False
        for child in node.children:
            if child.type == "variable_assignment":
                variables.append(self._assign(child))
            elif child.type in REDIRECTIONS:
                more_writes, more_words = self._redirected(child)
                words += more_words
                writes = more_writes or writes
            else:
                words += self._words_of(child, words)
        if words[:1] == [self._text(node.children[0])]:  # nothing stands before it, and it is not quoted
            words = self._after_keywords(words)
        if words:
            self._add(words, tuple(variables), writes=writes)
        else:
            self._assigned.update(variables)

    def _words_of(self, node: Node, before: list[str]) -> list[str]:
        """The words that a part of a command becomes."""
        if node.type == "command_name":
            return [word for part in node.children for word in self._words.of(part)]
        if node.type in WORDS:
            return list(self._words.of(node))
        if node.type != "subshell" or before != ["time"]:
            raise Unreadable(f"{node.type!r} stands in a command")
        self.walk(node)
        return []

    def _add(self, words: list[str], variables: tuple[str, ...] = (), *, writes: bool = False) -> None:
        found = Command(program=words[0], arguments=tuple(words[1:]), variables=variables, writes=writes)
        if not is_plain(found.program):
            found = replace(found, program="", why="its name shows only when it runs")
        self._note_assigned(builtins.assigned_by(found))
        self._commands.append(found)

    def _note_assigned(self, names: set[str]) -> None:
        self._assigned |= names
        for name in names:
            self._sums.assign(name, ())

    def _after_keywords(self, words: list[str]) -> list[str]:
        """The words of a command without what bash takes for its own and the grammar for names."""
        while words and words[0] in KEYWORDS | {"time"}:
            first, *words = words
            if first == "time":  # a keyword to bash, but for the one after a pipe, which is a program
                self._add([first, *words])
                words = words[1:] if words[:1] == ["-p"] else words
            if words and ASSIGNS.match(words[0]):
                return self._after_assignments(words)
        shelldoubts.check_stranded(words)
        return [] if words and words[0] in ENDS else words

    def _negated(self, node: Node) -> None:
        shelldoubts.check_opening(node)
        self._inside(node)

    def _after_assignments(self, words: list[str]) -> list[str]:
        """The words after what may be assignments; in quotes the first is a program, so it is one too."""
        if words and ASSIGNS.match(words[0]):
            self._add(words)
        self._assigned.update(word.partition("=")[0] for word in words if ASSIGNS.match(word))
        return list(dropwhile(ASSIGNS.match, words))

    def _declaration(self, node: Node) -> None:
        """export, declare, local, readonly, typeset, unset, and what they set."""
        shelldoubts.check_apart(self._words.content, node.children)
        words = [self._text(node.children[0])]
        for child in node.children[1:]:
            if child.type == "variable_assignment":
                self._assigned.add(self._assign(child))
            elif child.type == "variable_name":
                words.append(self._text(child))
            elif child.is_named:
                words += self._words.of(child)
        self._add(words)

    def _function(self, node: Node) -> None:
        for child in node.children:
            if child.type == "word":
                self._functions.define(self._text(child), node, len(self._commands))
            else:
                self.walk(child)

    # -- redirections ---------------------------------------------------------------------------------------

    def _redirected_statement(self, node: Node) -> None:
        before = len(self._commands)
        writes = False
        words: list[str] = []
        for child in node.children:
            if child.type in REDIRECTIONS:
                more_writes, more_words = self._redirected(child)
                words += more_words
                writes = more_writes or writes
            else:
                self.walk(child)
        bodies = {child.type for child in node.children} - REDIRECTIONS - {"redirected_statement"}
        self._give(words, before, alone=not bodies)
        if writes:
            below = self._commands[before:] or [Command(program=":", carries=True)]
            self._commands[before:] = [replace(one, writes=True) for one in below]

    def _give(self, words: list[str], before: int, *, alone: bool) -> None:
        """Words after a redirection belong to the command before it; standing alone, they are one."""
        below = self._commands[before:]
        if words and any(one.program == "time" for one in below):
            raise Unreadable("a redirection stands between time and what it times")
        self._commands[before:] = [replace(one, arguments=(*one.arguments, *words)) for one in below]
        stands_alone = alone or all(one.carries for one in below)
        if stands_alone and (command := self._after_assignments(words)):
            self._add(command)

    def _redirected(self, node: Node) -> tuple[bool, list[str]]:
        """Whether a redirection writes a file, and the words that the grammar takes for more targets."""
        shelldoubts.check_redirection(node, self._words.content, self._text)
        targets = [self._words.of(child) for child in node.children if child.type in WORDS]
        if targets:
            shelldoubts.check_target(targets[0])
        writes = any(child.type in WRITES for child in node.children)
        more = [word for words in targets[1:] for word in words]
        if shelldoubts.only_copies(node, targets):
            return False, more
        if targets and node.type == "file_redirect" and not NOWHERE.issuperset(targets[0]):
            (self.writes_to if writes else self.reads_from).append(targets[0][0])
        return writes and not NOWHERE.issuperset(targets[0] if targets else ()), more

    def _lone_redirection(self, node: Node) -> None:
        before = len(self._commands)
        _, words = self._redirected(node)
        self._give(words, before, alone=True)

    # -- variables and sums ---------------------------------------------------------------------------------

    def _lone_assignment(self, node: Node) -> None:
        self._assigned.add(self._assign(node))

    def _assign(self, node: Node) -> str:
        target, value = node.children[0], node.children[2:]
        if target.type == "subscript":
            self.walk(target)
            target = target.children[0]
        name = self._text(target)
        if not name.isidentifier() or not name.isascii():
            raise Unreadable(f"{name[:40]!r} is no name of a variable")
        self._sums.assign(name, value)
        for child in value:
            if child.type in WORDS:
                self._words.of(child)
            else:
                self.walk(child)
        return name

    def _for(self, node: Node) -> None:
        words = [child for child in node.children if child.type in WORDS]
        name = self._text(words[0])
        self._assigned.add(name)
        self._sums.assign(name, words[1:])
        for child in node.children:
            if child.type in WORDS:
                self._words.of(child) if child is not words[0] else None
            else:
                self.walk(child)

    def _c_style_for(self, node: Node) -> None:
        self._sums.evaluate(child for child in node.children if child.type in KINDS)
        self._inside(node)

    def _arithmetic(self, node: Node) -> None:
        self._sums.evaluate(node.children)
        self._inside(node)

    def _subscript(self, node: Node) -> None:
        index = node.children[2:-1]
        if [self._text(one) for one in index] not in (["@"], ["*"]):
            self._sums.evaluate(index)
        self._inside(node)

    def _compound(self, node: Node) -> None:
        if node.children[0].type == "{":
            shelldoubts.check_opening(node)
        if node.children[0].type == "((":
            self._sums.evaluate(node.children)
        self._inside(node)

    def _test(self, node: Node) -> None:
        shelldoubts.check_test(node, self._text)
        self._sums.test(node)
        self._tests += 1
        self._inside(node)
        self._tests -= 1

    def _operation(self, node: Node) -> None:
        if not self._tests:
            self._sums.evaluate([node])
        self._inside(node)

    def _expansion(self, node: Node) -> None:
        if not PLAIN_EXPANSION.fullmatch(self._text(node)):
            self._hide("an expansion evaluates what a variable says")
        for leaf in leaves(node):  # in double quotes, single ones are letters
            if leaf.is_named:
                shelldoubts.check_leaf(leaf, self._text, literal=True)
        self._inside(node)
