"""The link asks, is answered, survives the launcher, and leaks nothing."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.fakelauncher import FakeLauncher, linked
from support.waiting import open_files, until
from wand_hostagent.backends.streams import Pipes
from wand_hostagent.launcherlink import LauncherLink
from wand_hostagent.model import Limits, Reason
from wand_hostagent.reports import RunRequest, StartedReport
from wand_hostagent.seqpacket import close_all
from wand_proto.errors import Ambiguous, Denied, Invalid, NotFound, TimedOut, Unavailable


def asking(*argv: str, job: str = "j1", environment: dict[str, str] | None = None) -> RunRequest:
    return RunRequest(
        job=job,
        profile="developer",
        argv=argv,
        directory="/",
        environment=environment or {},
        limits=Limits(wall_seconds=30),
        why={"principal": "ann"},
    )


async def start(link: LauncherLink, request: RunRequest) -> StartedReport:
    with Pipes(with_stdin=False) as pipes:
        return await link.run(request, pipes.to_hand_over())


async def test_a_run_is_started_and_its_end_is_told() -> None:
    async with linked() as (launcher, link):
        started = await start(link, asking("sh", "-c", "exit 3"))
        ended = await asyncio.wait_for(link.ending("j1"), 10)

    assert (started.job, started.limits.wall_seconds) == ("j1", 30)
    assert (ended.reason, ended.exit_code) == (Reason.EXITED, 3)
    assert launcher.runs[0]["why"] == {"principal": "ann"}


async def test_a_start_and_an_end_may_come_in_one_message() -> None:
    async with linked() as (launcher, link):
        launcher.is_slow = True
        started = await start(link, asking("sh", "-c", "exit 3"))
        assert link.ending("j1").result().exit_code == 3

    assert (started.job, started.limits.wall_seconds) == ("j1", 30)


async def test_a_failure_comes_back_as_the_class_that_the_launcher_named() -> None:
    async with linked() as (launcher, link):
        launcher.fails["record"] = Denied("no", hint="yes", field="event")
        with pytest.raises(Denied, match="no") as caught:
            await link.record("file", {})
        with pytest.raises(NotFound):
            await start(link, asking("no-such-program"))

    assert (caught.value.hint, caught.value.field) == ("yes", "event")


async def test_who_finds_no_launcher_is_told_where_to_look(tmp_path: Path) -> None:
    async with LauncherLink.open(tmp_path / "nobody", hint="over there") as link:
        with pytest.raises(Unavailable) as caught:
            await link.record("file", {})

    assert caught.value.hint == "over there"


async def test_a_message_that_is_too_large_is_invalid_and_the_link_stays_up() -> None:
    async with linked() as (_, link):
        with pytest.raises(Invalid) as caught:
            await start(link, asking("true", environment={f"V{number}": "x" * 60_000 for number in range(4)}))
        await link.record("file", {"text": ["y" * 50_000] * 3})
        assert link.is_up

    assert caught.value.field == "argv"


async def test_a_full_socket_is_waited_for() -> None:
    async with linked() as (launcher, link):
        await asyncio.gather(*(link.record("file", {"n": n, "text": "y" * 60_000}) for n in range(40)))

    assert [fields["n"] for _, fields in launcher.records] == list(range(40))


async def test_a_lost_link_fails_who_waits_and_tells_running_jobs_that_they_are_lost() -> None:
    async with linked() as (launcher, link):
        await start(link, asking("sleep", "60"))
        launcher.silent |= {"record", "run"}
        record = asyncio.create_task(link.record("file", {}))
        run = asyncio.create_task(start(link, asking("sleep", "60", job="j2")))
        await until(lambda: launcher.asked[-2:] == ["record", "run"])
        launcher.die()

        assert (await asyncio.wait_for(link.ending("j1"), 10)).reason is Reason.LOST
        with pytest.raises(Unavailable):
            await record
        with pytest.raises(Ambiguous):
            await run


async def test_a_link_that_is_down_says_so_at_once_and_comes_back_by_itself() -> None:
    async with linked() as (launcher, link):
        first = await link.next_connection(0)
        launcher.die()
        await until(lambda: not link.is_up)
        with pytest.raises(Unavailable):
            await link.record("file", {})
        launcher.listen()
        second = await asyncio.wait_for(link.next_connection(first), 10)
        await link.record("file", {})

    assert (first, second) == (1, 2)


async def test_a_link_opens_where_nobody_listens_yet(tmp_path: Path) -> None:
    async with LauncherLink.open(tmp_path / "nobody.sock") as link:
        assert not link.is_up
        with pytest.raises(Unavailable):
            await link.profiles()


async def test_an_answer_that_does_not_come_is_timed_out() -> None:
    async with linked(answer_seconds=0.05) as (launcher, link):
        launcher.silent.add("jobs")
        with pytest.raises(TimedOut):
            await link.jobs()


async def test_an_abandoned_job_is_killed_and_forgotten() -> None:
    async with linked() as (launcher, link):
        await start(link, asking("sleep", "60"))
        ending = link.ending("j1")
        await link.abandon("j1")
        await until(lambda: not launcher.jobs)

    assert ending.result().reason is Reason.CANCELLED


async def test_a_job_is_adopted_with_the_ends_that_were_kept() -> None:
    async with linked() as (_, link):
        await start(link, asking("sh", "-c", "echo out; echo err >&2"))
        (found,) = await link.jobs()
        stdout, stderr = await link.adopt(found.job)
        await asyncio.wait_for(link.ending("j1"), 10)
        told = os.read(stdout, 100), os.read(stderr, 100)
        os.close(stdout)
        os.close(stderr)
        await link.forget("j1")

    assert told == (b"out\n", b"err\n")
    assert (found.profile, found.why) == ("developer", {"principal": "ann"})


async def test_the_profiles_are_read() -> None:
    async with linked() as (_, link):
        report = await link.profiles()

    profile = report.named("")
    assert profile is not None
    assert (profile.name, profile.workspace, profile.limits.wall_seconds) == ("developer", "/", 60.0)
    assert report.named("other") is None
    assert not report.guarantees[0].enforced


@asynccontextmanager
async def counted() -> AsyncIterator[tuple[FakeLauncher, LauncherLink]]:
    before = open_files()
    async with linked() as pair:
        yield pair
    assert not open_files() - before


@pytest.mark.parametrize("steps", range(1, 12))
async def test_no_descriptor_is_left_at_whatever_step_a_request_is_cancelled(steps: int) -> None:
    async with counted() as (_, link):
        await start(link, asking("sleep", "60"))
        adopting = asyncio.create_task(link.adopt("j1"))
        for _ in range(steps):
            await asyncio.sleep(0)
        adopting.cancel()
        (got,) = await asyncio.gather(adopting, return_exceptions=True)
        close_all(got if isinstance(got, tuple) else ())
        await link.record("after", {})
        await link.abandon("j1")


async def test_an_answer_to_who_has_gone_is_closed() -> None:
    async with counted() as (launcher, link):
        launcher.silent.add("run")
        run = asyncio.create_task(start(link, asking("true")))
        await until(lambda: "run" in launcher.asked)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await link.record("after", {})
