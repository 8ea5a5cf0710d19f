"""The agents of one process: given tasks in turn, more of them while many wait, replaced when one is sick.

All of them may join one store, in this process or in others; who gets a task is decided there.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from wand_proto.errors import WandError
from wand_server.lifecycle import TaskState
from wand_server.orchestrator.agents import Agent, Means
from wand_server.orchestrator.choosing import Ability, AgentState, Size, in_turn, wanted
from wand_server.ports import Claimed, News, Registration, TaskBus, Wake

log = logging.getLogger(__name__)

_LOOK_AGAIN_SECONDS = 1.0  # the least between two looks at the queue, and after what cannot be done now
_GONE_FACTOR, _FORGOTTEN_FACTOR = 3, 30  # times the time between two signs of life
Loop = Callable[[], Coroutine[Any, Any, None]]
_HEARD = frozenset({News.READY, News.CANCEL, News.LATER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What a pool calls its agents, what they can do, and how often it looks after them."""

    name: str = "agent"
    ability: Ability = field(default_factory=Ability)
    health_seconds: float = 10.0

    @property
    def gone_seconds(self) -> float:
        """So long without a sign of life, and an agent is taken for gone."""
        return self.health_seconds * _GONE_FACTOR


@dataclass(slots=True)
class Pool:
    """Agents at work while entered; offers what the manager tells of them."""

    means: Means
    bus: TaskBus
    size: Size
    habits: Habits = field(default_factory=Habits)
    agents: dict[str, Agent] = field(default_factory=dict)
    is_leaving: bool = False
    _last: str = ""
    _queued: int = 0
    _counted_at: float = float("-inf")
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _is_due: asyncio.Event = field(default_factory=asyncio.Event)
    _loops: list["asyncio.Task[None]"] = field(default_factory=list)
    _farewells: set["asyncio.Task[None]"] = field(default_factory=set)
    _tag: str = field(default_factory=lambda: secrets.token_hex(2))
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    process: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")

    async def __aenter__(self) -> Self:
        await self._fit()
        loops: tuple[Loop, ...] = (
            self._give, self._sweep, self._look_after, self._look_again, self._listen,
        )  # fmt: skip
        self._loops = [asyncio.create_task(self._again(loop), name=loop.__name__) for loop in loops]
        self._wake.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_leaving = True
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await asyncio.gather(*(agent.end() for agent in self.agents.values()))
        await asyncio.gather(*(self._leave(name) for name in list(self.agents)), *self._farewells)

    def resize(self, size: Size) -> None:
        """Keep so many from now on."""
        self.size = size
        self._counted_at = float("-inf")
        self._wake.set()

    def busy(self) -> int:
        """How many agents have a task."""
        return sum(not agent.is_free for agent in self.agents.values())

    async def drain(self, seconds: float) -> bool:
        """Take nothing more; let what runs end within that time, then give it back. Whether all had ended."""
        self.is_leaving = True
        for agent in self.agents.values():
            agent.stop()
        ending = [asyncio.create_task(agent.ended()) for agent in self.agents.values()]
        if not ending:
            return True
        _, left = await asyncio.wait(ending, timeout=seconds)
        for agent in self.agents.values():
            agent.give_back()
        if left:
            await asyncio.wait(left, timeout=self.means.clocks.stop_seconds)
        return not left

    # Giving tasks -------------------------------------------------------------------------------------

    async def _give(self) -> None:
        """Whenever there may be something to do, give it to agents until nothing is left or none is free."""
        await self._wake.wait()
        self._wake.clear()
        while not self.is_leaving:
            await self._grow()
            if not await self._give_one():
                return

    async def _give_one(self) -> bool:
        """Claim a task for the next agent that is free and able; whether one was."""
        tried: set[Ability] = set()
        for candidate in in_turn([one.as_candidate for one in self.agents.values()], self._last):
            if candidate.ability in tried:
                continue
            tried.add(candidate.ability)
            lease = self.means.clocks.lease_seconds
            claimed = await self.means.store.claim(candidate.name, candidate.ability.words, lease)
            if claimed is not None:
                self._last = candidate.name
                self._begin(candidate.name, claimed)
                return True
        return False

    def _begin(self, name: str, claimed: Claimed) -> None:
        agent = self.agents.get(name)
        if agent is None or self.is_leaving:
            log.info("task claimed in vain", extra={"agent": name, "task": claimed.task.id})
            return  # its lease runs out; nothing had begun
        agent.begin(claimed)

    def _freed(self, agent: Agent) -> None:
        if agent.state in {AgentState.STOPPING, AgentState.SICK} and not self.is_leaving:
            self._dismiss(agent)
        self._wake.set()

    # How many -----------------------------------------------------------------------------------------

    async def _grow(self) -> None:
        """Have as many agents as the queue asks for; it is looked at once a second at most."""
        now = time.monotonic()
        if now - self._counted_at < _LOOK_AGAIN_SECONDS:
            return
        self._counted_at = now
        counts = await self.means.store.counts()
        self._queued = counts.get(TaskState.QUEUED, 0)
        await self._fit()

    async def _fit(self) -> None:
        """Have as many agents as there are to be; one that goes ends its task first."""
        staying = [one for one in self.agents.values() if one.state in {AgentState.IDLE, AgentState.BUSY}]
        goal = wanted(self.size, self._queued, self.busy())
        for _ in range(goal - len(staying)):
            await self._hire()
        free_first = sorted(staying, key=lambda one: not one.is_free)
        for agent in free_first[: max(0, len(staying) - goal)]:
            agent.stop()
            if agent.is_free:
                self._dismiss(agent)

    async def _hire(self) -> None:
        name = f"{self.habits.name}-{self._tag}-{next(self._numbers)}"
        agent = Agent(name, self.habits.ability, self.means, self._freed)
        await self._register(agent)
        self.agents[name] = agent
        self._wake.set()
        log.info("agent joined", extra={"agent": name})

    async def _register(self, agent: Agent) -> None:
        labels = dict(label.partition("=")[::2] for label in sorted(agent.ability.labels))
        await self.means.store.register(
            Registration(
                name=agent.name,
                labels=labels,
                capabilities=agent.ability.capabilities,
                process=self.process,
            )
        )

    def _dismiss(self, agent: Agent) -> None:
        """It is no more; where it was sick, another takes its place."""
        self.agents.pop(agent.name, None)
        leaving = asyncio.create_task(self._leave(agent.name), name=f"{agent.name} leaves")
        self._farewells.add(leaving)
        leaving.add_done_callback(self._farewells.discard)
        self._counted_at = float("-inf")
        log.info("agent left", extra={"agent": agent.name, "state": agent.state})

    async def _leave(self, name: str) -> None:
        with contextlib.suppress(WandError):  # it is forgotten in time
            await self.means.store.leave(name)

    # Looking after ------------------------------------------------------------------------------------

    async def _look_after(self) -> None:
        """Say that they live, and forget those that have not said so for long."""
        await asyncio.sleep(self.habits.health_seconds)
        for agent in list(self.agents.values()):
            if not await self.means.store.beat(agent.name, agent.state, agent.task):
                await self._register(agent)
        long_ago = time.time() - self.habits.health_seconds * _FORGOTTEN_FACTOR
        for known in await self.means.store.agents():
            if known.seen < long_ago:
                await self.means.store.leave(known.name)
        self._wake.set()

    async def _sweep(self) -> None:
        """Hand on what dead agents held, and look whether the time of something has come."""
        self._is_due.clear()
        swept = await self.means.store.sweep()
        if swept.due or swept.lost:
            self._wake.set()
        seconds = self.means.clocks.renew_seconds
        if swept.next_due is not None:
            seconds = min(seconds, max(swept.next_due - time.time(), 0.02))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_due.wait()

    async def _look_again(self) -> None:
        """A wake may have been lost."""
        await asyncio.sleep(self.means.clocks.renew_seconds)
        self._wake.set()

    async def _listen(self) -> None:
        async with self.bus.listen(_HEARD, self.habits.ability.words) as wakes:
            self._wake.set()  # what came before
            async for wake in wakes:
                self._hear(wake)

    def _hear(self, wake: Wake) -> None:
        if wake.news is News.READY:
            self._wake.set()
            return
        if wake.news is News.LATER:
            self._is_due.set()  # its time may come before the next sweep
            return
        for agent in self.agents.values():
            agent.look(wake.task)

    async def _again(self, loop: Loop) -> None:
        """For ever; what cannot be done now is done later."""
        while True:
            try:
                await loop()
            except WandError as why:
                log.warning("agents wait", extra={"for": loop.__name__, "why": str(why)})
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                self._wake.set()
            except Exception:
                log.exception("agents not looked after", extra={"loop": loop.__name__})
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                self._wake.set()
