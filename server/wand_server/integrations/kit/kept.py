"""Answers that are kept for a while, for whoever got them, and asked for again only if they have changed.

Only reads that say so are kept. What somebody may see is a matter of who asks: nobody gets what was kept
for another. A write through the same instance forgets what was kept for its caller.
"""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from wand_server.integrations.kit import bodies
from wand_server.integrations.kit.bodies import Answered
from wand_server.integrations.kit.request import Request
from wand_server.ports import Cache, Shelf

NOT_MODIFIED = 304
_MOST_OF_ONE = 512 * 1024
_ASKED_AGAIN_SECONDS = 3600.0  # for so long after it is old, a service is asked whether it has changed

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
    """The answers that one instance gave to one party, as a cache has them."""

    def __init__(self, cache: Cache, shelf: Shelf, clock: Callable[[], float] = time.time) -> None:
        self._cache = cache
        self._shelf = shelf
        self._clock = clock

    async def read(self, request: Request, seconds: float, send: Send) -> Answered:
        """The answer to a read: as kept where that is not older than so many seconds, else as it is now."""
        key = _key(request)
        found = await self._cache.get(self._shelf, key)
        kept = _unpacked(found) if found is not None else None
        if kept is not None and self._clock() < kept.until:
            return kept.answered
        asking = request.copy()
        if kept is not None:
            asking.headers |= kept.marks
        answered = await send(asking)
        if answered.status == NOT_MODIFIED and kept is not None:
            answered = kept.answered._replace(headers={**kept.answered.headers, **answered.headers})
        await self._keep(key, answered, seconds)
        return answered

    async def forget(self) -> None:
        """Keep nothing of it any more."""
        await self._cache.forget(self._shelf)

    async def _keep(self, key: str, answered: Answered, seconds: float) -> None:
        kept = _Kept(answered=answered, until=self._clock() + seconds)
        is_secret = "no-store" in answered.headers.get("cache-control", "").lower()
        if len(answered.raw) > _MOST_OF_ONE or is_secret:
            await self._cache.put(self._shelf, key, b"", 0)
        elif seconds or kept.marks:
            again = _ASKED_AGAIN_SECONDS if kept.marks else 0
            await self._cache.put(self._shelf, key, _packed(kept), seconds + again)


def _packed(kept: _Kept) -> bytes:
    told = kept.answered
    about = {"until": kept.until, "status": told.status, "headers": dict(told.headers)}
    return json.dumps(about).encode() + b"\n" + told.raw


def _unpacked(packed: bytes) -> _Kept:
    head, _, raw = packed.partition(b"\n")
    about = json.loads(head)
    headers = about["headers"]
    body = bodies.read(raw, headers.get("content-type", ""))
    answered = Answered(status=about["status"], headers=headers, body=body, raw=raw)
    return _Kept(answered=answered, until=about["until"])


def _key(request: Request) -> str:
    parts = (request.query, request.headers)
    what = (request.method, request.url, *(sorted(one.items()) for one in parts))
    return hashlib.sha256(json.dumps(what).encode("utf-8", "surrogatepass")).hexdigest()
