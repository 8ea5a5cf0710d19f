"""How often a service is asked, and when it is left alone for a while."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from wand_proto.errors import Exhausted, Unavailable

_FAILURES = 5  # in a row, until it is left alone
_REST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in so many seconds, all at once or spread."""

    requests: float
    per_seconds: float = 1.0


class Bucket:
    """Keeps to a rate: `take` waits for its turn."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._left = rate.requests
        self._at = clock()

    async def take(self, within_seconds: float) -> None:
        """Wait for the turn of one request.

        Raises:
            Exhausted: it would come too late.
        """
        seconds = self._wait_seconds()
        if seconds > within_seconds:
            self._left += 1
            hint = f"try again in {seconds:.0f} s, or ask for less"
            raise Exhausted("the rate that this service permits is used up", hint=hint)
        if seconds > 0:
            await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self._left += 1  # the turn is another's now
            raise

    def _wait_seconds(self) -> float:
        now, each = self._clock(), self._rate.requests / self._rate.per_seconds
        self._left = min(self._rate.requests, self._left + (now - self._at) * each) - 1
        self._at = now
        return max(0.0, -self._left / each)


class Breaker:
    """Leaves a service alone that has failed several times in a row; one request then tries it again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    def check(self) -> None:
        """Let a request pass.

        Raises:
            Unavailable: the service is left alone just now.
        """
        left = self._until - self._clock()
        if left > 0:
            raise Unavailable(
                "this service has failed several times in a row and is left alone",
                hint=f"it is tried again in {left:.0f} s",
            )
        if self._until:
            self._until = self._clock() + _REST_SECONDS  # for all but this one

    def answered(self) -> None:
        """It works."""
        self._failures, self._until = 0, 0.0

    def failed(self) -> None:
        """It could not be reached, or said that it fails."""
        self._failures += 1
        if self._failures >= _FAILURES:
            self._until = self._clock() + _REST_SECONDS
            self._failures = _FAILURES - 1  # the one that tries again decides
