"""Paths as words: `..` is resolved before anything is compared; what links do, the file worker sees."""

import posixpath
from collections.abc import Iterable

from wand_proto.errors import Invalid


def resolved(path: str, workspace: str) -> str:
    """The absolute path that is meant, by its words alone; a relative one begins at the workspace.

    Raises:
        Invalid: it holds a NUL.
    """
    if "\0" in path:
        raise Invalid("holds a NUL", field="path")
    joined = posixpath.join(workspace or "/", path)
    return "/" + posixpath.normpath(joined).lstrip("/")


def names_of(path: str, folders: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Every name of what a resolved path means, that one first; a folder is a name, and where that leads."""
    pairs = tuple(folders)
    real = [path, *(_below(real, path, name) for name, real in pairs if is_within(path, name))]
    others = (_below(name, one, real) for one in real for name, real in pairs if is_within(one, real))
    return tuple(dict.fromkeys([*real, *others]))


def _below(there: str, path: str, here: str) -> str:
    """What lies in one folder as `path` does in the other."""
    return resolved(posixpath.relpath(path, here), there)


def is_within(path: str, folder: str) -> bool:
    """Whether a resolved path is the folder or lies below it."""
    top = resolved(folder, "/")
    return path == top or path.startswith(top if top == "/" else top + "/")
