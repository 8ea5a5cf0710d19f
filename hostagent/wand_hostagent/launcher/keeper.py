"""Keeps in touch with the proxy: one that we start, or one that listens, and again when it is gone.

In development the proxy is a child of the launcher and lives as its user. In production it is a service of
its own, as another user.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wand_hostagent.launcher import log
from wand_hostagent.launcher.egress import wire
from wand_hostagent.launcher.egress.link import Heard, Link
from wand_hostagent.launcher.loop import READ, Loop

_PROGRAM = str(Path(__file__).with_name("egress"))
_DESCRIPTOR = 3  # of its end of the socket
_FIRST_SECONDS, _MOST_SECONDS = 0.1, 5.0  # before it is tried again


class Keeper:
    """The proxy, whichever it is now."""

    def __init__(self, loop: Loop, path: str) -> None:
        """Nothing is done before `start`; an empty path is a proxy of our own."""
        self._loop = loop
        self._path = path
        self._link: Link | None = None
        self._seconds = _FIRST_SECONDS
        self._timer: int | None = None
        self.heard: Heard = lambda *_: None
        self.joined: Callable[[], None] = lambda: None
        self.lost: Callable[[], None] = lambda: None
        self.changed: Callable[[bool], None] = lambda _: None

    @property
    def is_up(self) -> bool:
        return self._link is not None

    def start(self) -> None:
        """Find or make a proxy, now or later."""
        self._timer = None
        if self._link is not None:
            return
        try:
            end = self._connect() if self._path else self._spawn()
        except OSError as error:
            log.write("warning", "no proxy", why=error.strerror, where=self._path)
            self._again()
            return
        self._link = Link(self._loop, end, wire.TO_LAUNCHER, self._hear)
        self._link.lost = self._gone
        self.joined()

    def tell(self, say: str, fields: Mapping[str, Any], descriptor: int | None = None) -> None:
        """Say it to the proxy that is there, if one is; one that comes later is told by `joined`."""
        if self._link is not None:
            self._link.tell(say, fields, descriptor)

    def stop(self) -> None:
        """Let go of it; one of our own ends."""
        self._loop.cancel(self._timer)
        link, self._link = self._link, None
        if link is not None:
            link.lost = lambda _: None
            link.drop("the launcher stops")

    def _hear(self, say: str, fields: Mapping[str, Any], descriptor: int | None) -> None:
        if say == "ready":
            self._seconds = _FIRST_SECONDS
            log.write("info", "proxy ready", walls=fields["walls"])
            self.changed(True)
        self.heard(say, fields, descriptor)

    def _gone(self, why: str) -> None:
        log.write("warning", "proxy gone", why=why)
        self._link = None
        self.changed(False)
        self.lost()
        self._again()

    def _again(self) -> None:
        self._timer = self._loop.later(self._seconds, self.start)
        self._seconds = min(_MOST_SECONDS, 2 * self._seconds)

    def _connect(self) -> socket.socket:
        end = socket.socket(
            socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        try:
            end.connect(self._path)
        except OSError:
            end.close()
            raise
        return end

    def _spawn(self) -> socket.socket:
        """A proxy of our own; its end of the socket."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [sys.executable, "-I", "-S", "-E", _PROGRAM, "--fd", str(_DESCRIPTOR)]
        try:
            pid = os.posix_spawn(
                sys.executable, argv, {},
                file_actions=[
                    # or it would keep a pipe open that was ours alone
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), _DESCRIPTOR),
                ], setsigmask=(),
            )  # fmt: skip
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        pidfd = os.pidfd_open(pid)
        self._loop.watch(pidfd, READ, lambda _: self._collect(pid, pidfd))
        return ours

    def _collect(self, pid: int, pidfd: int) -> None:
        self._loop.ignore(pidfd)
        os.close(pidfd)
        with suppress(ChildProcessError):
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            log.write("info", "proxy ended", status=signal.Signals(-status).name if status < 0 else status)
