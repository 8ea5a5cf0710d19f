"""A worker in a process of its own, to be killed at any moment: `python -m support.claimer STORE FILE NAME`.

Each task has two steps, each of which appends a line to a file; both take a while, as real ones do.
"""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from support.stores import CAN_ALL, DONE
from wand_server.ports import Checkpoint, Hold, StepBegins, StepEnds, TaskStore
from wand_server.storage import opening, reaching

LEASE_SECONDS = 1.5
MOST_SECONDS = 0.06


@contextlib.asynccontextmanager
async def store_at(database: str) -> AsyncIterator[TaskStore]:
    """The store in that file, or at that URL."""
    way = (
        reaching.in_database(database, os.environ["PASSWORD"], 1e6)
        if database.startswith("postgresql:")
        else opening.in_file(Path(database), 1e6)
    )
    async with way as (store, _):
        yield store


async def work(store: TaskStore, effects: int, name: str) -> None:
    """Until it is killed."""
    while True:
        claimed = await store.claim(name, CAN_ALL, LEASE_SECONDS)
        if claimed is None:
            await store.sweep()
            await asyncio.sleep(0.02)  # between two looks
            continue
        lease = claimed.lease
        done = {step.key for step in claimed.steps if step.ended}
        for key in {"1", "2"} - done:
            hold = await store.checkpoint(lease, Checkpoint(begins=(StepBegins(key),)))
            if hold is not Hold.HELD:
                break
            await asyncio.sleep(random.random() * MOST_SECONDS)
            os.write(effects, f"{lease.task} {key}\n".encode())
            await asyncio.sleep(random.random() * MOST_SECONDS)
            await store.checkpoint(lease, Checkpoint(ended=(StepEnds(key),)))
        else:
            await store.finish(lease, DONE)


async def main(database: str, file: str, name: str) -> None:
    effects = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    async with store_at(database) as store:
        await asyncio.gather(*(work(store, effects, f"{name}-{number}") for number in range(3)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
