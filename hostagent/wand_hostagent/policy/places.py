"""Where the words of a job's commands may begin, as far as its own words tell."""

import posixpath
from itertools import pairwise

from wand_hostagent.policy.reading import HOLE, Command

_MOVES = frozenset({"cd", "pushd", "popd", "chdir"})
_FOLDERS = frozenset({"-C", "--chdir"})  # of env
_MOST = 32


def places_of(directory: str, moves: tuple[str, ...]) -> tuple[str, ...]:
    """The folders in which a command may be, each absolute, or relative to one that nobody names.

    Where a text moves, its commands may be wherever the moves lead from the one before, and nobody knows
    which were made; an empty one says that it may be anywhere.
    """
    if not moves:
        return (directory,)
    places = [directory]
    for move in moves:
        known = move if HOLE not in move else ""
        if known and known != "-":
            places += [posixpath.join(place, known) for place in places[:_MOST]]
    return tuple(dict.fromkeys([*places[:_MOST], ""]))


def moves_of(command: Command) -> list[str]:
    """The folders to which a command goes; a hole where it does not say."""
    words = command.arguments
    if command.program in _MOVES:
        return [word for word in words if not word.startswith("-")][:1] or [HOLE]
    if command.name != "env":
        return []
    glued = [word.partition("=")[2] for word in words if word.startswith("--chdir=")]
    return [*glued, *(after for word, after in pairwise(words) if word in _FOLDERS)]
