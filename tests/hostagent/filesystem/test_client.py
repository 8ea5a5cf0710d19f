"""The host agent's side: workers are started warm, replaced when they fail, and none is left behind."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.fileworker import FakeLink, short_folder
from wand_hostagent.filesystem import client, wire
from wand_hostagent.filesystem.client import FileWorkers
from wand_hostagent.filesystem.model import List, Mode, Read, ReadAnswer, Search, Write, WriteAnswer
from wand_proto.errors import Ambiguous, Broken, Denied, Invalid, TimedOut, Unavailable


@asynccontextmanager
async def workers(ask_seconds: float = 30.0) -> AsyncIterator[tuple[FileWorkers, FakeLink, Path]]:
    with short_folder() as work:
        (work / "f").write_text("x")
        link = FakeLink([work])
        files = FileWorkers(link, ask_seconds=ask_seconds)
        try:
            yield files, link, work
        finally:
            await files.aclose()
            alive = [process for process in link.processes.values() if process.poll() is None]
            await link.aclose()
            assert alive == []


READ = Read(path="f")


async def test_a_worker_is_started_once_and_kept_warm() -> None:
    async with workers() as (files, link, work):
        for _ in range(3):
            answer = await files.use("developer", READ)
            assert isinstance(answer, ReadAnswer)
            assert answer.data == b"x"
        written = await files.use("developer", Write(path="g", data=b"y", mode=Mode.CREATE))
        assert isinstance(written, WriteAnswer)
        assert written.path == f"{work}/g"
        assert len(link.started) == 1
    assert link.released == link.started


async def test_which_folders_are_links_is_asked_once_and_again_after_a_new_worker() -> None:
    async with workers() as (files, link, work):
        link.write = [work / "link"]
        for number, folder in enumerate(("one", "two"), start=1):
            (work / folder).mkdir()
            (work / "link").unlink(missing_ok=True)
            (work / "link").symlink_to(folder)
            await files.use("developer", List(path=""))
            for _ in range(2):
                (found,) = await files.aliases("developer")
                assert (found.name, found.real) == (f"{work}/link", f"{work}/{folder}")
            assert len(link.started) == number
            link.processes[link.started[-1]].kill()
            await link.ending(link.started[-1])


async def test_a_profile_has_two_workers_at_most_and_never_anothers() -> None:
    async with workers() as (files, link, _):
        await asyncio.gather(*(files.use("one", READ) for _ in range(12)))
        assert len(link.started) == 2
        await files.use("two", READ)
        assert len(link.started) == 3


async def test_two_principals_never_share_a_worker_and_the_launcher_is_told_for_whom_it_is() -> None:
    async with workers() as (files, link, _):
        for principal in ("ann", "bob", "ann"):
            await files.use("developer", READ, principal=principal)
        assert [why["principal"] for why in link.reasons] == ["ann", "bob"]


async def test_the_workers_of_whoever_asked_longest_ago_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MOST_POOLS", 2)
    async with workers() as (files, link, _):
        for principal in ("ann", "bob", "ann", "eve"):
            await files.use("developer", READ, principal=principal)
        await link.ending(link.started[1])
        await files.use("developer", READ, principal="ann")
        assert [why["principal"] for why in link.reasons] == ["ann", "bob", "eve"]


async def test_a_refusal_arrives_as_its_class_and_the_worker_stays() -> None:
    async with workers() as (files, link, work):
        with pytest.raises(Denied, match=f"/etc/passwd is outside .*permitted are {work}"):
            await files.use("developer", Read(path="/etc/passwd"))
        await files.use("developer", READ)
        assert len(link.started) == 1


async def test_a_worker_that_died_while_idle_is_replaced_even_for_a_change() -> None:
    async with workers() as (files, link, work):
        await files.use("developer", READ)
        link.processes[link.started[0]].kill()
        await link.ending(link.started[0])

        await files.use("developer", Write(path="g", data=b"y", mode=Mode.CREATE))

        assert (work / "g").read_text() == "y"
        assert len(link.started) == 2


@asynccontextmanager
async def frozen(files: FileWorkers, link: FakeLink) -> AsyncIterator[int]:
    """The worker of "developer", stopped by a signal: it takes an ask and does not answer."""
    await files.use("developer", READ)
    process = link.processes[link.started[0]]
    os.kill(process.pid, signal.SIGSTOP)
    yield process.pid


async def killed_under(ask: Read | Write) -> tuple[object, int]:
    async with workers() as (files, link, _), frozen(files, link) as pid:
        using = asyncio.create_task(files.use("developer", ask))
        await turns()
        os.kill(pid, signal.SIGKILL)
        (done,) = await asyncio.gather(using, return_exceptions=True)
        return done, len(link.started)


async def turns() -> None:
    """Let the ask be sent: nothing on its way waits for anybody, so some turns of the loop are enough."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_read_is_asked_again_where_the_worker_dies_under_it() -> None:
    done, started = await killed_under(READ)

    assert isinstance(done, ReadAnswer)
    assert started == 2


async def test_a_change_whose_answer_is_lost_is_ambiguous_and_not_repeated() -> None:
    done, started = await killed_under(Write(path="g", data=b"y", mode=Mode.CREATE))

    assert isinstance(done, Ambiguous)
    assert started == 1


@pytest.mark.parametrize(
    ("ask", "kind"), [(READ, TimedOut), (Write(path="g", data=b"y", mode=Mode.CREATE), Ambiguous)]
)
async def test_a_worker_that_does_not_answer_is_killed_and_replaced(
    ask: Read | Write, kind: type[Exception]
) -> None:
    async with workers(ask_seconds=4) as (files, link, _), frozen(files, link):
        with pytest.raises(kind, match=r"did not answer within 4 s"):
            await files.use("developer", ask)
        assert link.abandoned == link.started
        await files.use("developer", READ)


async def test_a_cancelled_look_costs_the_worker_and_nothing_else() -> None:
    async with workers() as (files, link, work):
        await files.use("developer", READ)
        (work / "slow").write_text("a" * 64 + "!")
        using = asyncio.create_task(files.use("developer", Search(path="slow", pattern="(a+)+$")))
        await turns()
        using.cancel()
        await asyncio.gather(using, return_exceptions=True)

        await files.use("developer", READ)

        assert link.abandoned == link.started[:1]


async def test_what_looks_for_a_pattern_leaves_room_for_all_else() -> None:
    async with workers() as (files, link, work):
        (work / "slow").write_text("a" * 64 + "!")
        slow = [
            asyncio.create_task(files.use("developer", Search(path="slow", pattern="(a+)+$")))
            for _ in range(client.WORKERS + 1)
        ]
        await turns()

        await files.use("developer", READ)

        assert not any(one.done() for one in slow)
        said = await asyncio.gather(*slow, return_exceptions=True)
        assert [type(one) for one in said] == [TimedOut] * len(slow)
        assert len(link.started) == client.WORKERS + 1


async def test_a_cancelled_change_is_finished() -> None:
    async with workers() as (files, link, work), frozen(files, link) as pid:
        using = asyncio.create_task(files.use("developer", Write(path="g", data=b"y", mode=Mode.CREATE)))
        await turns()
        using.cancel()
        await asyncio.gather(using, return_exceptions=True)
        os.kill(pid, signal.SIGCONT)

        await files.aclose()

        assert using.cancelled()
        assert (work / "g").read_text() == "y"


async def test_a_launcher_that_cannot_start_one_is_told_as_it_is() -> None:
    async with workers() as (files, link, _):
        link.refuse = Denied("profile developer does not exist")
        with pytest.raises(Denied, match="does not exist"):
            await files.use("developer", READ)
        link.refuse = Ambiguous("the link broke")
        with pytest.raises(Unavailable, match="could not be started: the link broke"):
            await files.use("developer", READ)


async def test_what_is_too_large_is_refused_before_it_is_sent() -> None:
    async with workers() as (files, link, _):
        with pytest.raises(Invalid, match="the most is 4194304"):
            await files.use("developer", Write(path="g", data=bytes(4 * 1024 * 1024 + 1), mode=Mode.CREATE))
        assert link.started == []


async def test_after_the_close_nothing_is_started() -> None:
    async with workers() as (files, link, _):
        await files.aclose()
        with pytest.raises(Unavailable, match="stopping"):
            await files.use("developer", READ)
        assert link.started == []


@pytest.mark.parametrize(
    "says",
    [
        wire.LENGTHS.pack(2**32 - 1, 0),
        wire.LENGTHS.pack(2, 0) + b"[]",
        wire.pack(READ),
        wire.pack(WriteAnswer(path="f", total_bytes=0, sha256="")),
    ],
)
async def test_a_worker_that_talks_nonsense_is_not_believed_and_replaced(says: bytes) -> None:
    async with workers() as (files, link, _):
        link.instead = says
        with pytest.raises(Broken, match="the file tools"):
            await files.use("developer", READ)
        link.instead = b""
        assert isinstance(await files.use("developer", READ), ReadAnswer)
