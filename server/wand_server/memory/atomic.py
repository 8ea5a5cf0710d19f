"""A file that is there whole or not at all, whatever happens while it is written."""

import contextlib
import os
import tempfile
from pathlib import Path

PREFIX = ".new-"  # of what was not finished


def write(path: Path, data: bytes) -> None:
    """Have the bytes on disk under that name, for us alone.

    Raises:
        OSError: they are not; nothing has changed then.
    """
    descriptor, name = tempfile.mkstemp(prefix=PREFIX, dir=path.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    sync(path.parent)


def sync(folder: Path) -> None:
    """Have a folder's names on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
