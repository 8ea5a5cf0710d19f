"""Opening a path beneath a folder, with no link anywhere in it; see openat2(2)."""

import ctypes
import errno
import os
import stat

_OPENAT2 = 437  # on every architecture but alpha
_AT_FDCWD = -100
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08  # RESOLVE_… of linux/openat2.h
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EPERM, errno.E2BIG})  # an old kernel, or a seccomp filter
_libc = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _openat2(folder: int, path: str, flags: int) -> int:
    how = _How(flags, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
    name = ctypes.c_char_p(os.fsencode(path))
    got: int = _libc.syscall(
        ctypes.c_long(_OPENAT2), folder, name, ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how))
    )
    if got < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return got


def _walk(folder: int, path: str, flags: int) -> int:
    """The same without openat2: one component after the other, none of them a link, no way up."""
    *above, last = path.split("/")
    here = os.dup(folder)
    try:
        for part in above:
            inner = _step(here, part, os.O_PATH | os.O_DIRECTORY)
            os.close(here)
            here = inner
        return _step(here, last, flags)
    finally:
        os.close(here)


def _step(folder: int, part: str, flags: int) -> int:
    if part == "..":
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), part)
    descriptor = os.open(part, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    if flags & os.O_PATH and stat.S_ISLNK(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part)
    return descriptor


def _works() -> bool:
    try:
        os.close(_openat2(_AT_FDCWD, ".", os.O_PATH | os.O_CLOEXEC))
    except OSError as error:
        return error.errno not in _UNSUPPORTED
    return True


HAS_OPENAT2 = _works()


def open_beneath(folder: int, path: str, flags: int, *, by_kernel: bool = HAS_OPENAT2) -> int:
    """A descriptor of what lies at `path` beneath the folder; OSError where a link or a way up is in it."""
    flags |= os.O_CLOEXEC
    return _openat2(folder, path, flags) if by_kernel else _walk(folder, path, flags)
