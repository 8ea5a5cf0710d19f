"""The endpoints of protocol version 2024-11-05, as its clients use them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.edge import TYPES, Edge, edge, legacy
from wand_server.transports import sse


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(tmp_path, legacy_sse=True) as running:
        yield running


class Stream:
    """An open stream, and the place that it told."""

    def __init__(self, served: Edge, answer: aiohttp.ClientResponse) -> None:
        self.served, self.answer, self.place = served, answer, ""

    async def event(self) -> tuple[str, str]:
        """The next event's name and content; nothing at the end of the stream."""
        name = text = ""
        while line := (await asyncio.wait_for(self.answer.content.readline(), 20)).decode().rstrip("\r\n"):
            key, _, value = line.partition(": ")
            name, text = (value, text) if key == "event" else (name, value if key == "data" else text)
        return name, text

    async def message(self) -> Any:
        return json.loads((await self.event())[1])

    async def post(self, message: Any, **headers: str) -> int:
        sent = self.served.headers(**headers)
        async with self.served.client.post(self.place, json=message, headers=sent) as answer:
            return answer.status

    async def initialize(self) -> None:
        about = {
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": {"name": "p", "version": "1"},
        }
        assert await self.post(legacy("initialize", about)) == 202
        assert "serverInfo" in (await self.message())["result"]
        assert await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}) == 202


@asynccontextmanager
async def opened(served: Edge) -> AsyncIterator[Stream]:
    sent = served.headers(Accept="text/event-stream")
    async with served.client.get(f"{served.origin}/sse", headers=sent) as answer:
        assert answer.status == 200, await answer.text()
        stream = Stream(served, answer)
        name, place = await stream.event()
        assert name == "endpoint"
        stream.place = served.origin + place
        yield stream


async def test_a_call_is_posted_and_answered_on_the_stream(served: Edge) -> None:
    async with opened(served) as stream:
        await stream.initialize()
        said = {"name": "echo", "arguments": {"text": "old"}}
        assert await stream.post(legacy("tools/call", said, 2)) == 202
        answer = await stream.message()
    assert (answer["id"], answer["result"]["content"][0]["text"]) == (2, "old")


async def test_a_client_that_hangs_up_takes_its_calls_along(served: Edge) -> None:
    async with opened(served) as stream:
        await stream.initialize()
        await stream.post(legacy("tools/call", {"name": "slow", "arguments": {}}, 2))
        await asyncio.wait_for(served.tools.slow_began.wait(), 20)
        stream.answer.close()
        await asyncio.wait_for(served.tools.slow_cancelled.wait(), 20)
        assert await stream.post(legacy("tools/list")) == 404


async def test_a_stream_takes_messages_of_its_own_principal_alone(served: Edge) -> None:
    async with opened(served) as stream:
        assert await stream.post(legacy("tools/list"), Authorization=f"Bearer {served.other_key}") == 404
        assert await stream.post(legacy("tools/list"), Authorization="Bearer wand_nobody") == 401
        stream.place += "0"
        assert await stream.post(legacy("tools/list")) == 404


async def test_what_is_no_message_is_refused_where_it_was_posted(served: Edge) -> None:
    async with opened(served) as stream:
        assert await stream.post([]) == 400
        assert await stream.post(legacy("tools/list"), Content_Type="text/plain") == 415


async def test_a_stream_needs_a_key_and_room(served: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served.client.get(f"{served.origin}/sse", headers=TYPES) as answer:
        assert answer.status == 401
    monkeypatch.setattr(sse, "OF_ONE_CEILING", 1)
    async with opened(served):
        async with served.client.get(f"{served.origin}/sse", headers=served.headers()) as answer:
            assert answer.status == 503
        headers = served.headers(Authorization=f"Bearer {served.other_key}")
        async with served.client.get(f"{served.origin}/sse", headers=headers) as answer:
            assert answer.status == 200
    monkeypatch.setattr(sse, "STREAMS_CEILING", 0)
    async with served.client.get(f"{served.origin}/sse", headers=served.headers()) as answer:
        assert answer.status == 503


async def test_a_server_that_stops_ends_the_stream(served: Edge) -> None:
    async with opened(served) as stream:
        await stream.initialize()
        served.transport.streams.close()
        assert await stream.event() == ("", "")


async def test_a_silent_stream_says_that_it_lives(served: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PING_SECONDS", 0.05)
    async with opened(served) as stream:
        assert await asyncio.wait_for(stream.answer.content.readline(), 20) == b": ping\r\n"


async def test_both_endpoints_are_off_unless_switched_on(tmp_path: Path) -> None:
    async with edge(tmp_path) as plain:
        for path in ("/sse", "/messages"):
            async with plain.client.get(plain.origin + path, headers=plain.headers()) as answer:
                assert answer.status == 404
