"""Connections whose client reads nothing of what was sent to it: found by looking, and cut off.

A client that asks and does not read makes the server keep its answers. To look at all connections now and
then costs less than a clock for each answer, and finds every kind of answer.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

log = logging.getLogger(__name__)

UNREAD_SECONDS = 30.0


class Connection(Protocol):
    """A connection, as aiohttp's server keeps it."""

    @property
    def transport(self) -> asyncio.Transport | None: ...


class Unread:
    """How much of what was sent to whom waits, and since when it has not become less."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Transport, tuple[int, float]] = {}

    def cut_off(self, connections: Iterable[Connection], now: float) -> int:
        """End those whose client has read nothing for so long; how many."""
        before, self._waiting = self._waiting, {}
        ended = 0
        for transport in filter(None, (one.transport for one in connections)):
            if not (size := transport.get_write_buffer_size()):
                continue
            last, since = before.get(transport, (size, now))
            if size < last:
                since = now
            if now - since >= UNREAD_SECONDS:
                log.warning("connection ended, its client reads nothing", extra={"bytes": size})
                transport.abort()
                ended += 1
            else:
                self._waiting[transport] = (size, since)
        return ended
