"""A real host agent and a real launcher, asked over the wire as the server asks."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from support import hostagent
from support.calls import asking, command, failure, followed, processes, shell
from support.hostagent import Wand
from support.waiting import until
from wand_proto import errors
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1.execution_pb2_grpc import ExecutionStub

MIB = 1024 * 1024
STDOUT, STDERR = wire.STREAM_STDOUT, wire.STREAM_STDERR


@pytest.fixture
def wand() -> Iterator[Wand]:
    with hostagent.running() as running:
        yield running


@pytest.fixture
async def execution(wand: Wand) -> AsyncIterator[Any]:
    async with wand.channel() as channel:
        yield ExecutionStub(channel)


@pytest.mark.parametrize("link", ["unix", "tcp"])
async def test_a_command_s_output_and_status_come_back_over_either_link(wand: Wand, link: str) -> None:
    async with wand.channel(getattr(wand, link)) as channel:
        execution: Any = ExecutionStub(channel)
        asked = shell("echo out; echo err >&2; exit 3")
        output, exited = await followed(execution.Run(asked, metadata=asking()))

    assert output == {STDOUT: b"out\n", STDERR: b"err\n"}
    assert (exited.reason, exited.exit_code) == (wire.REASON_EXITED, 3)


async def test_stdin_environment_and_directory_reach_the_command(wand: Wand, execution: Any) -> None:
    (wand.workspace / "inside").mkdir()
    asked = shell("cat; echo $CI; pwd", stdin=b"a\0b\n", environment={"CI": "1"}, directory="inside")

    output, _ = await followed(execution.Run(asked, metadata=asking()))

    assert output[STDOUT] == b"a\0b\n1\n%s/inside\n" % bytes(wand.workspace)


async def test_a_command_starts_in_a_folder_whose_name_is_not_utf8(wand: Wand, execution: Any) -> None:
    folder = os.fsencode(wand.workspace) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102 - bytes, which Path does not take
    (wand.workspace / "link").symlink_to("caf\udce9")

    for asked in ("caf\\xe9", f"{wand.workspace}/caf\\xe9", "link"):
        events = aiter(execution.Run(command("pwd", "-P", directory=asked), metadata=asking()))
        started = (await anext(events)).started
        output, _ = await followed(events)
        assert output[STDOUT] == folder + b"\n"
        assert started.directory == f"{wand.workspace}/caf\\xe9"
    lacking = await failure(followed(execution.Run(command("pwd", directory="caf\\xff"), metadata=asking())))

    assert (type(lacking), lacking.field) == (errors.NotFound, "directory")
    assert lacking.message.startswith("caf\\xff cannot be entered")
    assert {line["fields"]["directory"] for line in wand.recorded("run")} == {started.directory}


async def test_a_denial_arrives_as_denied_with_its_hint_and_is_recorded(wand: Wand, execution: Any) -> None:
    error = await failure(followed(execution.Run(command("forbidden"), metadata=asking())))

    assert type(error) is errors.Denied
    assert "anything else is permitted" in error.hint
    assert wand.recorded("refused")


@pytest.mark.parametrize(
    ("asked", "kind", "field"),
    [
        (command("echo", "a\0b"), errors.Invalid, "argv.words[1]"),
        (command("no-such-program"), errors.NotFound, "argv"),
        (command("true", directory="no-such-folder"), errors.NotFound, "directory"),
        (command("true", directory="/"), errors.Denied, "directory"),
        (command("true", environment={"LD_PRELOAD": "x"}), errors.Denied, "environment"),
        (command("true", backend="moon"), errors.Invalid, "backend"),
    ],
)
async def test_what_cannot_run_is_refused_by_its_field(
    execution: Any, asked: wire.RunRequest, kind: type[errors.WandError], field: str
) -> None:
    error = await failure(followed(execution.Run(asked, metadata=asking())))

    assert (type(error), error.field.partition("[")[0]) == (kind, field.partition("[")[0])


async def test_64_mib_of_output_arrive_whole(execution: Any) -> None:
    asked = shell("head -c 67108864 /dev/zero | tr '\\0' x")

    output, exited = await followed(execution.Run(asked, metadata=asking()))

    assert exited.stdout_bytes == 64 * MIB
    assert hashlib.sha256(output[STDOUT]).digest() == hashlib.sha256(b"x" * 64 * MIB).digest()


async def test_a_client_that_goes_away_kills_the_whole_tree(wand: Wand, execution: Any) -> None:
    call = execution.Run(shell(f"sleep {wand.mark} & echo on; sleep {wand.mark}"), metadata=asking())
    events = aiter(call)
    await said(events, b"on\n")
    await until(lambda: len(processes(wand.mark)) >= 2)

    call.cancel()

    await until(lambda: not processes(wand.mark))
    await until(lambda: wand.recorded("end"))


async def test_clients_that_go_away_at_any_moment_leave_nothing(wand: Wand, execution: Any) -> None:
    await followed(execution.Run(command("true"), metadata=asking()))
    before = wand.agent.descriptors()
    calls = [execution.Run(command("sleep", wand.mark), metadata=asking()) for _ in range(40)]
    for place, call in enumerate(calls):
        await asyncio.sleep(place * 0.0005)  # from before the request is read until after the start
        call.cancel()

    await until(lambda: len(wand.recorded("end")) == len(wand.recorded("run")))
    assert not processes(wand.mark)
    await until(lambda: wand.agent.descriptors() <= before)
    _, exited = await followed(execution.Run(command("true"), metadata=asking()))
    assert exited.reason == wire.REASON_EXITED


async def test_a_client_that_does_not_read_makes_the_command_wait(wand: Wand, execution: Any) -> None:
    done = wand.workspace / "done"
    call = execution.Run(shell(f"head -c 67108864 /dev/zero; touch {done}"), metadata=asking())
    events = aiter(call)
    await anext(events)  # Started, and nothing more

    await followed(execution.Run(command("sleep", "1.5"), metadata=asking()))

    assert not done.exists()
    assert wand.agent.memory_bytes() < 100 * MIB
    _, exited = await followed(events)
    assert exited.stdout_bytes == 64 * MIB
    assert done.exists()


async def said(events: Any, wanted: bytes) -> None:
    """Wait until stdout has brought it."""
    text = b""
    async with asyncio.timeout(60):
        while wanted not in text:
            text += (await anext(events)).output.data
