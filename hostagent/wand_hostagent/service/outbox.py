"""What is to be said on a stream: what has gathered while one message was on its way goes with the next."""

import asyncio
from collections.abc import Awaitable, Callable

from wand_proto.v1 import execution_pb2 as wire

LINGER_SECONDS = 0.003  # how long what is not urgent waits for company
_MOST_QUEUED_BYTES = (
    4 * 1024 * 1024
)  # of output, of all calls; beyond it they wait until the stream has taken some
_MOST_BATCH_BYTES = 1024 * 1024

Write = Callable[[wire.CallEvents], Awaitable[None]]
Fill = Callable[[wire.CallEvent], None]
"""Write an event into its place in a message: so what is large is copied once."""


class Outbox:
    """Events on their way out, in order; `write_out` is the one that takes them."""

    def __init__(self) -> None:
        self._queued: list[tuple[Fill, int]] = []
        self._queued_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._lingering: asyncio.TimerHandle | None = None
        self._finished = False
        self._closed = False

    def put(self, event: Fill, size_bytes: int, *, urgent: bool = True) -> None:
        """Say this next; what is not urgent may wait a moment for more."""
        self._queued.append((event, size_bytes))
        self._queued_bytes += size_bytes
        if urgent:
            self._ring()
        elif self._lingering is None:
            self._lingering = self._loop.call_later(LINGER_SECONDS, self._linger_no_longer)

    def _ring(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        self._news.set()

    def _linger_no_longer(self) -> None:
        self._lingering = None
        self._news.set()

    async def room(self) -> None:
        """Wait until more output may be put."""
        while self._queued_bytes >= _MOST_QUEUED_BYTES and not self._closed:
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """Nobody takes anything any more: whoever waits for room has it."""
        self._closed = True
        self._room.set()

    def finish(self) -> None:
        """Nothing more will be put."""
        self._finished = True
        self._ring()

    async def write_out(self, write: Write) -> None:
        """Write what is put, batch by batch, until `finish` and all has been written."""
        while self._queued or not self._finished:
            await self._news.wait()
            self._news.clear()
            while self._queued:
                await write(self._next_batch())

    def _next_batch(self) -> wire.CallEvents:
        count = size = 0
        for _, size_bytes in self._queued:
            if size + size_bytes > _MOST_BATCH_BYTES and count:
                break
            count, size = count + 1, size + size_bytes
        batch = wire.CallEvents()
        for fill, _ in self._queued[:count]:
            fill(batch.events.add())
        del self._queued[:count]
        self._queued_bytes -= size
        self._room.set()
        return batch
