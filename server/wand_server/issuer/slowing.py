"""How long somebody has to wait who tried passwords that were wrong.

An address of IPv6 stands for its network, for whoever has one address there has 2^64. Who has once signed in
from an address is not kept waiting there by what others try elsewhere.
"""

import ipaddress
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
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()  # who has signed in from where

    def wait_seconds(self, address: str, name: str = "") -> float:
        """How long to wait before another try is looked at; without a name, by the address alone."""
        now = self._clock()
        is_known = (_network(address), name) in self._known
        keys = [(key, pace) for key, pace in _keys(address, name) if not (is_known and key[0] == "name")]
        found = ((pace, *self._tries.get(key, (0, now))) for key, pace in keys)
        return max(wait_seconds(pace, tries, now - last) for pace, tries, last in found)

    def begin(self, address: str, name: str = "") -> None:
        """Count a try, before it is looked at: whoever tries much at once waits too."""
        now = self._clock()
        self._forget(now)
        for key, _ in _keys(address, name):
            tries, _ = self._tries.pop(key, (0, now))
            self._tries[key] = (tries + 1, now)

    def take_back(self, address: str, name: str) -> None:
        """Count a try no more: nobody has looked at it."""
        for key, _ in _keys(address, name):
            tries, last = self._tries.pop(key, (0, 0.0))
            if tries > 1:
                self._tries[key] = (tries - 1, last)

    def forgive(self, address: str, name: str) -> None:
        """Take back what was counted: it was the right password."""
        self._know(_network(address), name)
        for key, _ in _keys(address, name):
            tries, last = self._tries.pop(key, (0, 0.0))
            if tries > 1 and key[0] != "both":
                self._tries[key] = (tries - 1, last)

    def _know(self, network: str, name: str) -> None:
        self._known[network, name] = None
        self._known.move_to_end((network, name))
        if len(self._known) > MOST_KEPT:
            self._known.popitem(last=False)

    def _forget(self, now: float) -> None:
        while self._tries:
            _, last = next(iter(self._tries.values()))
            if now - last < FORGET_SECONDS and len(self._tries) < MOST_KEPT:
                return
            self._tries.popitem(last=False)


def _keys(address: str, name: str) -> Iterable[tuple[tuple[str, str], Pace]]:
    network = _network(address)
    yield ("address", network), BY_ADDRESS
    if not name:
        return
    name = name[:64]
    yield ("both", f"{network} {name}"), BY_BOTH
    yield ("name", name), BY_NAME


def _network(address: str) -> str:
    """The address, or the network of 64 bits around one of IPv6."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(read, ipaddress.IPv4Address):
        return address
    return str(read.ipv4_mapped or ipaddress.IPv6Address(int(read) >> 64 << 64))
