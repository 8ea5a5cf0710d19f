"""Jobs have slots, are followed and read on, are kept for a while, and are found again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from support.fakelauncher import fake_launcher
from support.gates import House, fake_house, house
from support.people import ANN, BOB, job, shell
from support.places import short_folder
from support.waiting import open_files, until
from wand_hostagent import jobs
from wand_hostagent.jobs import Retention
from wand_hostagent.model import Event, Exited, Job, Output, Reason, Started
from wand_hostagent.spool import MEMORY_BYTES
from wand_proto.errors import Conflict, Exhausted, NotFound


async def all_of(events: AsyncIterator[Event]) -> list[Event]:
    async with asyncio.timeout(60):
        return [event async for event in events]


def text(events: list[Event], stream: str = "stdout") -> bytes:
    return b"".join(one.data for one in events if isinstance(one, Output) and one.stream == stream)


def files(spool: Path) -> dict[str, os.stat_result]:
    """What jobs have left there."""
    return {path.name: path.stat() for path in spool.iterdir() if path.name != "positions"}


def spooled_bytes(spool: Path) -> int:
    """What jobs wrote takes so much; how they ended takes little beside it."""
    return sum(about.st_size for name, about in files(spool).items() if not name.endswith(".end"))


def gated(gate: Path, **parts: Any) -> Job:
    """A job that says one, and two when that file is there."""
    return shell(f"echo one; until [ -e {gate} ]; do sleep 0.01; done; echo two", **parts)


async def detached(house: House, asked: Job) -> Started:
    async with aclosing(house.gate.run(ANN, asked)) as events:
        started = await anext(events)
    assert isinstance(started, Started)
    return started


async def test_no_more_jobs_run_than_may_and_a_slot_is_free_after_each() -> None:
    async with fake_house(max_jobs=1) as (launcher, house):
        async with aclosing(house.gate.run(ANN, job("sleep", "60"))) as events:
            await anext(events)
            with pytest.raises(Exhausted, match="1 jobs run already") as caught:
                await all_of(house.gate.run(ANN, job("true")))
        for asked in (job("true"), job("no-such-program"), job("rm"), job("true")):
            await asyncio.gather(all_of(house.gate.run(ANN, asked)), return_exceptions=True)

        assert house.jobs.running == 0
    assert "max_jobs" in caught.value.hint
    assert len(launcher.runs) == 4


async def test_an_id_that_is_taken_is_a_conflict() -> None:
    async with fake_house() as (_, house):
        asked = job("true")
        await all_of(house.gate.run(ANN, asked))
        with pytest.raises(Conflict):
            await all_of(house.gate.run(ANN, asked))


async def test_a_job_that_never_started_is_not_kept() -> None:
    async with fake_house() as (_, house):
        asked = job("no-such-program")
        with pytest.raises(NotFound):
            await all_of(house.gate.run(ANN, asked))

        assert house.gate.list_jobs(ANN) == ()


@pytest.mark.parametrize("size", [0, 1, MEMORY_BYTES, MEMORY_BYTES + 1, 3_000_000])
async def test_what_a_job_wrote_is_read_on_whatever_its_size(size: int) -> None:
    async with fake_house() as (_, house):
        asked = shell(f"head -c {size} /dev/zero | tr '\\0' x; echo err >&2")
        await all_of(house.gate.run(ANN, asked))
        parts, offset = [], 0
        while (part := await house.gate.read_output(ANN, asked.id, "stdout", offset, 100_000)).data:
            parts.append(part.data)
            offset += len(part.data)
        errors = await house.gate.read_output(ANN, asked.id, "stderr", 0, 100)

    assert b"".join(parts) == b"x" * size
    assert (part.total_bytes, part.running) == (size, False)
    assert errors.data == b"err\n"


async def test_little_output_makes_no_file_and_much_makes_one_that_is_ours_alone() -> None:
    with fake_launcher() as launcher, short_folder() as spool:
        async with house(launcher.path, spool) as every:
            await all_of(every.gate.run(ANN, shell("echo out")))
            assert files(spool) == {}
            asked = shell(f"head -c {MEMORY_BYTES + 1} /dev/zero")
            await all_of(every.gate.run(ANN, asked))
            made = files(spool)
        assert files(spool).keys() == made.keys()  # for the next host agent

    assert made.keys() == {f"{asked.id}.stdout", f"{asked.id}.end"}
    assert {about.st_mode & 0o777 for about in made.values()} == {0o600}


async def test_a_running_job_is_followed_by_others_from_where_they_say(tmp_path: Path) -> None:
    async with fake_house() as (_, house):
        asked = gated(tmp_path / "go")
        running = asyncio.create_task(all_of(house.gate.run(ANN, asked)))
        await until(lambda: house.jobs.running and house.jobs.of("ann", asked.id).offsets()[0])
        followed = [asyncio.create_task(all_of(house.gate.attach(ANN, asked.id, at, 0))) for at in (0, 4)]
        await asyncio.sleep(0)  # both have asked
        (tmp_path / "go").touch()
        parts = await asyncio.gather(*followed)
        events = await running

    assert [text(one) for one in parts] == [b"one\ntwo\n", b"two\n"]
    assert [one[-1] for one in parts] == [events[-1]] * 2


async def test_following_can_stop_without_harm_to_the_job(tmp_path: Path) -> None:
    async with fake_house() as (_, house):
        asked = gated(tmp_path / "go")
        running = asyncio.create_task(all_of(house.gate.run(ANN, asked)))
        await until(lambda: house.jobs.running)
        async with aclosing(house.gate.attach(ANN, asked.id, 0, 0)) as events:
            await anext(events)
        (tmp_path / "go").touch()

        assert text(await running) == b"one\ntwo\n"


async def test_a_detached_job_outlives_its_call(tmp_path: Path) -> None:
    async with fake_house() as (_, house):
        asked = gated(tmp_path / "go", detached=True)
        await detached(house, asked)
        (summary,) = house.gate.list_jobs(ANN)
        (tmp_path / "go").touch()
        ended = await asyncio.wait_for(house.gate.wait(ANN, asked.id), 10)
        part = await house.gate.read_output(ANN, asked.id, "stdout", 0, 100)

    assert (summary.running, summary.exited) == (True, None)
    assert (ended.reason, ended.stdout_bytes, part.data) == (Reason.EXITED, 8, b"one\ntwo\n")


async def test_a_detached_job_that_cannot_start_says_why() -> None:
    async with fake_house() as (_, house):
        with pytest.raises(NotFound):
            await all_of(house.gate.run(ANN, job("no-such-program", detached=True)))

        assert house.jobs.running == 0


async def test_ended_jobs_go_by_count_oldest_first() -> None:
    async with fake_house(retention=Retention(jobs=2)) as (_, house):
        asked = [job("echo", str(number)) for number in range(4)]
        for one in asked:
            await all_of(house.gate.run(ANN, one))

        assert [one.job for one in house.gate.list_jobs(ANN)] == [asked[3].id, asked[2].id]


async def test_who_runs_many_jobs_crowds_out_nobody_elses() -> None:
    async with fake_house(retention=Retention(jobs=3)) as (_, house):
        one, other = job("echo", "1"), [job("echo", str(number)) for number in range(6)]
        await all_of(house.gate.run(BOB, one))
        for each in other:
            await all_of(house.gate.run(ANN, each))

        assert [each.job for each in house.gate.list_jobs(BOB)] == [one.id]
        assert [each.job for each in house.gate.list_jobs(ANN)] == [other[5].id, other[4].id]


async def test_who_prints_much_crowds_out_nobody_elses_output() -> None:
    async with fake_house(retention=Retention(disk_bytes=250_000)) as (_, house):
        one = job("head", "-c", "70000", "/dev/zero")
        await all_of(house.gate.run(BOB, one))
        for _ in range(4):
            await all_of(house.gate.run(ANN, job("head", "-c", "100000", "/dev/zero")))

        assert (await house.gate.read_output(BOB, one.id, "stdout", 69_999, 9)).data == b"\0"
        assert len(house.gate.list_jobs(ANN)) == 1


async def test_ended_jobs_go_by_what_they_take_on_disk() -> None:
    with fake_launcher() as launcher, short_folder() as spool:
        async with house(launcher.path, spool, retention=Retention(disk_bytes=250_000)) as every:
            for _ in range(4):
                await all_of(every.gate.run(ANN, job("head", "-c", "100000", "/dev/zero")))
            kept = spooled_bytes(spool)

            assert len(every.gate.list_jobs(ANN)) == 2
    assert kept == 200_000


async def test_ended_jobs_go_by_age() -> None:
    async with fake_house(retention=Retention(seconds=0.0)) as (_, house):
        await all_of(house.gate.run(ANN, job("true")))
        await all_of(house.gate.run(ANN, job("true")))

        assert len(house.gate.list_jobs(ANN)) <= 1


async def test_a_restarted_host_agent_finds_its_detached_jobs_again() -> None:
    before = open_files()
    asked = shell("echo one; read line < /dev/null; sleep 60", detached=True)
    with fake_launcher() as launcher, short_folder() as spool:
        async with house(launcher.path, spool) as first:
            await detached(first, asked)
            await until(lambda: first.jobs.of("ann", asked.id).offsets()[0] == 4)
        async with house(launcher.path, spool) as second:
            (summary,) = second.gate.list_jobs(ANN)
            await second.gate.signal(ANN, asked.id, signal.SIGTERM)
            events = await all_of(second.gate.attach(ANN, asked.id, 0, 0))
            await until(lambda: not launcher.jobs)
    assert not open_files() - before

    assert (summary.job, summary.running) == (asked.id, True)
    assert text(events) == b"one\n"
    assert isinstance(events[-1], Exited)
    assert (events[-1].reason, events[-1].stdout_bytes) == (Reason.SIGNALED, 4)


async def test_what_a_job_wrote_while_no_host_agent_was_there_is_found(tmp_path: Path) -> None:
    asked = gated(tmp_path / "go", detached=True)
    with fake_launcher() as launcher, short_folder() as spool:
        async with house(launcher.path, spool) as first:
            await detached(first, asked)
        (tmp_path / "go").touch()
        await until(lambda: launcher.jobs[asked.id].exited)
        async with house(launcher.path, spool) as second:
            events = await all_of(second.gate.attach(ANN, asked.id, 0, 0))
            await until(lambda: not launcher.jobs)

    assert text(events) == b"one\ntwo\n"


async def test_output_that_died_with_a_host_agent_shifts_none_of_the_rest() -> None:
    with fake_launcher() as launcher, short_folder() as spool:
        gate = spool / "gate"
        os.mkfifo(gate)
        asked = shell(f"echo one; read line < {gate}; echo two", detached=True)
        async with house(launcher.path, spool) as first:
            await detached(first, asked)
            await until(lambda: first.jobs.of("ann", asked.id).offsets()[0] == 4)
        (spool / f"{asked.id}.stdout").unlink()
        async with house(launcher.path, spool) as second:
            following = asyncio.create_task(all_of(second.gate.attach(ANN, asked.id, 4, 0)))
            await asyncio.to_thread(gate.write_text, "go\n")
            events = await following

    assert text(events) == b"two\n"
    assert isinstance(events[-1], Exited)
    assert events[-1].stdout_bytes == 8


async def test_a_job_whose_call_broke_off_ends_unless_somebody_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "ALONE_SECONDS", 0.2)
    left, wanted, meant_to_stay = (shell("sleep 60", detached=True) for _ in range(3))
    with fake_launcher() as launcher, short_folder() as spool:
        async with house(launcher.path, spool) as first:
            for asked in (left, wanted, meant_to_stay):
                await detached(first, asked)
        for asked in (left, wanted):
            del launcher.jobs[asked.id].asked["why"]["detached"]
        async with house(launcher.path, spool) as second:
            async with aclosing(second.gate.attach(ANN, wanted.id, 0, 0)) as events:
                await anext(events)
                await until(lambda: left.id not in launcher.jobs)
                ended = await second.gate.wait(ANN, left.id)
                assert wanted.id in launcher.jobs
            await until(lambda: list(launcher.jobs) == [meant_to_stay.id])

    assert ended.reason is Reason.CANCELLED


async def test_ended_jobs_make_way_for_one_that_runs() -> None:
    async with fake_house(retention=Retention(disk_bytes=250_000)) as (_, house):
        old, new = (job("head", "-c", "100000", "/dev/zero") for _ in range(2))
        await all_of(house.gate.run(ANN, old))
        await all_of(house.gate.run(ANN, new))
        await all_of(house.gate.run(ANN, shell("head -c 100000 /dev/zero >&2")))

        with pytest.raises(NotFound):
            house.jobs.of("ann", old.id)
        assert (await house.gate.read_output(ANN, new.id, "stdout", 99_999, 9)).data == b"\0"


async def test_a_job_that_writes_without_end_fills_its_part_of_the_disk_and_no_more() -> None:
    with fake_launcher() as launcher, short_folder() as spool:
        async with house(launcher.path, spool, retention=Retention(disk_bytes=250_000)) as every:
            asked = [shell("head -c 3000000 /dev/zero; echo the end >&2") for _ in range(2)]
            events = await all_of(every.gate.run(ANN, asked[0]))
            await all_of(every.gate.run(ANN, asked[1]))
            kept = spooled_bytes(spool)
            again = await all_of(every.gate.attach(ANN, asked[0].id, 0, 0))

    assert (len(text(events)), text(again, "stderr")) == (3_000_000, b"the end\n")
    assert (len(text(again)), kept) == (125_000, 250_000)


async def test_what_is_left_of_forgotten_jobs_is_removed_at_the_start() -> None:
    with fake_launcher() as launcher, short_folder() as spool:
        (spool / "old.stdout").write_text("old")
        (spool / "note.txt").write_text("not ours")
        async with house(launcher.path, spool):
            left = list(files(spool))

    assert left == ["note.txt"]


async def test_a_lost_launcher_ends_every_job_and_a_new_one_is_used() -> None:
    async with fake_house() as (launcher, house):
        asked = shell("echo one; sleep 60", detached=True)
        await detached(house, asked)
        launcher.die()
        ended = await asyncio.wait_for(house.gate.wait(ANN, asked.id), 10)
        launcher.listen()
        await asyncio.wait_for(house.link.next_connection(1), 10)
        events = await all_of(house.gate.run(ANN, job("echo", "again")))

    assert ended.reason is Reason.LOST
    assert text(events) == b"again\n"


async def test_a_job_that_was_declared_lost_and_lives_is_ended() -> None:
    async with fake_house() as (launcher, house):
        asked = job("sleep", "60", detached=True)
        await detached(house, asked)
        launcher.hang_up()
        ended = await asyncio.wait_for(house.gate.wait(ANN, asked.id), 10)
        await until(lambda: not launcher.jobs)

    assert ended.reason is Reason.LOST


async def test_a_spool_that_fails_costs_the_kept_output_and_not_the_job() -> None:
    asked = job("head", "-c", "200000", "/dev/zero")
    with fake_launcher() as launcher, short_folder() as spool:
        async with house(launcher.path, spool) as every:
            (spool / f"{asked.id}.stdout").mkdir()
            events = await all_of(every.gate.run(ANN, asked))
            (spool / f"{asked.id}.stdout").rmdir()
            with pytest.raises(Exhausted, match="could not be kept: Is a directory"):
                await every.gate.read_output(ANN, asked.id, "stdout", 0, 100)

    assert len(text(events)) == 200_000
