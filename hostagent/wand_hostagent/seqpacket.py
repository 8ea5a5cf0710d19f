"""One SOCK_SEQPACKET connection on the event loop: whole messages, descriptors beside them, nobody spins."""

import array
import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

MOST_AT_ONCE = 64
_ROOM = socket.CMSG_SPACE(16 * array.array("i").itemsize)
_CUT = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)  # as enums these would cost more than the call
_CLOSE_ON_EXEC = int(socket.MSG_CMSG_CLOEXEC)

Received = Callable[[bytes, list[int]], None]
_Queued = tuple[bytes, Sequence[int], "asyncio.Future[bool]"]


def connect(path: Path) -> socket.socket:
    """A connected socket that never blocks; raises OSError where nobody listens (unix(7): at once)."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        sock.connect(str(path))
    except OSError:
        sock.close()
        raise
    return sock


class Connection:
    """A connected socket: every message goes to `received`, which owns its descriptors; its end to `lost`."""

    def __init__(
        self, sock: socket.socket, most_bytes: int, received: Received, lost: Callable[[], None]
    ) -> None:
        self._socket = sock
        self._received = received
        self._lost = lost
        self._room = memoryview(bytearray(most_bytes + 1))
        self._queue: deque[_Queued] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)

    def send(self, packed: bytes, descriptors: Sequence[int] = ()) -> "asyncio.Future[bool] | None":
        """Send now, or as soon as there is room: then a future says whether it was sent.

        The descriptors stay open, by the caller, until then; a future that is cancelled is not sent.

        Raises:
            OSError: the message is larger than the socket carries.
        """
        if not self._queue and self._try(packed, descriptors):
            return None
        queued: asyncio.Future[bool] = self._loop.create_future()
        if self._socket.fileno() < 0:
            queued.set_result(False)
            return queued
        if not self._queue:
            self._loop.add_writer(self._socket, self._writable)
        self._queue.append((packed, descriptors, queued))
        queued.add_done_callback(self._forget)
        return queued

    def _forget(self, queued: "asyncio.Future[bool]") -> None:
        """Hold nothing of what was cancelled: the other end may read nothing for long."""
        if queued.cancelled():
            self._queue = deque(one for one in self._queue if one[2] is not queued)

    def _try(self, packed: bytes, descriptors: Sequence[int]) -> bool:
        beside = (
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        )
        try:
            self._socket.sendmsg([packed], beside, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise
            self._end()
            return False
        return True

    def _writable(self) -> None:
        while self._queue:
            packed, descriptors, queued = self._queue[0]
            if not queued.done() and not self._try_queued(packed, descriptors, queued):
                return
            if self._queue:
                self._queue.popleft()
        if self._socket.fileno() >= 0:
            self._loop.remove_writer(self._socket)

    def _try_queued(self, packed: bytes, descriptors: Sequence[int], queued: "asyncio.Future[bool]") -> bool:
        try:
            sent = self._try(packed, descriptors)
        except OSError as error:
            queued.set_exception(error)
            return True
        if sent:
            queued.set_result(True)
        return sent

    def _readable(self) -> None:
        """Take what has come, and let others have a turn; a message of no bytes is the end."""
        for _ in range(MOST_AT_ONCE):
            if self._socket.fileno() < 0:
                break
            try:
                size, beside, flags, _ = self._socket.recvmsg_into([self._room], _ROOM, _CLOSE_ON_EXEC)
            except BlockingIOError:
                return None
            except OSError:
                return self._end()
            descriptors = _descriptors(beside)
            if size == 0 or flags & _CUT:
                close_all(descriptors)
                return self._end()
            self._received(bytes(self._room[:size]), descriptors)
        return None

    def _end(self) -> None:
        if self._socket.fileno() >= 0:
            self.close()
            self._lost()

    def close(self) -> None:
        """Close the socket; what was still queued was not sent."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        while self._queue:
            *_, queued = self._queue.popleft()
            if not queued.done():
                queued.set_result(False)


def _descriptors(beside: Iterable[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, carried in beside:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(carried[: len(carried) - len(carried) % found.itemsize])
    return found.tolist()


def close_all(descriptors: Iterable[int]) -> None:
    """Close them all, whatever state they are in."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
