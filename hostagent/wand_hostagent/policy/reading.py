"""What a job would run, as far as its words tell: values, made by `shell.py` and `wrappers.py`.

No argument can hold a NUL, so a NUL stands in a word for text that shows only when it runs. `SPLITS` alone
stands for any number of words.
"""

import posixpath
from dataclasses import dataclass

HOLE = "\0"
SPLITS = HOLE + HOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that would be run, and its words; `program` is empty where only the running tells which."""

    program: str
    arguments: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()  # set for it
    writes: bool = False  # a redirection writes a file
    carries: bool = False  # of itself it does nothing but run what is listed after it, or it is of the shell
    why: str = ""  # why the program is not to be seen
    reads_from: tuple[str, ...] = ()  # what a redirection reads, as written
    writes_to: tuple[str, ...] = ()  # what one writes

    @property
    def name(self) -> str:
        """The last part of the program."""
        return posixpath.basename(self.program)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Every command of a job; `unread` says why the text could not be read, and is empty where it could."""

    commands: tuple[Command, ...] = ()
    unread: str = ""


class Unreadable(Exception):
    """The text is not one that is read here; the message says why."""


def is_plain(word: str) -> bool:
    """Whether the word is known to the letter."""
    return HOLE not in word
