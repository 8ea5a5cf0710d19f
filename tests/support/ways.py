"""Every way to a server at once: a call on each, and what the client is told when the server stops."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from support.running import COMMAND

MODERN, LEGACY = "2026-07-28", "2025-11-25"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}
ABOUT = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "probe", "version": "7"}}
TYPES = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is, and the key to it."""

    origin: str
    socket: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {**TYPES, "Authorization": f"Bearer {self.key}"}


@dataclass(frozen=True, slots=True)
class Way:
    """One client: what its call was answered, and then how the server took its leave."""

    answer: Awaitable[str]
    leave: Awaitable[str]


def call(command: str, *, modern: bool) -> dict[str, Any]:
    meta = {"_meta": ENVELOPE} if modern else {}
    params = {"name": "execute_command", "arguments": {"command": command}, **meta}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


def _modern(place: Place, method: str) -> dict[str, str]:
    headers = {**place.headers, "MCP-Protocol-Version": MODERN, "Mcp-Method": method}
    return {**headers, "Mcp-Name": "execute_command"} if method == "tools/call" else headers


@asynccontextmanager
async def stateless(client: aiohttp.ClientSession, place: Place, command: str) -> AsyncIterator[Way]:
    """A call and, beside it, a stream of subscriptions/listen."""
    body = call(command, modern=True)
    listen = {**body, "method": "subscriptions/listen", "params": {"notifications": {}, "_meta": ENVELOPE}}
    url = f"{place.origin}/mcp"
    async with client.post(url, json=listen, headers=_modern(place, "subscriptions/listen")) as stream:
        await stream.content.readuntil(b"acknowledged")

        async def answer() -> str:
            async with client.post(url, json=body, headers=_modern(place, "tools/call")) as answered:
                return await answered.text()

        yield Way(asyncio.create_task(answer()), asyncio.create_task(stream.text()))


@asynccontextmanager
async def session(client: aiohttp.ClientSession, place: Place, command: str) -> AsyncIterator[Way]:
    url, first = f"{place.origin}/mcp", {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": ABOUT}
    async with client.post(url, json=first, headers=place.headers) as greeted:
        about = {"Mcp-Session-Id": greeted.headers["Mcp-Session-Id"], "MCP-Protocol-Version": LEGACY}
        headers = {**place.headers, **about}
    async with client.get(url, headers=headers) as stream:

        async def answer() -> str:
            async with client.post(url, json=call(command, modern=False), headers=headers) as answered:
                return await answered.text()

        yield Way(asyncio.create_task(answer()), asyncio.create_task(stream.text()))


@asynccontextmanager
async def legacy_sse(client: aiohttp.ClientSession, place: Place, command: str) -> AsyncIterator[Way]:
    async with client.get(f"{place.origin}/sse", headers=place.headers) as stream:
        told = await stream.content.readuntil(b"\r\n\r\n")
        url = place.origin + told.decode().split("data: ")[1].strip()
        for message in (
            {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": ABOUT},
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            call(command, modern=False),
        ):
            async with client.post(url, json=message, headers=place.headers) as taken:
                assert taken.status == 202

        async def answer() -> str:
            await stream.content.readuntil(b"\r\n\r\n")  # of initialize
            return (await stream.content.readuntil(b"\r\n\r\n")).decode()

        first = asyncio.create_task(answer())

        async def rest() -> str:
            await first
            return (await stream.content.read()).decode()

        yield Way(first, asyncio.create_task(rest()))


@asynccontextmanager
async def websocket(client: aiohttp.ClientSession, place: Place, command: str) -> AsyncIterator[Way]:
    headers = {"Authorization": f"Bearer {place.key}"}
    async with client.ws_connect(f"{place.origin}/mcp", protocols=["mcp"], headers=headers) as connection:
        await connection.send_json(call(command, modern=True))
        first = asyncio.create_task(connection.receive_str())

        async def rest() -> str:
            await first
            last = await connection.receive()
            return f"{last.data} {last.extra}"

        yield Way(first, asyncio.create_task(rest()))


@asynccontextmanager
async def stdio(_: aiohttp.ClientSession, place: Place, command: str) -> AsyncIterator[Way]:
    way, piped = (COMMAND, "stdio", "--socket", place.socket), asyncio.subprocess.PIPE
    pipe = await asyncio.create_subprocess_exec(*way, stdin=piped, stdout=piped, stderr=piped)
    assert pipe.stdin
    assert pipe.stdout
    pipe.stdin.write(json.dumps(call(command, modern=True)).encode() + b"\n")
    first = asyncio.create_task(pipe.stdout.readline())

    async def answer() -> str:
        return (await first).decode()

    async def rest() -> str:
        await first
        said = (await pipe.communicate())[1].decode()
        return f"{pipe.returncode} {said}"

    try:
        yield Way(asyncio.create_task(answer()), asyncio.create_task(rest()))
    finally:
        if pipe.returncode is None:
            pipe.kill()
            await pipe.wait()


WAYS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (stateless, session, legacy_sse, websocket, stdio)
}
