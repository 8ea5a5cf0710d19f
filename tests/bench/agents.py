"""What a task costs beyond its tool's call, beside the call alone; and what tasks that wait cost at rest.

`./dev bench agents [--quick]`. A real store in a file (or, with --postgres, on PostgreSQL), a pool of one
agent, and a tool that answers at once: what is left is ours, from handing out to the end that is on disk.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

from support import postgres
from support.agents import ANN
from support.host import call
from support.tools import FakeTools, described
from wand_server.model import Call, ToolDescription, ToolResult
from wand_server.orchestrator.agents import Means
from wand_server.orchestrator.carrying import Carrier
from wand_server.orchestrator.choosing import Size
from wand_server.orchestrator.pool import Pool
from wand_server.ports import Lease, NewTask, Outcome, TaskBus, TaskStore
from wand_server.storage import opening, reaching

_MOST_MS = 5.0
_WORK: dict[str, Any] = {"steps": [{"id": "act", "tool": "act", "arguments": {"text": "x"}}]}


class AtOnce(FakeTools):
    """One tool that changes something, and answers at once."""

    def __init__(self) -> None:
        super().__init__(tools=(described("act", read_only=False, toolset="files"),))

    def describe(self) -> tuple[ToolDescription, ...]:
        return self.tools

    async def call(self, name: str, arguments: dict[str, Any], call: Call) -> ToolResult:
        return ToolResult(text="done", structured={"text": arguments["text"]})


class Telling:
    """A store that tells when a task has ended."""

    def __init__(self, store: TaskStore) -> None:
        self._store = store
        self.ended = asyncio.Event()

    async def finish(self, lease: Lease, outcome: Outcome) -> Any:
        went = await self._store.finish(lease, outcome)
        self.ended.set()
        return went

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def is_over(_: object) -> bool:
    return False


@asynccontextmanager
async def opened(
    folder: Path, database: postgres.Database | None
) -> AsyncIterator[tuple[TaskStore, TaskBus]]:
    """The store, and its bus."""
    if database is None:
        async with opening.in_file(folder / "tasks.db", 3600.0) as both:
            yield both
    else:
        where = f"postgresql://{database.user}@{database.host}:{database.port}/{database.name}"
        async with reaching.in_database(where, database.password, 3600.0) as both:
            yield both


async def overhead(store: TaskStore, bus: TaskBus, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from handing a task out to its end, and of the tool's call alone."""
    tools, telling = AtOnce(), Telling(store)
    seen = cast("TaskStore", telling)
    means = Means(store=seen, work=Carrier(store=seen, tools=tools), is_over=is_over)
    whole, alone = [], []
    async with Pool(means, bus, Size(count=1, most=1)):
        for _ in range(count):
            telling.ended.clear()
            began = time.perf_counter()
            await store.submit([NewTask(principal=ANN, work=_WORK)])
            await telling.ended.wait()
            whole.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            await tools.call("act", {"text": "x"}, call())
            alone.append((time.perf_counter() - began) * 1000)
    return whole, alone


async def at_rest(store: TaskStore, bus: TaskBus, waiting: int, seconds: float) -> float:
    """The share of a processor that a pool of three takes while so many tasks wait for their time."""
    later = time.time() + 86400
    if waiting:
        await store.submit([NewTask(principal=ANN, work=_WORK, not_before=later) for _ in range(waiting)])
    means = Means(store=store, work=Carrier(store=store, tools=AtOnce()), is_over=is_over)
    async with Pool(means, bus, Size(count=3, most=8)):
        await asyncio.sleep(1)  # they join
        before = time.process_time()
        await asyncio.sleep(seconds)
        return (time.process_time() - before) / seconds


async def run(folder: Path, database: postgres.Database | None, *, quick: bool) -> None:
    async with opened(folder, database) as (store, bus):
        count, before = 100 if quick else 1000, time.process_time()
        whole, alone = await overhead(store, bus, count)
        ours = (time.process_time() - before) / count * 1000
        median, most = statistics.median(whole), statistics.quantiles(whole, n=20)[-1]
        print(
            f"a task beyond its tool's call: median {median:.2f} ms, p95 {most:.2f} ms "
            f"(wanted: at most {_MOST_MS:g}), {ours:.2f} ms of a processor; "
            f"the call alone {statistics.median(alone):.3f} ms"
        )
        for waiting in (0, 1000):
            share = await at_rest(store, bus, waiting, 5 if quick else 20)
            print(f"at rest, three agents, {waiting} tasks waiting: {share:.2%} of a processor")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench agents", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        database = None
        if asked.postgres:
            cluster = parts.enter_context(postgres.running(durable=True))
            database = parts.enter_context(cluster.database())
        asyncio.run(run(folder, database, quick=asked.quick))


if __name__ == "__main__":
    main()
