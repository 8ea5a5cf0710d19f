"""Two hundred sessions with ten calls in flight each."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.edge import Edge, edge, legacy
from support.tools import FakeTools
from wand_server.model import Call, ToolResult

SESSIONS, CALLS = 200, 10


@dataclass
class Gathering(FakeTools):
    """echo answers nobody until all are there."""

    all_there: asyncio.Event = field(default_factory=asyncio.Event)

    async def _echo(self, arguments: dict[str, Any], call: Call) -> ToolResult:
        if len(self.calls) == SESSIONS * CALLS:
            self.all_there.set()
        await self.all_there.wait()
        return await super()._echo(arguments, call)


@pytest.fixture
def descriptors() -> Iterator[None]:
    """As many as both ends of all connections take."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * SESSIONS * CALLS + 500
    if most < wanted:
        pytest.skip(f"{wanted} descriptors are needed, and {most} are permitted")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, wanted), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


@pytest.fixture
async def server(tmp_path: Path, descriptors: None) -> AsyncIterator[Edge]:
    async with edge(tmp_path, Gathering()) as running:
        yield running


async def ask(server: Edge, client: aiohttp.ClientSession, headers: dict[str, str], text: str) -> str:
    body = legacy("tools/call", {"name": "echo", "arguments": {"text": text}}, text)
    async with client.post(server.url, json=body, headers=headers) as answer:
        said = await answer.text()
    return text if f'"text":"{text}"' in said and f'"id":"{text}"' in said else said[-300:]


async def test_all_of_them_are_in_flight_at_once_and_each_gets_its_own_answer(server: Edge) -> None:
    unlimited = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=unlimited) as client:
        sessions = [await server.initialize() for _ in range(SESSIONS)]
        asked = [(one, f"{a}-{b}") for a, one in enumerate(sessions) for b in range(CALLS)]
        answers = await asyncio.gather(*(ask(server, client, one, text) for one, text in asked))

    assert answers == [text for _, text in asked]
