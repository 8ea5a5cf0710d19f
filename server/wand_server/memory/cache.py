"""A cache in the server's own memory: bounded, and whoever has most in it gives up first."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from wand_server.ports import Shelf

_OVERHEAD_BYTES = 200  # of an entry, beside what it holds
_SHARE_OF_ONE = 8  # a value may have one part in so many of the whole


@dataclass(frozen=True, slots=True)
class _Kept:
    """One value, and until when."""

    value: bytes
    until: float
    size: int


class _Owned:
    """What is kept for one party, that which was used longest ago first."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self.size = 0


class InMemoryCache:
    """Offers `ports.Cache`."""

    def __init__(self, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Keeps so much of all parties together; 0: nothing."""
        self._most = most_bytes
        self._clock = clock
        self._owned: dict[str, _Owned] = {}
        self._size = 0

    async def get(self, shelf: Shelf, key: str) -> bytes | None:
        """What was put there, if it still is."""
        owned, place = self._owned.get(shelf.owner), (shelf.area, key)
        kept = owned.kept.get(place) if owned is not None else None
        if owned is None or kept is None:
            return None
        if self._clock() >= kept.until:
            self._drop(shelf.owner, place)
            return None
        owned.kept.move_to_end(place)
        return kept.value

    async def put(self, shelf: Shelf, key: str, value: bytes, seconds: float) -> None:
        """Keep it in place of what was there."""
        place = (shelf.area, key)
        self._drop(shelf.owner, place)
        size = len(value) + len(key) + len(shelf.area) + _OVERHEAD_BYTES
        if seconds <= 0 or size * _SHARE_OF_ONE > self._most:
            return
        owned = self._owned.setdefault(shelf.owner, _Owned())
        owned.kept[place] = _Kept(value, self._clock() + seconds, size)
        owned.size += size
        self._size += size
        while self._size > self._most:
            self._give_up_one()

    async def forget(self, shelf: Shelf) -> None:
        """Keep nothing of that shelf any more."""
        owned = self._owned.get(shelf.owner)
        for place in [place for place in owned.kept if place[0] == shelf.area] if owned else ():
            self._drop(shelf.owner, place)

    def _give_up_one(self) -> None:
        richest = max(self._owned, key=lambda owner: self._owned[owner].size)
        self._drop(richest, next(iter(self._owned[richest].kept)))

    def _drop(self, owner: str, place: tuple[str, str]) -> None:
        owned = self._owned.get(owner)
        if owned is None or (kept := owned.kept.pop(place, None)) is None:
            return
        owned.size -= kept.size
        self._size -= kept.size
        if not owned.kept:
            del self._owned[owner]
