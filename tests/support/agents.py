"""Agents on a real store in a folder of the test, which carry out what a test hands them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wand_server import ports
from wand_server.lifecycle import ENDED, TaskState
from wand_server.model import Principal
from wand_server.orchestrator.agents import Means
from wand_server.orchestrator.attempt import Attempt, Clocks
from wand_server.orchestrator.choosing import Size
from wand_server.orchestrator.pool import Habits, Pool
from wand_server.ports import NewTask, Outcome, Task
from wand_server.storage.buses import InProcessBus
from wand_server.storage.sqlite import SqliteEngine
from wand_server.storage.store import Store

ANN = Principal(name="ann", means="api_key", scopes=frozenset({"wand:read", "wand:write"}), credential="k1")
DONE = Outcome(kind="done", result={"result": None, "text": "done"})
QUICK = Clocks(lease_seconds=1.0, stop_seconds=0.5, again_seconds=0.02)
Does = Callable[[str, Attempt], Awaitable[Outcome]]


async def nothing(_: str, __: Attempt) -> Outcome:
    return DONE


async def counts_on(_: Principal) -> bool:
    return False


@asynccontextmanager
async def store_in(folder: Path) -> AsyncIterator[tuple[Store, InProcessBus]]:
    """A store in a file, and its bus; several may have the same file open, as processes do."""
    bus = InProcessBus()
    async with SqliteEngine(folder / "tasks.db", bus.publish) as engine:
        yield Store(engine), bus


@dataclass
class Crew:
    """A pool, and the store that it works on."""

    store: ports.TaskStore
    bus: ports.TaskBus
    pool: Pool
    over: set[str] = field(default_factory=set)  # credentials that were taken back

    async def hand_out(self, *works: dict[str, Any], **more: Any) -> list[str]:
        """The ids of tasks with such work."""
        tasks = [NewTask(principal=ANN, work=work, **more) for work in works or ({},)]
        return [one.id for one in await self.store.submit(tasks)]

    async def ended(self, task: str, seconds: float = 20.0) -> Task:
        """The task, once it has ended."""
        return await self.until(task, lambda found: found.state in ENDED, seconds)

    async def until(self, task: str, true: Callable[[Task], bool], seconds: float = 20.0) -> Task:
        """The task, once that is true of it."""
        async with asyncio.timeout(seconds):
            while True:
                if true(found := await self.store.get(task)):
                    return found
                await asyncio.sleep(0.005)

    async def states(self, tasks: list[str]) -> list[TaskState]:
        """How each of them ended."""
        return [(await self.ended(task)).state for task in tasks]


@asynccontextmanager
async def crew(
    folder: Path,
    work: Does = nothing,
    *,
    size: Size = Size(count=3, most=3),  # noqa: B008 - frozen
    clocks: Clocks = QUICK,
    habits: Habits = Habits(health_seconds=0.2),  # noqa: B008 - frozen
) -> AsyncIterator[Crew]:
    """Agents at work on a store in that folder."""
    async with store_in(folder) as (store, bus):
        over: set[str] = set()

        async def is_over(principal: Principal) -> bool:
            return principal.credential in over

        means = Means(store=store, work=work, is_over=is_over, clocks=clocks)
        async with Pool(means, bus, size, habits) as pool:
            yield Crew(store, bus, pool, over)
