"""The tables of notes: brought to this version, and refused where they are of a later one."""

import sqlite3
from pathlib import Path

import pytest

from support.notes import ANN, engine_of, notes_on
from support.postgres import Database
from wand_proto.errors import Unavailable
from wand_server import keeping
from wand_server.memory import tables
from wand_server.ports import NewNote
from wand_server.settings import Settings
from wand_server.settings.kept import State
from wand_server.settings.work import Tasks


async def test_notes_are_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    async with engine_of("sqlite", tmp_path, None) as engine, notes_on(engine) as notes:
        await notes.remember(ANN, NewNote(text="tabs"))
    async with engine_of("sqlite", tmp_path, None) as engine, notes_on(engine) as notes:
        assert [one.text for one in (await notes.recall(ANN, "tabs", "")).notes] == ["tabs"]


async def test_tables_of_a_later_wand_are_refused(tmp_path: Path) -> None:
    async with engine_of("sqlite", tmp_path, None):
        pass
    with sqlite3.connect(tmp_path / "memory.db") as raw:
        raw.execute("UPDATE wand_schema SET version = 99 WHERE part = 'memory'")
    raw.close()
    with pytest.raises(Unavailable, match=f"{len(tables.STEPS['sqlite'])} at most"):
        async with engine_of("sqlite", tmp_path, None):
            pass


def test_each_kind_of_database_has_as_many_steps_as_the_other() -> None:
    assert len({len(steps) for steps in tables.STEPS.values()}) == 1


async def test_notes_are_in_postgresql_where_tasks_are(database: Database, tmp_path: Path) -> None:
    (secret := tmp_path / "password").write_text(database.password)
    secret.chmod(0o600)
    url = f"postgresql://{database.user}@{database.host}:{database.port}/{database.name}"
    tasks = Tasks(database=url, password=f"file:{secret}")
    async with keeping.opened(Settings(tasks=tasks, state=State(folder=tmp_path / "state"))) as kept:
        assert kept.memory is not None
        await kept.memory.remember(ANN, NewNote(text="tabs"))
    assert database.sql("SELECT text FROM note") == "tabs"
    assert database.sql("SELECT part, version FROM wand_schema") == "memory|1"
