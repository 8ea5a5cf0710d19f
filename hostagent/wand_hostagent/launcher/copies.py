"""Small settings of this machine, as copies: what is bound into a mount tree costs every job a mount.

A copy is made once for all boxes of a profile, and is old when something is written to what it was made of.
"""

import os
import stat
from collections.abc import Iterator

MOST_BYTES = 1 << 18  # of one file or folder
_MOST_ENTRIES = 48  # of a folder, with all that is below it


def size_of(path: str) -> int:
    """The bytes of a file or of what is in a folder; more than MOST_BYTES where it is not to be copied."""
    found = 0
    for count, (_, about) in enumerate(_below(path)):
        found += about.st_size
        if count > _MOST_ENTRIES or found > MOST_BYTES:
            return MOST_BYTES + 1
    return found


def state_of(path: str) -> int:
    """Changes when something is written to a file, or in a folder, or another takes its place."""
    about = ((name, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for name, one in _below(path))
    return hash(tuple(about))


def homes_of(path: str) -> Iterator[str]:
    """The folders in which something happens when something is written to it."""
    yield os.path.dirname(path)  # noqa: PTH120 - text
    yield from (name for name, about in _below(path) if stat.S_ISDIR(about.st_mode))


def make(source: str, path: str) -> None:
    """Copy what everybody may read; what is no file, folder or link is left out.

    Raises:
        OSError: it cannot be read, or there is no room.
    """
    about = os.lstat(source)
    if stat.S_ISLNK(about.st_mode):
        os.symlink(os.readlink(source), path)  # noqa: PTH115, PTH211 - text
    elif stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_IROTH:
        os.mkdir(path, 0o755)  # noqa: PTH102 - text
        for name in os.listdir(source):  # noqa: PTH208 - text
            make(f"{source}/{name}", f"{path}/{name}")
    elif stat.S_ISREG(about.st_mode) and about.st_mode & stat.S_IROTH:
        with open(source, "rb") as found, open(path, "xb") as made:  # noqa: PTH123 - text
            made.write(found.read())
            os.fchmod(made.fileno(), about.st_mode & 0o555)
            os.utime(made.fileno(), ns=(about.st_atime_ns, about.st_mtime_ns))


def _below(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """What is there, and all that is below it; nothing where nothing is."""
    try:
        about = os.lstat(path)
        names = sorted(os.listdir(path)) if stat.S_ISDIR(about.st_mode) else []  # noqa: PTH208 - text
    except OSError:
        return
    yield path, about
    for name in names:
        yield from _below(f"{path}/{name}")
