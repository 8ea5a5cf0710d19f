"""How often somebody may ask: buckets of tokens by address and by principal, and failed sign-ins slowed.

A bucket fills at a rate and holds a burst; a request takes a token, and without one it is refused with the
time until there is one, by the monotonic clock. Of more than `MOST_BUCKETS` the one used longest ago is
forgotten, and is full again: a stranger with many addresses takes no memory.

Who brings a good key is never held up by those who bring bad ones from the same address: only the answer to
a failure is delayed, and then refused.
"""

import asyncio
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from wand_server.model import Principal
from wand_server.protocol.failures import BUSY
from wand_server.transports.replies import Refused

MOST_BUCKETS = 4096
FAILURE_SECONDS = 1.0  # how long the answer to one failed sign-in too many is held back
MOST_HELD = 64  # of such answers at a time; the rest go at once, for each costs a connection
_IPV6_PREFIX = 64  # what one subscriber has: RFC 6177

Clock = Callable[[], float]
_hold = asyncio.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many a second, 0 for as many as one likes, and so many at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """All that is limited."""

    principal: Rate = Rate(per_second=500, burst=5000)
    address: Rate = Rate(per_second=1000, burst=10_000)
    failed_sign_ins: Rate = Rate(per_second=1 / 6, burst=10)


class Buckets:
    """A bucket of tokens for each name, full at first."""

    def __init__(self, rate: Rate, clock: Clock = time.monotonic, *, most: int = MOST_BUCKETS) -> None:
        self.rate = rate
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[Hashable, list[float]] = OrderedDict()  # tokens, and when

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: Hashable) -> float:
        """Take a token: 0 where there was one, else the seconds until there is."""
        rate = self.rate
        if not rate.per_second:
            return 0.0
        now = self._clock()
        bucket = self._buckets.get(name) or self._full(name, now)
        self._buckets.move_to_end(name)
        tokens = min(rate.burst, bucket[0] + (now - bucket[1]) * rate.per_second)
        bucket[1] = now
        if tokens >= 1:
            bucket[0] = tokens - 1
            return 0.0
        bucket[0] = tokens
        return (1 - tokens) / rate.per_second

    def _full(self, name: Hashable, now: float) -> list[float]:
        bucket = self._buckets[name] = [self.rate.burst, now]
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket


class Limits:
    """What is counted of the requests of one server."""

    def __init__(self, rates: Rates | None = None, clock: Clock = time.monotonic) -> None:
        rates = rates or Rates()
        self._principals = Buckets(rates.principal, clock)
        self._addresses = Buckets(rates.address, clock)
        self._failures = Buckets(rates.failed_sign_ins, clock)
        self._held = 0

    def change(self, rates: Rates) -> None:
        """Limit by those rates from now on; what was counted counts."""
        self._principals.rate = rates.principal
        self._addresses.rate = rates.address
        self._failures.rate = rates.failed_sign_ins

    def count_address(self, address: str) -> None:
        """Count a request by where it came from.

        Raises:
            Refused: 429, with Retry-After.
        """
        if seconds := self._addresses.take(block_of(address)):
            raise _too_many("requests come from this address", seconds)

    def count(self, principal: Principal) -> None:
        """Count a request by who asks.

        Raises:
            Refused: 429, with Retry-After.
        """
        if seconds := self._principals.take(principal.identity):
            raise _too_many(f"requests come from {principal.name}", seconds)

    async def count_failure(self, address: str) -> None:
        """Count a failed sign-in; of one too many, the answer waits.

        Raises:
            Refused: 429, with Retry-After, after a while.
        """
        seconds = self._failures.take(block_of(address))
        if seconds and self._held < MOST_HELD:
            self._held += 1
            try:
                await _hold(FAILURE_SECONDS)
            finally:
                self._held -= 1
        if seconds:
            raise _too_many("sign-ins fail from this address", seconds)


def block_of(address: str) -> str:
    """The address by which is counted: of IPv6, the network that one subscriber has."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, _IPV6_PREFIX), strict=False).network_address)


def _too_many(what: str, seconds: float) -> Refused:
    after = str(math.ceil(seconds))
    message = f"too many {what}: try again in {after} s"
    return Refused(429, message, code=BUSY, headers={"Retry-After": after})
