"""A folder's names, in order, down to some depth; no link is ever followed."""

import os
import stat
from collections.abc import Callable, Generator
from dataclasses import dataclass

from wand_hostagent.filesystem.ignoring import NO_RULES, Rules
from wand_hostagent.filesystem.paths import REMOVED
from wand_hostagent.launcher.spelling import show

_MOST_DEPTH = 64  # each open folder on the way takes a descriptor


@dataclass(frozen=True, slots=True)
class Found:
    """One name: where it is, relative to the start, and the open folder that holds it."""

    path: str
    name: str
    folder: int
    about: os.stat_result
    ignored: bool = False  # by .gitignore

    @property
    def shown(self) -> str:
        """The path as text."""
        return show(self.path)


@dataclass(frozen=True, slots=True)
class Way:
    """How one came to a folder: its path with a slash, its depth, and what is ignored from there on."""

    above: str = ""
    depth: int = 1
    rules: Rules = NO_RULES


BEGIN = Way()


def walk(
    folder: int, enter: Callable[[Found, int], bool], *, hidden: bool, way: Way = BEGIN
) -> Generator[Found, None, None]:
    """Every name below an open folder; `enter` says of a folder, and its depth, whether to go into it."""
    rules = way.rules.with_those_in(folder, way.above)
    for name in _names(folder, hidden=hidden):
        try:
            about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            continue  # gone, or not ours to see
        path, is_folder = f"{way.above}{name}", stat.S_ISDIR(about.st_mode)
        ignored = rules.leave_out(path, is_folder=is_folder)
        found = Found(path, name, folder, about, ignored)
        yield found
        if not is_folder or way.depth >= _MOST_DEPTH or not enter(found, way.depth):
            continue
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            continue
        try:
            yield from walk(inner, enter, hidden=hidden, way=Way(f"{path}/", way.depth + 1, rules))
        finally:
            os.close(inner)


def _names(folder: int, *, hidden: bool) -> list[str]:
    with os.scandir(folder) as entries:
        names = (entry.name for entry in entries if hidden or not entry.name.startswith("."))
        return sorted(name for name in names if name != REMOVED)
