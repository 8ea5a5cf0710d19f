"""Moments in which no client asks for anything: what a Wand holds then does not depend on how busy it is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

_DRAIN_SECONDS = 30.0  # calls under way are over then, on a machine with much else to do, too
_SETTLE_SECONDS = 10.0
_STEP_SECONDS = 0.2


class Turnstile:
    """Lets each call through, or has it wait while somebody looks."""

    def __init__(self) -> None:
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._within = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    @contextlib.asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """A call runs in here."""
        await self._is_open.wait()
        self._within += 1
        self._is_empty.clear()
        try:
            yield
        finally:
            self._within -= 1
            if not self._within:
                self._is_empty.set()

    @contextlib.asynccontextmanager
    async def at_rest(self, processes: Callable[[], int]) -> AsyncIterator[None]:
        """No call runs in here, and what the last ones have started is over, as far as that comes soon."""
        self._is_open.clear()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await self._is_empty.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SETTLE_SECONDS):
                    await _settled(processes)
            yield
        finally:
            self._is_open.set()


async def _settled(processes: Callable[[], int]) -> None:
    """Until there are as many as there were twice before."""
    seen = [-1, -2]
    while len(set(seen)) > 1:
        await asyncio.sleep(_STEP_SECONDS)
        seen = [*seen[-2:], processes()]
