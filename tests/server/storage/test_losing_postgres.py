"""PostgreSQL that is lost while it is asked: nothing that was told is forgotten, nothing done twice."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from support import postgres
from support.postgres import Database
from support.stores import ADA, CAN_ALL, DONE, address, task
from wand_proto.errors import Unavailable
from wand_server.lifecycle import TaskState
from wand_server.ports import Checkpoint, NewProject, Outcome, StepEnds, TaskFilter, TaskStore, Usage
from wand_server.storage import postgres as engine
from wand_server.storage import reaching

BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'wand-server'"


def cut(database: Database) -> None:
    """End every connection of the store."""
    database.sql(f"SELECT pg_terminate_backend(pid) FROM ({BACKENDS}) one")


async def test_a_store_whose_connections_were_ended_goes_on(database: Database) -> None:
    where = address(database)
    async with reaching.in_database(where.url, where.password, 3600) as (store, _):
        for _ in range(3):
            cut(database)
            (told,) = await store.submit([task()])
            cut(database)
            assert (await store.get(told.id)).state is TaskState.QUEUED
            cut(database)
            project = await store.create_project(NewProject(principal=ADA, name=told.id))
            assert project.name == told.id


async def test_a_server_that_is_killed_is_waited_for_and_has_forgotten_nothing() -> None:
    if why := postgres.why_not():
        pytest.skip(why)
    with postgres.running() as cluster, cluster.database() as database:
        where = address(database)
        async with reaching.in_database(where.url, where.password, 3600) as (store, _):
            names = {one.id for one in await store.submit([task() for _ in range(50)])}
            backend = int(database.sql(f"{BACKENDS} LIMIT 1"))
            os.kill(backend, signal.SIGKILL)  # then the postmaster ends all the others, and recovers
            done = set()
            while claimed := await store.claim("a1", CAN_ALL, 3600):
                await store.finish(claimed.lease, DONE)
                done.add(claimed.task.id)
            assert done == names
            assert (await store.counts())[TaskState.DONE] == 50


async def asked(store: TaskStore, number: int) -> None:
    """One task from its beginning to its end, with all that adds up."""
    await store.submit([task(title=str(number))])
    claimed = await store.claim("a1", CAN_ALL, 3600)
    assert claimed is not None
    step = Checkpoint(ended=(StepEnds("1"),), spent=Usage(cost_micros=1))
    await store.checkpoint(claimed.lease, step)
    await store.transcribe(claimed.lease, [("note", number)])
    await store.finish(claimed.lease, DONE)


async def test_what_is_repeated_because_nobody_knows_whether_it_was_done_counts_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost after each commit, before its answer came: every act is done again."""
    lost = 0

    async def transaction(connection: Any, trying: Any, walk: Callable[[Any], Awaitable[Any]]) -> Any:
        nonlocal lost
        result = await whole(connection, trying, walk)
        lost += 1
        if lost % 2:
            connection.terminate()
            raise ConnectionResetError
        return result

    where = address(database)
    async with reaching.in_database(where.url, where.password, 3600) as (store, _):
        whole = engine._transaction
        monkeypatch.setattr(engine, "_transaction", transaction)
        for number in range(4):
            await asked(store, number)
        (told,) = await store.submit([task()])
        claimed = await store.claim("a1", CAN_ALL, 3600)
        assert claimed is not None
        await store.finish(claimed.lease, Outcome(kind="ambiguous"))
        assert (await store.retry(told.id)).state is TaskState.QUEUED
        assert await store.cancel(told.id) in {(told.id,), ()}
        monkeypatch.undo()
        assert (await store.get(told.id)).state is TaskState.CANCELLED
        tasks = (await store.list(TaskFilter())).tasks
        done = [one for one in tasks if one.id != told.id]
        assert [(one.state, one.attempt) for one in done] == [(TaskState.DONE, 1)] * 4
        for one in done:
            assert one.spent == Usage(cost_micros=1)
            assert len(await store.transcript(one.id)) == 1
            assert len(await store.steps(one.id)) == 1


async def test_a_server_that_stays_away_is_unavailable_and_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_PATIENCE_SECONDS", 0.2)
    where = address(database)
    async with reaching.in_database(where.url, where.password, 3600) as (store, _):
        database_gone = database.sql("SELECT current_database()")
        other = Database(port=database.port, name="postgres")
        other.sql(f"ALTER DATABASE {database_gone} ALLOW_CONNECTIONS false")
        cut(other)
        with pytest.raises(Unavailable, match="not currently accepting connections"):
            await store.submit([task()])
        other.sql(f"ALTER DATABASE {database_gone} ALLOW_CONNECTIONS true")
        assert len(await asyncio.wait_for(store.submit([task()]), 30)) == 1
