"""Many calls on one stream, between the server's link and a real host agent: each fares by itself."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support import certificates, hostagent
from support.calls import asking, command, failure, processes, shell
from support.host import call
from support.hostagent import Wand
from support.waiting import until
from wand_hostagent import pki
from wand_proto import errors
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1.execution_pb2_grpc import ExecutionStub
from wand_server import ports
from wand_server.hostlink.channel import Link
from wand_server.hostlink.client import HostClient

MIB = 1024 * 1024
GROWTH_BYTES = 32 * MIB


@pytest.fixture
def wand() -> Iterator[Wand]:
    with hostagent.running() as running:
        yield running


@asynccontextmanager
async def linked(wand: Wand) -> AsyncIterator[HostClient]:
    async with Link(wand.unix, wand.identity) as link:
        yield HostClient(link=link)


def text(command: str) -> ports.Command:
    return ports.Command(shell=command)


def streams(wand: Wand) -> int:
    """How many streams of calls have ended."""
    return sum("Execution/Calls" in line["method"] for line in wand.agent.events("call served"))


@dataclass
class SlowReader:
    """Takes the first of what it is given, and no more until it may."""

    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, stream: str, data: bytes) -> None:
        self.begun.set()
        await self.may_go_on.wait()


async def test_of_fifty_calls_a_flood_and_cancelled_ones_touch_no_other(wand: Wand) -> None:
    reader = SlowReader()
    async with linked(wand) as host:
        await host.run(call(), text("true"))
        before = wand.agent.memory_bytes()
        flood = asyncio.create_task(host.run(call(), text("head -c 100M /dev/zero"), reader))
        await asyncio.wait_for(reader.begun.wait(), 10)
        sleepers = [asyncio.create_task(host.run(call(), text(f"sleep {wand.mark}"))) for _ in range(9)]
        await until(lambda: len(processes(wand.mark)) >= 9)

        outcomes = await asyncio.gather(*(host.run(call(), text(f"echo {number}")) for number in range(40)))
        for sleeper in sleepers:
            sleeper.cancel()
        await until(lambda: not processes(wand.mark))

        assert [outcome.stdout for outcome in outcomes] == [b"%d\n" % number for number in range(40)]
        assert not flood.done()
        assert wand.agent.memory_bytes() - before < GROWTH_BYTES
        reader.may_go_on.set()
        assert (await flood).stdout_bytes == 100 * MIB
        assert wand.agent.memory_bytes() - before < GROWTH_BYTES
    await until(lambda: streams(wand) == 1)


async def test_a_restarted_host_agent_is_asked_on_a_new_stream_and_its_jobs_are_found_again(
    wand: Wand,
) -> None:
    go = wand.workspace / "go"
    waits = text(f"echo before; until [ -e {go} ]; do sleep 0.05; done; echo after")
    heard = asyncio.Event()

    async def hear(stream: str, data: bytes) -> None:
        heard.set()

    async with linked(wand) as host:
        running = asyncio.create_task(host.run(call(), waits, hear))
        await asyncio.wait_for(heard.wait(), 10)
        wand.agent.kill()
        await until(lambda: not host.link.is_up)
        await asyncio.to_thread(wand.agent.start)
        await until(lambda: host.link.is_up)

        assert (await host.run(call(), text("echo new"))).stdout == b"new\n"
        go.touch()
        assert (await running).stdout == b"before\nafter\n"


async def test_calls_whose_server_stops_end_with_their_jobs(wand: Wand) -> None:
    async with linked(wand) as host:
        running = [asyncio.create_task(host.run(call(), text(f"sleep {wand.mark}"))) for _ in range(3)]
        await until(lambda: len(processes(wand.mark)) >= 3)

    await until(lambda: not processes(wand.mark))
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_host_agent_that_stops_lets_short_calls_end_and_waits_for_no_idle_stream(
    wand: Wand,
) -> None:
    async with linked(wand) as host:
        running = asyncio.create_task(host.run(call(), text("echo begun; sleep 0.3; echo ended")))
        await until(lambda: wand.recorded("run"))
        status = await asyncio.to_thread(wand.agent.end)

        assert status == 0
        assert (await running).stdout == b"begun\nended\n"
        with pytest.raises(errors.Unavailable):
            await host.run(call(), text("true"))


async def test_a_certificate_that_expires_under_a_stream_is_good_for_no_new_call(
    wand: Wand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    soon = datetime.now(UTC) + timedelta(seconds=4)
    authority = certificates.authority_of(wand.pki)
    certificates.issue(wand.pki, authority, certificates.SERVER, days=1, since=soon - timedelta(days=1))
    go = wand.workspace / "go"
    async with linked(wand) as host:
        waits = text(f"echo begun; until [ -e {go} ]; do sleep 0.05; done; echo ended")
        running = asyncio.create_task(host.run(call(), waits))
        await host.run(call(), text("true"))
        await until(lambda: datetime.now(UTC) > soon + timedelta(seconds=1))

        with pytest.raises(errors.Unauthenticated, match="expired on"):
            await host.run(call(), text("true"))

        go.touch()
        assert (await running).stdout == b"begun\nended\n"
        pki.ensure(wand.pki, "test", renew=True)
        await until(lambda: "new channel with renewed certificates" in caplog.messages)
        assert (await host.run(call(), text("true"))).exit_code == 0


# -- the wire itself -------------------------------------------------------------------------------------


def opening(request: wire.RunRequest, **fields: Any) -> wire.CallOpening:
    metadata = {key: value if isinstance(value, bytes) else value.encode() for key, value in asking()}
    return wire.CallOpening(run=request, metadata=metadata, **fields)


def message(number: int, kind: Any) -> wire.CallMessages:
    fields = {"opening": kind} if isinstance(kind, wire.CallOpening) else {"cancel": wire.CallCancel()}
    return wire.CallMessages(messages=[wire.CallMessage(call=number, **fields)])


@asynccontextmanager
async def stream(wand: Wand) -> AsyncIterator[Any]:
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        yield execution.Calls()


async def events(calls: Any, number: int) -> AsyncIterator[wire.CallEvent]:
    """What comes of that call, to its end."""
    async with asyncio.timeout(60):
        while True:
            for event in (await calls.read()).events:
                if event.call == number:
                    yield event
                if event.HasField("end") and event.call == number:
                    return


async def test_a_detached_job_outlives_its_stream_and_another_does_not(wand: Wand) -> None:
    async with stream(wand) as calls:
        await calls.write(message(1, opening(command("sleep", wand.mark, detached=True))))
        await calls.write(message(2, opening(shell(f"sleep {wand.mark}; true"))))
        await until(lambda: len(processes(wand.mark)) >= 3)
        calls.cancel()

        await until(lambda: len(processes(wand.mark)) == 1)


async def test_a_call_over_its_deadline_is_ended_with_its_job(wand: Wand) -> None:
    async with stream(wand) as calls:
        await calls.write(message(1, opening(command("sleep", wand.mark), deadline_seconds=0.5)))
        *_, last = [event async for event in events(calls, 1)]

        assert last.end.failure.kind == "TimedOut"
        await until(lambda: not processes(wand.mark))
        calls.cancel()


@pytest.mark.parametrize(
    ("wrong", "kind", "field"),
    [
        (wire.CallOpening(run=command("true")), "Invalid", "wand-principal-bin"),
        (opening(wire.RunRequest()), "Invalid", "argv"),
        (opening(command("true"), window_bytes=2 * MIB), "Invalid", "window_bytes"),
        (opening(command("true"), deadline_seconds=-1), "Invalid", "deadline_seconds"),
        (opening(command("forbidden")), "Denied", ""),
    ],
)
async def test_a_call_that_cannot_be_served_ends_alone(
    wand: Wand, wrong: wire.CallOpening, kind: str, field: str
) -> None:
    async with stream(wand) as calls:
        await calls.write(message(1, wrong))
        await calls.write(message(2, opening(command("true"))))
        first = [event async for event in events(calls, 1)]
        await calls.write(message(3, opening(command("true"))))
        third = [event async for event in events(calls, 3)]

        assert [(event.end.failure.kind, event.end.failure.field) for event in first] == [(kind, field)]
        assert third[-2].event.exited.reason == wire.REASON_EXITED
        calls.cancel()


async def test_what_is_not_understood_of_a_call_ends_that_one_alone(wand: Wand) -> None:
    async with stream(wand) as calls:
        await calls.write(message(1, opening(command("sleep", wand.mark))))
        await calls.write(message(2, opening(shell("sleep 0.5; true"))))
        await until(lambda: processes(wand.mark))
        await calls.write(wire.CallMessages(messages=[wire.CallMessage(call=1)]))
        first = [event async for event in events(calls, 1)]
        second = [event async for event in events(calls, 2)]

        assert (first[-1].end.failure.kind, second[-1].end.failure.kind) == ("Invalid", "")
        await until(lambda: not processes(wand.mark))
        calls.cancel()


async def test_a_number_that_was_used_already_ends_the_stream_and_says_so(wand: Wand) -> None:
    async with stream(wand) as calls:
        for _ in range(2):
            await calls.write(message(1, opening(command("sleep", wand.mark))))

        error = await failure(_all(calls))

        assert (type(error), error.field) == (errors.Invalid, "call")
        await until(lambda: not processes(wand.mark))


async def _all(calls: Any) -> None:
    while await calls.read():
        pass
