"""Who waits for a wake in this process, and the bus that reaches nobody else."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from wand_server.ports import News, Wake

_MOST_KEPT = 1024  # wakes for somebody who does not read; the newest


@dataclass(eq=False, slots=True)
class Listener:
    """One who waits."""

    news: frozenset[News]
    capabilities: frozenset[str] | None
    kept: deque[Wake] = field(default_factory=lambda: deque(maxlen=_MOST_KEPT))
    something: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False

    def wants(self, wake: Wake) -> bool:
        """Whether that is for this one."""
        able = wake.news is not News.READY or self.capabilities is None or wake.needs <= self.capabilities
        return wake.news in self.news and able

    def give(self, wake: Wake) -> None:
        """Keep it until it is read."""
        self.kept.append(wake)
        self.something.set()

    def close(self) -> None:
        """Let it come to its end."""
        self.closed = True
        self.something.set()

    def __aiter__(self) -> AsyncIterator[Wake]:
        return self

    async def __anext__(self) -> Wake:
        while not self.kept:
            if self.closed:
                raise StopAsyncIteration
            self.something.clear()
            await self.something.wait()
        return self.kept.popleft()


class InProcessBus:
    """Wakes those who wait in this process: of those who are able, each READY one, in turn."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    async def publish(self, wakes: Sequence[Wake]) -> None:
        """As `ports.TaskBus` says."""
        self.hand_out(wakes)

    def hand_out(self, wakes: Sequence[Wake]) -> None:
        """Give each wake to whom it is for."""
        for wake in wakes:
            if wake.news is News.READY:
                self._to_one(wake)
            else:
                for one in self._listeners:
                    if one.wants(wake):
                        one.give(wake)

    def look_again(self) -> None:
        """Have everybody look: something may have been told that nobody here has heard."""
        for one in self._listeners:
            if News.READY in one.news and not one.kept:
                one.give(Wake(news=News.READY, task=""))

    def _to_one(self, wake: Wake) -> None:
        """To the one that has waited longest; it goes to the end of the line."""
        able = [one for one in self._listeners if one.wants(wake)]
        if able:
            one = min(able, key=lambda each: len(each.kept))
            one.give(wake)
            self._listeners.remove(one)
            self._listeners.append(one)

    @asynccontextmanager
    async def listen(
        self, news: frozenset[News], capabilities: frozenset[str] | None = None
    ) -> AsyncIterator[AsyncIterator[Wake]]:
        """As `ports.TaskBus` says."""
        one = Listener(news, capabilities)
        self._listeners.append(one)
        try:
            yield one
        finally:
            self._listeners.remove(one)

    async def close(self) -> None:
        """Let every listener come to its end."""
        for one in self._listeners:
            one.close()
