"""A copy of a file or of a folder: files, folders and links as they are, and never through a link."""

import os
import stat
from contextlib import suppress

from wand_hostagent.filesystem.names import At, erase, listed
from wand_hostagent.filesystem.refusal import Refused

_CHUNK = 4 * 1024 * 1024
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def copy(source: At, target: At, shown: str) -> None:
    """Make the copy whole, or none."""
    try:
        _copy(source, target, shown)
    except BaseException:
        with suppress(FileNotFoundError):
            erase(target)
        raise


def _copy(source: At, target: At, shown: str) -> None:
    about = os.stat(source[1], dir_fd=source[0], follow_symlinks=False)
    if stat.S_ISLNK(about.st_mode):
        os.symlink(os.readlink(source[1], dir_fd=source[0]), target[1], dir_fd=target[0])
    elif stat.S_ISDIR(about.st_mode):
        _copy_folder(source, target, shown)
    elif stat.S_ISREG(about.st_mode):
        _copy_file(source, target)
    else:
        message = f"{shown} is, or holds, what is neither file nor folder: {source[1]}"
        raise Refused("Invalid", message, field="path")


def _copy_folder(source: At, target: At, shown: str) -> None:
    there = os.open(source[1], _FOLDER, dir_fd=source[0])
    try:
        os.mkdir(target[1], 0o700, dir_fd=target[0])
        here = os.open(target[1], _FOLDER, dir_fd=target[0])
        try:
            for name in listed(there):
                _copy((there, name), (here, name), shown)
            os.fchmod(here, _mode(os.fstat(there)))
        finally:
            os.close(here)
    finally:
        os.close(there)


def _copy_file(source: At, target: At) -> None:
    there = os.open(source[1], _READ, dir_fd=source[0])
    try:
        here = os.open(target[1], _NEW, 0o600, dir_fd=target[0])
        try:
            about = os.fstat(there)
            if not stat.S_ISREG(about.st_mode):  # it was swapped
                raise Refused("Invalid", f"{source[1]} is no plain file any more", field="path")
            left = about.st_size  # a file that grows all the while would never be copied
            while left and (sent := os.sendfile(here, there, None, min(left, _CHUNK))):
                left -= sent
            os.fchmod(here, _mode(about))
            os.utime(here, ns=(about.st_atime_ns, about.st_mtime_ns))
            os.fsync(here)
        finally:
            os.close(here)
    finally:
        os.close(there)


def _mode(about: os.stat_result) -> int:
    """The permissions, and no set-id bit: the copy is ours."""
    return stat.S_IMODE(about.st_mode) & 0o777
