"""A permitted job runs, is fed, followed, bounded and ended; no descriptor and no process is left."""

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from support.fakelauncher import FakeLauncher, linked
from support.people import job, permit, shell
from support.waiting import is_alive, open_files, until
from wand_hostagent.backends.native import NativeBackend, argv_of
from wand_hostagent.backends.streams import PIPE_BYTES, WIDE_BYTES
from wand_hostagent.model import Event, Exited, Job, Limits, Output, Reason, Started
from wand_hostagent.positions import Positions, packed
from wand_proto.errors import NotFound, Unavailable


def positions() -> Positions:
    return Positions(packed({}, free=8))


@asynccontextmanager
async def native() -> AsyncIterator[tuple[FakeLauncher, NativeBackend]]:
    before = open_files()
    async with linked() as (launcher, link):
        yield launcher, NativeBackend(link, positions())
        await link.record("still up", {})
        assert not launcher.jobs, "every job is forgotten in the end"
    assert not open_files() - before


async def all_of(backend: NativeBackend, asked: Job) -> list[Event]:
    async with asyncio.timeout(60), aclosing(backend.run(permit(asked))) as events:
        return [event async for event in events]


def text(events: list[Event], stream: str) -> bytes:
    return b"".join(one.data for one in events if isinstance(one, Output) and one.stream == stream)


def end(events: list[Event]) -> Exited:
    last = events[-1]
    assert isinstance(last, Exited)
    return last


async def test_a_job_starts_writes_and_exits_in_that_order() -> None:
    async with native() as (launcher, backend):
        events = await all_of(backend, shell("echo out; echo err >&2; exit 3"))

    assert isinstance(events[0], Started)
    assert (events[0].rule, events[0].profile, events[0].limits.wall_seconds) == ("people", "developer", 60)
    assert (text(events, "stdout"), text(events, "stderr")) == (b"out\n", b"err\n")
    assert (end(events).reason, end(events).exit_code) == (Reason.EXITED, 3)
    assert (end(events).stdout_bytes, end(events).stderr_bytes) == (4, 4)
    assert launcher.runs[0]["why"] == {
        "principal": "ann", "client": "claude/1", "request": "r1", "rule": "people", "policy": "d1",
        "form": "shell", "peer": "spiffe://wand.internal/server/a",
    }  # fmt: skip


async def test_what_a_job_writes_comes_while_it_runs(tmp_path: Path) -> None:
    async with native() as (_, backend):
        gate = tmp_path / "go"
        asked = shell(f"echo first; until test -e {gate}; do sleep 0.01; done; echo second")
        async with aclosing(backend.run(permit(asked))) as events:
            seen = [await anext(events), await anext(events)]
            gate.touch()
            seen += [event async for event in events]

    assert [one.data for one in seen if isinstance(one, Output)] == [b"first\n", b"second\n"]


@pytest.mark.parametrize("size", [1, 100_000, 2**20])
async def test_stdin_is_read_to_its_end_and_its_digest_is_told(size: int) -> None:
    async with native() as (launcher, backend):
        stdin = b"x" * size
        events = await all_of(backend, job("cat", stdin=stdin))

    assert text(events, "stdout") == stdin
    why = launcher.runs[0]["why"]
    assert (why["stdin_bytes"], why["stdin_sha256"]) == (size, hashlib.sha256(stdin).hexdigest())


async def test_a_job_may_leave_its_stdin_unread() -> None:
    async with native() as (_, backend):
        events = await all_of(backend, job("true", stdin=b"x" * 2**20))

    assert end(events).exit_code == 0


async def test_without_stdin_a_job_reads_the_end_at_once() -> None:
    async with native() as (_, backend):
        assert text(await all_of(backend, job("cat")), "stdout") == b""


async def test_bytes_that_are_no_text_come_through_unchanged() -> None:
    async with native() as (_, backend):
        events = await all_of(backend, shell(r"printf '\000\377\200'"))

    assert text(events, "stdout") == b"\0\xff\x80"


async def test_a_program_that_does_not_exist_is_not_found_and_leaves_nothing() -> None:
    async with native() as (_, backend):
        with pytest.raises(NotFound):
            await all_of(backend, job("no-such-program"))


async def test_closing_the_events_ends_the_whole_tree() -> None:
    async with native() as (_, backend):
        asked = shell("sleep 60 & echo $!; echo $$; wait")
        async with aclosing(backend.run(permit(asked))) as events:
            await anext(events)
            pids: list[int] = []
            while len(pids) < 2:
                event = await anext(events)
                assert isinstance(event, Output)
                pids += map(int, event.data.split())
        await until(lambda: not any(map(is_alive, pids)))


async def test_a_cancelled_start_leaves_no_job() -> None:
    async with native() as (launcher, backend):
        launcher.silent.add("run")
        starting = asyncio.create_task(all_of(backend, job("sleep", "60")))
        await until(lambda: "run" in launcher.asked)
        launcher.silent.clear()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await until(lambda: "kill" in launcher.asked)


async def test_a_detached_job_outlives_its_events_and_is_adopted() -> None:
    async with native() as (launcher, backend):
        asked = shell("echo out; sleep 60", detached=True)
        async with aclosing(backend.run(permit(asked))) as events:
            await anext(events)
            await anext(events)
        (found,) = await backend.link.jobs()
        assert await backend.signal(asked.id, signal.SIGTERM)
        async with aclosing(backend.adopt(found, (4, 0))) as events:
            seen = [event async for event in events]

    assert [type(event) for event in seen] == [Started, Exited]
    assert (end(seen).reason, end(seen).stdout_bytes) == (Reason.SIGNALED, 4)
    assert launcher.runs[0]["why"]["detached"] is True


async def test_a_job_that_writes_too_much_is_stopped_at_its_ceiling() -> None:
    async with native() as (_, backend):
        events = await all_of(backend, job("cat", "/dev/zero", limits=Limits(output_bytes=300_000)))

    assert end(events).reason is Reason.OUTPUT_LIMIT
    assert len(text(events, "stdout")) == end(events).stdout_bytes == 300_000


async def test_a_survivor_that_holds_the_pipe_does_not_hold_the_end() -> None:
    async with native() as (_, backend):
        events = await all_of(backend, shell("setsid sleep 5 & echo out"))

    assert text(events, "stdout") == b"out\n"
    assert end(events).exit_code == 0


async def test_a_slow_reader_leaves_the_pipe_full_and_holds_little() -> None:
    total = 64 * 2**20
    async with (
        native() as (_, backend),
        aclosing(backend.run(permit(job("head", "-c", str(total), "/dev/zero")))) as events,
    ):
        counted = largest = 0
        async for event in events:
            if isinstance(event, Output):
                assert event.offset == counted
                counted += len(event.data)
                largest = max(largest, len(event.data))
                await asyncio.sleep(0)

    assert counted == total
    assert largest <= WIDE_BYTES


WRITES_WHAT_FITS = """
import os, select, sys
os.set_blocking(1, False)
written = 0
while select.select([], [1], [], 0.5)[1]:
    written += os.write(1, b"x" * 4096)
with open(sys.argv[1], "w") as file:
    file.write(str(written))
"""


async def test_a_job_waits_for_a_reader_that_does_not_read(tmp_path: Path) -> None:
    told = tmp_path / "written"
    async with native() as (_, backend):
        asked = job("python3", "-c", WRITES_WHAT_FITS, str(told))
        async with aclosing(backend.run(permit(asked))) as events:
            await anext(events)
            await until(lambda: told.exists() and told.read_text())
            counted = sum([len(event.data) async for event in events if isinstance(event, Output)])

    assert counted == int(told.read_text()) <= PIPE_BYTES + WIDE_BYTES


async def test_the_clock_runs_on_while_nobody_reads() -> None:
    async with native() as (_, backend):
        asked = job("cat", "/dev/zero", limits=Limits(wall_seconds=0.3))
        async with aclosing(backend.run(permit(asked))) as events:
            await anext(events)
            await asyncio.wait_for(asyncio.shield(backend.link.ending(asked.id)), 10)
            seen = [event async for event in events]

    assert end(seen).reason is Reason.TIMED_OUT


async def test_a_lost_launcher_ends_the_job_as_lost() -> None:
    async with linked() as (launcher, link), asyncio.timeout(60):
        events = NativeBackend(link, positions()).run(permit(shell("echo out; sleep 60")))
        seen = [await anext(events), await anext(events)]
        launcher.die()
        seen += [event async for event in events]

    assert end(seen).reason is Reason.LOST
    assert end(seen).stdout_bytes == 4


async def test_nothing_starts_while_the_launcher_is_away() -> None:
    async with linked() as (launcher, link):
        launcher.die()
        await until(lambda: not link.is_up)
        with pytest.raises(Unavailable):
            await all_of(NativeBackend(link, positions()), job("true"))


def test_shell_text_is_one_word_for_a_shell_and_argv_is_left_alone() -> None:
    assert argv_of(shell("a 'b"))[1:] == ("-c", "a 'b")
    assert argv_of(job("a", "b c")) == ("a", "b c")
