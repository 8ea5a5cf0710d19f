"""Every command that shell text would run, and every one of which that cannot be said.

It is read with bash's grammar and walked from a closed table of nodes: what is not in the table makes the
text unreadable. What bash takes from variables, files and names at run time is not guessed: such a command is
one without a program.
"""

import re
from dataclasses import replace

from wand_hostagent.policy import builtins
from wand_hostagent.policy.grammar import Node, parse
from wand_hostagent.policy.reading import Command, Unreadable, is_plain
from wand_hostagent.policy.shellwords import WORDS, Words
from wand_hostagent.policy.sums import KINDS, Sums

# Walked through: what they hold is looked at, and they do nothing of their own.
_HOLDS = {
    "program", "list", "pipeline", "negated_command", "subshell", "if_statement",
    "elif_clause", "else_clause", "while_statement", "case_statement", "case_item", "do_group",
    "command_substitution", "process_substitution", "string", "concatenation", "translated_string",
    "heredoc_body", "variable_assignments", "array",
}  # fmt: skip
_INERT = frozenset(
    {
        "word", "number", "raw_string", "ansi_c_string", "variable_name", "special_variable_name", "comment",
        "file_descriptor", "string_content", "heredoc_start", "heredoc_end", "heredoc_content", "regex",
        "extglob_pattern", "test_operator", "brace_expression", "simple_expansion",
    }
)  # fmt: skip
_KEYWORDS = frozenset({"if", "then", "elif", "else", "while", "until", "do", "{", "!", "time", "coproc"})
_ENDS = frozenset({"}", "fi", "done", "esac"})
_STRANDED = _ENDS | {"for", "case", "select", "function", "in", "[[", "]]"}
_PLAIN_EXPANSION = re.compile(
    r"\$\{#?(?:\w+|[@*#?$!-])(?:\[(?:[@*]|\d+)\])?(?:(?::?[-=?+]|%%?|##?|//?|\^\^?|,,?).*|:\s?-?\d+(?::-?\d+)?)?\}",
    re.DOTALL,
)
_STEPS = {
    "command": "_command",
    "declaration_command": "_declaration",
    "unset_command": "_declaration",
    "function_definition": "_function",
    "redirected_statement": "_redirected_statement",
    "heredoc_redirect": "_lone_redirection",
    "file_redirect": "_lone_redirection",
    "herestring_redirect": "_lone_redirection",
    "variable_assignment": "_lone_assignment",
    "for_statement": "_for",
    "c_style_for_statement": "_c_style_for",
    "arithmetic_expansion": "_arithmetic",
    "subscript": "_subscript",
    "test_command": "_test",
    "expansion": "_expansion",
    "compound_statement": "_compound",
    **dict.fromkeys(KINDS, "_operation"),
}  # the method for each kind of node
_WRITES = frozenset({">", ">>", "&>", "&>>", ">|", "<>"})
_NOWHERE = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty"})
_REDIRECTIONS = frozenset({"file_redirect", "herestring_redirect"})


def read(text: str) -> tuple[Command, ...]:
    """The commands of a text, in the order in which they stand.

    Raises:
        Unreadable: it is no bash, or none that can be read here.
    """
    root, content = parse(text)
    walker = _Walker(content)
    walker.walk(root)
    return walker.finished()


class _Walker:
    """Goes through a tree once."""

    def __init__(self, content: bytes) -> None:
        self._words = Words(content, self.walk)
        self._text = self._words.text
        self._sums = Sums(self._text)
        self._commands: list[Command] = []
        self._functions: set[str] = set()
        self._assigned: set[str] = set()
        self._tests = 0

    def finished(self) -> tuple[Command, ...]:
        """The commands, now that all that bears on them has been seen."""
        if not self._sums.are_plain:
            self._hide("bash runs what a variable says where it does sums")
        lasting = tuple(sorted(filter(builtins.is_steering, self._assigned)))
        found = [replace(one, variables=(*one.variables, *lasting)) for one in self._commands]
        found = [_unplaced(one) if "PATH" in one.variables else one for one in found]
        return tuple(one for one in found if one.program not in self._functions)

    def walk(self, node: Node) -> None:
        """Look at a node and all below it."""
        if not node.is_named or node.type in _INERT:
            return
        if step := _STEPS.get(node.type):
            getattr(self, step)(node)
        elif node.type in _HOLDS:
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
        words: list[str] = []
        variables: list[str] = []
        writes = False
        for child in node.children:
            if child.type == "variable_assignment":
                variables.append(self._assign(child))
            elif child.type == "command_name":
                words += (word for part in child.children for word in self._words.of(part))
            elif child.type in _REDIRECTIONS:
                more_writes, more_words = self._redirected(child)
                words += more_words
                writes = more_writes or writes
            elif child.type in WORDS:
                words += self._words.of(child)
            elif child.is_named:
                raise Unreadable(f"a {child.type} stands in a command")
        self._add(words, tuple(variables), writes=writes)

    def _add(self, words: list[str], variables: tuple[str, ...] = (), *, writes: bool = False) -> None:
        while words and words[0] in _KEYWORDS:  # the grammar takes them for names here and there
            words = words[1:]
        if words and words[0] in _STRANDED and (words[1:] or words[0] not in _ENDS):
            raise Unreadable(f"{words[0]!r} stands where a program is expected")
        if not words or words[0] in _ENDS:
            self._assigned.update(variables)
            return
        found = Command(program=words[0], arguments=tuple(words[1:]), variables=variables, writes=writes)
        if not is_plain(found.program):
            found = replace(found, program="", why="its name shows only when it runs")
        self._note_assigned(builtins.assigned_by(found))
        self._commands.append(found)

    def _note_assigned(self, names: set[str]) -> None:
        self._assigned |= names
        for name in names:
            self._sums.assign(name, ())

    def _declaration(self, node: Node) -> None:
        """export, declare, local, readonly, typeset, unset, and what they set."""
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
        names = [child for child in node.children if child.type == "word"]
        self._functions.update(map(self._text, names))
        for child in node.children:
            if child.type != "word":
                self.walk(child)

    # -- redirections ---------------------------------------------------------------------------------------

    def _redirected_statement(self, node: Node) -> None:
        before = len(self._commands)
        writes = False
        words: list[str] = []
        for child in node.children:
            if child.type in _REDIRECTIONS | {"heredoc_redirect"}:
                step = self._heredoc if child.type == "heredoc_redirect" else self._redirected
                more_writes, more_words = step(child)
                words += more_words
                writes = more_writes or writes
            else:
                self.walk(child)
        self._give(words, before)
        if writes:
            below = self._commands[before:] or [Command(program=":", carries=True)]
            self._commands[before:] = [replace(one, writes=True) for one in below]

    def _give(self, words: list[str], before: int) -> None:
        """Words that stand after a redirection belong to the command before it, or are one."""
        if words and len(self._commands) == before:
            self._add(words)
        elif words:  # which of them is not worth finding out: each may have them
            given = [replace(one, arguments=(*one.arguments, *words)) for one in self._commands[before:]]
            self._commands[before:] = given

    def _heredoc(self, node: Node) -> tuple[bool, list[str]]:
        """A text as input, and what the grammar hangs below it: more words, redirections, pipes."""
        marks = {child.type: self._text(child) for child in node.children}
        if re.sub(r"[\"'\\]", "", marks.get("heredoc_start", "")) != marks.get("heredoc_end", "").strip():
            raise Unreadable("where a here-document ends cannot be told")
        writes = False
        words: list[str] = []
        for child in node.children:
            if child.type in _REDIRECTIONS:
                more_writes, more_words = self._redirected(child)
                words += more_words
                writes = more_writes or writes
            elif child.type in WORDS:
                words += self._words.of(child)
            else:
                self.walk(child)
        return writes, words

    def _redirected(self, node: Node) -> tuple[bool, list[str]]:
        """Whether a redirection writes a file, and the words that the grammar takes for more targets."""
        targets = [self._words.of(child) for child in node.children if child.type in WORDS]
        writes = any(child.type in _WRITES for child in node.children)
        more = [word for words in targets[1:] for word in words]
        return writes and not _NOWHERE.issuperset(targets[0] if targets else ()), more

    def _lone_redirection(self, node: Node) -> None:
        before = len(self._commands)
        _, words = (self._heredoc if node.type == "heredoc_redirect" else self._redirected)(node)
        self._give(words, before)

    # -- variables and sums ---------------------------------------------------------------------------------

    def _lone_assignment(self, node: Node) -> None:
        self._assigned.add(self._assign(node))

    def _assign(self, node: Node) -> str:
        target, value = node.children[0], node.children[2:]
        if target.type == "subscript":
            self.walk(target)
            target = target.children[0]
        name = self._text(target)
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
        if node.children[0].type == "((":
            self._sums.evaluate(node.children)
        self._inside(node)

    def _test(self, node: Node) -> None:
        self._sums.test(node)
        self._tests += 1
        self._inside(node)
        self._tests -= 1

    def _operation(self, node: Node) -> None:
        if not self._tests:
            self._sums.evaluate([node])
        self._inside(node)

    def _expansion(self, node: Node) -> None:
        if not _PLAIN_EXPANSION.fullmatch(self._text(node)):
            self._hide("an expansion evaluates what a variable says")
        self._inside(node)


def _unplaced(command: Command) -> Command:
    """A command whose program is looked for where the text says."""
    if not command.program or "/" in command.program or command.program in builtins.HARMLESS:
        return command
    return replace(command, program="", why="PATH is set, so any file can be meant")
