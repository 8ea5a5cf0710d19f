"""Files that are their owner's alone: a database, for example."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wand_proto.errors import Denied, Unavailable


def make(path: Path) -> None:
    """Have the file there, for its owner alone; what root makes belongs to the owner of the folder above.

    Raises:
        Denied: others may use it.
        Unavailable: it cannot be made or opened.
    """
    try:
        _make_folder(path.parent)
        descriptor = _made(path)
        if descriptor is None:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(f"{path} cannot be opened: {error.strerror}") from error
    try:
        about = os.fstat(descriptor)
        if about.st_mode & 0o077:
            raise Denied(f"{path} can be read by others", hint=f"chmod 600 {path}")
        if about.st_uid not in {0, os.geteuid(), path.parent.stat().st_uid} or about.st_nlink > 1:
            raise Denied(f"{path} is somebody else's as well", hint=f"chown it, or remove it: {path}")
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other changes out, other processes' too; the folder is locked, because the file is replaced."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        if (
            folder.stat().st_mode & 0o022
        ):  # who writes there puts a database of their own in the place of ours
            raise Denied(f"{folder} can be written by others", hint=f"chmod go-w {folder}")
        return
    folder.mkdir(mode=0o700, parents=True)
    if os.geteuid() == 0:
        about = folder.parent.stat()
        os.chown(folder, about.st_uid, about.st_gid)


def _made(path: Path) -> int | None:
    """A descriptor of the new file; None where there is one."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return None
    if os.geteuid() == 0:
        about = path.parent.stat()
        os.fchown(descriptor, about.st_uid, about.st_gid)
    return descriptor
