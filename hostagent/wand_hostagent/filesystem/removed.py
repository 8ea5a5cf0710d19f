"""Where what was removed is kept: a folder in the permitted one that held it, for some days.

.wand-removed/1718000000000000000-3f2a/where    the path that it had, relative to the permitted folder
.wand-removed/1718000000000000000-3f2a/what     it
"""

import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from wand_hostagent.filesystem import names
from wand_hostagent.filesystem.openat import open_beneath
from wand_hostagent.filesystem.paths import REMOVED
from wand_hostagent.filesystem.refusal import Refused
from wand_hostagent.launcher.spelling import show

KEPT_SECONDS = 7 * 86400.0
WHAT, WHERE = "what", "where"
_MOST_ERASED = 50  # at once
_SHOWN = 5
_OPEN = os.O_RDONLY | os.O_DIRECTORY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def room(root: int) -> Iterator[int]:
    """The folder, made where there is none."""
    try:
        os.mkdir(REMOVED, 0o700, dir_fd=root)
        is_new = True
    except FileExistsError:
        is_new = False
    folder = open_beneath(root, REMOVED, _OPEN)
    try:
        if is_new:
            _write((folder, ".gitignore"), "*\n")
        yield folder
    finally:
        os.close(folder)


def put(folder: int, inner: str, source: names.At) -> str:
    """Move it here, and erase what has been here for too long; the name under which it is kept."""
    _erase_old(folder)
    name = f"{time.time_ns()}-{secrets.token_hex(2)}"
    os.mkdir(name, 0o700, dir_fd=folder)
    kept = open_beneath(folder, name, _OPEN)
    try:
        _write((kept, WHERE), inner)
        names.rename(source, (kept, WHAT))
    except BaseException:
        with suppress(OSError):
            names.erase((folder, name))
        raise
    finally:
        os.close(kept)
    return name


@contextmanager
def taken(root: int, inner: str) -> Iterator[names.At]:
    """What had that path and was removed last; gone from here when the block ends well.

    Raises:
        Refused: nothing that had it is kept.
    """
    with room(root) as folder:
        for name in _newest_first(folder):
            if _read_where(folder, name) == inner and _has(folder, name):  # else it was never put there
                kept = open_beneath(folder, name, _OPEN)
                with closing(_Descriptor(kept)):
                    yield kept, WHAT
                if not _has(folder, name):
                    names.erase((folder, name))
                return
        known = [
            show(where) for name in _newest_first(folder)[:_SHOWN] if (where := _read_where(folder, name))
        ]
        hint = f"what was removed last: {', '.join(known)}" if known else "nothing removed is kept here"
        raise Refused(
            "NotFound", f"nothing that was removed from {show(inner)} is kept", hint=hint, field="path"
        )


class _Descriptor:
    """Something to close."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        os.close(self._descriptor)


def _has(folder: int, name: str) -> bool:
    try:
        os.stat(f"{name}/{WHAT}", dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _newest_first(folder: int) -> list[str]:
    return sorted((name for name in names.listed(folder) if name[:1].isdigit()), reverse=True)


def _read_where(folder: int, name: str) -> str:
    try:
        descriptor = open_beneath(folder, f"{name}/{WHERE}", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, encoding="utf-8", errors="surrogateescape") as file:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)  # a command may have put anything there
        return file.read(8192) if is_file else ""


def _write(at: names.At, text: str) -> None:
    descriptor = os.open(at[1], _NEW, 0o600, dir_fd=at[0])
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def _erase_old(folder: int) -> None:
    oldest = time.time_ns() - int(KEPT_SECONDS * 1e9)
    for name in names.listed(folder)[:_MOST_ERASED]:
        begun = name.partition("-")[0]
        if begun.isdecimal() and int(begun) < oldest:
            with suppress(OSError, RecursionError):  # a command may have put anything there
                names.erase((folder, name))
