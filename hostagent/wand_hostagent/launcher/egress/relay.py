"""Bytes between the two ends of a connection: as they come, no more of them held than one buffer.

What one end cannot take yet is not read from the other, so a slow reader slows its writer and fills nothing
here. An end that closes its writing half closes that of the other, and may go on reading.
"""

import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from wand_hostagent.launcher.loop import READ, WRITE, Loop

_LEFT = select.EPOLLRDHUP  # the other side says nothing more; some data may be there yet
_READS = 8  # buffers taken from one end before others have their turn
ROOM_BYTES = 256 * 1024
_ROOM = memoryview(bytearray(ROOM_BYTES))  # one thread: one is enough for all


class Outgoing(Protocol):
    """What of a client's bytes goes on."""

    @property
    def wants_more(self) -> bool: ...
    @property
    def gulp_bytes(self) -> int:
        """How much of it is read at a time."""

    @property
    def closes(self) -> bool:
        """Whether the client's end is passed on."""

    def take(self, part: memoryview) -> bytes | memoryview: ...


@dataclass(slots=True)
class Body:
    """So many bytes, and nothing that comes after them."""

    left: int
    closes: bool = False
    gulp_bytes: int = ROOM_BYTES

    @property
    def wants_more(self) -> bool:
        return self.left > 0

    def take(self, part: memoryview) -> memoryview:
        taken = part[: self.left]
        self.left -= len(taken)
        return taken


@dataclass(slots=True, eq=False)
class End:
    """One of the two sockets, and what is still to be written to it."""

    socket: socket.socket
    pending: bytes = b""
    written: int = 0
    is_read_out: bool = False
    is_shut: bool = False
    has_left: bool = False  # whoever holds the other end writes no more, and may be gone altogether
    watched: int = 0

    def put(self, part: bytes | memoryview) -> None:
        """Write what it takes now and keep the rest."""
        if self.pending:
            self.pending += part
            return
        sent = 0
        with suppress(BlockingIOError):
            sent = self.socket.send(part) if part else 0
        self.written += sent
        self.pending = bytes(part[sent:])

    def flush(self) -> None:
        kept, self.pending = self.pending, b""
        self.put(kept)

    def give_up(self) -> None:
        """It takes no more; what it says may still be read."""
        self.pending, self.is_shut = b"", True

    def shut(self) -> None:
        if not self.is_shut:
            self.is_shut = True
            self.socket.shutdown(socket.SHUT_WR)


class Relay:
    """A connection of which both ends are there; `over` is called once, with why it ended if not in order."""

    def __init__(
        self, loop: Loop, ends: tuple[End, End], outgoing: Outgoing, over: Callable[[Exception | str], None]
    ) -> None:
        self._loop = loop
        self._client, self._far = ends
        self._outgoing = outgoing
        self._over = over
        self.last = time.monotonic()  # when something moved

    def begin(self, to_client: bytes, to_far: bytes, first: bytes) -> None:
        """Start with what each end gets before anything, and what the client has said already."""
        self._guarded(lambda: self._begin(to_client, to_far, first))

    @property
    def is_left(self) -> bool:
        """Whether the client writes no more: it reads yet, or is gone, and nobody can tell which."""
        return self._client.has_left

    def stop(self) -> None:
        for end in (self._client, self._far):
            if end.watched:
                self._loop.ignore(end.socket.fileno())
                end.watched = 0

    def _begin(self, to_client: bytes, to_far: bytes, first: bytes) -> None:
        self._client.put(to_client)
        self._write(self._far, to_far)
        self._write(self._far, self._outgoing.take(memoryview(first)))

    def _ready(self, end: End, other: End, events: int) -> None:
        self.last = time.monotonic()
        self._guarded(lambda: self._move(end, other, events))

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
            self._close_halves()
        except OSError as error:
            self._end(error.strerror or str(error))
            return
        except ValueError as error:  # of `outgoing`
            self._end(error)
            return
        if (
            self._far.is_read_out
            and self._client.is_shut
            and (self._far.is_shut or not self._outgoing.closes)
        ):
            self._end("")
        else:
            self._watch()

    def _end(self, why: Exception | str) -> None:
        self.stop()
        self._over(why)

    def _move(self, end: End, other: End, events: int) -> None:
        if events & WRITE:
            self._write(end)
        end.has_left = end.has_left or bool(events & _LEFT)
        if events & ~WRITE and self._wants(end, other):  # what hung up is read to its end, too
            self._read(end, other)

    def _read(self, end: End, other: End) -> None:
        for _ in range(_READS):
            gulp = self._outgoing.gulp_bytes if end is self._client else ROOM_BYTES
            try:
                count = end.socket.recv_into(_ROOM, gulp)
            except BlockingIOError:
                return
            part = _ROOM[:count]
            end.is_read_out = not count
            self._write(other, self._outgoing.take(part) if end is self._client else part)
            if not self._wants(end, other):
                return

    def _write(self, end: End, part: bytes | memoryview = b"") -> None:
        """Write to an end what waits for it, or a part behind it."""
        try:
            if part:
                end.put(part)
            else:
                end.flush()
        except (BrokenPipeError, ConnectionResetError):
            if end is not self._far or self._outgoing.closes:
                raise
            end.give_up()  # it did not want all of the body, and may have said why

    def _wants(self, end: End, other: End) -> bool:
        """Whether to read from an end now."""
        more = end is self._far or (self._outgoing.wants_more and not self._far.is_shut)
        return more and not end.is_read_out and not other.pending

    def _close_halves(self) -> None:
        if self._far.is_read_out and not self._client.pending:
            self._client.shut()
        if self._client.is_read_out and not self._far.pending and self._outgoing.closes:
            self._far.shut()
        elif self._client.is_read_out and self._outgoing.wants_more and not self._far.is_shut:
            raise ConnectionAbortedError("the client left before its request was whole")

    def _watch(self) -> None:
        """Ask for what each end can do next; else it is not watched, or it would never rest."""
        for end, other in ((self._client, self._far), (self._far, self._client)):
            wanted = (READ if self._wants(end, other) else 0) | (WRITE if end.pending else 0)
            wanted |= _LEFT if end is self._client and not end.has_left else 0
            if wanted == end.watched:
                continue
            if not wanted:
                self._loop.ignore(end.socket.fileno())
            elif end.watched:
                self._loop.change(end.socket.fileno(), wanted)
            else:
                self._loop.watch(end.socket.fileno(), wanted, self._listener(end, other))
            end.watched = wanted

    def _listener(self, end: End, other: End) -> Callable[[int], None]:
        return lambda events: self._ready(end, other, events)
