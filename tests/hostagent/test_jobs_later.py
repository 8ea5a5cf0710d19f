"""A job goes on without its call, how it ended outlives the host agent, and a full disk loses no job."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.elsewhere import Elsewhere
from support.fakelauncher import fake_launcher
from support.gates import fake_house, house
from support.people import ANN, job, shell
from support.places import short_folder
from support.waiting import until
from wand_hostagent.backends.base import Left
from wand_hostagent.daemon import _take_up
from wand_hostagent.dispatch import Begun, Recorded
from wand_hostagent.filesystem.model import Search
from wand_hostagent.jobs import Retention
from wand_hostagent.model import Event, Output, Reason
from wand_hostagent.policy.model import Rule, Verdict
from wand_hostagent.recording import Recording
from wand_hostagent.spool import Room, SpoolFolder
from wand_proto.errors import Exhausted, NotFound


async def all_of(events: AsyncIterator[Event]) -> list[Event]:
    async with asyncio.timeout(60):
        return [event async for event in events]


def text(events: list[Event]) -> bytes:
    return b"".join(one.data for one in events if isinstance(one, Output) and one.stream == "stdout")


def files(spool: Path) -> list[str]:
    """What jobs have left there."""
    return sorted(path.name for path in spool.iterdir() if path.name != "positions")


async def test_a_job_that_its_call_leaves_is_read_on_by_the_task_of_that_call(
    tmp_path: Path,
) -> None:
    async with fake_house() as (launcher, house):
        go = tmp_path / "go"
        asked = shell(f"echo one; until [ -e {go} ]; do sleep 0.01; done; echo two")
        call = asyncio.create_task(all_of(house.gate.run(ANN, asked)))
        await until(lambda: house.jobs.running and house.jobs.of("ann", asked.id).offsets()[0])

        assert house.gate.let_go(ANN, asked.id, call)
        go.touch()
        ended = await asyncio.wait_for(house.gate.wait(ANN, asked.id), 10)
        events = await call
        part = await house.gate.read_output(ANN, asked.id, "stdout", 0, 100)

        assert not house.gate.let_go(ANN, asked.id, call)  # it has ended
    assert (ended.reason, part.data) == (Reason.EXITED, b"one\ntwo\n")
    assert text(events) == b"one\n"  # and nothing more, nobody listens
    assert "job_left" in [event for event, _ in launcher.notes]


async def test_an_ended_job_is_kept_for_the_next_host_agent_as_long_as_for_this_one() -> None:
    with fake_launcher() as launcher, short_folder() as spool:
        asked = shell("head -c 100000 /dev/zero; exit 3")
        async with house(launcher.path, spool) as first:
            await all_of(first.gate.run(ANN, asked))
        async with house(launcher.path, spool) as second:
            (summary,) = second.gate.list_jobs(ANN)
            ended = await second.gate.wait(ANN, asked.id)
            part = await second.gate.read_output(ANN, asked.id, "stdout", 99_999, 10)
            with pytest.raises(NotFound):
                second.jobs.of("bob", asked.id)
        async with house(launcher.path, spool, retention=Retention(seconds=0)) as third:
            assert third.gate.list_jobs(ANN) == ()
        assert files(spool) == []

    assert (summary.running, summary.backend, summary.written) == (False, "native", (100_000, 0))
    assert (ended.exit_code, part.data, part.total_bytes) == (3, b"\0", 100_000)


async def test_an_end_that_cannot_be_read_is_none_and_goes() -> None:
    with fake_launcher() as launcher, short_folder() as spool:
        for name, content in (("j1.end", "{"), ("j2.end", "{}"), ("j3.end", '{"started": {"job": 1}}')):
            (spool / name).write_text(content)
        async with house(launcher.path, spool) as every:
            assert every.gate.list_jobs(ANN) == ()
            await until(lambda: not files(spool))


async def test_a_job_without_a_terminal_has_no_times() -> None:
    async with fake_house() as (_, house):
        asked = job("true")
        await all_of(house.gate.run(ANN, asked))
        with pytest.raises(NotFound, match="has no terminal"):
            await house.gate.read_output(ANN, asked.id, "times", 0, 10)


async def test_a_full_disk_loses_output_that_is_said_and_counted_and_no_job() -> None:
    with fake_launcher() as launcher, short_folder() as spool:
        async with house(launcher.path, spool, retention=Retention(disk_bytes=200_000)) as every:
            asked = shell("head -c 300000 /dev/zero; echo end >&2; exit 3")
            events = await all_of(every.gate.run(ANN, asked))
            ended = await every.gate.wait(ANN, asked.id)
            with pytest.raises(Exhausted, match="byte 100000 on could not be kept: at most 100000 bytes"):
                await every.gate.read_output(ANN, asked.id, "stdout", 100_000, 10)
            first = await every.gate.read_output(ANN, asked.id, "stdout", 99_999, 10)

    assert (len(text(events)), ended.exit_code, ended.stdout_bytes) == (300_000, 3, 300_000)
    assert (first.data, first.total_bytes) == (b"\0", 300_000)


async def test_whoever_watches_a_job_hears_at_once_of_more_and_of_its_end(tmp_path: Path) -> None:
    go = [tmp_path / name for name in ("more", "end")]
    waits = "until [ -e {} ]; do sleep 0.01; done"
    async with fake_house() as (_, house):
        asked = shell(f"echo one; {waits.format(go[0])}; echo two >&2; {waits.format(go[1])}")
        call = asyncio.create_task(all_of(house.gate.run(ANN, asked)))
        await until(lambda: house.jobs.running and house.jobs.of("ann", asked.id).offsets()[0])
        in_time = await house.gate.watch(ANN, asked.id, (4, 0), 0.01)
        heard = []
        for touched, known in zip(go, ((4, 0), (4, 4)), strict=True):
            watching = asyncio.create_task(house.gate.watch(ANN, asked.id, known, 60))
            await asyncio.sleep(0)
            touched.touch()
            heard.append(await asyncio.wait_for(watching, 20))
        await call

    assert (in_time, heard) == (((4, 0), True), [((4, 4), True), ((4, 4), False)])


async def test_a_terminal_elsewhere_that_is_taken_up_has_the_size_that_it_had() -> None:
    left = Left(job="j1", backend="moon", mark="m", principal="ann", is_terminal=True)
    with fake_launcher() as launcher, short_folder() as spool:
        times = SpoolFolder(spool, Room(10_000)).times("j1")
        before = Recording(times, (80, 24), time.time())
        before.begin()
        before.resized((132, 43))
        times.to_file()
        times.close()
        async with house(launcher.path, spool, retention=Retention(elsewhere=("j1",))) as second:
            second.jobs.take_up(left, Elsewhere("moon"))
            (summary,) = second.gate.list_jobs(ANN)

    assert (summary.job, summary.terminal) == ("j1", (132, 43))


@pytest.mark.parametrize("profile", ["theirs", ""])
async def test_what_a_job_elsewhere_wrote_is_searched_in_a_profile_of_ours(profile: str) -> None:
    elsewhere = Elsewhere("moon", profile=profile)
    rule = Rule(name="moon", verdict=Verdict.ALLOW, programs=("*",), backends=("moon",))
    async with fake_house(others=[elsewhere]) as (_, house):
        house.rules.rules = (rule,)
        asked = job("ls", backend="moon")
        await all_of(house.gate.run(ANN, asked))
        await house.gate.search_output(ANN, asked.id, "stdout", 0, Search(path="", pattern="moon"))

    assert [profile for profile, _ in house.files.asked] == ["developer"]


async def test_an_end_that_could_not_be_recorded_is_told_later_and_the_output_stays() -> None:
    with fake_launcher() as launcher, short_folder() as spool:
        asked = shell("head -c 100000 /dev/zero; exit 3")
        async with house(launcher.path, spool) as first:
            await all_of(first.gate.run(ANN, asked))
            left = Left(job=asked.id, backend="moon", mark="m", principal="ann")
            Begun(spool / "begun", first.link.record).note(left)  # as one does that is not told
        async with house(launcher.path, spool) as second:
            begun = Begun(spool / "begun", second.link.record)
            await _take_up(
                begun.left(), begun, [Recorded(Elsewhere("moon"), second.link.record, begun)], second.jobs
            )
            part = await second.gate.read_output(ANN, asked.id, "stdout", 99_999, 10)
            still_left = begun.left()

    (told,) = [fields for event, fields in launcher.records if event == "dispatch_end"]
    assert (told["job"], told["reason"], told["exit_code"]) == (asked.id, "exited", 3)
    assert (part.data, part.running, still_left) == (b"\0", False, [])
