"""The host agent as a program: what it tells its supervisor, what it reads again, how it refuses to start."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from support import hostagent
from support.calls import asking, command, failure, followed, shell
from support.hostagent import Wand
from support.waiting import until
from wand_proto import errors
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1.execution_pb2_grpc import ExecutionStub

MIB = 1024 * 1024
IDLE_BYTES = 56 * MIB  # 50 are wanted; a development environment loads a few more (grpc_tools)


@pytest.fixture
def wand() -> Iterator[Wand]:
    with hostagent.running() as running:
        yield running


async def run(wand: Wand, *argv: str) -> wire.Exited:
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        return (await followed(execution.Run(command(*argv), metadata=asking())))[1]


async def test_idle_it_needs_little_memory(wand: Wand) -> None:
    assert wand.agent.memory_bytes() < IDLE_BYTES


async def test_sighup_reads_the_policy_again_and_a_broken_one_denies(wand: Wand) -> None:
    policy = wand.folder / "policy.d/policy.toml"
    good = policy.read_text()
    policy.write_text("[[rule]]\nname = 'x'\nverdict = 'maybe'\n")
    wand.agent.signal(signal.SIGHUP)
    await until(lambda: wand.agent.events("policy broken"))

    error = await failure(run(wand, "true"))

    assert type(error) is errors.BrokenPolicy
    assert "maybe" in error.message
    policy.write_text(good)
    wand.agent.signal(signal.SIGHUP)
    await until(lambda: len(wand.agent.events("policy read")) == 2)
    assert (await run(wand, "true")).reason == wire.REASON_EXITED


async def test_a_supervisor_is_told_of_ready_and_of_the_end() -> None:
    with hostagent.prepared() as wand, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(f"{wand.folder}/notify")
        supervisor.settimeout(60)
        wand.agent.environment = {"NOTIFY_SOCKET": f"{wand.folder}/notify", "WATCHDOG_USEC": "200000"}
        wand.agent.start()
        told = [supervisor.recv(4096) for _ in range(4)]
        assert await asyncio.to_thread(wand.agent.end) == 0
        while not told[-1].startswith(b"STOPPING=1"):
            told.append(supervisor.recv(4096))

    assert told[0].startswith(b"READY=1\nSTATUS=listening at unix:")
    assert set(told[1:-1]) == {b"WATCHDOG=1"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('lisen = ["x"]', "did you mean listen?"),
        ('max_jobs = "many"', "max_jobs"),
    ],
)
def test_settings_that_are_wrong_stop_the_start_with_one_line(line: str, said: str) -> None:
    with hostagent.prepared(settings=f"{line}\n") as wand:
        with pytest.raises(AssertionError, match="did not become ready"):
            wand.agent.start()
        log = wand.agent.log.read_text()

    assert said in log
    assert "Traceback" not in log
    assert log.count("\n") == 1


def test_a_key_that_others_may_read_stops_the_start() -> None:
    with hostagent.prepared() as wand:
        (wand.pki / "hostagent.key").chmod(0o644)
        with pytest.raises(AssertionError, match="is open to others"):
            wand.agent.start()


async def test_following_again_leaves_the_job_alone(wand: Wand) -> None:
    go = wand.workspace / "go"
    async with wand.channel() as channel:
        execution: Any = ExecutionStub(channel)
        waits = shell(f"echo 0123456789; until [ -e {go} ]; do sleep 0.01; done; echo")
        call = execution.Run(waits, metadata=asking())
        events = aiter(call)
        job = (await anext(events)).started.job
        first = (await anext(events)).output.data
        other = execution.Attach(wire.AttachRequest(job=job, stdout_offset=4), metadata=asking())
        again = aiter(other)
        assert (await anext(again)).started.job == job
        other.cancel()
        with pytest.raises(asyncio.CancelledError):
            await followed(again)  # to its end, or gRPC would meet a closed loop
        go.touch()
        output, exited = await followed(events)
        read = await execution.ReadOutput(
            wire.ReadOutputRequest(job=job, stream=wire.STREAM_STDOUT, offset=4, max_bytes=6),
            metadata=asking(),
        )

    assert first + output[wire.STREAM_STDOUT] == b"0123456789\n\n"
    assert exited.reason == wire.REASON_EXITED
    assert (read.data, read.offset, read.total_bytes, read.running) == (b"456789", 4, 12, False)


async def test_as_many_jobs_run_as_may_and_no_more() -> None:
    with hostagent.running(settings="max_jobs = 2\n") as wand:
        async with wand.channel() as channel:
            execution: Any = ExecutionStub(channel)
            calls = [execution.Run(command("sleep", wand.mark), metadata=asking()) for _ in range(2)]
            for call in calls:
                await anext(aiter(call))

            error = await failure(run(wand, "true"))

            assert type(error) is errors.Exhausted
            assert "max_jobs" in error.hint


async def test_an_error_as_long_as_may_be_arrives_whole() -> None:
    say = "😀" * 4096
    with hostagent.running(policy=hostagent.POLICY.replace("anything else is permitted", say)) as wand:
        error = await failure(run(wand, "forbidden"))

    assert error.hint == say
