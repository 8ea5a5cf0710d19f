"""The folder of profiles, watched: what has changed is read again once it is at rest, and never in between.

The kernel tells of changes (inotify(7)), and before a request the folder is looked at again, for the kernel
may have been too busy to tell. Whoever replaces several files one after another is given a moment, and a
file that somebody has open to write it is not read.
"""

import fcntl
import os
import signal
import stat
import time
from collections.abc import Callable
from contextlib import suppress

from wand_hostagent.launcher import log, syscalls
from wand_hostagent.launcher.loop import READ, Loop
from wand_hostagent.launcher.refusal import Refused

REST_SECONDS = 0.25  # since the last change
_TRIES = 3
_EVENT_BYTES = 65536

Stamp = tuple[tuple[str, int, int], ...]


class Folder:
    """Calls `changed` when the files of the folder are not those that were read last."""

    def __init__(self, loop: Loop, path: str, changed: Callable[[], None]) -> None:
        self._loop = loop
        self._path = path
        self._changed = changed
        self._seen: Stamp = ()
        self._looked = 0.0
        self._timer: int | None = None
        self._events = -1

    def watch(self) -> None:
        """Hear of changes from now on."""
        try:
            self._events = syscalls.watching()
        except (OSError, KeyError) as error:
            log.write("warning", "profiles not watched", why=f"{error}; they are looked at before a request")
            return
        self._loop.watch(self._events, READ, lambda _: self._hear())
        self._arm()

    def look(self) -> None:
        """See whether something has changed; to be asked before each request, which costs next to nothing."""
        now = time.monotonic()
        if now - self._looked < REST_SECONDS:
            return
        self._looked = now
        found = _stamp(self._path)
        if found == self._seen:
            return
        if _is_at_rest(self._path, found):
            self._changed()
            self._arm()
        else:
            self._look_later()

    def read(self, load: Callable[[], object]) -> None:
        """Have all of it loaded, so that what is loaded has been there at one time.

        Raises:
            Refused: it cannot be loaded, or changes all the while.
        """
        for _ in range(_TRIES):
            self._seen = _stamp(self._path)
            try:
                load()
            finally:
                changed = _stamp(self._path) != self._seen
            if not changed:
                return
        self._look_later()
        raise Refused(
            "Conflict", f"{self._path} changes while it is read; it is read again when it is at rest"
        )

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._events, _EVENT_BYTES):
                pass
        self._look_later()

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = self._loop.later(REST_SECONDS, self._look_now)

    def _look_now(self) -> None:
        self._timer = None
        self._looked = 0.0
        self.look()

    def _arm(self) -> None:
        """Watch what bears the name now; another folder may have taken its place."""
        if self._events >= 0:
            with suppress(OSError):
                syscalls.watch_folder(self._events, os.fsencode(self._path))


def _stamp(path: str) -> Stamp:
    """Changes when a file is written, made, removed, replaced, or gets another owner or mode."""
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".toml"))
        about = os.stat(path)  # noqa: PTH116 - text
    except OSError:
        return ()
    return (("", about.st_ino, about.st_ctime_ns), *(_file(path, name) for name in names))


def _file(folder: str, name: str) -> tuple[str, int, int]:
    try:
        about = os.lstat(f"{folder}/{name}")
    except OSError:
        return name, 0, 0
    return name, about.st_ino, about.st_ctime_ns


def _is_at_rest(path: str, stamp: Stamp) -> bool:
    """Whether the last change is a moment ago, and nobody is about to make the next."""
    age = time.time_ns() - max((changed for _, _, changed in stamp), default=0)
    return not 0 <= age < REST_SECONDS * 1e9 and not any(
        _is_being_written(f"{path}/{name}") for name, _, _ in stamp if name
    )


def _is_being_written(path: str) -> bool:
    """Whether somebody has the file open to write it: the kernel gives no lease on such a file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return False
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)  # which does nothing: the one else would end us
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # not ours, or a file system without leases
    finally:
        os.close(file)
    return False
