"""The server's end of the stream of calls, before a host agent that a test has written."""

# ruff: noqa: N802 - the names of the .proto files

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from support.host import call
from support.places import short_folder
from support.waiting import until
from support.wirehost import Events, WireHost, address, exited, output, serving, started
from wand_proto.errors import Ambiguous, Broken
from wand_proto.v1 import execution_pb2 as wire
from wand_proto.v1 import execution_pb2_grpc
from wand_server import ports
from wand_server.hostlink.calls import WINDOW_BYTES, Opening
from wand_server.hostlink.channel import Link
from wand_server.hostlink.client import HostClient

LS = ports.Command(argv=("ls",))


@asynccontextmanager
async def linked(host: WireHost) -> AsyncIterator[HostClient]:
    with short_folder() as folder:
        async with serving(host, folder) as identity, Link(address(folder), identity) as link:
            yield HostClient(link=link)


class Leaving(WireHost):
    """Says at once that it takes no more on its first stream, and refuses what comes there all the same."""

    streams = 0

    async def Calls(self, _: Any, context: Any) -> None:  # type: ignore[override]
        self.streams += 1
        if self.streams == 1:
            await self._say(context, leaving=wire.Leaving())
        while (batch := await context.read()) is not grpc.aio.EOF:
            for message in batch.messages:
                if self.streams == 1:
                    end = wire.CallEnd(untouched=True, failure=wire.Failure(kind="Unavailable"))
                    await self._say(context, call=message.call, end=end)
                else:
                    await self._call(message, context)


class Older(WireHost):
    """Knows no stream of calls."""

    async def Calls(self, _: Any, context: Any) -> None:  # type: ignore[override]
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


class Leaver(WireHost):
    """Ends its first stream well and without an answer: it took no call."""

    streams = 0

    async def Calls(self, requests: Any, context: Any) -> None:  # type: ignore[override]
        self.streams += 1
        if self.streams == 1:
            await context.read()
        else:
            await super().Calls(requests, context)


class Breaker(WireHost):
    """Breaks off when it has been asked for a run, before it says anything."""

    async def Calls(self, _: Any, context: Any) -> None:  # type: ignore[override]
        self.asked += (await context.read()).messages
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


@pytest.mark.parametrize("kind", [Leaving, Older, Leaver])
async def test_a_call_that_was_not_taken_is_made_once_more(kind: type[WireHost]) -> None:
    async with linked(host := kind()) as client:
        assert (await client.run(call(), LS)).exit_code == 0
        assert (await client.run(call(), LS)).exit_code == 0

    assert len(host.asked) == 2


async def test_a_call_that_may_have_been_taken_is_ambiguous_and_not_made_again() -> None:
    async with linked(host := Breaker()) as client:
        with pytest.raises(Ambiguous):
            await client.run(call(), LS)

    assert len(host.asked) == 1


class Garbled(WireHost):
    """Answers a run with what is no message; without codecs, for what it writes are plain bytes."""

    async def Calls(self, _: Any, context: Any) -> None:  # type: ignore[override]
        self.asked.append(await context.read())
        try:
            await context.write(b"\xff" * 8)
            await context.read()
        finally:
            self.ended.append("Calls")

    def add(self, _: Any, server: grpc.aio.Server) -> None:
        calls: dict[str, Any] = {"Calls": grpc.stream_stream_rpc_method_handler(self.Calls)}
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("wand.hostagent.v1.Execution", calls),)
        )


async def test_an_answer_that_cannot_be_read_is_ambiguous_and_its_call_not_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Garbled()
    monkeypatch.setattr(execution_pb2_grpc, "add_ExecutionServicer_to_server", host.add)
    async with linked(host) as client:
        with pytest.raises(Ambiguous):
            await client.run(call(), LS)
        await until(lambda: host.ended == ["Calls"])

    assert len(host.asked) == 1


async def test_a_call_that_is_cancelled_before_it_left_never_leaves() -> None:
    async with linked(host := WireHost()) as client:
        async with client.link.connection() as connection:
            connection.calls.begin(Opening(wire.RunRequest(shell="ls"), (), 5)).cancel()
        await client.run(call(), LS)

    assert len(host.asked) == 1


async def test_what_cannot_be_read_ends_its_own_call_and_no_other() -> None:
    async def run(request: Any) -> Events:
        yield started()
        if request.shell == "odd":
            yield wire.Event(output=wire.Output(stream=99, data=b"?"))  # type: ignore[arg-type]  # a later one
            await asyncio.Event().wait()
        yield output(b"well")
        yield exited(stdout_bytes=4)

    async with linked(host := WireHost(run=run)) as client:
        odd = asyncio.create_task(client.run(call(), ports.Command(shell="odd")))
        assert (await client.run(call(), LS)).stdout == b"well"
        with pytest.raises(Broken, match="99"):
            await odd
        await until(lambda: len(host.ended) == 2)  # it was told that nobody waits for the odd one
        assert (await client.run(call(), LS)).stdout == b"well"


async def test_the_window_opens_as_output_is_taken_and_stays_shut_before_a_slow_reader() -> None:
    part, parts = 1024, 2 * WINDOW_BYTES // 1024
    may_go_on = asyncio.Event()

    async def run(_: Any) -> Events:
        yield started()
        for number in range(parts):
            yield output(bytes(part), part * number)
        yield exited(stdout_bytes=part * parts)

    async def slowly(stream: str, data: bytes) -> None:
        await may_go_on.wait()

    async with linked(host := WireHost(run=run)) as client:
        running = asyncio.create_task(client.run(call(), LS, slowly))
        await until(lambda: host.ended)
        assert host.taken_bytes == 0
        may_go_on.set()
        assert (await running).stdout_bytes == part * parts
        assert (await client.run(call(), LS)).stdout_bytes == part * parts
        await until(lambda: host.taken_bytes > 2 * WINDOW_BYTES)  # what was said last may be on its way
