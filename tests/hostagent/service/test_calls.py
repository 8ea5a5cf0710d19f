"""A stream of calls that is left: those that run come to their end, and a new one is told to go elsewhere."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from grpc import aio

from support.waiting import until
from wand_hostagent.model import Event, Exited, Reason
from wand_hostagent.service import outbox
from wand_hostagent.service.calls import CallStream
from wand_hostagent.service.peers import Peer
from wand_proto.context import Caller, to_metadata
from wand_proto.v1 import execution_pb2 as wire

PEER = Peer("spiffe://wand.internal/server/here", good_until=2**33)


class Wire:
    """A stream as gRPC shows it: what is said to it is read, and what is written is kept."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self.heard: list[wire.CallEvent] = []
        self.hears = asyncio.Event()
        self.hears.set()

    def open(self, call: int) -> None:
        metadata = dict(to_metadata(Caller(principal="ada", request_id="r1")))
        opening = wire.CallOpening(run=wire.RunRequest(shell="true"))
        for key, value in metadata.items():
            opening.metadata[key] = value if isinstance(value, bytes) else value.encode()
        self.said.put_nowait(wire.CallMessages(messages=[wire.CallMessage(call=call, opening=opening)]))

    async def read(self) -> Any:
        return await self.said.get()

    async def write(self, batch: wire.CallEvents) -> None:
        self.heard += batch.events
        await self.hears.wait()

    def kinds(self, call: int) -> list[str | None]:
        return [event.WhichOneof("kind") for event in self.heard if event.call == call]


class Gate:
    """Every run ends when it may."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.running = 0

    async def run(self, caller: Caller, job: Any) -> AsyncGenerator[Event, None]:
        self.running += 1
        await self.may_end.wait()
        yield Exited(job=job.id, reason=Reason.EXITED)


def begun(gate: Any, peer: Peer = PEER) -> tuple[CallStream, Wire, "asyncio.Task[None]"]:
    stream, line = CallStream(gate, peer, lambda: "j1"), Wire()
    return stream, line, asyncio.create_task(stream.serve(line))  # type: ignore[arg-type]


async def test_a_stream_that_is_left_ends_with_the_last_of_its_calls() -> None:
    gate = Gate()
    stream, line, serving = begun(gate)
    line.open(1)
    await until(lambda: gate.running)
    stream.leave()
    line.open(2)
    await until(lambda: line.kinds(2))
    gate.may_end.set()
    await asyncio.wait_for(serving, 20)

    assert (line.kinds(0), line.kinds(1), line.kinds(2)) == (["leaving"], ["event", "end"], ["end"])
    (refused,) = (event.end for event in line.heard if event.call == 2)
    assert (refused.untouched, refused.failure.kind) == (True, "Unavailable")


async def test_an_idle_stream_that_is_left_ends_at_once() -> None:
    stream, _, serving = begun(Gate())
    await asyncio.sleep(0)
    stream.leave()

    await asyncio.wait_for(serving, 20)


async def test_a_peer_that_says_no_more_is_answered_to_the_end() -> None:
    gate = Gate()
    _, line, serving = begun(gate)
    line.open(1)
    line.said.put_nowait(aio.EOF)
    await until(lambda: gate.running)
    gate.may_end.set()
    await asyncio.wait_for(serving, 20)

    assert line.kinds(1) == ["event", "end"]


async def test_who_takes_no_answers_is_asked_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_MOST_QUEUED_BYTES", 640)
    _, line, serving = begun(Gate(), Peer(PEER.uri, good_until=1.0))
    line.hears.clear()
    for number in range(1, 41):
        line.open(number)
    await until(lambda: line.said.qsize() < 40)
    for _ in range(100):
        await asyncio.sleep(0)

    assert line.said.qsize() >= 20
    line.hears.set()
    line.said.put_nowait(aio.EOF)
    await asyncio.wait_for(serving, 20)
    assert len(line.heard) == 40


async def test_a_certificate_that_has_expired_since_serves_no_new_call() -> None:
    gate = Gate()
    _, line, serving = begun(gate, Peer(PEER.uri, good_until=1.0))
    line.open(1)
    line.said.put_nowait(aio.EOF)
    await asyncio.wait_for(serving, 20)

    assert [event.end.failure.kind for event in line.heard] == ["Unauthenticated"]
    assert not gate.running
