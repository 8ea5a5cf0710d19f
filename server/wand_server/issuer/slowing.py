"""How long somebody has to wait who tried passwords that were wrong."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

FORGET_SECONDS = 900.0
MOST_KEPT = 4096
_MOST_DOUBLINGS = 12


@dataclass(frozen=True, slots=True)
class Pace:
    """How many tries are free, and the longest wait after that; each try doubles it."""

    free: int
    most_seconds: float


BY_ADDRESS = Pace(20, 300)
BY_BOTH = Pace(4, 300)
BY_NAME = Pace(20, 5)  # short: whoever knows a name must not be able to lock its owner out


def wait_seconds(pace: Pace, tries: int, silent_seconds: float) -> float:
    """How long to wait yet, after so many tries, the last of them so long ago."""
    if tries < pace.free:
        return 0.0
    whole = min(2.0 ** min(tries - pace.free, _MOST_DOUBLINGS), pace.most_seconds)
    return max(whole - silent_seconds, 0.0)


class Slowing:
    """The tries of late, by whom; those of long ago, and the oldest of too many, are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def wait_seconds(self, address: str, name: str = "") -> float:
        """How long to wait before another try is looked at; without a name, by the address alone."""
        now = self._clock()
        found = ((pace, *self._tries.get(key, (0, now))) for key, pace in _keys(address, name))
        return max(wait_seconds(pace, tries, now - last) for pace, tries, last in found)

    def begin(self, address: str, name: str = "") -> None:
        """Count a try, before it is looked at: whoever tries much at once waits too."""
        now = self._clock()
        self._forget(now)
        for key, _ in _keys(address, name):
            tries, _ = self._tries.pop(key, (0, now))
            self._tries[key] = (tries + 1, now)

    def forgive(self, address: str, name: str) -> None:
        """Take back what was counted: it was the right password."""
        for key, _ in _keys(address, name):
            tries, last = self._tries.pop(key, (0, 0.0))
            if tries > 1 and key[0] != "both":
                self._tries[key] = (tries - 1, last)

    def _forget(self, now: float) -> None:
        while self._tries:
            _, last = next(iter(self._tries.values()))
            if now - last < FORGET_SECONDS and len(self._tries) < MOST_KEPT:
                return
            self._tries.popitem(last=False)


def _keys(address: str, name: str) -> Iterable[tuple[tuple[str, str], Pace]]:
    yield ("address", address), BY_ADDRESS
    if not name:
        return
    name = name[:64]
    yield ("both", f"{address} {name}"), BY_BOTH
    yield ("name", name), BY_NAME
