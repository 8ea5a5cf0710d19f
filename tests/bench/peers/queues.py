"""Other queues on PostgreSQL: `queues.py WHICH URL TASKS WORKERS` prints the seconds that so many tasks took.

As many hand tasks in as carry them out, at the same time; what is measured ends when the last one is done.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from procrastinate import App, PsycopgConnector
from taskiq.api import run_receiver_task
from taskiq_pg.asyncpg import AsyncpgBroker, AsyncpgResultBackend

WORK = {"steps": [{"tool": "get_system_info"}]}
Defer = Callable[[], Awaitable[object]]


class Count:
    """So many have been carried out."""

    def __init__(self, wanted: int) -> None:
        self.left = wanted
        self.all_done = asyncio.Event()

    def one(self) -> None:
        self.left -= 1
        if not self.left:
            self.all_done.set()


@asynccontextmanager
async def procrastinate(url: str, workers: int, count: Count) -> AsyncIterator[Defer]:
    """Procrastinate, with its own driver."""
    app = App(connector=PsycopgConnector(conninfo=url, min_size=workers, max_size=workers))

    @app.task(name="work")
    async def work(**_given: object) -> dict[str, bool]:
        count.one()
        return {"ok": True}

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        worker = asyncio.create_task(app.run_worker_async(concurrency=workers, install_signal_handlers=False))
        yield lambda: work.defer_async(**WORK)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


@asynccontextmanager
async def taskiq(url: str, workers: int, count: Count) -> AsyncIterator[Defer]:
    """Taskiq, its messages and its results in PostgreSQL by asyncpg."""
    broker = AsyncpgBroker(url).with_result_backend(AsyncpgResultBackend(url))

    @broker.task
    async def work(given: object) -> dict[str, bool]:
        count.one()
        return {"ok": True}

    await broker.startup()
    worker = asyncio.create_task(run_receiver_task(broker, max_async_tasks=workers))
    yield lambda: work.kiq(WORK)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    await broker.shutdown()


async def timed(which: str, url: str, tasks: int, workers: int) -> float:
    count = Count(tasks)
    async with {"procrastinate": procrastinate, "taskiq": taskiq}[which](url, workers, count) as defer:
        left = tasks

        async def hand_in() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await defer()

        began = time.perf_counter()
        await asyncio.gather(*(hand_in() for _ in range(workers)))
        await count.all_done.wait()
        return time.perf_counter() - began


if __name__ == "__main__":
    print(asyncio.run(timed(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
