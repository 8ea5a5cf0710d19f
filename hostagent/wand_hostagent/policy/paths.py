"""Paths as words: `..` is resolved before anything is compared; what links do, the file worker sees."""

import posixpath

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


def is_within(path: str, folder: str) -> bool:
    """Whether a resolved path is the folder or lies below it."""
    top = resolved(folder, "/")
    return path == top or path.startswith(top if top == "/" else top + "/")
