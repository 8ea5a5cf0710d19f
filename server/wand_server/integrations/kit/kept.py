"""Answers that are kept for a while, for whoever got them, and asked for again only if they have changed.

Only reads that say so are kept. What somebody may see is a matter of who asks: nobody gets what was kept
for another. A write through the same instance forgets what was kept for its caller.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, replace

from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.request import Request

NOT_MODIFIED = 304
_MOST_BYTES = 4 * 1024 * 1024  # of all answers of an instance
_MOST_OF_ONE = 512 * 1024
_MOST_ANSWERS = 1000

Send = Callable[[Request], Awaitable[Answered]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """One answer."""

    answered: Answered
    until: float

    @property
    def marks(self) -> Mapping[str, str]:
        """The headers that ask whether it has changed (RFC 9110, 13.1); none: it has to be asked for anew."""
        told = self.answered.headers
        asks = {"If-None-Match": told.get("etag"), "If-Modified-Since": told.get("last-modified")}
        return {name: value for name, value in asks.items() if value}


class Keeper:
    """The answers of one instance, those that were used longest ago given up first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[Hashable, Hashable], _Kept] = OrderedDict()
        self._bytes = 0

    async def read(self, request: Request, whose: Hashable, seconds: float, send: Send) -> Answered:
        """The answer to a read: as kept where that is not older than so many seconds, else as it is now."""
        key = (whose, _what(request))
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept.until:
            self._kept.move_to_end(key)
            return kept.answered
        asking = request.copy()
        if kept is not None:
            asking.headers |= kept.marks
        answered = await send(asking)
        if answered.status == NOT_MODIFIED and kept is not None:
            answered = replace(kept.answered, headers={**kept.answered.headers, **answered.headers})
        self._keep(key, answered, seconds)
        return answered

    def forget(self, whose: Hashable) -> None:
        """Keep nothing of theirs any more."""
        for key in [key for key in self._kept if key[0] == whose]:
            self._drop(key)

    def _keep(self, key: tuple[Hashable, Hashable], answered: Answered, seconds: float) -> None:
        self._drop(key)
        size = len(answered.raw)
        if size > _MOST_OF_ONE or "no-store" in answered.headers.get("cache-control", "").lower():
            return
        self._kept[key] = _Kept(answered=answered, until=self._clock() + seconds)
        self._bytes += size
        while self._bytes > _MOST_BYTES or len(self._kept) > _MOST_ANSWERS:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[Hashable, Hashable]) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._bytes -= len(kept.answered.raw)


def _what(request: Request) -> Hashable:
    parts = (request.query, request.headers)
    return (request.method, request.url, *(tuple(sorted(one.items())) for one in parts))
