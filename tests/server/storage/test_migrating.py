"""The tables of every version become those of this one, forward only; a newer database is refused."""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support import released
from support.postgres import Database
from support.stores import ADA, DONE, address, opened
from wand_proto.errors import Unavailable
from wand_server.lifecycle import TaskState
from wand_server.ports import TaskFilter, Usage
from wand_server.storage.asking import Act, Ask, Moment, Row, rows
from wand_server.storage.migrating import migrate
from wand_server.storage.postgres import PostgresEngine
from wand_server.storage.schema import STEPS, statements
from wand_server.storage.sqlite import SqliteEngine

VERSIONS = range(1, len(STEPS["tasks"]) + 1)
FIRST, SECOND = (
    "CREATE TABLE probe (a INTEGER)",
    "ALTER TABLE probe ADD COLUMN b TEXT; INSERT INTO probe VALUES (1, 'x')",
)
BROKEN = "INSERT INTO probe VALUES (2, 'y'); INSERT INTO nowhere VALUES (1)"


async def nobody(_: Sequence[object]) -> None:
    pass


def engine(
    folder: Path, database: Database | None, parts: Mapping[str, Sequence[str]]
) -> SqliteEngine | PostgresEngine:
    if database is None:
        return SqliteEngine(folder / "state" / "tasks.db", nobody, parts=parts)
    return PostgresEngine(address(database), nobody, parts=parts)


async def asked(one: SqliteEngine | PostgresEngine, sql: str) -> list[tuple[Any, ...]]:
    def act(_: Moment) -> Act[Sequence[Row]]:
        return rows(sql)

    return [tuple(found) for found in await one.read(act)]


def load(text: str, folder: Path, database: Database | None) -> None:
    """Have that database there."""
    if database is not None:
        database.sql(text)
        return
    path = folder / "state" / "tasks.db"
    path.parent.mkdir(mode=0o700)
    raw = sqlite3.connect(path)
    raw.executescript(text)
    raw.close()
    path.chmod(0o600)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_database_of_each_released_version_is_read_and_goes_on(
    version: int, kind: str, a_database: Database | None, tmp_path: Path
) -> None:
    load(released.file_of("tasks", version, kind).read_text(), tmp_path, a_database)
    async with opened(kind, tmp_path, a_database) as stand:
        every = {one.title: one for one in (await stand.store.list(TaskFilter())).tasks}
        assert {title: one.state for title, one in every.items()} == {
            "done": TaskState.DONE,
            "failed": TaskState.FAILED,
            "failed with it": TaskState.FAILED,
            "ambiguous": TaskState.AMBIGUOUS,
            "blocked": TaskState.BLOCKED,
            "cancelled": TaskState.CANCELLED,
            "running": TaskState.RUNNING,
            "queued": TaskState.QUEUED,
        }
        done = every["done"]
        assert (done.principal, done.result, done.labels) == (ADA, {"ok": True}, {"team": "blue"})
        assert (await stand.store.project(done.project)).spent == Usage(cost_micros=9)
        assert [one.result for one in await stand.store.steps(done.id)] == [{"exit": 0}]
        assert [one.content for one in await stand.store.transcript(done.id)] == ["hello ☂"]
        assert [one.name for one in await stand.store.agents()] == ["a1"]
        assert every["running"].progress.message == "half"
        await stand.store.settle(every["ambiguous"].id, done=True)
        for title in ("queued", "blocked"):
            claimed = await stand.claimed()
            assert claimed.task.title == title
            assert await stand.store.finish(claimed.lease, DONE) is TaskState.DONE


@pytest.mark.parametrize("version", VERSIONS)
def test_a_step_that_was_released_is_as_it_was(version: int) -> None:
    """What is kept of that version has the very tables that its steps make."""
    kept, made = (sqlite3.connect(":memory:") for _ in range(2))
    kept.executescript(released.file_of("tasks", version, "sqlite").read_text())
    for step in STEPS["tasks"][:version]:
        for statement in statements(step, "sqlite"):
            made.execute(statement)
    sql = "SELECT sql FROM sqlite_master WHERE name NOT LIKE '%wand_schema%' ORDER BY name"
    assert kept.execute(sql).fetchall() == made.execute(sql).fetchall()
    kept.close()
    made.close()


async def test_steps_are_taken_one_after_the_other_and_once(
    a_database: Database | None, tmp_path: Path
) -> None:
    for steps in ((FIRST,), (FIRST, SECOND), (FIRST, SECOND)):
        async with engine(tmp_path, a_database, {"probe": steps}) as one:
            version = await asked(one, "SELECT version FROM wand_schema WHERE part = 'probe'")
            assert version == [(len(steps),)]
    async with engine(tmp_path, a_database, {"probe": (FIRST, SECOND)}) as one:
        assert await asked(one, "SELECT a, b FROM probe") == [(1, "x")]


async def test_a_step_that_fails_leaves_everything_as_it_was(
    a_database: Database | None, tmp_path: Path
) -> None:
    async with engine(tmp_path, a_database, {"probe": (FIRST, SECOND)}):
        pass
    with pytest.raises(Unavailable, match="nowhere"):
        async with engine(tmp_path, a_database, {"probe": (FIRST, SECOND, BROKEN)}):
            pass
    async with engine(tmp_path, a_database, {"probe": (FIRST, SECOND)}) as one:
        assert await asked(one, "SELECT a, b FROM probe") == [(1, "x")]


async def test_a_newer_database_is_refused_and_says_both_versions(
    kind: str, a_database: Database | None, tmp_path: Path
) -> None:
    newer = {"tasks": (*STEPS["tasks"], *(FIRST,), *(SECOND,))}
    async with engine(tmp_path, a_database, newer):
        pass
    said = rf"version {len(STEPS['tasks']) + 2}, and this Wand knows {len(STEPS['tasks'])} at most"
    with pytest.raises(Unavailable, match=said) as refused:
        async with opened(kind, tmp_path, a_database):
            pass
    assert "newer Wand" in refused.value.hint


async def test_many_that_start_at_once_take_each_step_once(
    a_database: Database | None, tmp_path: Path
) -> None:
    several = [engine(tmp_path, a_database, {"probe": (FIRST, SECOND)}) for _ in range(4)]
    await asyncio.gather(*(one.__aenter__() for one in several))
    try:
        assert await asked(several[0], "SELECT a, b FROM probe") == [(1, "x")]
    finally:
        await asyncio.gather(*(one.close() for one in several))


def test_a_step_back_does_not_exist() -> None:
    act = migrate(Moment(0.0, lambda: 0.0), part="probe", steps=(FIRST,), dialect="sqlite")
    assert isinstance(next(act), Ask)
    act.send([])
    act.send([])
    with pytest.raises(Unavailable, match="version 2, and this Wand knows 1"):
        act.send([{"version": 2}])
