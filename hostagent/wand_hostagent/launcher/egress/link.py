"""The socket between launcher and proxy: messages read strictly, and written without waiting."""

import os
import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from wand_hostagent.launcher import log
from wand_hostagent.launcher.egress import wire
from wand_hostagent.launcher.loop import READ, WRITE, Loop

_MOST_QUEUED = 8192
_MESSAGES = 64  # at one time

Heard = Callable[[str, Mapping[str, Any], int | None], None]


class Link:
    """One end of the socket between launcher and proxy; either of them can hold it."""

    def __init__(self, loop: Loop, end: socket.socket, table: wire.Table, heard: Heard) -> None:
        self._loop = loop
        self._socket = end
        self._table = table
        self._heard = heard
        self._queue: deque[tuple[bytes, int | None]] = deque()
        self.lost: Callable[[str], None] = lambda _: None
        self.is_up = True
        end.setblocking(False)
        loop.watch(end.fileno(), READ, self._ready)

    def tell(self, say: str, fields: Mapping[str, Any], descriptor: int | None = None) -> None:
        """Send a message, now or when the other end reads again; one that never reads is given up."""
        if not self.is_up:
            return
        packed = wire.encode(say, fields)
        if not self._queue and self._send(packed, descriptor):
            return
        if len(self._queue) >= _MOST_QUEUED:
            self.drop("it does not read")
            return
        kept = os.dup(descriptor) if descriptor is not None else None
        self._queue.append((packed, kept))
        if self.is_up:
            self._loop.change(self._socket.fileno(), READ | WRITE)

    def drop(self, why: str) -> None:
        """Let go of it; `lost` is called once."""
        if not self.is_up:
            return
        self.is_up = False
        self._loop.ignore(self._socket.fileno())
        self._socket.close()
        while self._queue:
            _close(self._queue.popleft()[1])
        self.lost(why)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        for _ in range(_MESSAGES):
            if not self.is_up or not self._read():
                return

    def _read(self) -> bool:
        """Take one message; False where there is none."""
        flags = socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
        try:
            raw, descriptors, answered, _ = socket.recv_fds(self._socket, wire.MESSAGE_BYTES + 1, 1, flags)
        except BlockingIOError:
            return False
        except OSError as error:
            self.drop(error.strerror or str(error))
            return False
        descriptor = descriptors[0] if descriptors else None
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # recv_fds leaves out the flags
        cut = bool(answered & (socket.MSG_TRUNC | socket.MSG_CTRUNC))
        try:
            say, fields = _decoded(raw, self._table, cut=cut, with_descriptor=descriptor is not None)
        except wire.Unreadable as error:
            _close(descriptor)
            self.drop(str(error))
            return False
        self._heard(say, fields, descriptor)
        return True

    def _flush(self) -> None:
        while self._queue:
            packed, descriptor = self._queue[0]
            if not self._send(packed, descriptor) or not self.is_up:
                return
            self._queue.popleft()
            _close(descriptor)
        self._loop.change(self._socket.fileno(), READ)

    def _send(self, packed: bytes, descriptor: int | None) -> bool:
        """True where the kernel took it, or where there is nobody to take it any more."""
        try:
            if descriptor is None:
                self._socket.send(packed, socket.MSG_NOSIGNAL)
            else:
                socket.send_fds(self._socket, [packed], [descriptor], socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except OSError as error:
            log.write("warning", "other end gone", why=str(error))
            self.drop(error.strerror or str(error))
        return True


def _decoded(
    untrusted: bytes, table: wire.Table, *, cut: bool, with_descriptor: bool
) -> tuple[str, dict[str, Any]]:
    if not untrusted:
        raise wire.Unreadable("it hung up")
    if cut:
        raise wire.Unreadable("its message is too large")
    say, fields = wire.decode(untrusted, table)
    if with_descriptor != (say == "listen"):
        raise wire.Unreadable("a descriptor comes with `listen`, and only there")
    return say, fields


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
