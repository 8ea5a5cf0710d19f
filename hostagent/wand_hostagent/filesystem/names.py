"""Names in open folders: renamed over nothing, walked, erased; no link among them is ever followed."""

import ctypes
import errno
import os
import platform
import stat
from collections.abc import Generator

_RENAMEAT2 = {"x86_64": 316, "aarch64": 276}.get(platform.machine(), -1)
_NOREPLACE = 1  # linux/fs.h
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.EPERM})
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)

At = tuple[int, str]  # an open folder, and a name in it


def rename(source: At, target: At) -> None:
    """Give it the other name; FileExistsError where something has that already."""
    try:
        _rename_by_kernel(source, target)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _rename_by_link(source, target)


def _rename_by_kernel(source: At, target: At) -> None:
    names = [ctypes.c_char_p(os.fsencode(name)) for _, name in (source, target)]
    call = (ctypes.c_long(_RENAMEAT2), source[0], names[0], target[0], names[1], ctypes.c_uint(_NOREPLACE))
    if _libc.syscall(*call) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target[1])


def _rename_by_link(source: At, target: At) -> None:
    """The same where the file system cannot: a folder never replaces anything but an empty one."""
    about = os.stat(source[1], dir_fd=source[0], follow_symlinks=False)
    if stat.S_ISDIR(about.st_mode):
        os.rename(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0])
        return
    os.link(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0], follow_symlinks=False)
    try:
        os.unlink(source[1], dir_fd=source[0])
    except OSError:
        os.unlink(target[1], dir_fd=target[0])
        raise


def listed(folder: int) -> list[str]:
    """The names in an open folder, in order."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def below(at: At) -> Generator[tuple[str, os.stat_result], None, None]:
    """Every name below, relative to it, each with what it is; nothing where it is no folder."""
    try:
        folder = os.open(at[1], _FOLDER, dir_fd=at[0])
    except NotADirectoryError:
        return
    except OSError as error:
        if error.errno == errno.ELOOP:
            return
        raise
    try:
        for name in listed(folder):
            about = os.stat(name, dir_fd=folder, follow_symlinks=False)
            yield name, about
            if stat.S_ISDIR(about.st_mode):
                yield from ((f"{name}/{inner}", one) for inner, one in below((folder, name)))
    finally:
        os.close(folder)


def erase(at: At) -> None:
    """Remove it for good, with all that is in it."""
    about = os.stat(at[1], dir_fd=at[0], follow_symlinks=False)
    if not stat.S_ISDIR(about.st_mode):
        os.unlink(at[1], dir_fd=at[0])
        return
    folder = os.open(at[1], _FOLDER, dir_fd=at[0])
    try:
        for name in listed(folder):
            erase((folder, name))
    finally:
        os.close(folder)
    os.rmdir(at[1], dir_fd=at[0])
