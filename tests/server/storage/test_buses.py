"""Wakes: who hears which, in this process and in others, and what happens when the way is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.postgres import Database
from support.stores import address, opened, task
from wand_server.ports import News, TaskBus, Wake
from wand_server.storage import notifying
from wand_server.storage.buses import InProcessBus, Listener
from wand_server.storage.notifying import NotifyBus
from wand_server.storage.watching import FileBus, written_to

READY, CHANGED, CANCEL = (frozenset({news}) for news in (News.READY, News.CHANGED, News.CANCEL))
GPU = frozenset({"gpu"})


async def heard(wakes: AsyncIterator[Wake]) -> Wake:
    return await asyncio.wait_for(anext(wakes), 20)


async def nothing_left(wakes: AsyncIterator[Wake], bus: TaskBus) -> None:
    """That one hears nothing before what is told now."""
    last = Wake(news=News.CANCEL, task="the last")
    await bus.publish([last])
    assert await heard(wakes) == last


@pytest.fixture
async def bus(kind: str, a_database: Database | None, tmp_path: Path) -> AsyncIterator[TaskBus]:
    async with opened(kind, tmp_path, a_database):  # a file, that it can be watched
        one = NotifyBus(address(a_database)) if a_database else FileBus(tmp_path / "state" / "tasks.db")
        async with one:
            yield one


async def test_of_those_who_are_able_each_ready_task_wakes_one_in_turn(bus: TaskBus) -> None:
    both, wakes = READY | CANCEL, [Wake(news=News.READY, task=str(n)) for n in range(4)]
    async with bus.listen(both, frozenset()) as first, bus.listen(both, GPU) as second:
        await bus.publish(wakes)
        got = [await heard(first), await heard(first), await heard(second), await heard(second)]
        assert {one.task for one in got} == {"0", "1", "2", "3"}
        only = Wake(news=News.READY, task="5", needs=GPU)
        await bus.publish([only])
        assert await heard(second) == only
        await nothing_left(first, bus)


async def test_a_cancel_and_a_change_are_heard_by_all_who_asked_for_them(bus: TaskBus) -> None:
    cancel, change = Wake(news=News.CANCEL, task="1"), Wake(news=News.CHANGED, task="1")
    async with bus.listen(CANCEL, GPU) as first, bus.listen(CANCEL | CHANGED) as second:
        await bus.publish([change, cancel])
        assert [await heard(second), await heard(second)] == [change, cancel]
        assert await heard(first) == cancel


async def test_a_listener_that_is_left_hears_no_more_and_a_closed_bus_ends_all(bus: TaskBus) -> None:
    async with bus.listen(CHANGED) as waiting:
        async with bus.listen(CHANGED) as left:
            pass
        await bus.publish([Wake(news=News.CHANGED, task="1")])
        await bus.close()
        assert [one.task async for one in waiting] == ["1"]
    assert isinstance(left, Listener)
    assert not left.kept


async def test_who_does_not_read_keeps_the_newest_only() -> None:
    bus = InProcessBus()
    async with bus.listen(CHANGED) as wakes:
        await bus.publish([Wake(news=News.CHANGED, task=str(n)) for n in range(5000)])
        await bus.close()
        got = [one.task async for one in wakes]
    assert (len(got), got[-1]) == (1024, "4999")


async def test_a_wake_reaches_another_connection_to_the_database(database: Database) -> None:
    sent = [Wake(news=News.CHANGED, task=f"{n:0100}") for n in range(300)]  # more than one payload holds
    sent.append(Wake(news=News.READY, task="x", needs=frozenset({"gpu", "shell"})))
    where = address(database)
    async with NotifyBus(where) as here, NotifyBus(where) as there, there.listen(CHANGED | READY) as wakes:
        await here.publish(sent)
        assert [await heard(wakes) for _ in sent] == sent


async def test_what_is_told_soon_after_a_message_goes_in_one_and_at_the_latest_at_the_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "_TOGETHER_SECONDS", 60)
    where, several = address(database), [Wake(news=News.CHANGED, task=str(n)) for n in range(20)]
    messages: list[object] = []
    async with NotifyBus(where) as there, there.listen(CHANGED) as wakes:
        assert there._connection is not None
        await there._connection.add_listener(notifying.CHANNEL, lambda *told: messages.append(told))
        async with NotifyBus(where) as here:
            await here.publish(several[:1])
            assert await heard(wakes) == several[0]
            for one in several[1:]:
                await here.publish([one])
                await asyncio.sleep(0)
        told: list[Wake] = []
        while several[-1] not in told:  # the first too, where its sender did not know yet that it had gone
            told.append(await heard(wakes))
        assert told[-len(several) + 1 :] == several[1:]
    assert len(messages) == 2


async def test_a_bus_whose_connection_was_ended_has_all_look_and_goes_on(database: Database) -> None:
    where = address(database)
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wand-bus'"
    async with NotifyBus(where) as here, NotifyBus(where) as there, there.listen(READY | CANCEL) as wakes:
        database.sql(ended)
        assert await heard(wakes) == Wake(news=News.READY, task="")
        again = Wake(news=News.CANCEL, task="7")
        await here.publish([again])
        assert await heard(wakes) == again


async def test_what_is_no_wake_is_passed_over(database: Database) -> None:
    async with NotifyBus(address(database)) as bus, bus.listen(CANCEL) as wakes:
        for payload in ("", "null", "[]", '["n",["none","x"]]', '["n",7]', '["n",["cancel"]]'):
            database.sql(f"SELECT pg_notify('wand_tasks', '{payload}')")
        database.sql("""SELECT pg_notify('wand_tasks', '["n",["cancel","9"]]')""")
        assert await heard(wakes) == Wake(news=News.CANCEL, task="9")


async def test_a_file_that_another_process_changes_has_all_look(tmp_path: Path) -> None:
    async with (
        opened("sqlite", tmp_path, None) as stand,
        FileBus(tmp_path / "state" / "tasks.db", 0.01) as bus,
        bus.listen(READY) as wakes,
    ):
        first = asyncio.ensure_future(heard(wakes))
        while not first.done():  # the first look sees no difference, whenever it is
            await stand.store.submit([task()])
            await asyncio.sleep(0)
        assert first.result() == Wake(news=News.READY, task="")


async def test_who_writes_to_a_file_is_noticed_and_who_reads_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a")
    with written_to(path) as written:
        assert path.read_text() == "a"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(written.wait(), 0.05)
        path.write_text("b")
        await asyncio.wait_for(written.wait(), 20)
    with pytest.raises(FileNotFoundError), written_to(tmp_path / "none"):
        pass
