"""The door that a transport of another package is given, without any transport."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.added import house_of, modern
from support.edge import Edge, edge
from support.waiting import turns, until
from wand_proto.errors import Exhausted, Unavailable
from wand_server.transports.door import MESSAGE_BYTES, Door
from wand_server.transports.limits import Rate, Rates


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path) as running:
        yield running


async def test_a_closed_door_lets_nobody_in(served: Edge) -> None:
    door = Door(house_of(served))
    await door.close()

    with pytest.raises(Unavailable):
        await door.sign_in(served.key, peer="127.0.0.1")


async def no_texts() -> AsyncIterator[bytes]:
    for text in list[bytes]():
        yield text


async def to_nobody(text: bytes) -> None:
    raise ConnectionResetError(text)


async def test_who_has_signed_in_as_the_door_closes_is_not_served(served: Edge) -> None:
    door = Door(house_of(served))
    visit = await door.sign_in(served.key, peer="127.0.0.1")
    await door.close()

    with pytest.raises(Unavailable):
        await visit.serve(no_texts(), to_nobody)


async def test_a_door_that_closes_ends_its_visits(served: Edge) -> None:
    door, began = Door(house_of(served)), asyncio.Event()

    async def texts() -> AsyncIterator[bytes]:
        began.set()
        await asyncio.Event().wait()
        yield b""

    visit = await door.sign_in(served.key, peer="127.0.0.1")
    serving = asyncio.create_task(visit.serve(texts(), to_nobody))
    await asyncio.wait_for(began.wait(), 20)
    async with asyncio.timeout(60):
        await door.close()
        await serving


async def test_there_is_a_most_of_visits(served: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wand_server.transports.door.VISITS_CEILING", 0)

    with pytest.raises(Exhausted, match="0 clients are connected"):
        await Door(house_of(served)).sign_in(served.key, peer="127.0.0.1")


async def test_who_signs_in_or_asks_too_often_is_told_to_wait(served: Edge) -> None:
    slow = Rate(per_second=0.001, burst=2)
    served.transport.limits.change(Rates(principal=slow))
    said: list[dict[str, Any]] = []

    async def texts() -> AsyncIterator[bytes]:
        for number in (1, 2):
            yield json.dumps({**modern("tools/list"), "id": number}).encode()
        await until(lambda: len(said) == 2)

    async def send(text: bytes) -> None:
        said.append(json.loads(text))

    door = Door(house_of(served))
    await (await door.sign_in(served.key, peer="127.0.0.1")).serve(texts(), send)
    with pytest.raises(Exhausted, match="too many requests come from probe"):
        await door.sign_in(served.key, peer="127.0.0.1")

    by_id = {one["id"]: one for one in said}
    assert "result" in by_id[1]
    assert by_id[2]["error"]["message"].startswith("too many requests come from probe")


async def test_between_two_texts_everybody_else_has_a_turn(served: Edge) -> None:
    visit = await Door(house_of(served)).sign_in(served.key, peer="127.0.0.1")

    async def texts() -> AsyncIterator[bytes]:
        for _ in range(500):
            yield b"x"

    async def send(text: bytes) -> None:
        assert b"Parse error" in text

    async with turns() as had:
        await visit.serve(texts(), send)

    assert had[0] >= 500


async def test_a_message_that_is_too_large_is_refused(served: Edge) -> None:
    said: list[bytes] = []

    async def texts() -> AsyncIterator[bytes]:
        yield b" " * (MESSAGE_BYTES + 1)

    async def send(text: bytes) -> None:
        said.append(text)

    await (await Door(house_of(served)).sign_in(served.key, peer="")).serve(texts(), send)

    assert b"larger than" in said[0]
