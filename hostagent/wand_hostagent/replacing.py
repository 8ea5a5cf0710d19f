"""Puts a file in its place as a whole, and durably: whoever reads it sees the old one or the new one."""

import os
from pathlib import Path


def replace(path: Path, content: bytes, mode: int) -> None:
    """Have the disk know that content under that path, with that mode whatever the umask says.

    Raises:
        OSError: it does not; the old file may still be there.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(beside, flags, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
