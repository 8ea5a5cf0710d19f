"""The store that the settings want."""

import stat
from pathlib import Path

import pytest

from support.postgres import Database
from support.released import file_of
from support.stores import task
from wand_proto.errors import Invalid, NotFound, Unavailable
from wand_server import settings, taskstore
from wand_server.ports import News
from wand_server.settings import Settings
from wand_server.storage.schema import STEPS


def read(folder: Path, text: str) -> Settings:
    file = folder / "server.toml"
    file.write_text(text)
    return settings.load(file, {})


async def kept(told: Settings) -> None:
    """That a store opens, keeps a task, and tells the bus."""
    async with taskstore.opened(told) as (store, bus), bus.listen(frozenset({News.READY})) as wakes:
        (one,) = await store.submit([task()])
        assert (await anext(wakes)).task == one.id
    async with taskstore.opened(told) as (store, _):
        assert (await store.get(one.id)).gone_at is None
        await store.cancel(one.id)
        ended = await store.get(one.id)
        assert ended.gone_at is not None
        assert ended.gone_at - ended.created < 120


async def test_without_a_word_tasks_are_in_a_file_of_the_state_that_is_ours_alone(tmp_path: Path) -> None:
    told = read(tmp_path, "[state]\nfolder = 'state'\n[tasks]\nkeep_seconds = 60\n")
    await kept(told)
    assert stat.S_IMODE((tmp_path / "state" / "tasks.db").stat().st_mode) == 0o600


async def test_another_file_can_be_named(tmp_path: Path) -> None:
    await kept(read(tmp_path, f"[tasks]\ndatabase = 'sqlite:{tmp_path}/x/own.db'\nkeep_seconds = 60\n"))
    assert (tmp_path / "x" / "own.db").exists()


async def test_postgresql_is_reached_with_the_password_of_a_file(tmp_path: Path, database: Database) -> None:
    (tmp_path / "secret").write_text(database.password + "\n")
    url = f"postgresql://{database.user}@{database.host}:{database.port}/{database.name}"
    text = f"[tasks]\ndatabase = '{url}'\npassword = 'file:{tmp_path}/secret'\nkeep_seconds = 60\n"
    await kept(read(tmp_path, text))
    (tmp_path / "secret").write_text("wrong")
    with pytest.raises(Unavailable) as refused:
        async with taskstore.opened(read(tmp_path, text)):
            pass
    assert "password authentication failed" in str(refused.value)
    assert "wrong" not in str(refused.value)


async def test_what_is_there_is_told_and_nothing_made_for_it(tmp_path: Path) -> None:
    told = read(tmp_path, "[state]\nfolder = 'state'\n")
    assert await taskstore.summary(told) == f"{tmp_path}/state/tasks.db, which is made at the start"
    assert not (tmp_path / "state").exists()
    async with taskstore.opened(told) as (store, _):
        await store.submit([task()])
        said = await taskstore.summary(told)
    assert said == f"{tmp_path}/state/tasks.db, version {len(STEPS['tasks'])} of the tables, 1 queued"


async def test_a_database_is_looked_at_and_left_as_it_is(tmp_path: Path, database: Database) -> None:
    (tmp_path / "secret").write_text(database.password)
    url = f"postgresql://{database.user}@{database.host}:{database.port}/{database.name}"
    told = read(tmp_path, f"[tasks]\ndatabase = '{url}'\npassword = 'file:{tmp_path}/secret'\n")
    assert await taskstore.summary(told) == f"{url}, nothing yet: its tables are made at the start"
    database.sql(file_of("tasks", 1, "postgres").read_text())
    said = await taskstore.summary(told)
    assert said == f"{url}, tables of version 1, brought to {len(STEPS['tasks'])} at the start"
    database.sql("UPDATE wand_schema SET version = 99")
    with pytest.raises(Unavailable, match="version 99, and this Wand knows"):
        await taskstore.summary(told)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("database = 'mysql://x/y'", "must be sqlite"),
        ("database = 'postgresql://ada:hunter2@db/wand'", "must not hold the password"),
        ("database = 'postgresql://ada@db'", "must be sqlite"),
        ("keep_seconds = -1", "keep_seconds"),
    ],
)
def test_what_names_no_database_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read(tmp_path, f"[tasks]\n{text}\n")


async def test_a_password_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    told = read(tmp_path, "[tasks]\ndatabase = 'postgresql://a@127.0.0.1:1/b'\npassword = 'file:/none'\n")
    with pytest.raises(NotFound):
        async with taskstore.opened(told):
            pass


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    told = read(tmp_path, "[tasks]\ndatabase = 'postgresql://a@127.0.0.1:1/b'\n")
    with pytest.raises(Unavailable, match="cannot be reached"):
        async with taskstore.opened(told):
            pass
