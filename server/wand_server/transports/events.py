"""What the server sends on one stream of a session: kept for a while, so that a client can come back to it.

Delivery as it happens and replay after a break are the same loop, so nothing falls between them.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from wand_proto.alarms import Alarms
from wand_server.protocol import messages
from wand_server.transports import replies
from wand_server.transports.shares import Share

EVENTS_CEILING = 512
BYTES_CEILING = 1024 * 1024

Write = Callable[[bytes], Awaitable[None]]


class EventLog:
    """The events of one stream, of which the oldest are forgotten, and at most one reader."""

    __slots__ = (
        "_bytes",
        "_events",
        "_has_more",
        "_is_cut",
        "_last",
        "_share",
        "_waiting",
        "is_ended",
        "key",
        "readers",
    )

    def __init__(self, key: str, share: Share | None = None) -> None:
        self.key = key
        self._share = share
        self.is_ended = False
        self._is_cut = False  # because the server stops: its client may come back
        self.readers = 0  # in all; the last to come is the one that is served
        self._events: list[tuple[int, bytes]] = []
        self._bytes = 0
        self._last = 0
        self._has_more = False  # than its reader has seen
        self._waiting: list[asyncio.Future[bool]] = []

    @property
    def last(self) -> int:
        """The number of the newest event, 0 before any."""
        return self._last

    @property
    def size_bytes(self) -> int:
        """How much of it is kept."""
        return self._bytes

    def count_in(self, share: Share | None) -> None:
        """Have what is kept counted there, or nowhere."""
        if self._share is not None:
            self._share.leave(self, self._bytes)
        self._share = share
        if share is not None:
            share.add(self._bytes)

    async def notify(self, message: dict[str, Any]) -> None:
        """Add a message."""
        self._put(message)

    def cut(self) -> None:
        """End it because the server stops: its client is told to come back, unless it has ended before."""
        if not self.is_ended:
            self._is_cut = True
            self.end()

    def end(self, message: dict[str, Any] | None = None) -> None:
        """Add the last message, if there is one; nothing comes after it."""
        self.is_ended = True
        if message is not None:
            self._put(message)
        self._tell()

    async def wait(self, alarms: Alarms, seconds: float) -> bool:
        """Until there is an event; False where the time is over before."""
        if self._has_more:
            return True
        waiter: asyncio.Future[bool] = alarms.loop.create_future()
        self._waiting.append(waiter)
        alarm = alarms.set(seconds, functools.partial(_wake, waiter, in_time=False))
        try:
            return await waiter
        finally:
            alarm.cancel()
            self._waiting.remove(waiter)

    def only(self) -> bytes | None:
        """The one event of a stream that has ended with it; otherwise nothing."""
        return self._events[0][1] if self.is_ended and self._last == 1 else None

    def follow_up(self, event_id: int) -> bytes:
        """The event that carries nothing but a place to come back to."""
        return f"id: {self.key}_{event_id}\r\ndata: \r\n\r\n".encode()

    async def deliver(self, alarms: Alarms, write: Write, after: int) -> None:
        """Write every event after that number until the stream ends, or another reader comes."""
        self.readers += 1
        self._tell()  # whoever read before sees that it is superseded
        me, sent = self.readers, after
        while me == self.readers:
            self._has_more = False
            for number, body in [one for one in self._events if one[0] > sent]:
                await write(replies.event(body, f"{self.key}_{number}"))
                sent = number
            if self.is_ended and sent >= self._last:
                if self._is_cut:
                    await write(replies.COME_BACK)
                return
            if not await self.wait(alarms, replies.PING_SECONDS):
                await write(replies.PING)

    def _put(self, message: dict[str, Any]) -> None:
        body = messages.write(message)
        self._last += 1
        self._events.append((self._last, body))
        self._bytes += len(body)
        if self._share is not None:
            self._share.add(len(body))
        while len(self._events) > 1 and self._is_full:
            size_bytes = len(self._events.pop(0)[1])
            self._bytes -= size_bytes
            if self._share is not None:
                self._share.add(-size_bytes)
        self._tell()

    @property
    def _is_full(self) -> bool:
        if len(self._events) > EVENTS_CEILING or self._bytes > BYTES_CEILING:
            return True
        return self._share is not None and self._share.is_full

    def _tell(self) -> None:
        self._has_more = True
        for waiter in self._waiting:
            _wake(waiter, in_time=True)


def _wake(waiter: asyncio.Future[bool], *, in_time: bool) -> None:
    if not waiter.done():
        waiter.set_result(in_time)
