"""The requests of one connection that wait for their answer: how many there may be, and when none is left."""

import asyncio
import contextlib

from wand_server.protocol.failures import BUSY, MessageId, ProtocolFailure
from wand_server.protocol.messages import Message, Notification, Request

CEILING = 64
LAST_SECONDS = 1.0  # for answers that are ready to leave when the server stops


class Unanswered:
    """The ids of a client's requests, from their arrival to their answer."""

    def __init__(self) -> None:
        self._ids: set[MessageId] = set()
        self._none = asyncio.Event()

    def note(self, message: Message) -> None:
        """Count a request; one that its client cancels waits for nothing any more.

        Raises:
            ProtocolFailure: as many as there may be are waiting already.
        """
        if isinstance(message, Request):
            if len(self._ids) >= CEILING:
                text = f"{CEILING} requests are running, which is the most at once"
                raise ProtocolFailure(BUSY, text, request_id=message.id)
            self._ids.add(message.id)
        elif isinstance(message, Notification) and message.method == "notifications/cancelled":
            self.settle((message.params or {}).get("requestId"))

    def settle(self, answered: MessageId) -> None:
        """Count a request as answered."""
        if isinstance(answered, str | int):
            self._ids.discard(answered)
        if not self._ids:
            self._none.set()

    def __bool__(self) -> bool:
        return bool(self._ids)

    async def settled(self, seconds: float) -> None:
        """Wait until none is left, for so long at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.all_answered()

    async def all_answered(self) -> None:
        """Wait until none is left; each must be settled after this was called."""
        self._none.clear()
        if self._ids:
            await self._none.wait()
