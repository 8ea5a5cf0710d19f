"""What is left when a part dies in the middle of a job, and what a stop leaves."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from support import hostagent
from support.calls import asking, command, failure, followed, processes, shell
from support.hostagent import Wand
from support.program import Program
from support.waiting import until
from wand_proto import errors
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1.execution_pb2_grpc import ExecutionStub


@pytest.fixture
def wand() -> Iterator[Wand]:
    with hostagent.running() as running:
        yield running


async def test_a_restarted_agent_finds_the_job_of_its_dead_predecessor(wand: Wand) -> None:
    go = wand.workspace / "go"
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        asked = shell(f"echo before; until [ -e {go} ]; do sleep 0.05; done; echo after; exit 7")
        call = execution.Run(asked, metadata=asking())
        events = aiter(call)
        job = (await anext(events)).started.job
        assert (await anext(events)).output.data == b"before\n"
        wand.agent.kill()  # so young a job has no file yet: what it wrote is known to the caller alone
        assert type(await failure(anext(events))) in {errors.Unavailable, errors.Ambiguous}
    wand.agent.start()

    async with wand.channel() as channel:
        execution = ExecutionStub(channel)
        listed = await execution.ListJobs(wire.ListJobsRequest(), metadata=asking())
        assert [(one.job, one.running) for one in listed.jobs] == [(job, True)]
        attached = execution.Attach(wire.AttachRequest(job=job, stdout_offset=7), metadata=asking())
        go.touch()
        output, exited = await followed(attached)
        waited = await execution.Wait(wire.WaitRequest(job=job), metadata=asking())
        read = await execution.ReadOutput(
            wire.ReadOutputRequest(job=job, stream=wire.STREAM_STDOUT), metadata=asking()
        )

    assert output[wire.STREAM_STDOUT] == b"after\n"
    assert (exited.reason, exited.exit_code, exited.stdout_bytes) == (wire.REASON_EXITED, 7, 13)
    assert waited == exited
    assert (read.offset, read.data, read.total_bytes) == (7, b"after\n", 13)


async def test_somebody_else_s_job_is_not_found(wand: Wand) -> None:
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        call = execution.Run(command("sleep", wand.mark), metadata=asking("ada"))
        events = aiter(call)
        job = (await anext(events)).started.job

        asked = wire.SignalRequest(job=job, signal=15)
        error = await failure(execution.Signal(asked, metadata=asking("bob")))

    assert type(error) is errors.NotFound


async def test_a_dead_launcher_ends_its_jobs_as_lost_and_is_found_again(wand: Wand) -> None:
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        call = execution.Run(shell(f"sleep {wand.mark} & sleep {wand.mark}"), metadata=asking())
        events = aiter(call)
        await anext(events)
        await until(lambda: len(processes(wand.mark)) >= 2)

        wand.launcher.kill()

        _, exited = await followed(events)
        assert exited.reason == wire.REASON_LOST
        await until(lambda: not processes(wand.mark))
        error = await failure(followed(execution.Run(command("true"), metadata=asking())))
        assert type(error) is errors.Unavailable
        assert error.hint
        wand.launcher.start()
        await until(lambda: len(wand.agent.events("launcher connected")) == 2, seconds=30)
        _, exited = await followed(execution.Run(command("true"), metadata=asking()))

    assert exited.reason == wire.REASON_EXITED
    assert wand.recorded("ambiguous")


async def test_an_agent_without_a_launcher_starts_and_says_so() -> None:
    with hostagent.prepared() as wand:
        wand.agent.start()
        async with wand.channel() as channel:
            execution: Any = ExecutionStub(channel)
            error = await failure(followed(execution.Run(command("true"), metadata=asking())))

        assert type(error) is errors.Unavailable
        assert wand.agent.events("launcher not reached")


async def test_sigterm_ends_the_calls_and_leaves_nothing(wand: Wand) -> None:
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        call = execution.Run(shell(f"sleep {wand.mark} & sleep {wand.mark}"), metadata=asking())
        events = aiter(call)
        await anext(events)
        await until(lambda: len(processes(wand.mark)) >= 2)

        assert await asyncio.to_thread(wand.agent.end) == 0

        await until(lambda: not processes(wand.mark))
    assert not (wand.folder / "h.sock").exists()
    assert wand.launcher.end() == 0
    assert wand.recorded("stop")


async def test_a_detached_job_outlives_the_agent_s_stop(wand: Wand) -> None:
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        call = execution.Run(command("sleep", wand.mark, detached=True), metadata=asking())
        events = aiter(call)
        job = (await anext(events)).started.job
        await until(lambda: processes(wand.mark))
        assert await asyncio.to_thread(wand.agent.end) == 0
        assert processes(wand.mark)
    wand.agent.start()

    async with wand.channel() as channel:
        execution = ExecutionStub(channel)
        reply = await execution.Signal(wire.SignalRequest(job=job, signal=15), metadata=asking())
        exited = await execution.Wait(wire.WaitRequest(job=job), metadata=asking(), timeout=90)

    assert reply.running
    assert (exited.reason, exited.signal) == (wire.REASON_SIGNALED, 15)


async def test_a_second_agent_does_not_take_the_place_of_a_living_one(wand: Wand) -> None:
    second = Program(wand.agent.argv, wand.folder / "second.log")

    with pytest.raises(AssertionError, match="another host agent uses"):
        second.start()

    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        _, exited = await followed(execution.Run(command("true"), metadata=asking()))
    assert exited.reason == wire.REASON_EXITED
