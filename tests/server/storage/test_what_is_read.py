"""What PostgreSQL reads for a task does not grow with what others have in the queue."""

import asyncio

import pytest

from support.postgres import Database
from support.stores import BOB, CAN_ALL, DONE, address, task
from support.waiting import until
from wand_server.ports import TaskStore
from wand_server.storage import reaching

QUEUED, CYCLES, ENTRIES_EACH = 2000, 100, 5
READ = "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'task'"
CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'wand-server'"


async def cycle(store: TaskStore, agent: str) -> None:
    await store.submit([task()])
    claimed = await store.claim(agent, CAN_ALL, 60)
    assert claimed is not None
    await store.finish(claimed.lease, DONE)


@pytest.mark.parametrize("at_once", [1, 5])
async def test_a_long_queue_of_others_is_not_read_through(database: Database, at_once: int) -> None:
    """By its plans: those that were made while there was next to nothing, and those made anew."""
    where = address(database)
    async with reaching.in_database(where.url, where.password, 3600) as (store, _):
        await asyncio.gather(*(cycle(store, "a1") for _ in range(10)))
        await store.submit([task(principal=BOB) for _ in range(QUEUED // 2)])
        await store.submit([task(principal=BOB) for _ in range(QUEUED // 2)])
        for analyze in (False, True):
            if analyze:
                database.sql("ANALYZE task")
            for _ in range(CYCLES // 2 // at_once):
                await asyncio.gather(*(cycle(store, f"a{number}") for number in range(at_once)))
    await until(lambda: database.sql(CONNECTED) == "0")  # what each has counted is told when it ends
    assert int(database.sql(READ)) < (QUEUED + CYCLES) * ENTRIES_EACH
