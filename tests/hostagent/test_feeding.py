"""Jobs that are given something to read while they run, through a real gate and a real launcher."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from support.gates import House, house
from support.launcher_client import Launcher, launched
from support.people import ANN, BOB, shell
from support.waiting import open_files, until
from wand_hostagent.backends.taking import MOST_UNREAD_BYTES
from wand_hostagent.model import Exited, Input, Job, Limits, Output, Reason
from wand_hostagent.policy.model import Rule, Verdict
from wand_proto.errors import Conflict, Exhausted, NotFound

ANYTHING = (Rule(name="anything", verdict=Verdict.ALLOW, programs=("*",)),)
SIZE = (80, 24)
ASKS = "import getpass; print('read', getpass.getpass('word: '))"


@asynccontextmanager
async def real_house() -> AsyncIterator[tuple[Launcher, House]]:
    before = open_files()
    with launched("") as launcher:
        async with house(launcher.socket, launcher.folder / "spool") as every:
            every.rules.rules = ANYTHING
            yield launcher, every
    assert not open_files() - before


class Kept:
    """A job of Ann's that was started for input, to be looked at and fed."""

    def __init__(self, every: House, asked: Job) -> None:
        self._gate, self.job = every.gate, asked.id

    async def shown(self) -> bytes:
        return (await self._gate.read_output(ANN, self.job, "stdout", 0, 2**20)).data

    async def until(self, wanted: bytes) -> None:
        async with asyncio.timeout(60):
            while wanted not in await self.shown():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.002)

    async def give(self, data: bytes = b"", **parts: Any) -> None:
        await self._gate.feed(ANN, self.job, Input(data=data, **parts))

    async def give_too_much(self) -> None:
        for _ in range(4):
            await self.give(b"line\n" * (MOST_UNREAD_BYTES // 10))

    async def end(self) -> Exited:
        return await asyncio.wait_for(self._gate.wait(ANN, self.job), 20)


async def begin(every: House, text: str, **parts: Any) -> Kept:
    """Start shell text whose input stays open, in the background."""
    asked = shell(text, detached=True, stdin_open=True, **parts)
    async with aclosing(every.gate.run(ANN, asked)) as events:
        await anext(events)
    return Kept(every, asked)


async def whole(every: House, asked: Job) -> tuple[bytes, Exited]:
    """Run a job to its end: what it wrote, and how it ended."""
    written = b""
    async with asyncio.timeout(60), aclosing(every.gate.run(ANN, asked)) as events:
        async for event in events:
            written += event.data if isinstance(event, Output) else b""
    assert isinstance(event, Exited)
    return written, event


@pytest.mark.parametrize("terminal", [None, SIZE])
async def test_a_job_reads_what_it_is_given_while_it_runs_until_the_end(terminal: Any) -> None:
    async with real_house() as (_, every):
        job = await begin(every, "cat; echo over", terminal=terminal, stdin=b"first\n")
        await job.until(b"first\r\nfirst" if terminal else b"first")  # typed, and said again by cat
        await job.give(b"second\n")
        await job.until(b"second\r\nsecond" if terminal else b"second")
        await job.give(b"third", end=True)
        ended, shown = await job.end(), await job.shown()

    typed = ["first", "first", "second", "second", "thirdthirdover"]  # a terminal shows what is typed
    assert ended.reason is Reason.EXITED
    assert shown.decode().split() == (typed if terminal else ["first", "second", "thirdover"])


async def test_what_is_given_is_on_record_as_a_digest_and_a_size_is_not() -> None:
    async with real_house() as (launcher, every):
        job = await begin(every, "read line", terminal=SIZE)
        await job.give(resize=(100, 30))
        await job.give(b"hush\n")
        await job.end()
        records = [line["fields"] for line in launcher.records("input")]
        text = launcher.ledger.read_text()

    assert [(one["principal"], one["bytes"], one["sha256"]) for one in records] == [
        ("ann", 5, hashlib.sha256(b"hush\n").hexdigest())
    ]
    assert "hush" not in text


async def test_nobody_feeds_the_job_of_another() -> None:
    async with real_house() as (launcher, every):
        job = await begin(every, "read line; echo $line", terminal=SIZE)
        for given in (Input(data=b"x\n"), Input(interrupt=True), Input(resize=SIZE)):
            with pytest.raises(NotFound):
                await every.gate.feed(BOB, job.job, given)
        assert not launcher.records("input")
        await job.give(end=True)
        await job.end()


@pytest.mark.parametrize("terminal", [None, SIZE])
async def test_ctrl_c_ends_a_job_with_a_terminal_or_without(terminal: Any) -> None:
    async with real_house() as (_, every):
        job = await begin(every, "echo up; exec sleep 60", terminal=terminal)
        await job.until(b"up")
        await job.give(interrupt=True)
        ended = await job.end()

    assert (ended.reason, ended.signal) == (Reason.SIGNALED, 2)


@pytest.mark.parametrize("terminal", [None, SIZE])
async def test_what_a_job_does_not_read_is_bounded_and_ctrl_c_passes_it(terminal: Any) -> None:
    async with real_house() as (_, every):
        job = await begin(every, "echo up; exec sleep 60", terminal=terminal)
        await job.until(b"up")
        with pytest.raises(Exhausted, match="has not read the last"):
            await job.give_too_much()
        await job.give(interrupt=True)
        assert (await job.end()).signal == 2


async def test_a_job_that_was_started_for_no_input_can_be_given_none() -> None:
    async with real_house() as (launcher, every):
        asked = shell("echo up; exec sleep 60", detached=True)
        async with aclosing(every.gate.run(ANN, asked)) as events:
            await anext(events)
        for given in (Input(data=b"x"), Input(end=True), Input(resize=SIZE)):
            with pytest.raises(Conflict):
                await every.gate.feed(ANN, asked.id, given)
        assert not launcher.records("input")
        await every.gate.feed(ANN, asked.id, Input(interrupt=True))
        assert (await every.gate.wait(ANN, asked.id)).signal == 2


async def test_a_job_that_has_ended_is_given_nothing_and_that_is_said() -> None:
    async with real_house() as (_, every):
        job = await begin(every, "true")
        await job.end()
        fed = await every.gate.feed(ANN, job.job, Input(data=b"x"))

    assert not fed.running


@pytest.mark.parametrize(
    "way", ["cat", f'python3 -c "{ASKS}"', "read -s line", "sh -c 'read line </dev/tty'"]
)
async def test_in_a_terminal_without_input_nobody_waits_for_a_person(way: str) -> None:
    async with real_house() as (_, every):
        _, ended = await whole(every, shell(way, terminal=SIZE))

    assert ended.reason is Reason.EXITED


async def test_input_ends_for_good_where_it_was_to_end() -> None:
    async with real_house() as (_, every):
        running = asyncio.create_task(whole(every, asked := shell("sleep 60", terminal=SIZE, stdin=b"x")))
        await until(lambda: every.jobs.running)
        await until(lambda: every.gate._backends.all["native"].input_of(asked.id))
        with pytest.raises(Conflict, match="has ended"):
            await every.gate.feed(ANN, asked.id, Input(data=b"x"))
        await every.gate.feed(ANN, asked.id, Input(interrupt=True))
        assert (await running)[1].signal == 2


async def test_a_terminal_that_a_job_lets_go_of_for_a_moment_has_not_ended() -> None:
    async with real_house() as (_, every):
        text = "exec </dev/null >/dev/null 2>&1; sleep 0.3; echo late >/dev/tty"
        shown, _ = await whole(every, shell(text, terminal=SIZE))

    assert shown == b"late\r\n"


async def test_all_that_a_job_shows_comes_though_it_ends_at_once() -> None:
    async with real_house() as (_, every):
        shown, ended = await whole(every, shell("seq 100000", terminal=SIZE))

    assert shown.split() == [str(number).encode() for number in range(1, 100_001)]
    assert (ended.stdout_bytes, ended.stderr_bytes) == (len(shown), 0)


async def test_the_clock_runs_though_nobody_takes_what_a_terminal_shows() -> None:
    async with real_house() as (launcher, every):
        asked = shell("yes", terminal=SIZE, limits=Limits(wall_seconds=0.5))
        async with aclosing(every.gate.run(ANN, asked)) as events:
            await anext(events)
            await until(lambda: launcher.records("end"))
        (told,) = [line["fields"] for line in launcher.records("end")]

    assert told["reason"] == "timed_out"


async def test_a_job_that_ends_before_it_has_a_terminal_ends_as_any_other() -> None:
    async with real_house() as (_, every):
        hurried = [shell("true", terminal=SIZE, limits=Limits(wall_seconds=1e-6)) for _ in range(8)]
        ends = [(await whole(every, one))[1].reason for one in hurried]

    assert set(ends) <= {Reason.TIMED_OUT, Reason.EXITED}


async def test_the_next_host_agent_types_on_where_the_first_was() -> None:
    with launched("") as launcher:
        spool = launcher.folder / "spool"
        async with house(launcher.socket, spool) as first:
            first.rules.rules = ANYTHING
            job = await begin(first, "echo up; read -r line; echo read $line", terminal=SIZE)
            await job.until(b"up")
        async with house(launcher.socket, spool) as second:
            again = Kept(second, Job(id=job.job, argv=()))
            await until(lambda: second.gate.list_jobs(ANN))
            await until(lambda: second.jobs.of("ann", job.job).started)
            await again.give(b"on\n")
            ended, shown = await again.end(), await again.shown()

    assert (ended.reason, shown) == (Reason.EXITED, b"up\r\non\r\nread on\r\n")
