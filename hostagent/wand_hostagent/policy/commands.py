"""Which programs a job would run, as far as its words tell.

This reads shell text with `shlex` and the few rules below, not with the shell's grammar: enough to see a
denied program behind quotes, operators, substitutions and the usual wrappers, and to say when it cannot be
seen. It decides what is refused with a good message; what is possible, the box decides.
"""

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from wand_hostagent.model import Job

MOST_TEXT = 32 * 1024
KEYWORDS = frozenset({"if", "then", "elif", "else", "while", "until", "do", "{", "}", "!", "time", "coproc"})
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "su", "eval", "ssh", "script", "watch"})
WRAPPERS = frozenset(
    {
        "env", "sudo", "doas", "nice", "ionice", "nohup", "setsid", "timeout", "stdbuf", "xargs", "parallel",
        "find", "exec", "command", "builtin", "chroot", "unshare", "nsenter", "runuser", "setpriv", "strace",
        "busybox", "flock", "time", "chrt", "taskset",
    }
)  # fmt: skip
UNSEEN = frozenset({"source", "."})  # they run a file that is not here to be read
_BEGINS = re.compile(r"[;|&()\n]")
_REDIRECTS = frozenset({">", ">>", "<", "<<", "<<<", "<>", ">|", ">&", "<&", "&>", "&>>"})
_HIDES = re.compile(r"[$`*?\[]|\{.*,")
_ASSIGNS = re.compile(r"[A-Za-z_]\w*\+?=")
_TRANSPARENT = re.compile(r"\d+|[A-Za-z_]\w*\+?=.*", re.DOTALL)  # a program may still follow


@dataclass(frozen=True, slots=True)
class Command:
    """A program that would be run, and the words after it."""

    program: str
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """The last part of the program."""
        return posixpath.basename(self.program)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a job would run; `hidden` where a program's name is not to be seen in the words."""

    commands: tuple[Command, ...]
    hidden: bool


def read(job: Job) -> Reading:
    """The programs that a job would run."""
    return _read(job.argv, shell=job.shell)


@lru_cache(maxsize=16)  # every rule that denies asks about the same job
def _read(argv: tuple[str, ...], *, shell: bool) -> Reading:
    if shell:
        return _read_text(argv[0])
    commands, hidden = _unwrapped(argv)
    return Reading(tuple(commands), hidden)


def _read_text(text: str) -> Reading:
    commands: list[Command] = []
    hidden = len(text) > MOST_TEXT
    try:
        for words in () if hidden else _segments(text):
            found, unseen = _unwrapped(words)
            commands += found
            hidden = hidden or unseen or _is_hidden(words)
            for inner in _substitutions(words):
                reading = _read_text(inner)
                commands += reading.commands
                hidden = hidden or reading.hidden
    except (ValueError, RecursionError):  # a quotation without end: no shell would run it as it is read here
        hidden = True
    return Reading(tuple(commands), hidden)


def _is_hidden(words: Sequence[str]) -> bool:
    """Whether the shell would make a program's name of something else."""
    if words[0] not in {"[", "[["} and _HIDES.search(words[0]):
        return True
    if posixpath.basename(words[0]) not in WRAPPERS - {"find"}:
        return False
    inner = next((word for word in words[1:] if not word.startswith("-") and not _ASSIGNS.match(word)), "")
    return inner.startswith(("$", "`"))


def _unwrapped(words: Sequence[str]) -> tuple[list[Command], bool]:
    """The command itself and, where it is known to run another, every command that this could be."""
    first = Command(words[0], tuple(words[1:]))
    if first.name in SHELLS:
        readings = [_read_text(word) for word in first.arguments if not word.startswith("-")]
        inner = [command for reading in readings for command in reading.commands]
        return [first, *inner], any(reading.hidden for reading in readings)
    if first.name in WRAPPERS:
        rest = first.arguments
        found = [first, *(Command(word, rest[place + 1 :]) for place, word in enumerate(rest))]
        shell = next((command for command in found[1:] if command.name in SHELLS), None)
        inner, hidden = _unwrapped((shell.program, *shell.arguments)) if shell else ([], False)
        return found + inner, hidden
    return [first], first.name in UNSEEN


def _substitutions(words: Sequence[str]) -> Iterator[str]:
    """What stands in $( ) or ` ` inside quoted words."""
    text = " ".join(words)
    if "$(" in text or "`" in text:
        yield re.sub(r"\$\(|`|\)", "\n", text)


def _segments(text: str) -> Iterator[list[str]]:
    """The words of each simple command: no keyword, assignment or redirection before its program."""
    words: list[str] = []
    skip = False
    for token in _tokens(text):
        if token in _REDIRECTS:
            skip = not words or posixpath.basename(words[0]) not in WRAPPERS | SHELLS
        elif _is_operator(token):
            if words:
                yield words
            words, skip = [], token[-1] in "<>"
        elif skip:
            skip = False
        elif words or not (token in KEYWORDS or _TRANSPARENT.fullmatch(token)):
            words.append(token)
    if words:
        yield words


def _is_operator(token: str) -> bool:
    return bool(token) and not token.strip(";|&()<>\n") and bool(_BEGINS.search(token))


def _tokens(text: str) -> Iterator[str]:
    lexer = shlex.shlex(text.replace("\\\n", ""), posix=True, punctuation_chars=";|&()<>\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    return iter(lexer)
