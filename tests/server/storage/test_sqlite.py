"""What is SQLite's own: a disk that is full, a file that is others' too, a promise about the disk."""

from pathlib import Path

import pytest

from support.stores import DONE, opened, task
from wand_proto.errors import Denied, Exhausted, Unavailable
from wand_server.lifecycle import TaskState
from wand_server.storage.sqlite import SqliteEngine


def limited(pages: int) -> str:
    return f"PRAGMA max_page_count = {pages}"


async def test_a_disk_that_is_full_refuses_and_keeps_what_it_has(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path, None) as stand:
        assert isinstance(stand.engine, SqliteEngine)
        before = await stand.submitted()
        await stand.engine._writer.run(lambda raw: raw.execute(limited(1)).fetchall())
        large = [task(work={"x": "y" * 100_000}) for _ in range(20)]
        with pytest.raises(Exhausted, match="no room"):
            await stand.store.submit(large)
        await stand.engine._writer.run(lambda raw: raw.execute(limited(2**30)).fetchall())
        assert sum((await stand.store.counts()).values()) == 1
        assert (await stand.store.get(before)).state is TaskState.QUEUED
        claimed = await stand.claimed()
        assert await stand.store.finish(claimed.lease, DONE) is TaskState.DONE


async def test_every_word_is_flushed(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path, None) as stand:
        assert isinstance(stand.engine, SqliteEngine)
        for pragma, value in (("synchronous", 2), ("journal_mode", "wal")):
            sql = f"PRAGMA {pragma}"
            found = await stand.engine._writer.run(lambda raw, sql=sql: raw.execute(sql).fetchone()[0])  # type: ignore[misc]
            assert found == value


async def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path, None):
        pass
    (tmp_path / "state" / "tasks.db").chmod(0o644)
    with pytest.raises(Denied, match="read by others"):
        async with opened("sqlite", tmp_path, None):
            pass


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tasks.db"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"no database, but long enough to be taken for one" * 100)
    path.chmod(0o600)
    with pytest.raises(Unavailable, match="cannot be used"):
        async with opened("sqlite", tmp_path, None):
            pass


async def test_a_store_that_is_closed_says_so(tmp_path: Path) -> None:
    async with opened("sqlite", tmp_path, None) as stand:
        name = await stand.submitted()
    with pytest.raises(Unavailable, match="closed"):
        await stand.store.submit([task()])
    with pytest.raises(Unavailable):
        await stand.store.get(name)
