"""A folder's names, in order, down to some depth; no link is ever followed."""

import os
import stat
from collections.abc import Callable, Generator
from dataclasses import dataclass

from wand_hostagent.filesystem.paths import show

_MOST_DEPTH = 64  # each open folder on the way takes a descriptor


@dataclass(frozen=True, slots=True)
class Found:
    """One name: where it is, relative to the start, and the open folder that holds it."""

    path: str
    name: str
    folder: int
    about: os.stat_result

    @property
    def shown(self) -> str:
        """The path as text."""
        return show(self.path)


def walk(
    folder: int, enter: Callable[[Found, int], bool], *, hidden: bool, above: str = "", depth: int = 1
) -> Generator[Found, None, None]:
    """Every name below an open folder; `enter` says of a folder, and its depth, whether to go into it."""
    for name in _names(folder, hidden=hidden):
        try:
            about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            continue  # gone, or not ours to see
        found = Found(f"{above}{name}", name, folder, about)
        yield found
        if not stat.S_ISDIR(about.st_mode) or depth >= _MOST_DEPTH or not enter(found, depth):
            continue
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            continue
        try:
            yield from walk(inner, enter, hidden=hidden, above=f"{found.path}/", depth=depth + 1)
        finally:
            os.close(inner)


def _names(folder: int, *, hidden: bool) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if hidden or not entry.name.startswith("."))
