"""The task store: tasks handed in, claimed and done a second, beside Procrastinate and Taskiq; waits; rest.

Sixteen workers of one process hand in a task, claim one and record its result, again and again. The peers do
what is nearest to that, on the same PostgreSQL; Taskiq's results are recorded too.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path

from bench import _servers
from bench.launcher import verdict
from support import postgres
from support.postgres import Cluster, Database
from support.stores import ADA, CAN_ALL, DONE, address, task
from wand_server.ports import News, NewTask, Outcome, TaskBus, TaskStore
from wand_server.storage import opening, reaching

WORKERS = 16
GOALS = {"SQLite": 2000.0, "PostgreSQL": 3000.0}
OVERHEAD_MS_GOAL = 5.0
REST_GOAL = 0.5  # percent of one core
WORK = {"steps": [{"tool": "get_system_info"}]}
READY = frozenset({News.READY})

Open = Callable[[], AbstractAsyncContextManager[tuple[TaskStore, TaskBus]]]


def in_file(folder: Path) -> AbstractAsyncContextManager[tuple[TaskStore, TaskBus]]:
    return opening.in_file(Path(tempfile.mkdtemp(dir=folder)) / "state" / "tasks.db", 3600)


def in_database(database: Database) -> AbstractAsyncContextManager[tuple[TaskStore, TaskBus]]:
    where = address(database)
    return reaching.in_database(where.url, where.password, 3600)


async def cycles(open_store: Open, tasks: int) -> float:
    """Tasks a second that are handed in, claimed and done."""
    left = tasks
    async with open_store() as (store, _):

        async def worker(name: str) -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await store.submit([NewTask(principal=ADA, work=WORK)])
                claimed = await store.claim(name, CAN_ALL, 60)
                assert claimed is not None
                await store.finish(claimed.lease, DONE)

        began = time.perf_counter()
        await asyncio.gather(*(worker(f"a{number}") for number in range(WORKERS)))
        return tasks / (time.perf_counter() - began)


async def overhead_ms(open_store: Open, tasks: int) -> float:
    """Median of the time from handing in to the recorded end, with a worker that waits on the bus."""
    took = []
    async with open_store() as (store, bus), bus.listen(READY) as wakes:

        async def work() -> None:
            async for _ in wakes:
                while claimed := await store.claim("a1", CAN_ALL, 60):
                    await store.finish(claimed.lease, Outcome(kind="done"))
                    done.set()

        worker = asyncio.create_task(work())
        for _ in range(tasks):
            done = asyncio.Event()
            began = time.perf_counter()
            await store.submit([NewTask(principal=ADA, work=WORK)])
            await done.wait()
            took.append(time.perf_counter() - began)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    return statistics.median(took) * 1000


async def at_rest(open_store: Open, seconds: float) -> float:
    """What 1,000 tasks cost that nobody here can do, in percent of a core, with three who wait and sweeps."""
    async with open_store() as (store, bus):
        await store.submit([task(needs=frozenset({"gpu"})) for _ in range(1000)])

        async def wait() -> None:
            async with bus.listen(READY, frozenset()) as wakes:
                async for _ in wakes:
                    await store.claim("a1", frozenset(), 60)

        waiting = [asyncio.create_task(wait()) for _ in range(3)]
        await store.sweep()
        began = time.process_time()
        for _ in range(int(seconds / 10)):
            await asyncio.sleep(10)  # as often as agents look
            await store.sweep()
        used = time.process_time() - began
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return used / seconds * 100


def peer(cluster: Cluster, which: str, tasks: int) -> float:
    """The same of a peer."""
    with cluster.database() as database:
        script = _servers.PEERS / "queues.py"
        words: list[str | Path] = [
            _servers.python_of("queues"),
            script,
            which,
            database.url,
            str(tasks),
            str(WORKERS),
        ]
        ran = subprocess.run([*words, str(tasks), str(WORKERS)], capture_output=True, text=True, check=True)
    return tasks / float(ran.stdout)


def rounds(cluster: Cluster, ways: dict[str, Open], asked: argparse.Namespace) -> dict[str, float]:
    """Medians, taken in turns."""
    found: dict[str, list[float]] = {name: [] for name in (*ways, "Procrastinate", "Taskiq")}
    for _ in range(asked.rounds):
        for name, way in ways.items():
            found[name].append(asyncio.run(cycles(way, asked.tasks)))
        for name in ("Procrastinate", "Taskiq"):
            found[name].append(peer(cluster, name.lower(), asked.tasks // 10))
    return {name: statistics.median(each) for name, each in found.items()}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench tasks", description=__doc__)
    parser.add_argument("--tasks", type=int, default=6000, help="of each round; the peers get a tenth (6000)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rest", type=float, default=30, help="seconds of rest (30)")
    parser.add_argument("--disk", default="/var/tmp", help="where SQLite's file lies")
    return parser.parse_args()


def main() -> int:
    asked = options()
    if why := postgres.why_not():
        print(why)
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=asked.disk)))
        cluster = stack.enter_context(postgres.running())
        database = stack.enter_context(cluster.database())
        ways: dict[str, Open] = {
            "SQLite": lambda: in_file(folder),
            "PostgreSQL": lambda: in_database(database),
        }
        each = rounds(cluster, ways, asked)
        print(f"tasks handed in, claimed and done a second, {WORKERS} workers, medians of {asked.rounds}:\n")
        for name, rate in each.items():
            beside = "  ".join(f"{rate / each[one]:6.1f} x {one}" for one in ("Procrastinate", "Taskiq"))
            print(f"  {rate:7.0f}   {name:14}{beside}")
        print()
        for name, goal in GOALS.items():
            print(verdict(f"{name}, tasks a second", each[name], goal, below=False))
        for name, way in ways.items():
            ms = asyncio.run(overhead_ms(way, asked.tasks // 20))
            print(verdict(f"{name}, from handing in to the end, ms", ms, OVERHEAD_MS_GOAL, below=True))
            share = asyncio.run(at_rest(way, asked.rest))
            print(verdict(f"{name}, 1,000 tasks at rest, % of a core", share, REST_GOAL, below=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
